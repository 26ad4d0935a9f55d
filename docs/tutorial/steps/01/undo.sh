#!/usr/bin/env bash
# Takes chapter 01 back: the results are forgotten, the demo runs.
. "$(dirname "$0")/../lib.sh"
rm -f "$dir"/before.* "$dir"/after.*
did "removed the results of the acceptance suite"
demo_up || { fresh_demo; }
