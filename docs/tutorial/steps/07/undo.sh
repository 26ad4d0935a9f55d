#!/usr/bin/env bash
# Takes chapter 07 back: the monolith answers for the catalog, the service is well, and
# the guard rests. The proxy goes on with what it has counted.
. "$(dirname "$0")/../lib.sh"
. docs/tutorial/steps/catalog.sh
# shellcheck disable=SC2086 # two names
bin/strangler route set $catalog_routes monolith --reason 'undo of chapter 07' --config "$config" >/dev/null && did "the routes of the catalog are back at stage monolith"
grep -q '^guard:' "$config" || echo 'guard: off' >>"$config"
did "the guard is off again"
stop_pidfile "$dir/drill.pid"
bin/strangler demo start >/dev/null 2>&1 || start_demo
did "the demo runs with a healthy catalog service"
