#!/usr/bin/env bash
# Takes chapter 04 back: the monolith answers everything, and every program is well.
. "$(dirname "$0")/../lib.sh"
bin/strangler route set "$route" monolith --config "$config" >/dev/null && did "the route $route is back at stage monolith"
stop_all
start_demo
did "restarted the demo with a healthy service"
