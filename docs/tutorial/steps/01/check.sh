#!/usr/bin/env bash
# After chapter 01: the suite's results against the monolith are kept.
. "$(dirname "$0")/../lib.sh"
echo "Chapter 01: the monolith and its tests"
check "the monolith answers at http://$monolith_addr" "make ch01-start" shop_answers "$monolith_addr"
check "it answers by itself: no proxy has touched the answer" "ask port ${monolith_addr##*:}, not ${proxy_addr##*:}" [ -z "$(header X-Strangler-Served-By "http://$monolith_addr/api/categories")" ]
check "its results are kept in $dir/before.txt" "do step 3 of the chapter" [ -s "$dir/before.txt" ]
check "no check failed" "look for 'fail' in $dir/before.txt" grep -q ' 0 failed' "$dir/before.txt"
check "there are at least 20 of them" "record them again: step 3 of the chapter" [ "$(grep -c '^pass ' "$dir/before.txt" 2>/dev/null || echo 0)" -ge 20 ]
finish
