#!/usr/bin/env bash
# Takes chapter 01 back: the recordings are gone, the demo runs.
. "$(dirname "$0")/../lib.sh"
rm -rf "$before" "$dir/broken"
did "removed the recordings"
demo_up || { fresh_demo; }
