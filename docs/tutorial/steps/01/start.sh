#!/usr/bin/env bash
# Before chapter 01: the demo runs, the reader has ordered something, nothing is recorded.
. "$(dirname "$0")/../lib.sh"
. docs/tutorial/steps/order.sh
echo "Chapter 01 begins with the demo running, every request answered by the monolith."
fresh_demo
has_order || { place_order && did "placed the order of chapter 00"; } || die "the order of chapter 00 cannot be placed: see $dir/logs/monolith.log"
rm -rf "$before" "$after"
did "removed earlier recordings"
