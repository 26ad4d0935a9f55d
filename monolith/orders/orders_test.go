package orders_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/internal/web"
	"github.com/stranglerfig/toolkit/monolith"
	"github.com/stranglerfig/toolkit/monolith/orders"
	"github.com/stranglerfig/toolkit/monolith/payments"
	"github.com/stranglerfig/toolkit/monolith/testkit"
)

type fields = map[string]any

const (
	goodCard     = "4242424242424242"
	declinedCard = "4000000000000002"
)

// A buyer is a signed-in customer with an address.
type buyer struct {
	*testkit.Client
	address int64
}

// shop is a kit with rates and a product; at the end of the test all its rules hold.
func shop(t *testing.T, opts monolith.Options) *testkit.Kit {
	t.Helper()
	k := testkit.New(t, opts)
	k.Exec(`INSERT INTO tax_rates VALUES ('US', '', 1000)`)
	k.Exec(`INSERT INTO shipping_rates VALUES ('standard', '*', 500, 0, NULL), ('express', '*', 1500, 0, NULL)`)
	t.Cleanup(func() {
		for _, broken := range monolith.CheckInvariants(context.Background(), k.DB) {
			t.Error(broken)
		}
	})
	return k
}

func newBuyer(t *testing.T, k *testkit.Kit, name string) buyer {
	t.Helper()
	c := k.Customer(name)
	a := c.Do("POST", "/api/me/addresses", fields{
		"name": name, "street": "1 Main Street", "city": "Portland", "postal_code": "97201", "region": "OR", "country": "US",
	}).Want(t, 201)
	return buyer{c, a.Int("id")}
}

// fill makes a cart of the products, one piece each.
func (b buyer) fill(t *testing.T, products ...int64) string {
	t.Helper()
	id := b.Do("POST", "/api/carts", nil).Text("id")
	for _, p := range products {
		b.Do("POST", "/api/carts/"+id+"/items", fields{"product_id": p, "qty": 1}).Want(t, 201)
	}
	return id
}

func (b buyer) request(cart, card string) fields {
	return fields{"cart_id": cart, "address_id": b.address, "shipping_method": "standard", "card": fields{"number": card}}
}

func (b buyer) checkout(cart, key, card string) *testkit.Answer {
	return b.Do("POST", "/api/checkout", b.request(cart, card), "Idempotency-Key", key)
}

func (b buyer) buy(t *testing.T, card string, products ...int64) *testkit.Answer {
	t.Helper()
	return b.checkout(b.fill(t, products...), fmt.Sprint(products, card, time.Now().UnixNano()), card).Want(t, 201)
}

func orderPath(a *testkit.Answer) string { return fmt.Sprintf("/api/orders/%d", a.Int("id")) }

func kinds(t *testing.T, b buyer, order *testkit.Answer) string {
	t.Helper()
	var list struct{ Items []struct{ Kind string } }
	b.Do("GET", orderPath(order)+"/events", nil).Want(t, 200).Into(t, &list)
	var names []string
	for _, e := range list.Items {
		names = append(names, e.Kind)
	}
	return strings.Join(names, " ")
}

func wantStock(t *testing.T, k *testkit.Kit, product, onHand, reserved int64) {
	t.Helper()
	var got [2]int64
	if err := k.DB.QueryRowContext(t.Context(), `SELECT on_hand, reserved FROM stock_items WHERE product_id = ?`, product).Scan(&got[0], &got[1]); err != nil {
		t.Fatal(err)
	}
	if got != [2]int64{onHand, reserved} {
		t.Errorf("product %d: on hand and reserved %v, want %d and %d", product, got, onHand, reserved)
	}
}

func value(k *testkit.Kit, b buyer) int64 {
	return k.Count(`SELECT lifetime_value_cents FROM users WHERE id = ?`, b.User.ID)
}

func TestCheckout(t *testing.T) {
	t.Parallel()
	k := shop(t, monolith.Options{})
	category := k.Category("kitchen")
	pan, pot := k.Product(category, "Pan", 2000, 10), k.Product(category, "Pot", 1000, 5)
	k.Exec(`INSERT INTO coupons (code, kind, value, created_at) VALUES ('TEN', 'percent', 10, 0)`)
	ada := newBuyer(t, k, "Ada")
	cart := ada.fill(t, pan, pot)
	ada.Do("POST", "/api/carts/"+cart+"/coupon", fields{"code": "TEN"}).Want(t, 200)
	quote := ada.Do("GET", "/api/carts/"+cart+"/quote?country=US&region=OR", nil).Want(t, 200)

	o := ada.checkout(cart, "k1", goodCard).Want(t, 201)
	if o.Header.Get("Location") != orderPath(o) || o.Header.Get("Idempotency-Replayed") != "" || o.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers: %v", o.Header)
	}
	for _, part := range []string{"subtotal_cents", "discount_cents", "shipping_cents", "tax_cents", "total_cents"} {
		if o.Int(part) != quote.Int(part) {
			t.Errorf("%s is %d, quoted %d", part, o.Int(part), quote.Int(part))
		}
	}
	if o.Text("status") != "paid" || o.Text("payment.status") != "accepted" || o.Text("coupon_code") != "TEN" || o.Get("shipment") != nil ||
		o.Text("shipping_address.street") != "1 Main Street" || o.Text("lines.0.name") != "Pan" || o.Int("lines.1.line_cents") != 1000 ||
		o.Int("total_cents") != 3520 {
		t.Errorf("order: %s", o.Body)
	}
	if got := kinds(t, ada, o); got != "placed paid" {
		t.Errorf("events: %s", got)
	}
	wantStock(t, k, pan, 9, 0)
	wantStock(t, k, pot, 4, 0)
	if v := value(k, ada); v != 3520 {
		t.Errorf("lifetime value %d", v)
	}
	ada.Do("GET", "/api/carts/"+cart, nil).WantError(t, 404, "not_found")
	if n := k.Count(`SELECT count(*) FROM notifications WHERE user_id = ? AND kind IN ('order_placed', 'order_paid')`, ada.User.ID); n != 2 {
		t.Errorf("%d notifications", n)
	}
	if n := k.Count(`SELECT count(*) FROM audit_log WHERE entity = 'order' AND action IN ('order.placed', 'order.paid')`); n != 2 {
		t.Errorf("%d entries in the audit log", n)
	}
	k.Exec(`UPDATE products SET name = 'New pan', price_cents = 1 WHERE id = ?`, pan)
	if later := ada.Do("GET", orderPath(o), nil).Want(t, 200); string(later.Body) != string(o.Body) {
		t.Errorf("the order changed with the product:\n%s%s", o.Body, later.Body)
	}
	list := ada.Do("GET", "/api/orders", nil).Want(t, 200)
	if list.Int("total") != 1 || list.Int("items.0.id") != o.Int("id") || list.Get("items.0.lines") != nil {
		t.Errorf("list: %s", list.Body)
	}
}

func TestCheckoutRefusals(t *testing.T) {
	t.Parallel()
	k := shop(t, monolith.Options{})
	category := k.Category("kitchen")
	pan, pot := k.Product(category, "Pan", 2000, 10), k.Product(category, "Pot", 1000, 5)
	ada, eve := newBuyer(t, k, "Ada"), newBuyer(t, k, "Eve")
	cart := ada.fill(t, pan, pot)
	send := func(b buyer, change fields, header ...string) *testkit.Answer {
		body := ada.request(cart, goodCard)
		for name, v := range change {
			body[name] = v
		}
		return b.Do("POST", "/api/checkout", body, header...)
	}
	key := []string{"Idempotency-Key", "k"}
	k.Guest().Do("POST", "/api/checkout", ada.request(cart, goodCard), key...).WantError(t, 401, "unauthenticated")
	send(ada, nil).WantError(t, 400, "bad_request")
	send(ada, nil, "Idempotency-Key", strings.Repeat("k", 101)).WantError(t, 400, "bad_request")
	send(ada, fields{"card": fields{"number": "4242424242424241"}}, key...).WantError(t, 422, "invalid", "card.number")
	send(ada, fields{"card": fields{"number": "42 42"}}, key...).WantError(t, 422, "invalid", "card.number")
	send(ada, fields{"shipping_method": "slow"}, key...).WantError(t, 422, "invalid", "shipping_method")
	send(ada, fields{"gift": true}, key...).WantError(t, 422, "invalid", "gift")
	send(ada, fields{"address_id": eve.address}, key...).WantError(t, 404, "not_found")
	send(eve, fields{"address_id": eve.address}, key...).WantError(t, 404, "not_found")
	send(ada, fields{"cart_id": "none"}, key...).WantError(t, 404, "not_found")
	guest := k.Guest().Do("POST", "/api/carts", nil).Text("id")
	send(ada, fields{"cart_id": guest}, key...).WantError(t, 404, "not_found")
	eve.checkout(eve.fill(t), "k", goodCard).WantError(t, 409, "empty_cart")

	k.Exec(`UPDATE products SET stock_qty = 0 WHERE id = ?`, pan)
	k.Exec(`UPDATE stock_items SET on_hand = 0 WHERE product_id = ?`, pan)
	k.Exec(`INSERT INTO stock_movements (product_id, delta, reason, created_at) VALUES (?, -10, 'correction', 0)`, pan)
	k.Exec(`UPDATE products SET active = 0 WHERE id = ?`, pot)
	send(ada, nil, key...).WantError(t, 409, "out_of_stock", fmt.Sprintf("products[%d]", pan), fmt.Sprintf("products[%d]", pot))
	for _, table := range []string{"orders", "payments", "stock_reservations", "order_events"} {
		if n := k.Count(`SELECT count(*) FROM ` + table); n != 0 {
			t.Errorf("%d rows in %s after refusals only", n, table)
		}
	}
}

func TestCheckoutWithACouponThatIsGone(t *testing.T) {
	t.Parallel()
	k := shop(t, monolith.Options{})
	pan := k.Product(k.Category("kitchen"), "Pan", 2000, 10)
	k.Exec(`INSERT INTO coupons (code, kind, value, max_redemptions, created_at) VALUES ('ONE', 'fixed', 100, 1, 0)`)
	ada, eve := newBuyer(t, k, "Ada"), newBuyer(t, k, "Eve")
	adas, eves := ada.fill(t, pan), eve.fill(t, pan)
	ada.Do("POST", "/api/carts/"+adas+"/coupon", fields{"code": "ONE"}).Want(t, 200)
	eve.Do("POST", "/api/carts/"+eves+"/coupon", fields{"code": "ONE"}).Want(t, 200)
	o := ada.checkout(adas, "k", goodCard).Want(t, 201)
	eve.checkout(eves, "k", goodCard).WantError(t, 409, "coupon_unusable")
	ada.Do("POST", orderPath(o)+"/cancel", nil).Want(t, 200)
	eve.checkout(eves, "k", goodCard).Want(t, 201)
	if n := k.Count(`SELECT redeemed FROM coupons`); n != 1 {
		t.Errorf("redeemed %d times", n)
	}
}

func TestIdempotency(t *testing.T) {
	t.Parallel()
	k := shop(t, monolith.Options{})
	pan := k.Product(k.Category("kitchen"), "Pan", 2000, 10)
	ada := newBuyer(t, k, "Ada")
	cart := ada.fill(t, pan)
	first := ada.checkout(cart, "k1", goodCard).Want(t, 201)
	again := ada.checkout(cart, "k1", goodCard).Want(t, 200)
	if again.Header.Get("Idempotency-Replayed") != "true" || string(again.Body) != string(first.Body) || again.Header.Get("Location") != orderPath(first) {
		t.Errorf("replay: %v %s", again.Header, again.Body)
	}
	ada.checkout(cart, "k1", declinedCard).WantError(t, 409, "idempotency_key_reused")
	ada.checkout(cart, "k2", goodCard).WantError(t, 404, "not_found")
	eve := newBuyer(t, k, "Eve")
	if other := eve.checkout(eve.fill(t, pan), "k1", goodCard).Want(t, 201); other.Int("id") == first.Int("id") {
		t.Error("a key belongs to one customer")
	}
}

func TestTheSameCheckoutTwentyTimesAtOnce(t *testing.T) {
	t.Parallel()
	k := shop(t, monolith.Options{})
	pan := k.Product(k.Category("kitchen"), "Pan", 2000, 10)
	ada := newBuyer(t, k, "Ada")
	cart := ada.fill(t, pan)
	answers := make([]*testkit.Answer, 20)
	atOnce(len(answers), func(i int) {
		same := k.Guest()
		same.SetCookie("session", ada.Cookie("session"))
		answers[i] = buyer{same, ada.address}.checkout(cart, "once", goodCard)
	})
	created := 0
	for _, a := range answers {
		if a.Status == http.StatusCreated {
			created++
		} else {
			a.Want(t, 200)
		}
		if a.Int("id") != answers[0].Int("id") {
			t.Errorf("another order: %s", a.Body)
		}
	}
	if n := k.Count(`SELECT count(*) FROM orders`); created != 1 || n != 1 {
		t.Errorf("%d answers were 201, and there are %d orders", created, n)
	}
	wantStock(t, k, pan, 9, 0)
}

func TestFiftyBuyersForTenItems(t *testing.T) {
	t.Parallel()
	k := shop(t, monolith.Options{})
	pan := k.Product(k.Category("kitchen"), "Pan", 2000, 10)
	errs := make([]error, 50)
	users, requests := make([]int64, len(errs)), make([]orders.Checkout, len(errs))
	for i := range errs {
		users[i] = k.Insert(`
			INSERT INTO users (email, password_hash, name, created_at, updated_at)
			VALUES (?, '', 'Buyer', 0, 0)`, fmt.Sprintf("buyer%d@shop.example", i))
		address := k.Insert(`
			INSERT INTO addresses (user_id, name, street, city, postal_code, country, created_at)
			VALUES (?, 'B', 'S', 'C', 'P', 'US', 0)`, users[i])
		c, _, err := k.Cart.Open(t.Context(), users[i])
		if err == nil {
			_, _, err = k.Cart.Add(t.Context(), c.ID, users[i], pan, 1)
		}
		if err != nil {
			t.Fatal(err)
		}
		requests[i] = orders.Checkout{CartID: c.ID, AddressID: address, ShippingMethod: "standard", Card: payments.Card{Number: goodCard}}
	}
	atOnce(len(errs), func(i int) { _, _, errs[i] = k.Orders.Place(t.Context(), users[i], "k", requests[i]) })
	sold := 0
	for _, err := range errs {
		var refused *web.Problem
		switch {
		case err == nil:
			sold++
		case !errors.As(err, &refused) || refused.Code != "out_of_stock":
			t.Error(err)
		}
	}
	if sold != 10 {
		t.Errorf("%d orders for 10 pans", sold)
	}
	wantStock(t, k, pan, 0, 0)
}

func atOnce(n int, do func(i int)) {
	var wait sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wait.Go(func() {
			<-start
			do(i)
		})
	}
	close(start)
	wait.Wait()
}

func TestOrdersOfOthers(t *testing.T) {
	t.Parallel()
	k := shop(t, monolith.Options{})
	pan := k.Product(k.Category("kitchen"), "Pan", 2000, 10)
	o := newBuyer(t, k, "Ada").buy(t, goodCard, pan)
	path := orderPath(o)
	eve := k.Customer("Eve")
	for _, call := range [][2]string{{"GET", path}, {"GET", path + "/events"}, {"POST", path + "/cancel"}, {"POST", path + "/returns"}, {"GET", "/api/orders/abc"}} {
		eve.Do(call[0], call[1], nil).WantError(t, 404, "not_found")
		k.Guest().Do(call[0], call[1], nil).WantError(t, 401, "unauthenticated")
	}
	if list := eve.Do("GET", "/api/orders", nil).Want(t, 200); list.Int("total") != 0 || !strings.Contains(string(list.Body), `"items":[]`) {
		t.Errorf("list of somebody without orders: %s", list.Body)
	}
	eve.Do("GET", "/api/orders?page=0", nil).WantError(t, 422, "invalid", "page")
	for _, verb := range []string{"pack", "ship", "deliver"} {
		admin := fmt.Sprintf("/api/admin/orders/%d/%s", o.Int("id"), verb)
		eve.Do("POST", admin, nil).WantError(t, 403, "forbidden")
		k.Guest().Do("POST", admin, nil).WantError(t, 401, "unauthenticated")
	}
}

func TestStates(t *testing.T) {
	t.Parallel()
	k := shop(t, monolith.Options{})
	pan := k.Product(k.Category("kitchen"), "Pan", 2000, 10)
	ada, admin := newBuyer(t, k, "Ada"), k.Admin()
	o := ada.buy(t, goodCard, pan)
	path, office := orderPath(o), fmt.Sprintf("/api/admin/orders/%d/", o.Int("id"))

	admin.Do("POST", office+"deliver", nil).WantError(t, 409, "conflict")
	ada.Do("POST", path+"/returns", nil).WantError(t, 409, "conflict")
	if a := admin.Do("POST", office+"pack", nil).Want(t, 200); a.Text("status") != "packed" {
		t.Errorf("packed: %s", a.Body)
	}
	admin.Do("POST", office+"pack", nil).WantError(t, 409, "conflict")
	admin.Do("POST", office+"ship", fields{"carrier": "", "tracking": ""}).WantError(t, 422, "invalid", "carrier", "tracking")
	admin.Do("POST", office+"ship", fields{"carrier": " ", "tracking": strings.Repeat("ü", 101)}).WantError(t, 422, "invalid", "carrier", "tracking")
	admin.Do("POST", office+"ship", `{`).WantError(t, 400, "malformed_json")
	a := admin.Do("POST", office+"ship", fields{"carrier": " " + strings.Repeat("ü", 100), "tracking": "T1"}).Want(t, 200)
	if a.Text("status") != "shipped" || a.Text("shipment.tracking") != "T1" || a.Get("shipment.delivered_at") != nil {
		t.Errorf("shipped: %s", a.Body)
	}
	ada.Do("POST", path+"/cancel", nil).WantError(t, 409, "conflict")
	k.Clock.Advance(24 * time.Hour)
	if a = admin.Do("POST", office+"deliver", nil).Want(t, 200); a.Text("status") != "delivered" || a.Text("shipment.delivered_at") != "2026-03-02T12:00:00.000Z" {
		t.Errorf("delivered: %s", a.Body)
	}
	admin.Do("POST", "/api/admin/orders/99999/pack", nil).WantError(t, 404, "not_found")
	wantStock(t, k, pan, 9, 0)

	ada.Do("POST", path+"/returns", fields{"reason": strings.Repeat("ü", 501)}).WantError(t, 422, "invalid", "reason")
	a = ada.Do("POST", path+"/returns", fields{"reason": "too heavy"}).Want(t, 200)
	if a.Text("status") != "refunded" || a.Text("payment.status") != "refunded" {
		t.Errorf("returned: %s", a.Body)
	}
	ada.Do("POST", path+"/returns", nil).WantError(t, 409, "conflict")
	if got := kinds(t, ada, o); got != "placed paid packed shipped delivered refunded" {
		t.Errorf("events: %s", got)
	}
	wantStock(t, k, pan, 10, 0)
	if v := value(k, ada); v != 0 {
		t.Errorf("lifetime value %d after the refund", v)
	}
	history, err := k.Orders.History(t.Context(), ada.User.ID, web.Paging{Page: 1, PerPage: 10})
	if err != nil || len(history) != 1 || history[0].Product != "Pan" || !history[0].StillSold {
		t.Errorf("history: %+v, %v", history, err)
	}
}

// TestReturnWithoutAReason: the body is optional, also where its length is not
// announced, as with a client that sends chunks.
func TestReturnWithoutAReason(t *testing.T) {
	t.Parallel()
	k := shop(t, monolith.Options{})
	ada := newBuyer(t, k, "Ada")
	o := ada.buy(t, goodCard, k.Product(k.Category("kitchen"), "Pan", 2000, 10))
	r := httptest.NewRequestWithContext(t.Context(), "POST", orderPath(o)+"/returns", io.MultiReader())
	r.AddCookie(&http.Cookie{Name: "session", Value: ada.Cookie("session")})
	w := httptest.NewRecorder()
	k.Handler().ServeHTTP(w, r)
	if w.Code != http.StatusConflict { // it has not been delivered, but it was understood
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	k := shop(t, monolith.Options{})
	pan := k.Product(k.Category("kitchen"), "Pan", 2000, 10)
	ada, admin := newBuyer(t, k, "Ada"), k.Admin()
	for _, c := range []struct{ card, state, payment string }{
		{declinedCard, "pending", "cancelled"},
		{goodCard, "paid", "refunded"},
		{goodCard, "packed", "refunded"},
	} {
		o := ada.buy(t, c.card, pan)
		if c.state == "packed" {
			admin.Do("POST", fmt.Sprintf("/api/admin/orders/%d/pack", o.Int("id")), nil).Want(t, 200)
		}
		a := ada.Do("POST", orderPath(o)+"/cancel", nil).Want(t, 200)
		if a.Text("status") != "cancelled" || a.Text("payment.status") != c.payment {
			t.Errorf("cancelled from %s: %s", c.state, a.Body)
		}
		ada.Do("POST", orderPath(o)+"/cancel", nil).WantError(t, 409, "conflict")
		wantStock(t, k, pan, 10, 0)
		if v := value(k, ada); v != 0 {
			t.Errorf("cancelled from %s: lifetime value %d", c.state, v)
		}
	}
	if n := k.Count(`SELECT count(*) FROM payments WHERE returned_cents <> refunded_cents`); n != 0 {
		t.Errorf("%d refunds have not reached the provider", n)
	}
}

func TestAnOrderThatCostsNothing(t *testing.T) {
	t.Parallel()
	k := shop(t, monolith.Options{})
	k.Exec(`UPDATE shipping_rates SET free_from_cents = 0`)
	k.Exec(`INSERT INTO coupons (code, kind, value, created_at) VALUES ('ALL', 'percent', 100, 0)`)
	pan := k.Product(k.Category("kitchen"), "Pan", 2000, 10)
	ada := newBuyer(t, k, "Ada")
	cart := ada.fill(t, pan)
	ada.Do("POST", "/api/carts/"+cart+"/coupon", fields{"code": "ALL"}).Want(t, 200)
	o := ada.checkout(cart, "k", goodCard).Want(t, 201)
	if o.Int("total_cents") != 0 || o.Text("status") != "paid" {
		t.Errorf("order: %s", o.Body)
	}
	k.Admin().Do("POST", fmt.Sprintf("/api/payments/%d/refunds", o.Int("payment.id")), fields{"amount_cents": 1}, "Idempotency-Key", "k").
		WantError(t, 422, "invalid", "amount_cents")
	if a := ada.Do("POST", orderPath(o)+"/cancel", nil).Want(t, 200); a.Text("payment.status") != "refunded" {
		t.Errorf("cancelled: %s", a.Body)
	}
	wantStock(t, k, pan, 10, 0)
}

func TestUnpaidOrdersExpire(t *testing.T) {
	t.Parallel()
	k := shop(t, monolith.Options{})
	pan := k.Product(k.Category("kitchen"), "Pan", 2000, 10)
	ada := newBuyer(t, k, "Ada")
	o, kept := ada.buy(t, declinedCard, pan), ada.buy(t, goodCard, pan)
	wantStock(t, k, pan, 9, 1)
	k.Clock.Advance(30*time.Minute - time.Millisecond)
	if n, err := k.Orders.Expire(t.Context()); n != 0 || err != nil {
		t.Fatalf("too early: %d, %v", n, err)
	}
	k.Clock.Advance(time.Millisecond)
	if n, err := k.Orders.Expire(t.Context()); n != 1 || err != nil {
		t.Fatalf("expired: %d, %v", n, err)
	}
	if n, err := k.Orders.Expire(t.Context()); n != 0 || err != nil {
		t.Fatalf("expired again: %d, %v", n, err)
	}
	if a := ada.Do("GET", orderPath(o), nil); a.Text("status") != "cancelled" {
		t.Errorf("expired: %s", a.Body)
	}
	if a := ada.Do("GET", orderPath(kept), nil); a.Text("status") != "paid" {
		t.Errorf("the paid one: %s", a.Body)
	}
	wantStock(t, k, pan, 9, 0)
}

func TestDeletedAccountsKeepTheirOrders(t *testing.T) {
	t.Parallel()
	k := shop(t, monolith.Options{})
	pan := k.Product(k.Category("kitchen"), "Pan", 2000, 10)
	ada, admin := newBuyer(t, k, "Ada"), k.Admin()
	o := ada.buy(t, goodCard, pan)
	ada.Do("DELETE", "/api/me", fields{"current_password": ada.Password}).Want(t, 204)
	a := admin.Do("POST", fmt.Sprintf("/api/admin/orders/%d/pack", o.Int("id")), nil).Want(t, 200)
	if a.Text("shipping_address.street") != "" || a.Text("lines.0.name") != "Pan" {
		t.Errorf("order of a deleted account: %s", a.Body)
	}
}
