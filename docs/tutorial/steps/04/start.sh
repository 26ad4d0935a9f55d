#!/usr/bin/env bash
# Before chapter 04: the demo runs with a fresh configuration, all on the monolith.
. "$(dirname "$0")/../lib.sh"
echo "Chapter 04 begins with the demo running, every request answered by the monolith."
fresh_demo
record_before
