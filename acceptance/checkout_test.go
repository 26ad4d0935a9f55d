package acceptance_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

var (
	orderFields = []string{
		"id", "status", "shipping_method", "subtotal_cents", "discount_cents", "shipping_cents", "tax_cents", "total_cents",
		"created_at", "updated_at", "shipping_address", "coupon_code", "payment", "shipment", "lines",
	}
	lineFields = []string{"product_id", "name", "unit_price_cents", "qty", "line_cents"}
)

func TestCheckout(t *testing.T) {
	t.Parallel()
	buyer, p, q := signUp(t), newProduct(t, object{"price_cents": 1005}), newProduct(t, object{"price_cents": 333})
	_, code := newCoupon(t, "percent", 15)
	cart := buyer.newCart(t, line{p, 1}, line{q, 3})
	buyer.post(t, "/api/carts/"+cart+"/coupon", object{"code": code}).want(200)
	address := buyer.newAddress(t, object{"street": "77 Nowhere Rd"})
	quoted := buyer.get(t, "/api/carts/"+cart+"/quote?country=US&region=CA").want(200).object()

	a := buyer.post(t, "/api/checkout", checkoutBody(cart, address, goodCard), key(unique("k-")))
	location := a.created("/api/orders/")
	o := a.object()
	t.Run("makes a paid order", func(t *testing.T) {
		t.Parallel()
		o.has(t, "order", orderFields...)
		o.isTime(t, "created_at")
		o.isTime(t, "updated_at")
		if o["status"] != "paid" || o["shipping_method"] != "standard" || o["coupon_code"] != code || o["shipment"] != nil {
			t.Errorf("order is %v", o)
		}
		if o.at(t, "payment")["status"] != "accepted" {
			t.Errorf("payment is %v", o["payment"])
		}
		if o.at(t, "shipping_address")["street"] != "77 Nowhere Rd" {
			t.Errorf("shipped to %v", o["shipping_address"])
		}
	})
	t.Run("costs what was quoted", func(t *testing.T) {
		t.Parallel()
		for _, k := range []string{"subtotal_cents", "discount_cents", "shipping_cents", "tax_cents", "total_cents"} {
			if o[k] != quoted[k] {
				t.Errorf("%s is %v, quoted %v", k, o[k], quoted[k])
			}
		}
		if o.int(t, "subtotal_cents") != 1005+3*333 || o.int(t, "discount_cents") != 301 { // 15 percent of 2004 is 300.6
			t.Errorf("subtotal %v, discount %v", o["subtotal_cents"], o["discount_cents"])
		}
	})
	t.Run("keeps name and price as sold, where Location says", func(t *testing.T) {
		t.Parallel()
		admin(t).patch(t, fmt.Sprintf("/api/admin/products/%d", p.id), object{"name": "Renamed", "price_cents": 9999}).want(200)
		lines, _ := buyer.get(t, location).want(200).object()["lines"].([]any)
		if len(lines) != 2 {
			t.Fatalf("lines are %v", lines)
		}
		first := object(lines[0].(map[string]any))
		first.has(t, "line", lineFields...)
		if first["name"] != p.name || first.int(t, "unit_price_cents") != 1005 || first.int(t, "qty") != 1 || first.int(t, "line_cents") != 1005 {
			t.Errorf("the line is %v", first)
		}
	})
	t.Run("takes the stock", func(t *testing.T) {
		t.Parallel()
		if a, b := available(t, p), available(t, q); a != 9 || b != 7 {
			t.Errorf("available %d and %d, want 9 and 7", a, b)
		}
		if n := guest().get(t, q.path("")).object().int(t, "stock_qty"); n != 7 {
			t.Errorf("the catalog says %d, want 7", n)
		}
	})
	t.Run("counts for the customer", func(t *testing.T) {
		t.Parallel()
		if me := buyer.get(t, "/api/me").object(); me["lifetime_value_cents"] != o["total_cents"] {
			t.Errorf("lifetime value %v, want %v", me["lifetime_value_cents"], o["total_cents"])
		}
	})
}

func TestCheckoutRefused(t *testing.T) {
	t.Parallel()
	buyer, other, p := signUp(t), signUp(t), newProduct(t)
	cart, address := buyer.newCart(t, line{p, 1}), buyer.newAddress(t)
	theirCart, theirAddress := other.newCart(t, line{p, 1}), other.newAddress(t)
	guestCart := guest().newCart(t, line{p, 1})
	with := func(field string, value any) object {
		o := checkoutBody(cart, address, goodCard)
		o[field] = value
		return o
	}
	card := func(number string) object { return with("card", object{"number": number}) }
	t.Run("by the body", func(t *testing.T) {
		refuse(t, buyer.client, []refusal{
			{"another's cart", "POST", "/api/checkout", checkoutBody(theirCart, address, goodCard), 404, "not_found", nil},
			{"a guest's cart", "POST", "/api/checkout", checkoutBody(guestCart, address, goodCard), 404, "not_found", nil},
			{"another's address", "POST", "/api/checkout", checkoutBody(cart, theirAddress, goodCard), 404, "not_found", nil},
			{"an unknown address", "POST", "/api/checkout", checkoutBody(cart, 999999999, goodCard), 404, "not_found", nil},
			{"an unknown cart", "POST", "/api/checkout", checkoutBody("nothing", address, goodCard), 404, "not_found", nil},
			{"an unknown method", "POST", "/api/checkout", with("shipping_method", "drone"), 422, "invalid", []string{"shipping_method"}},
			{"a card that fails the Luhn sum", "POST", "/api/checkout", card("4242424242424241"), 422, "invalid", nil},
			{"a card of 11 digits", "POST", "/api/checkout", card("42424242420"), 422, "invalid", nil},
			{"a card of 20 digits", "POST", "/api/checkout", card("42424242424242424242"), 422, "invalid", nil},
			{"a card of letters", "POST", "/api/checkout", card("abcdabcdabcdabcd"), 422, "invalid", nil},
			{"no card", "POST", "/api/checkout", with("card", object{}), 422, "invalid", nil},
			{"a price of the client's own", "POST", "/api/checkout", with("total_cents", 1), 422, "invalid", []string{"total_cents"}},
		}, key("refused"))
	})
	t.Run("empty cart", func(t *testing.T) {
		t.Parallel()
		buyer := signUp(t)
		buyer.post(t, "/api/checkout", checkoutBody(buyer.newCart(t), buyer.newAddress(t), goodCard), key("k")).fails(409, "empty_cart")
	})
	t.Run("no idempotency key", func(t *testing.T) {
		buyer.post(t, "/api/checkout", checkoutBody(cart, address, goodCard)).fails(400, "bad_request")
	})
	t.Run("a key of 101 characters", func(t *testing.T) {
		buyer.post(t, "/api/checkout", checkoutBody(cart, address, goodCard), key(strings.Repeat("k", 101))).fails(400, "bad_request")
	})
	t.Run("nothing came of it", func(t *testing.T) {
		if list := buyer.get(t, "/api/orders").items(); len(list) != 0 {
			t.Errorf("orders: %v", list)
		}
		if n := available(t, p); n != 10 {
			t.Errorf("%d available, want 10", n)
		}
		if got := quantities(t, buyer.get(t, "/api/carts/"+cart).want(200).object()); got[p.id] != 1 {
			t.Errorf("the cart holds %v", got)
		}
		// What was refused did not use its key up.
		buyer.post(t, "/api/checkout", checkoutBody(cart, address, goodCard), key("refused")).want(201)
	})
}

func TestCheckoutOutOfStock(t *testing.T) {
	t.Parallel()
	slow, p, q := signUp(t), newProduct(t, object{"stock_qty": 2}), newProduct(t)
	cart := slow.newCart(t, line{p, 2}, line{q, 1})
	signUp(t).buy(t, goodCard, line{p, 1})
	a := slow.post(t, "/api/checkout", checkoutBody(cart, slow.newAddress(t), goodCard), key("k"))
	a.fails(409, "out_of_stock")
	if fields, _ := a.object().at(t, "error")["fields"].([]any); len(fields) != 1 {
		t.Errorf("fields %v, want the one product", fields)
	}
	if a, b := available(t, p), available(t, q); a != 1 || b != 10 {
		t.Errorf("available %d and %d, want 1 and 10: all or nothing", a, b)
	}
	item := firstItem(t, slow.get(t, "/api/carts/"+cart).want(200).object())
	if item.int(t, "available") != 1 {
		t.Errorf("the cart says %v available, want 1", item["available"])
	}
}

func TestCheckoutOfInactiveProduct(t *testing.T) {
	t.Parallel()
	buyer, p := signUp(t), newProduct(t)
	cart := buyer.newCart(t, line{p, 1})
	admin(t).patch(t, fmt.Sprintf("/api/admin/products/%d", p.id), object{"active": false}).want(200)
	buyer.post(t, "/api/checkout", checkoutBody(cart, buyer.newAddress(t), goodCard), key("k")).fails(409, "out_of_stock")
}

func TestCheckoutIsIdempotent(t *testing.T) {
	t.Parallel()
	t.Run("20 times at once make one order", func(t *testing.T) {
		t.Parallel()
		buyer, p := signUp(t), newProduct(t)
		body := checkoutBody(buyer.newCart(t, line{p, 2}), buyer.newAddress(t), goodCard)
		k := key(unique("k-"))
		orders, statuses := map[int64]bool{}, map[int]int{}
		for _, a := range together(t, 20, func(int) (*answer, error) {
			return buyer.send(t.Context(), t.Name(), "POST", "/api/checkout", body, k)
		}) {
			statuses[a.status]++
			if replayed := a.header.Get("Idempotency-Replayed") == "true"; replayed != (a.status == 200) {
				t.Errorf("status %d with Idempotency-Replayed %q", a.status, a.header.Get("Idempotency-Replayed"))
			}
			if a.status == 200 || a.status == 201 {
				orders[a.object().int(t, "id")] = true
			}
		}
		if statuses[201] != 1 || statuses[200] != 19 || len(orders) != 1 {
			t.Errorf("statuses %v, orders %v; want one 201, nineteen 200, one order", statuses, orders)
		}
		if n := available(t, p); n != 8 {
			t.Errorf("%d available, want 8", n)
		}
		list := buyer.get(t, "/api/orders").want(200)
		if n := list.object().int(t, "total"); n != 1 {
			t.Fatalf("%d orders, want 1", n)
		}
		o := asOrder(t, buyer.get(t, fmt.Sprintf("/api/orders/%d", list.items()[0].int(t, "id"))).object())
		if attempts, _ := buyer.payment(t, o)["attempts"].([]any); len(attempts) != 1 {
			t.Errorf("the card was asked %d times: %v", len(attempts), attempts)
		}
	})
	buyer, p := signUp(t), newProduct(t)
	address := buyer.newAddress(t)
	body := checkoutBody(buyer.newCart(t, line{p, 1}), address, goodCard)
	first := buyer.post(t, "/api/checkout", body, key("once")).want(201).object()
	t.Run("again later", func(t *testing.T) {
		a := buyer.post(t, "/api/checkout", body, key("once")).want(200)
		if a.object()["id"] != first["id"] || a.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("order %v, Idempotency-Replayed %q; want order %v", a.object()["id"], a.header.Get("Idempotency-Replayed"), first["id"])
		}
	})
	t.Run("with another body", func(t *testing.T) {
		buyer.post(t, "/api/checkout", checkoutBody(body.text(t, "cart_id"), address, declinedCard), key("once")).fails(409, "idempotency_key_reused")
	})
	t.Run("the same cart with another key", func(t *testing.T) {
		buyer.post(t, "/api/checkout", body, key("twice")).fails(404, "not_found")
	})
	t.Run("another customer may use the same key", func(t *testing.T) {
		other := signUp(t)
		body := checkoutBody(other.newCart(t, line{p, 1}), other.newAddress(t), goodCard)
		if o := other.post(t, "/api/checkout", body, key("once")).want(201).object(); o["id"] == first["id"] {
			t.Error("got the first customer's order")
		}
	})
}

func TestFiftyBuyersTenPieces(t *testing.T) {
	t.Parallel()
	const buyers, pieces = 50, 10
	p := newProduct(t, object{"stock_qty": pieces})
	var who [buyers]*customer
	var bodies [buyers]object
	for i := range who {
		who[i] = signUp(t)
		bodies[i] = checkoutBody(who[i].newCart(t, line{p, 1}), who[i].newAddress(t), goodCard)
	}
	answers := together(t, buyers, func(i int) (*answer, error) {
		return who[i].send(t.Context(), t.Name(), "POST", "/api/checkout", bodies[i], key("k"))
	})
	sold := 0
	for i, a := range answers {
		if a.status == http.StatusCreated {
			sold++
			if s := a.object()["status"]; s != "paid" {
				t.Errorf("buyer %d: order is %v, want paid", i, s)
			}
			continue
		}
		a.fails(409, "out_of_stock")
	}
	if sold != pieces {
		t.Errorf("%d orders for %d pieces", sold, pieces)
	}
	if n := available(t, p); n != 0 {
		t.Errorf("%d available, want 0", n)
	}
	stock := admin(t).post(t, fmt.Sprintf("/api/admin/products/%d/stock", p.id), object{"delta": 1}).want(200).object()
	if stock.int(t, "available") != 1 || stock.int(t, "on_hand")-stock.int(t, "reserved") != 1 {
		t.Errorf("after adding one piece: %v, want 1 available", stock)
	}
}

func TestCouponsAtCheckout(t *testing.T) {
	t.Parallel()
	t.Run("no more often than allowed, all at once", func(t *testing.T) {
		t.Parallel()
		_, code := newCoupon(t, "percent", 10, object{"max_redemptions": 3})
		p := newProduct(t, object{"stock_qty": 50})
		const buyers = 9
		var who [buyers]*customer
		var bodies [buyers]object
		for i := range who {
			who[i] = signUp(t)
			cart := who[i].newCart(t, line{p, 1})
			who[i].post(t, "/api/carts/"+cart+"/coupon", object{"code": code}).want(200)
			bodies[i] = checkoutBody(cart, who[i].newAddress(t), goodCard)
		}
		got := atOnce(t, buyers, func(i int) (*answer, error) {
			return who[i].send(t.Context(), t.Name(), "POST", "/api/checkout", bodies[i], key("k"))
		})
		if got[201] != 3 || got[409] != 6 {
			t.Errorf("statuses %v, want three 201 and six 409", got)
		}
		if n := available(t, p); n != 47 {
			t.Errorf("%d available, want 47", n)
		}
	})
	t.Run("used up meanwhile", func(t *testing.T) {
		t.Parallel()
		_, code := newCoupon(t, "percent", 10, object{"max_redemptions": 1})
		slow, p := signUp(t), newProduct(t)
		cart := slow.newCart(t, line{p, 1})
		slow.post(t, "/api/carts/"+cart+"/coupon", object{"code": code}).want(200)
		signUp(t).orderWithCoupon(t, code, p).want(201)
		slow.post(t, "/api/checkout", checkoutBody(cart, slow.newAddress(t), goodCard), key("k")).fails(409, "coupon_unusable")
		slow.delete(t, "/api/carts/"+cart+"/coupon", nil).want(200)
		slow.post(t, "/api/checkout", checkoutBody(cart, slow.newAddress(t), goodCard), key("k2")).want(201)
	})
	t.Run("once for each customer", func(t *testing.T) {
		t.Parallel()
		_, code := newCoupon(t, "percent", 10, object{"per_user_limit": 1})
		buyer, p := signUp(t), newProduct(t)
		buyer.orderWithCoupon(t, code, p).want(201)
		cart := buyer.newCart(t, line{p, 1})
		buyer.post(t, "/api/carts/"+cart+"/coupon", object{"code": code}).fails(422, "invalid", "code")
		signUp(t).orderWithCoupon(t, code, p).want(201)
	})
	t.Run("free again after a cancellation", func(t *testing.T) {
		t.Parallel()
		_, code := newCoupon(t, "percent", 10, object{"max_redemptions": 1})
		buyer, p := signUp(t), newProduct(t)
		o := asOrder(t, buyer.orderWithCoupon(t, code, p).want(201).object())
		buyer.post(t, o.path("/cancel"), nil).want(200)
		buyer.orderWithCoupon(t, code, p).want(201)
	})
}
