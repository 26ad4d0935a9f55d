package orders_test

import (
	"fmt"
	"testing"

	"github.com/stranglerfig/toolkit/internal/web"
	"github.com/stranglerfig/toolkit/monolith"
)

// The lines of a page are those of its orders, however many lines the orders on the
// pages before have.
func TestHistoryOfAPage(t *testing.T) {
	t.Parallel()
	k := shop(t, monolith.Options{})
	ada, bob := newBuyer(t, k, "Ada"), newBuyer(t, k, "Bob")
	kitchen := k.Category("kitchen")
	var pans []int64
	for i := range 12 {
		pans = append(pans, k.Product(kitchen, fmt.Sprint("Pan ", i), 2000, 10))
	}
	small, large := ada.buy(t, goodCard, pans[3]), ada.buy(t, goodCard, pans...)
	bob.buy(t, goodCard, pans[0])
	for page, want := range map[int]struct {
		order int64
		lines int
	}{1: {large.Int("id"), 12}, 2: {small.Int("id"), 1}, 3: {0, 0}} {
		got, err := k.Orders.History(t.Context(), ada.User.ID, web.Paging{Page: page, PerPage: 1})
		if err != nil || len(got) != want.lines {
			t.Fatalf("page %d: %d lines, %v; want %d", page, len(got), err, want.lines)
		}
		for _, line := range got {
			if line.OrderID != want.order {
				t.Errorf("page %d: a line of order %d, want %d", page, line.OrderID, want.order)
			}
		}
	}
}
