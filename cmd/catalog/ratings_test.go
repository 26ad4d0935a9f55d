package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"

	"github.com/stranglerfig/toolkit/monolith/copytest"
)

// TestFollowsRatings looks after each step, so that no other change of the product
// hides that a review, or an account that goes and takes its reviews along, was missed.
func TestFollowsRatings(t *testing.T) {
	t.Parallel()
	s := copytest.NewShop(t)
	w := newWalk(t, s)
	c := copying.Copy(t, s).CatchUp(t)
	s.Nobody().MustCall(t, "POST", "/api/register", map[string]any{"email": "eve@shop.example", "password": "eve-password", "name": "Eve"}, nil)
	eve := s.SignIn(t, "eve@shop.example", "eve-password")
	random := rand.New(rand.NewPCG(11, 12))
	for w.did["review"] == 0 {
		w.buy(t, eve, random)
		requireEqualRows(t, s, c.CatchUp(t).URL)
		for product := 1; product <= 40; product++ {
			w.note("review", eve.Call(t, "POST", fmt.Sprintf("/api/products/%d/reviews", product), map[string]any{"rating": 1, "title": "No"}, nil) == http.StatusCreated)
		}
	}
	requireEqualRows(t, s, c.CatchUp(t).URL)
	rated := copytest.Answer(t, http.MethodGet, c.URL+"/api/products?sort=rating")
	eve.MustCall(t, "DELETE", "/api/me", map[string]any{"current_password": "eve-password"}, nil)
	requireEqualRows(t, s, c.CatchUp(t).URL)
	if rated == copytest.Answer(t, http.MethodGet, c.URL+"/api/products?sort=rating") {
		t.Error("Eve took no review along")
	}
}

// TestFollowsDeletes looks between the making and the deleting of a product: else it
// would never have been copied.
func TestFollowsDeletes(t *testing.T) {
	t.Parallel()
	s := copytest.NewShop(t)
	w := newWalk(t, s)
	c := copying.Copy(t, s).CatchUp(t)
	var made struct{ ID int64 }
	w.admin.MustCall(t, "POST", "/api/admin/products", map[string]any{"sku": "GONE", "name": "Gone", "category_id": 1, "price_cents": 1, "tags": []string{"x"}}, &made)
	c.CatchUp(t)
	path := fmt.Sprintf("/api/products/%d", made.ID)
	if got := copytest.Status(t, c.URL+path); got != http.StatusOK {
		t.Fatalf("%s: status %d", path, got)
	}
	w.admin.MustCall(t, "DELETE", fmt.Sprintf("/api/admin/products/%d", made.ID), nil, nil)
	c.CatchUp(t)
	if got := copytest.Status(t, c.URL+path); got != http.StatusNotFound {
		t.Errorf("%s: status %d once it is deleted", path, got)
	}
	requireEqualRows(t, s, c.URL)
}
