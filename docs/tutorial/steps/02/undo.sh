#!/usr/bin/env bash
# Takes chapter 02 back: the monolith runs alone, as if there had never been a proxy.
. "$(dirname "$0")/../lib.sh"
stop_pidfile "$dir/proxy.pid"
did "stopped the proxy"
stop_pidfile "$dir/recommendations.pid"
did "stopped the recommendations service"
rm -rf "$config" "$config".* "$after"
did "removed the proxy's configuration and what was recorded through it"
