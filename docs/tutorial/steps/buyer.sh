#!/usr/bin/env bash
# buyer.sh PRODUCT FILE registers a new customer of the demo, who buys the product. Her
# cookies are in FILE afterwards: curl -b FILE.
. "$(dirname "$0")/lib.sh"
product=$1 jar=$2
rm -f "$jar"
post() { # post PATH BODY [HEADER]
	body -b "$jar" -c "$jar" -H 'Content-Type: application/json' -H "${3:-X-Tutorial: yes}" -d "$2" "http://$proxy_addr$1"
}
number() { grep -oE "\"$1\":[0-9]+" | head -1 | cut -d: -f2; }
name=customer-$$-$RANDOM$RANDOM
post /api/register "{\"email\":\"$name@shop.example\",\"password\":\"correct-horse\",\"name\":\"A customer\"}" >/dev/null
cart=$(post /api/carts '{}' | grep -oE '"id":"[^"]+"' | head -1 | cut -d'"' -f4)
post "/api/carts/$cart/items" "{\"product_id\":$product,\"qty\":1}" >/dev/null
address=$(post /api/me/addresses '{"name":"A customer","street":"1 Main Street","city":"Portland","postal_code":"97201","region":"OR","country":"US"}' | number id)
order=$(post /api/checkout "{\"cart_id\":\"$cart\",\"address_id\":${address:-0},\"shipping_method\":\"standard\",\"card\":{\"number\":\"4111111111111111\"}}" "Idempotency-Key: $name")
grep -q '"status":"paid"' <<<"$order" || die "no order: $order"
