#!/usr/bin/env bash
# Before chapter 02: the monolith runs alone, and what it does is recorded.
. "$(dirname "$0")/../lib.sh"
echo "Chapter 02 begins with the monolith alone, and what chapter 01 recorded."
stop_all
did "stopped what was running"
reviews_home
mkdir -p "$dir"
rm -rf "$config" "$config".* "$after"
did "removed $config: you will write your own"
start_monolith
did "started the monolith at http://$monolith_addr (log: $dir/logs/monolith.log)"
record_before
