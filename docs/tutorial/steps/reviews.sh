# What the scripts of the chapters 06 and 07 share. Source lib.sh first.
reviews_page=/api/products/1/reviews

# follow_reviews keeps the engine running, which follows and, after the cut-over, follows back.
follow_reviews() {
	running "$dir/split.pid" || launch split bin/strangler split run reviews --config "$config"
}

# move_reviews brings the reviews to where chapter 06 leaves them before its undo.
move_reviews() {
	bin/strangler split run reviews --until verified --config "$config" >/dev/null 2>&1 || die "the reviews cannot be copied: bin/strangler split run reviews"
	bin/strangler split cutover reviews --yes --config "$config" >/dev/null 2>&1 || die "the reviews do not move: bin/strangler split status reviews"
	follow_reviews
	wait_for 10 reviews_follow || die "the monolith's copy does not follow: see $dir/logs/split.log"
}

# answers_from SIDE: who answers for the reviews.
answers_from() { [ "$(header X-Strangler-Served-By "http://$proxy_addr$reviews_page")" = "$1" ]; }

# same_reviews: the service, and the monolith that asks it, give the same answers.
same_reviews() {
	local n answer
	for n in 1 2 3 6; do
		answer=$(body "http://$monolith_addr/api/products/$n/reviews")
		[ -n "$answer" ] && [ "$answer" = "$(body "http://$reviews_addr/api/products/$n/reviews")" ] || return 1
	done
}

# reviews_follow: the engine runs, and has nothing left to bring over.
reviews_follow() {
	local state
	state=$(bin/strangler split status reviews -o json 2>/dev/null) || return 1
	grep -q '"running"' <<<"$state" && grep -qE '"pending": *0,' <<<"$state"
}
