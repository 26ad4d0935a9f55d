# What the tutorial's scripts share. Source it: it goes to the root of the repository,
# says where the programs listen and knows how to start and stop them.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.." || exit 3

proxy_addr=${STRANGLER_DEMO_PROXY:-127.0.0.1:8080}
admin_addr=${STRANGLER_DEMO_ADMIN:-127.0.0.1:8081}
monolith_addr=${STRANGLER_DEMO_MONOLITH:-127.0.0.1:9000}
recommendations_addr=${STRANGLER_DEMO_RECOMMENDATIONS:-127.0.0.1:9002}
reviews_addr=${STRANGLER_DEMO_REVIEWS:-127.0.0.1:9003}
catalog_addr=${STRANGLER_DEMO_CATALOG:-127.0.0.1:9004}
dir=var/demo
config=$dir/strangler.yaml
route=product-recommendations
before=$dir/before # what the monolith does, recorded twice and compared with itself
after=$dir/after   # what the shop did when it was last compared with that

# did prints one thing that a script changed; already one that it found as wanted.
did() { printf '  %s\n' "$*"; }
die() {
	printf 'tutorial: %s\n' "$*" >&2
	exit 3
}

# check MESSAGE REMEDY COMMAND... prints ✓ or ✗, and what to do in the second case.
checks_failed=0
check() {
	local message=$1 remedy=$2
	shift 2
	if "$@" >/dev/null 2>&1; then
		printf '  ✓ %s\n' "$message"
	else
		printf '  ✗ %s\n      %s\n' "$message" "$remedy"
		checks_failed=$((checks_failed + 1))
	fi
}
# at_least NUMBER COMMAND...: the command prints that number or a greater one.
at_least() {
	local want=$1 have
	shift
	have=$("$@") && [ "${have:-0}" -ge "$want" ]
}
finish() {
	[ "$checks_failed" -eq 0 ] && exit 0
	printf '%s of the checks failed.\n' "$checks_failed"
	exit 1
}

# status, body and header ask an address; a request takes at most ten seconds.
status() { curl -s -m 10 -o /dev/null -w '%{http_code}' "$@"; }
body() { curl -s -m 10 "$@"; }
header() { # header NAME URL...
	local name=$1
	shift
	curl -s -m 10 -o /dev/null -D - "$@" | tr -d '\r' | awk -F': ' -v name="$name" 'tolower($1) == tolower(name) { print $2 }'
}
ok() { [ "$(status "http://$1/healthz")" = 200 ]; }
shop_answers() { [ "$(status "http://$1/api/categories")" = 200 ]; }

# wait_for SECONDS COMMAND... waits until the command succeeds.
wait_for() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.1
	done
}

# running PIDFILE: the process in that file is there and is one of ours.
running() {
	local pid
	pid=$(cat "$1" 2>/dev/null) && kill -0 "$pid" 2>/dev/null || return 1
	! command -v ps >/dev/null || ps -o command= -p "$pid" | grep -q 'bin/'
}
stop_pidfile() {
	local pid
	running "$1" || return 0
	pid=$(cat "$1")
	kill "$pid" 2>/dev/null
	wait_for 10 not running "$1" || kill -9 "$pid" 2>/dev/null
	rm -f "$1"
}
not() { ! "$@"; }

# stop_all ends the demo and every program that a chapter started by hand.
stop_all() {
	bin/strangler demo stop >/dev/null 2>&1
	for name in drill split proxy catalog reviews recommendations monolith; do
		stop_pidfile "$dir/$name.pid"
	done
}

# launch NAME COMMAND... starts a program in the background, with a log and a pid file.
launch() {
	local name=$1
	shift
	mkdir -p "$dir/logs"
	setsid_if_any nohup "$@" >>"$dir/logs/$name.log" 2>&1 </dev/null &
	echo $! >"$dir/$name.pid"
}
setsid_if_any() { if command -v setsid >/dev/null; then exec setsid "$@"; else exec "$@"; fi; }

start_demo() {
	local said
	said=$(bin/strangler demo --detach 2>&1) || die "the demo does not start: $said"
}

start_monolith() {
	launch monolith bin/monolith serve --addr "$monolith_addr" --db "$dir/monolith.db" --notifications "$dir/notifications.jsonl" --seed-scale 1
	wait_for 15 shop_answers "$monolith_addr" || die "the monolith does not start: see $dir/logs/monolith.log"
}

# record_before records what the monolith does, if that was not done in chapter 01.
record_before() {
	if [ ! -s "$before/report.json" ]; then
		mkdir -p "$dir/logs"
		bin/strangler compare run --quiet --results gotest --before "http://$monolith_addr" --after "http://$monolith_addr" --out "$before" \
			-- docs/tutorial/steps/suite.sh >"$dir/logs/compare.log" 2>&1 || die "the monolith is not the same as itself: see $dir/logs/compare.log"
	fi
	did "what the monolith does is recorded in $before"
}

record_after() {
	bin/strangler compare record --quiet -H 'X-Strangler-Force: service' --results gotest --wait 5s --target "http://$proxy_addr" --out "$after" -- docs/tutorial/steps/suite.sh
}

# same_as_before: the shop as it is now, through the proxy, does what the monolith did.
same_as_before() { [ -s "$before/report.json" ] && shop_answers "$proxy_addr" && docs/tutorial/steps/after.sh; }
check_before() {
	check "the shop does what it did in chapter 01 ($before)" "docs/tutorial/steps/after.sh says what differs" same_as_before
}

# demo_up: every program answers.
demo_up() { shop_answers "$proxy_addr" && ok "$admin_addr" && ok "$monolith_addr" && ok "$recommendations_addr" && ok "$reviews_addr" && ok "$catalog_addr"; }

# stage prints the stage of the tutorial's route, as the file says.
stage() { sed -n "/^  $route:/,/^  [a-z]/s/.*stage: *\([a-z]*\).*/\1/p" "$config" 2>/dev/null | head -1; }

# owner prints which side owns the reviews: source, the monolith, or target.
owner() { bin/strangler split status reviews -o json 2>/dev/null | grep -oE '"owner": *"[a-z]+"' | head -1 | cut -d'"' -f4; }

# reviews_home takes the move of the reviews back, as if it had never been. Nothing may
# run: it asks no proxy.
reviews_home() {
	local plan=$dir/reviews-home.yaml
	[ -e "$dir/reviews.db" ] && [ -e "$dir/monolith.db" ] || return 0
	sed '/^proxies:/d' migrations/plans/reviews.yaml >"$plan"
	if [ "$(owner)" = target ]; then
		bin/strangler split rollback "$plan" --yes >/dev/null 2>&1 || die "the reviews do not come back: bin/strangler split status $plan"
		did "the reviews are the monolith's again"
	fi
	bin/strangler split abort "$plan" --yes >/dev/null 2>&1
	rm -f "$plan"
}

# fresh_demo runs the demo with its own configuration and goes on with its data.
fresh_demo() {
	stop_all
	did "stopped what was running"
	reviews_home
	rm -f "$config" "$config".*
	start_demo
	did "started the demo with a fresh $config: http://$proxy_addr"
}

# config_accepted: the proxy uses the file as it is now.
config_accepted() { metric strangler_config_last_reload_successful '' | grep -qx 1; }

# metric NAME LABEL prints the sum of a metric of the proxy, of the series with that label.
metric() {
	body "http://$admin_addr/metrics" | awk -v name="$1" -v label="$2" '
		index($1, name) == 1 && index($1, label) { sum += $2; found = 1 }
		END { if (found) print sum; exit !found }'
}
fallbacks_counted() { [ "$(metric strangler_fallbacks_total "route=\"$route\"")" -gt 0 ]; }

same_recommendations() {
	local path=/api/products/1/recommendations
	[ "$(body "http://$monolith_addr$path")" = "$(body "http://$recommendations_addr$path")" ]
}

# recommendations_live brings the recommendations to where chapter 04 leaves them before
# its undo.
recommendations_live() {
	local page=http://$proxy_addr/api/products/1/recommendations
	live() { [ "$(header X-Strangler-Served-By "$page")" = recommendations ]; }
	stood_in() { [ "$(header X-Strangler-Served-By "$page")" = monolith ] && fallbacks_counted; }
	bin/strangler route set "$route" live --config "$config" >/dev/null && wait_for 5 live || die "the route $route does not go live"
	kill -9 "$(cat "$dir/recommendations.pid")"
	wait_for 5 stood_in || die "the monolith does not stand in for the recommendations"
	bin/strangler demo start >/dev/null && wait_for 30 live || die "the recommendations do not come back"
	wait_for 30 same_recommendations || die "the recommendations do not follow the monolith: see $dir/logs/recommendations.log"
	did "the route $route is live, and has been through chapter 04"
}
