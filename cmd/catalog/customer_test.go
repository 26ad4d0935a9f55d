package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
)

// A customer uses the shop at random; half of the time she is its administrator.
type customer struct {
	shop        *shop
	user, admin *http.Client
	address     int64
	placed      []int64
	made        []int64
	did         map[string]int // what succeeded
}

func newCustomer(t *testing.T, s *shop) *customer {
	t.Helper()
	c := &customer{
		shop: s, user: signIn(t, s, "ada@shop.example", "ada-password"), admin: signIn(t, s, "admin@shop.example", "admin-password"),
		did: map[string]int{"buy": 0, "cancel": 0, "send back": 0, "edit": 0, "delete": 0, "correct": 0, "review": 0, "leave": 0, "rename": 0},
	}
	c.address = c.newAddress(t, c.user)
	return c
}

func (c *customer) newAddress(t *testing.T, client *http.Client) int64 {
	t.Helper()
	var address struct{ ID int64 }
	c.mustCall(t, client, "POST", "/api/me/addresses", map[string]any{
		"name": "Ada", "street": "1 Way", "city": "Town", "postal_code": "12345", "region": "", "country": "DE",
	}, &address)
	return address.ID
}

func (c *customer) doAnything(t *testing.T, random *rand.Rand) {
	t.Helper()
	product := 1 + random.Int64N(40)
	switch random.IntN(12) {
	case 0, 1, 2:
		if id := c.buy(t, c.user, c.address, random); id != 0 {
			c.placed = append(c.placed, id)
		}
	case 3:
		if len(c.placed) > 0 {
			id := c.placed[random.IntN(len(c.placed))]
			c.note("cancel", c.call(t, c.user, "POST", fmt.Sprintf("/api/orders/%d/cancel", id), nil, nil) == http.StatusOK)
		}
	case 4:
		c.sendBack(t)
	case 5, 6:
		c.edit(t, product, random)
	case 7:
		var made struct{ ID int64 }
		c.mustCall(t, c.admin, "POST", "/api/admin/products", map[string]any{
			"sku": fmt.Sprintf("NEW-%d", random.Int64()), "name": "New", "category_id": 1 + random.IntN(4), "price_cents": 500, "stock_qty": 50,
			"tags": []string{"fresh", "x"}, "description": "Ünlike \\ anything 100%",
		}, &made)
		c.made = append(c.made, made.ID)
	case 8:
		if len(c.made) > 0 {
			id := c.made[random.IntN(len(c.made))]
			c.note("delete", c.call(t, c.admin, "DELETE", fmt.Sprintf("/api/admin/products/%d", id), nil, nil) == http.StatusNoContent)
		}
	case 9:
		c.note("correct", c.call(t, c.admin, "POST", fmt.Sprintf("/api/admin/products/%d/stock", product), map[string]any{"delta": random.IntN(9) - 3}, nil) == http.StatusOK)
	case 10:
		c.visit(t, random)
	case 11: // nothing in the feed says so
		if err := c.renameCategory(t, random); err != nil {
			t.Fatal(err)
		}
	}
}

func (c *customer) note(what string, done bool) {
	if done {
		c.did[what]++
	}
}

func (c *customer) renameCategory(t *testing.T, random *rand.Rand) error {
	t.Helper()
	_, err := c.shop.db.Writer().ExecContext(t.Context(), `UPDATE categories SET name = ?, position = ? WHERE id = ?`,
		fmt.Sprint("Things ", random.IntN(100)), random.IntN(9), 1+random.IntN(4))
	c.note("rename", err == nil)
	return err
}

// edit changes one thing of a product, seldom whether it is sold.
func (c *customer) edit(t *testing.T, product int64, random *rand.Rand) {
	t.Helper()
	change := []map[string]any{
		{"price_cents": 100 + random.IntN(9000)},
		{"name": fmt.Sprintf("<Renamed> & %d", random.IntN(1000))},
		{"active": random.IntN(3) > 0},
		{"category_id": 1 + random.IntN(4)},
		{"images": []map[string]any{{"url": fmt.Sprintf("/static/products/x-%d.svg", random.IntN(9)), "alt": "x"}, {"url": "/static/y.svg"}}},
		{"images": []map[string]any{}},
		{"tags": []string{"zebra", fmt.Sprint("tag-", random.IntN(9))}},
		{"description": fmt.Sprintf("Described %d\u2028 times", random.IntN(1000)), "sku": fmt.Sprintf("EDIT-%d", random.Int64())},
	}[random.IntN(8)]
	c.note("edit", c.call(t, c.admin, "PATCH", fmt.Sprintf("/api/admin/products/%d", product), change, nil) == http.StatusOK)
}

// buy orders a few products and returns the order, or 0 if they are not there.
func (c *customer) buy(t *testing.T, client *http.Client, address int64, random *rand.Rand) int64 {
	t.Helper()
	var cart, order struct{ ID any }
	if status := c.call(t, client, "POST", "/api/carts", map[string]any{}, &cart); status/100 != 2 {
		t.Fatalf("cart: status %d", status)
	}
	for range 2 + random.IntN(3) {
		c.call(t, client, "POST", fmt.Sprintf("/api/carts/%v/items", cart.ID), map[string]any{"product_id": 1 + random.IntN(40), "qty": 1 + random.IntN(3)}, nil)
	}
	card := []string{"4242424242424242", "4242424242424242", "4000000000000002"}[random.IntN(3)]
	status := c.call(t, client, "POST", "/api/checkout", map[string]any{
		"cart_id": cart.ID, "address_id": address, "shipping_method": "standard", "card": map[string]any{"number": card},
	}, &order)
	if status != http.StatusCreated {
		return 0
	}
	c.did["buy"]++
	return int64(order.ID.(float64))
}

// sendBack delivers the newest order that can be, and returns its goods.
func (c *customer) sendBack(t *testing.T) {
	t.Helper()
	for i := len(c.placed) - 1; i >= 0; i-- {
		id := c.placed[i]
		if c.call(t, c.admin, "POST", fmt.Sprintf("/api/admin/orders/%d/ship", id), map[string]any{"carrier": "x", "tracking": "y"}, nil) != http.StatusOK {
			continue
		}
		c.mustCall(t, c.admin, "POST", fmt.Sprintf("/api/admin/orders/%d/deliver", id), nil, nil)
		c.note("send back", c.call(t, c.user, "POST", fmt.Sprintf("/api/orders/%d/returns", id), map[string]any{}, nil) == http.StatusOK)
		return
	}
}

// visit lets somebody register, buy, review what she has bought, and leave for good
// half of the time, with her reviews.
func (c *customer) visit(t *testing.T, random *rand.Rand) {
	t.Helper()
	email := fmt.Sprintf("visitor-%d@shop.example", random.Int64())
	c.mustCall(t, http.DefaultClient, "POST", "/api/register", map[string]any{"email": email, "password": "visitor-password", "name": "Visitor"}, nil)
	visitor := signIn(t, c.shop, email, "visitor-password")
	c.buy(t, visitor, c.newAddress(t, visitor), random)
	for product := 1; product <= 40; product++ {
		c.note("review", c.call(t, visitor, "POST", fmt.Sprintf("/api/products/%d/reviews", product),
			map[string]any{"rating": 1 + random.IntN(5), "title": "So"}, nil) == http.StatusCreated)
	}
	if random.IntN(2) == 0 {
		c.note("leave", c.call(t, visitor, "DELETE", "/api/me", map[string]any{"current_password": "visitor-password"}, nil) == http.StatusNoContent)
	}
}
