#!/usr/bin/env bash
# After chapter 04: the service answers, and the shop does not depend on it.
. "$(dirname "$0")/../lib.sh"
recommendations=/api/products/1/recommendations
echo "Chapter 04: recommendations may fail"
check "the route $route is live" "bin/strangler route set $route live --config $config" [ "$(stage)" = live ]
check "the proxy has taken over its configuration" "bin/strangler config check --config $config" config_accepted
check "the recommendations service is healthy" "start it as in step 6 of the chapter" ok "$recommendations_addr"
check "it is who answers" "bin/strangler status --config $config" [ "$(header X-Strangler-Served-By "http://$proxy_addr$recommendations")" = recommendations ]
check "its answer is the monolith's" "wait a second: the service follows the monolith" same_recommendations
check "the product page is whole" "see $dir/logs/monolith.log" [ "$(status "http://$proxy_addr/p/1")" = 200 ]
check "the monolith has answered for it while it could not" "do steps 3 to 5 of the chapter" fallbacks_counted
check_before
finish
