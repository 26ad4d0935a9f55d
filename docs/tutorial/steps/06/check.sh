#!/usr/bin/env bash
# After chapter 06: the service owns the reviews, and nobody can tell.
. "$(dirname "$0")/../lib.sh"
. docs/tutorial/steps/reviews.sh
echo "Chapter 06: reviews, the first table that moves"
check "the service owns the reviews" "bin/strangler split cutover reviews --config $config" [ "$(owner)" = target ]
check "the proxy has taken over its configuration" "bin/strangler config check --config $config" config_accepted
check "the reviews service is healthy" "bin/strangler demo start" ok "$reviews_addr"
check "it is who answers" "bin/strangler route list --config $config" answers_from reviews
check "its answers are the monolith's" "bin/strangler split status reviews" same_reviews
check "the monolith's copy follows, for the way back" "bin/strangler split run reviews, in the background as in step 4" reviews_follow
check "the product page is whole" "see $dir/logs/monolith.log" [ "$(status "http://$proxy_addr/p/1")" = 200 ]
check_before
finish
