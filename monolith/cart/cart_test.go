package cart_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/monolith"
	"github.com/stranglerfig/toolkit/monolith/cart"
	"github.com/stranglerfig/toolkit/monolith/testkit"
)

type fields = map[string]any

func newCart(t *testing.T, c *testkit.Client) string {
	t.Helper()
	answer := c.Do("POST", "/api/carts", nil).Want(t, 201)
	path := "/api/carts/" + answer.Text("id")
	if answer.Header.Get("Location") != path {
		t.Fatalf("Location %q, want %q", answer.Header.Get("Location"), path)
	}
	return path
}

func TestCartLife(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	category := k.Category("kitchen")
	pan, pot := k.Product(category, "Pan", 2500, 10), k.Product(category, "Pot", 1000, 10)
	guest := k.Guest()
	path := newCart(t, guest)
	empty := guest.Do("GET", path, nil).Want(t, 200)
	if empty.Get("user_id") != nil || !strings.Contains(string(empty.Body), `"items":[]`) || empty.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("an empty cart: %s", empty.Body)
	}

	added := guest.Do("POST", path+"/items", fields{"product_id": pan, "qty": 2}).Want(t, 201)
	item := added.Header.Get("Location")
	if item != fmt.Sprintf("%s/items/%d", path, added.Int("items.0.id")) {
		t.Errorf("Location of the item: %q", item)
	}
	guest.Do("POST", path+"/items", fields{"product_id": pot, "qty": 1}).Want(t, 201)
	c := guest.Do("POST", path+"/items", fields{"product_id": pan, "qty": 3}).Want(t, 201)
	if c.Header.Get("Location") != item || c.Int("items.0.qty") != 5 || c.Int("items.0.line_cents") != 12_500 || c.Int("items.0.available") != 10 ||
		c.Text("items.1.name") != "Pot" || c.Int("subtotal_cents") != 13_500 || c.Int("total_cents") != 13_500 {
		t.Errorf("the same product adds up: %s", c.Body)
	}
	if c = guest.Do("PATCH", item, fields{"qty": 1}).Want(t, 200); c.Int("subtotal_cents") != 3500 {
		t.Errorf("quantity set: %s", c.Body)
	}
	if c = guest.Do("DELETE", item, nil).Want(t, 200); c.Int("subtotal_cents") != 1000 || c.Get("items.1") != nil {
		t.Errorf("item removed: %s", c.Body)
	}
	guest.Do("DELETE", item, nil).WantError(t, 404, "not_found")
	guest.Do("PATCH", item, fields{"qty": 1}).WantError(t, 404, "not_found")
}

func TestCartLimits(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	category := k.Category("kitchen")
	many, few, gone := k.Product(category, "Many", 1, 500), k.Product(category, "Few", 1, 3), k.Product(category, "Gone", 1, 3)
	k.Exec(`UPDATE products SET active = 0 WHERE id = ?`, gone)
	guest := k.Guest()
	path := newCart(t, guest)
	for _, c := range []struct {
		product, qty any
		status       int
		code, field  string
	}{
		{many, 0, 422, "invalid", "qty"},
		{many, 100, 422, "invalid", "qty"},
		{many, "two", 422, "invalid", "qty"},
		{99999, 1, 422, "invalid", "product_id"},
		{gone, 1, 422, "invalid", "product_id"},
		{few, 4, 409, "out_of_stock", ""},
	} {
		var names []string
		if c.field != "" {
			names = append(names, c.field)
		}
		guest.Do("POST", path+"/items", fields{"product_id": c.product, "qty": c.qty}).WantError(t, c.status, c.code, names...)
	}
	item := guest.Do("POST", path+"/items", fields{"product_id": many, "qty": 99}).Want(t, 201).Header.Get("Location")
	guest.Do("POST", path+"/items", fields{"product_id": many, "qty": 1}).WantError(t, 409, "quantity_limit")
	guest.Do("PATCH", item, fields{"qty": 100}).WantError(t, 422, "invalid", "qty")
	item = guest.Do("POST", path+"/items", fields{"product_id": few, "qty": 3}).Want(t, 201).Header.Get("Location")
	guest.Do("PATCH", item, fields{"qty": 4}).WantError(t, 409, "out_of_stock")
	guest.Do("POST", path+"/items", `{"product_id": 1, "qty": 1, "note": "x"}`).WantError(t, 422, "invalid", "note")
	guest.Do("POST", path+"/items", `[1]`).Want(t, 422)
	guest.Do("POST", path+"/items", ``).WantError(t, 400, "malformed_json")

	admin := k.Admin()
	for i := range cart.MaxItems - 2 {
		made := admin.Do("POST", "/api/admin/products", fields{
			"sku": fmt.Sprint("P", i), "name": "P", "category_id": category, "price_cents": 1, "stock_qty": 9,
		}).Want(t, 201)
		guest.Do("POST", path+"/items", fields{"product_id": made.Int("id"), "qty": 1}).Want(t, 201)
	}
	last := k.Product(category, "One too many", 1, 9)
	guest.Do("POST", path+"/items", fields{"product_id": last, "qty": 1}).WantError(t, 409, "cart_full")
}

func TestCartsOfUsers(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	product := k.Product(k.Category("kitchen"), "Pan", 100, 10)
	ada, eve := k.Customer("Ada"), k.Customer("Eve")
	path := newCart(t, ada)
	if again := ada.Do("POST", "/api/carts", nil).Want(t, 200); "/api/carts/"+again.Text("id") != path || again.Int("user_id") != ada.User.ID {
		t.Errorf("a user has one open cart: %s", again.Body)
	}
	for _, c := range []*testkit.Client{eve, k.Guest(), k.Admin()} {
		c.Do("GET", path, nil).WantError(t, 404, "not_found")
		c.Do("POST", path+"/items", fields{"product_id": product, "qty": 1}).WantError(t, 404, "not_found")
		c.Do("PATCH", path+"/items/1", fields{"qty": 1}).WantError(t, 404, "not_found")
		c.Do("DELETE", path+"/items/1", nil).WantError(t, 404, "not_found")
		c.Do("POST", path+"/coupon", fields{"code": "X"}).WantError(t, 404, "not_found")
		c.Do("DELETE", path+"/coupon", nil).WantError(t, 404, "not_found")
		c.Do("GET", path+"/quote?country=US", nil).WantError(t, 404, "not_found")
	}
	ada.Do("GET", "/api/carts/no-such-cart", nil).WantError(t, 404, "not_found")
	k.Exec(`UPDATE carts SET status = 'ordered'`)
	ada.Do("GET", path, nil).WantError(t, 404, "not_found")
	if fresh := newCart(t, ada); fresh == path {
		t.Error("an ordered cart was opened again")
	}
}

func TestMerge(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	category := k.Category("kitchen")
	pan, pot := k.Product(category, "Pan", 100, 500), k.Product(category, "Pot", 100, 500)
	k.Exec(`INSERT INTO coupons (code, kind, value, created_at) VALUES ('GUEST', 'percent', 10, 0), ('OWN', 'percent', 20, 0)`)
	ada, guest := k.Customer("Ada"), k.Guest()
	own := newCart(t, ada)
	ada.Do("POST", own+"/items", fields{"product_id": pan, "qty": 60}).Want(t, 201)
	guestPath := newCart(t, guest)
	guest.Do("POST", guestPath+"/items", fields{"product_id": pan, "qty": 50}).Want(t, 201)
	guest.Do("POST", guestPath+"/items", fields{"product_id": pot, "qty": 2}).Want(t, 201)
	guest.Do("POST", guestPath+"/coupon", fields{"code": "guest"}).Want(t, 200)
	if err := k.Cart.Adopt(t.Context(), strings.TrimPrefix(guestPath, "/api/carts/"), ada.User.ID); err != nil {
		t.Fatal(err)
	}
	c := ada.Do("GET", own, nil).Want(t, 200)
	if c.Int("items.0.qty") != 99 || c.Int("items.1.product_id") != pot || c.Int("items.1.qty") != 2 || c.Text("coupon.code") != "GUEST" {
		t.Errorf("merged: %s", c.Body)
	}
	guest.Do("GET", guestPath, nil).WantError(t, 404, "not_found")

	// The user's own coupon wins; somebody else's cart and a merged one are left alone.
	ada.Do("POST", own+"/coupon", fields{"code": "OWN"}).Want(t, 200)
	second := newCart(t, guest)
	guest.Do("POST", second+"/items", fields{"product_id": pot, "qty": 1}).Want(t, 201)
	guest.Do("POST", second+"/coupon", fields{"code": "GUEST"}).Want(t, 200)
	eves := newCart(t, k.Customer("Eve"))
	for _, path := range []string{second, guestPath, eves, own, "/api/carts/nothing"} {
		if err := k.Cart.Adopt(t.Context(), strings.TrimPrefix(path, "/api/carts/"), ada.User.ID); err != nil {
			t.Errorf("merge of %s: %v", path, err)
		}
	}
	c = ada.Do("GET", own, nil).Want(t, 200)
	if c.Int("items.1.qty") != 3 || c.Text("coupon.code") != "OWN" {
		t.Errorf("merged again: %s", c.Body)
	}
}

func TestMergeKeepsToTheLimit(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	category, ada, guest := k.Category("kitchen"), k.Customer("Ada"), k.Guest()
	own, other := newCart(t, ada), newCart(t, guest)
	for i := range 80 {
		product := k.Insert(`
			INSERT INTO products (sku, name, category_id, price_cents, stock_qty, created_at, updated_at)
			VALUES (?, 'P', ?, 1, 9, 0, 0)`, fmt.Sprint("P", i), category)
		if i < 49 {
			ada.Do("POST", own+"/items", fields{"product_id": product, "qty": 1}).Want(t, 201)
		}
		if i >= 40 {
			guest.Do("POST", other+"/items", fields{"product_id": product, "qty": 1}).Want(t, 201)
		}
	}
	if err := k.Cart.Adopt(t.Context(), strings.TrimPrefix(other, "/api/carts/"), ada.User.ID); err != nil {
		t.Fatal(err)
	}
	c, err := k.Cart.Cart(t.Context(), strings.TrimPrefix(own, "/api/carts/"), ada.User.ID)
	if err != nil || len(c.Items) != cart.MaxItems || c.Pieces() != cart.MaxItems+9 {
		t.Errorf("%d items with %d pieces, want %d with %d (%v)", len(c.Items), c.Pieces(), cart.MaxItems, cart.MaxItems+9, err)
	}
}

func TestCouponOnCart(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	product := k.Product(k.Category("kitchen"), "Pan", 1001, 10)
	k.Exec(`
		INSERT INTO coupons (code, kind, value, min_order_cents, active, ends_at, max_redemptions, redeemed, created_at) VALUES
			('TEN', 'percent', 10, 2000, 1, NULL, NULL, 0, 0), ('OFF', 'percent', 10, 0, 0, NULL, NULL, 0, 0),
			('OLD', 'percent', 10, 0, 1, 1, NULL, 0, 0), ('GONE', 'fixed', 10, 0, 1, NULL, 2, 2, 0)`)
	guest := k.Guest()
	path := newCart(t, guest)
	item := guest.Do("POST", path+"/items", fields{"product_id": product, "qty": 1}).Want(t, 201).Header.Get("Location")
	for _, code := range []string{"TEN", "OFF", "OLD", "GONE", "NONE", ""} {
		guest.Do("POST", path+"/coupon", fields{"code": code}).WantError(t, 422, "invalid", "code")
	}
	guest.Do("PATCH", item, fields{"qty": 3}).Want(t, 200)
	c := guest.Do("POST", path+"/coupon", fields{"code": "ten"}).Want(t, 200)
	if c.Text("coupon.code") != "TEN" || c.Text("coupon.kind") != "percent" || c.Int("coupon.value") != 10 ||
		c.Int("discount_cents") != 300 || c.Int("total_cents") != 2703 {
		t.Errorf("with a coupon: %s", c.Body)
	}
	if c = guest.Do("PATCH", item, fields{"qty": 1}).Want(t, 200); c.Int("discount_cents") != 0 || c.Text("coupon.code") != "TEN" {
		t.Errorf("below its minimum the coupon takes nothing off: %s", c.Body)
	}
	if c = guest.Do("DELETE", path+"/coupon", nil).Want(t, 200); c.Get("coupon") != nil {
		t.Errorf("without the coupon: %s", c.Body)
	}
}

func TestQuote(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	k.Exec(`INSERT INTO tax_rates VALUES ('US', '', 100), ('US', 'NY', 1000)`)
	k.Exec(`INSERT INTO shipping_rates VALUES ('standard', 'US', 500, 10, 9000), ('express', 'US', 900, 20, NULL)`)
	k.Exec(`INSERT INTO coupons (code, kind, value, created_at) VALUES ('TEN', 'percent', 10, 0)`)
	product := k.Product(k.Category("kitchen"), "Pan", 1000, 10)
	guest := k.Guest()
	path := newCart(t, guest)
	guest.Do("GET", path+"/quote?country=US", nil).WantError(t, 409, "empty_cart")
	guest.Do("POST", path+"/items", fields{"product_id": product, "qty": 2}).Want(t, 201)
	guest.Do("POST", path+"/coupon", fields{"code": "TEN"}).Want(t, 200)
	for _, c := range []struct {
		query                string
		shipping, tax, total int64
	}{
		{"country=US", 520, 23, 2343},
		{"country=US&region=NY", 520, 232, 2552},
		{"country=US&region=NY&shipping=express", 940, 274, 3014},
	} {
		q := guest.Do("GET", path+"/quote?"+c.query, nil).Want(t, 200)
		if q.Int("subtotal_cents") != 2000 || q.Int("discount_cents") != 200 || q.Int("shipping_cents") != c.shipping ||
			q.Int("tax_cents") != c.tax || q.Int("total_cents") != c.total || q.Text("country") != "US" {
			t.Errorf("%s: %s", c.query, q.Body)
		}
	}
	guest.Do("GET", path+"/quote", nil).WantError(t, 422, "invalid", "country")
	guest.Do("GET", path+"/quote?country=us&shipping=slow", nil).WantError(t, 422, "invalid", "country", "shipping")
	guest.Do("GET", path+"/quote?country=DE", nil).WantError(t, 422, "invalid", "country")
}
