package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"

	"github.com/stranglerfig/toolkit/monolith/copytest"
)

// A walk through the shop goes at random; half of the time it is its administrator's.
type walk struct {
	shop       *copytest.Shop
	ada, admin *copytest.Customer
	placed     []int64
	made       []int64
	did        map[string]int // what succeeded
}

func newWalk(t *testing.T, s *copytest.Shop) *walk {
	t.Helper()
	return &walk{
		shop: s, ada: s.Ada(t), admin: s.Admin(t),
		did: map[string]int{"buy": 0, "cancel": 0, "send back": 0, "edit": 0, "delete": 0, "correct": 0, "review": 0, "leave": 0, "rename": 0},
	}
}

func (w *walk) step(t *testing.T, random *rand.Rand) {
	t.Helper()
	product := 1 + random.Int64N(40)
	switch random.IntN(12) {
	case 0, 1, 2:
		if id := w.buy(t, w.ada, random); id != 0 {
			w.placed = append(w.placed, id)
		}
	case 3:
		if len(w.placed) > 0 {
			id := w.placed[random.IntN(len(w.placed))]
			w.note("cancel", w.ada.Call(t, "POST", fmt.Sprintf("/api/orders/%d/cancel", id), nil, nil) == http.StatusOK)
		}
	case 4:
		w.sendBack(t)
	case 5, 6:
		w.edit(t, product, random)
	case 7:
		var made struct{ ID int64 }
		w.admin.MustCall(t, "POST", "/api/admin/products", map[string]any{
			"sku": fmt.Sprintf("NEW-%d", random.Int64()), "name": "New", "category_id": 1 + random.IntN(4), "price_cents": 500, "stock_qty": 50,
			"tags": []string{"fresh", "x"}, "description": "Ünlike \\ anything 100%",
		}, &made)
		w.made = append(w.made, made.ID)
	case 8:
		if len(w.made) > 0 {
			id := w.made[random.IntN(len(w.made))]
			w.note("delete", w.admin.Call(t, "DELETE", fmt.Sprintf("/api/admin/products/%d", id), nil, nil) == http.StatusNoContent)
		}
	case 9:
		w.note("correct", w.admin.Call(t, "POST", fmt.Sprintf("/api/admin/products/%d/stock", product), map[string]any{"delta": random.IntN(9) - 3}, nil) == http.StatusOK)
	case 10:
		w.visit(t, random)
	case 11: // nothing in the feed says so
		if err := w.renameCategory(t, random); err != nil {
			t.Fatal(err)
		}
	}
}

func (w *walk) note(what string, done bool) {
	if done {
		w.did[what]++
	}
}

func (w *walk) renameCategory(t *testing.T, random *rand.Rand) error {
	t.Helper()
	_, err := w.shop.DB.Writer().ExecContext(t.Context(), `UPDATE categories SET name = ?, position = ? WHERE id = ?`,
		fmt.Sprint("Things ", random.IntN(100)), random.IntN(9), 1+random.IntN(4))
	w.note("rename", err == nil)
	return err
}

// edit changes one thing of a product, seldom whether it is sold.
func (w *walk) edit(t *testing.T, product int64, random *rand.Rand) {
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
	w.note("edit", w.admin.Call(t, "PATCH", fmt.Sprintf("/api/admin/products/%d", product), change, nil) == http.StatusOK)
}

func (w *walk) buy(t *testing.T, who *copytest.Customer, random *rand.Rand) int64 {
	t.Helper()
	id := who.Buy(t, random, 3)
	w.note("buy", id != 0)
	return id
}

// sendBack delivers the newest order that can be, and returns its goods.
func (w *walk) sendBack(t *testing.T) {
	t.Helper()
	for i := len(w.placed) - 1; i >= 0; i-- {
		id := w.placed[i]
		if w.admin.Call(t, "POST", fmt.Sprintf("/api/admin/orders/%d/ship", id), map[string]any{"carrier": "x", "tracking": "y"}, nil) != http.StatusOK {
			continue
		}
		w.admin.MustCall(t, "POST", fmt.Sprintf("/api/admin/orders/%d/deliver", id), nil, nil)
		w.note("send back", w.ada.Call(t, "POST", fmt.Sprintf("/api/orders/%d/returns", id), map[string]any{}, nil) == http.StatusOK)
		return
	}
}

// visit lets somebody register, buy, review what she has bought, and leave for good
// half of the time, with her reviews.
func (w *walk) visit(t *testing.T, random *rand.Rand) {
	t.Helper()
	email := fmt.Sprintf("visitor-%d@shop.example", random.Int64())
	w.shop.Nobody().MustCall(t, "POST", "/api/register", map[string]any{"email": email, "password": "visitor-password", "name": "Visitor"}, nil)
	visitor := w.shop.SignIn(t, email, "visitor-password")
	w.buy(t, visitor, random)
	for product := 1; product <= 40; product++ {
		w.note("review", visitor.Call(t, "POST", fmt.Sprintf("/api/products/%d/reviews", product),
			map[string]any{"rating": 1 + random.IntN(5), "title": "So"}, nil) == http.StatusCreated)
	}
	if random.IntN(2) == 0 {
		w.note("leave", visitor.Call(t, "DELETE", "/api/me", map[string]any{"current_password": "visitor-password"}, nil) == http.StatusNoContent)
	}
}
