# What the scripts of chapter 07 share. Source lib.sh first.
catalog_routes='catalog-list catalog-categories'

# stage_is ROUTE STAGE, as the file says.
stage_is() { [ "$(sed -n "/^  $1:/,/stage:/s/.*stage: *//p" "$config" 2>/dev/null | sed 's/ *#.*//')" = "$2" ]; }

# same_catalog: both sides give the same answers.
same_catalog() {
	local path answer
	for path in '/api/products?per_page=100' '/api/products?sort=price&page=2' /api/categories; do
		answer=$(body "http://$monolith_addr$path")
		[ -n "$answer" ] && [ "$answer" = "$(body "http://$catalog_addr$path")" ] || return 1
	done
}

# verdicts ROUTE VERDICT: how many copies of the route's requests came to this.
verdicts() { metric strangler_shadow_verdicts_total "route=\"$1\",verdict=\"$2\""; }

# answered ROUTE SIDE: how many requests of the route that side has answered: monolith
# or service.
answered() { metric strangler_requests_total "route=\"$1\",side=\"$2\""; }

# same_side: a client with a cookie gets both reads from the same side, again and again.
same_side() {
	local jar sides
	jar=$(mktemp) || return 1
	status -c "$jar" "http://$proxy_addr/api/products" >/dev/null
	sides=$(for path in /api/products /api/categories /api/products /api/categories; do
		header X-Strangler-Served-By -b "$jar" "http://$proxy_addr$path"
	done | sort -u)
	rm -f "$jar"
	[ "$sides" = monolith ] || [ "$sides" = catalog ]
}
