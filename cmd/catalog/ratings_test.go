package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
)

// TestFollowsRatings looks after each step, so that no other change of the product
// hides that a review, or an account that goes and takes its reviews along, was missed.
func TestFollowsRatings(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	c := newCustomer(t, s)
	store := newCopy(t)
	feed := newFeed(t, store, s.url)
	service := serveCopy(t, store, feed)
	poll(t, feed)
	c.mustCall(t, http.DefaultClient, "POST", "/api/register", map[string]any{"email": "eve@shop.example", "password": "eve-password", "name": "Eve"}, nil)
	eve := signIn(t, s, "eve@shop.example", "eve-password")
	address, random := c.newAddress(t, eve), rand.New(rand.NewPCG(11, 12))
	for c.did["review"] == 0 {
		c.buy(t, eve, address, random)
		poll(t, feed)
		requireEqualRows(t, s, service)
		for product := 1; product <= 40; product++ {
			c.note("review", c.call(t, eve, "POST", fmt.Sprintf("/api/products/%d/reviews", product), map[string]any{"rating": 1, "title": "No"}, nil) == http.StatusCreated)
		}
	}
	poll(t, feed)
	requireEqualRows(t, s, service)
	rated := answer(t, http.MethodGet, service+"/api/products?sort=rating", "")
	c.mustCall(t, eve, "DELETE", "/api/me", map[string]any{"current_password": "eve-password"}, nil)
	poll(t, feed)
	requireEqualRows(t, s, service)
	if rated == answer(t, http.MethodGet, service+"/api/products?sort=rating", "") {
		t.Error("Eve took no review along")
	}
}

// TestFollowsDeletes looks between the making and the deleting of a product: else it
// would never have been copied.
func TestFollowsDeletes(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	c := newCustomer(t, s)
	store := newCopy(t)
	feed := newFeed(t, store, s.url)
	service := serveCopy(t, store, feed)
	poll(t, feed)
	var made struct{ ID int64 }
	c.mustCall(t, c.admin, "POST", "/api/admin/products", map[string]any{"sku": "GONE", "name": "Gone", "category_id": 1, "price_cents": 1, "tags": []string{"x"}}, &made)
	poll(t, feed)
	path := fmt.Sprintf("/api/products/%d", made.ID)
	if got := status(t, service+path); got != http.StatusOK {
		t.Fatalf("%s: status %d", path, got)
	}
	c.mustCall(t, c.admin, "DELETE", fmt.Sprintf("/api/admin/products/%d", made.ID), nil, nil)
	poll(t, feed)
	if got := status(t, service+path); got != http.StatusNotFound {
		t.Errorf("%s: status %d once it is deleted", path, got)
	}
	requireEqualRows(t, s, service)
}
