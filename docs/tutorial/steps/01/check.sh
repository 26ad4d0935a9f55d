#!/usr/bin/env bash
# After chapter 01: what the monolith does is recorded, and it is the same as itself.
. "$(dirname "$0")/../lib.sh"
outcomes() { grep -c '"name": "acceptance/' "$before/report.json"; }
echo "Chapter 01: the monolith and its tests"
check "the monolith answers at http://$monolith_addr" "make ch01-start" shop_answers "$monolith_addr"
check "it answers by itself: no proxy has touched the answer" "ask port ${monolith_addr##*:}, not ${proxy_addr##*:}" [ -z "$(header X-Strangler-Served-By "http://$monolith_addr/api/categories")" ]
check "what it does is recorded in $before" "do step 3 of the chapter" [ -s "$before/report.json" ]
check "it is the same as itself" "open $before/report.html" grep -q '^ "verdict": "same"' "$before/report.json"
check "by at least 20 tests" "record it again: step 3 of the chapter" at_least 20 outcomes
finish
