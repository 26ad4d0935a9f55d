#!/usr/bin/env bash
# Before chapter 00: nothing runs, nothing is stored.
. "$(dirname "$0")/../lib.sh"
echo "Chapter 00 begins with a built toolkit and nothing else."
stop_all
did "stopped what was running"
rm -rf "$dir"
did "removed $dir"
