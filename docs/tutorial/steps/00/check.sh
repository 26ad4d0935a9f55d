#!/usr/bin/env bash
# After chapter 00: the shop runs behind the proxy and the reader has ordered something.
. "$(dirname "$0")/../lib.sh"
. docs/tutorial/steps/order.sh
echo "Chapter 00: five minutes"
check "this machine has what the toolkit needs" "run: make doctor" bin/strangler doctor --config "$config"
check "the shop answers through the proxy at http://$proxy_addr" "start it: bin/strangler demo --detach" shop_answers "$proxy_addr"
check "the proxy answers at http://$admin_addr/status" "bin/strangler demo stop, then bin/strangler demo --detach" ok "$admin_addr"
check "the recommendations service is ready behind it" "bin/strangler demo stop, then bin/strangler demo --detach" ok "$recommendations_addr"
check "you have placed an order" "do steps 3 and 4 of the chapter" has_order
finish
