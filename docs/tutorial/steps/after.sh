#!/usr/bin/env bash
# after.sh records what the shop does now, through the proxy, and compares that with what
# the monolith did in chapter 01: the two commands of chapter 02, step 4, but the suite is a
# tester whom the service answers, whatever a canary's share. It ends as
# strangler compare diff does: with 0 if AFTER does what BEFORE did.
. "$(dirname "$0")/lib.sh"
record_after >/dev/null 2>&1 || die "the suite cannot be recorded: see $after"
exec bin/strangler compare diff --config "$config" --out "$dir/compared" "$before/before-1" "$before/before-2" "$after"
