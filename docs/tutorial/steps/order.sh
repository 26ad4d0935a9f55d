# The reader's order of chapter 00, for the scripts of later chapters. Source lib.sh first.
account='"email":"you@shop.example","password":"correct-horse"'

post() { # post PATH BODY [HEADER]
	body -b "$jar" -c "$jar" -H 'Content-Type: application/json' -H "${3:-X-Tutorial: yes}" -d "$2" "http://$proxy_addr$1"
}
number() { grep -oE "\"$1\":[0-9]+" | head -1 | cut -d: -f2; }

# has_order: the reader's account exists and has an order.
has_order() {
	local jar total
	jar=$(mktemp) || return 1
	post /api/login "{$account}" >/dev/null
	total=$(body -b "$jar" "http://$proxy_addr/api/orders" | number total)
	rm -f "$jar"
	[ "${total:-0}" -gt 0 ]
}

# place_order does what steps 3 and 4 of chapter 00 do.
place_order() {
	local jar cart address
	jar=$(mktemp) || return 1
	post /api/register "{$account,\"name\":\"You\"}" >/dev/null
	post /api/login "{$account}" >/dev/null
	cart=$(post /api/carts '{}' | grep -oE '"id":"[^"]+"' | head -1 | cut -d'"' -f4)
	post "/api/carts/$cart/items" '{"product_id":1,"qty":1}' >/dev/null
	address=$(post /api/me/addresses '{"name":"You","street":"1 Main Street","city":"Portland","postal_code":"97201","region":"OR","country":"US"}' | number id)
	post /api/checkout "{\"cart_id\":\"$cart\",\"address_id\":${address:-0},\"shipping_method\":\"standard\",\"card\":{\"number\":\"4111111111111111\"}}" \
		'Idempotency-Key: tutorial-order' >/dev/null
	rm -f "$jar"
	has_order
}
