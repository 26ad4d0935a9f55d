#!/usr/bin/env bash
# Takes chapter 06 back: the monolith owns the reviews, with all that was written since,
# and nothing of the engine is left in either database.
. "$(dirname "$0")/../lib.sh"
bin/strangler demo start >/dev/null 2>&1 || demo_up || start_demo
if [ "$(owner)" = target ]; then
	bin/strangler split rollback reviews --yes --config "$config" >/dev/null 2>&1 || die "the reviews do not come back: bin/strangler split status reviews"
	did "the monolith owns the reviews again, and its routes"
fi
stop_pidfile "$dir/split.pid"
did "stopped the engine"
bin/strangler split abort reviews --yes --config "$config" >/dev/null 2>&1 && did "removed the engine's tables and triggers from both databases"
exit 0
