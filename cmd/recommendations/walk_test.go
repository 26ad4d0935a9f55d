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
	ada, admin       *copytest.Customer
	placed           []int64
	made             []int64
	orders, edits    int
	cancelled, views int
	deleted          int
}

func newWalk(t *testing.T, s *copytest.Shop) *walk {
	t.Helper()
	return &walk{ada: s.Ada(t), admin: s.Admin(t)}
}

func (w *walk) step(t *testing.T, random *rand.Rand) {
	t.Helper()
	product := 1 + random.Int64N(40)
	switch random.IntN(8) {
	case 0, 1, 2:
		if id := w.ada.Buy(t, random, 1); id != 0 {
			w.orders++
			w.placed = append(w.placed, id)
		}
	case 3:
		if len(w.placed) > 0 {
			id := w.placed[random.IntN(len(w.placed))]
			if w.ada.Call(t, "POST", fmt.Sprintf("/api/orders/%d/cancel", id), nil, nil) == http.StatusOK {
				w.cancelled++
			}
		}
	case 4:
		change := []map[string]any{
			{"price_cents": 100 + random.IntN(9000)},
			{"name": fmt.Sprintf("<Renamed> & %d", random.IntN(1000))},
			{"active": random.IntN(3) > 0},
			{"category_id": 1 + random.IntN(4)},
			{"images": []map[string]any{{"url": fmt.Sprintf("/static/products/x-%d.svg", random.IntN(9)), "alt": "x"}}},
		}[random.IntN(5)]
		if w.admin.Call(t, "PATCH", fmt.Sprintf("/api/admin/products/%d", product), change, nil) == http.StatusOK {
			w.edits++
		}
	case 5:
		var made struct{ ID int64 }
		w.admin.MustCall(t, "POST", "/api/admin/products", map[string]any{
			"sku": fmt.Sprintf("NEW-%d", random.Int64()), "name": "New", "category_id": 1 + random.IntN(4), "price_cents": 500, "stock_qty": 50,
		}, &made)
		w.made = append(w.made, made.ID)
	case 6:
		if len(w.made) > 0 {
			id := w.made[random.IntN(len(w.made))]
			if w.admin.Call(t, "DELETE", fmt.Sprintf("/api/admin/products/%d", id), nil, nil) == http.StatusNoContent {
				w.deleted++
			}
		}
	case 7:
		for range 1 + random.IntN(30) {
			w.ada.Call(t, "GET", fmt.Sprintf("/api/products/%d", 1+random.Int64N(220)), nil, nil)
			w.views++
		}
	}
}
