#!/usr/bin/env bash
# record.sh NAME URL: runs the tutorial's part of the acceptance suite against URL and
# keeps the results as var/demo/NAME.txt, as chapters 01 and 02 do by hand.
set -euo pipefail
cd "$(dirname "$0")/../../.."
BASE_URL=$2 go test -count=1 -json ./acceptance -run 'Cart|Product|Stock|Categories|Quote|Review|Recommendations' >"var/demo/$1.jsonl" && status=0 || status=$?
docs/tutorial/steps/results.sh "var/demo/$1.jsonl" >"var/demo/$1.txt"
exit "$status"
