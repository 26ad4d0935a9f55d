#!/usr/bin/env bash
# Before chapter 02: the monolith runs alone, and its results are kept.
. "$(dirname "$0")/../lib.sh"
echo "Chapter 02 begins with the monolith alone, and its results of chapter 01."
stop_all
did "stopped what was running"
reviews_home
mkdir -p "$dir"
rm -f "$config" "$config".* "$dir"/after.*
did "removed $config: you will write your own"
start_monolith
did "started the monolith at http://$monolith_addr (log: $dir/logs/monolith.log)"
if [ ! -s "$dir/before.txt" ]; then
	docs/tutorial/steps/record.sh before "http://$monolith_addr" >/dev/null || die "the acceptance suite fails against the monolith: see $dir/before.txt"
	did "recorded the results of chapter 01 in $dir/before.txt"
fi
