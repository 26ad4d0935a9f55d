#!/usr/bin/env bash
# suite.sh runs the tutorial's part of the acceptance suite against BASE_URL, and says as
# `go test -json` does how each test ends. It takes the tests that hold for any mix of
# monolith and services and do not mind what else happens in the shop: nothing that lists
# products made a moment ago, for a service may be a second behind. `make ch01-start` and
# its like have compiled it: bin/acceptance.test.
set -euo pipefail
cd "$(dirname "$0")/../../.."
tests='^TestProductPaging$/^(24_|no_match|page_|0_a|101_|search|unknown)|^TestRecommendations(FollowOrders|FillUpFromCategory)$|^TestReview(ByBuyer|List)$|^TestGuestCart$|^TestCartItems$'
exec go tool test2json -t -p acceptance bin/acceptance.test -test.v=test2json -test.parallel=1 -test.run "$tests"
