#!/usr/bin/env bash
# After chapter 07: the service answers half of the clients of two reads, and it was
# compared with the monolith before.
. "$(dirname "$0")/../lib.sh"
. docs/tutorial/steps/catalog.sh
echo "Chapter 07: catalog, endpoint by endpoint"
for name in $catalog_routes; do
	check "the route $name is at canary 50%" "bin/strangler route set $name 'canary 50%' --config $config" stage_is "$name" 'canary 50%'
done
check "the proxy has taken over its configuration" "bin/strangler config check --config $config" config_accepted
check "the catalog service is healthy" "bin/strangler demo start" ok "$catalog_addr"
check "its answers are the monolith's" "wait a second: the service follows the monolith; or is it one with a bug? Do step 5" wait_for 10 same_catalog
check "a hundred copies of the list agree" "send more requests, as in step 6" at_least 100 verdicts catalog-list match
check "copies of the categories agree" "do steps 3 and 7 of the chapter" at_least 5 verdicts catalog-categories match
check "the wrong price was caught" "do step 4 of the chapter" at_least 1 verdicts catalog-list mismatch
check "the service has answered clients" "send more requests, as in step 7" at_least 10 answered catalog-list service
check "a client gets both reads from the same side" "are both routes in the group catalog-reads, and at the same stage?" same_side
check_before
finish
