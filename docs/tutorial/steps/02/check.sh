#!/usr/bin/env bash
# After chapter 02: the proxy stands in front of the monolith and changes nothing.
. "$(dirname "$0")/../lib.sh"
same() { [ "$(body "http://$monolith_addr$1")" = "$(body "http://$proxy_addr$1")" ]; }
same_pages() { same '/api/products?per_page=5' && same /api/products/1 && same /api/categories && same /p/1; }
echo "Chapter 02: the proxy in front"
check "the shop answers through the proxy at http://$proxy_addr" "start it: step 3 of the chapter" shop_answers "$proxy_addr"
check "the proxy has taken over its configuration" "bin/strangler config check --config $config" config_accepted
check "the monolith is who answers" "bin/strangler route set $route monolith --config $config" [ "$(header X-Strangler-Served-By "http://$proxy_addr/api/products/1/recommendations")" = monolith ]
check "answers are the same with and without the proxy" "is the monolith at http://$monolith_addr the one behind the proxy?" same_pages
check_before
finish
