#!/usr/bin/env bash
# Before chapter 07: recommendations are live, as chapter 04 left them before its undo;
# everything else is on the monolith.
. "$(dirname "$0")/../lib.sh"
. docs/tutorial/steps/catalog.sh
recommendations=http://$proxy_addr/api/products/1/recommendations
live() { [ "$(header X-Strangler-Served-By "$recommendations")" = recommendations ]; }
stood_in() { [ "$(header X-Strangler-Served-By "$recommendations")" = monolith ] && fallbacks_counted; }
echo "Chapter 07 begins with recommendations live and the catalog on the monolith."
fresh_demo
bin/strangler route set "$route" live --config "$config" >/dev/null && wait_for 5 live || die "the route $route does not go live"
kill -9 "$(cat "$dir/recommendations.pid")"
wait_for 5 stood_in || die "the monolith does not stand in for the recommendations"
bin/strangler demo start >/dev/null && wait_for 30 live || die "the recommendations do not come back"
did "the route $route is live, and has been through chapter 04"
