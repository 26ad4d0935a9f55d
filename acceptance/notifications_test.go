package acceptance_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// kinds returns the kinds of the customer's notifications, newest first.
func (c *customer) kinds(t *testing.T) (list []string) {
	t.Helper()
	for _, o := range c.get(t, "/api/notifications?per_page=100").items() {
		list = append(list, o.text(t, "kind"))
	}
	return list
}

func TestNotifications(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		card string
		do   func(t *testing.T, buyer *customer, o order)
		want string // oldest first
	}{
		{
			"a whole order", goodCard, func(t *testing.T, _ *customer, o order) { advance(t, o, "pack", "ship", "deliver") },
			"welcome order_placed order_paid order_packed order_shipped order_delivered",
		},
		{
			"declined, then paid", declinedCard, func(t *testing.T, buyer *customer, o order) { buyer.confirm(t, o, goodCard).want(200) },
			"welcome order_placed payment_declined order_paid",
		},
		{
			"cancelled", declinedCard, func(t *testing.T, buyer *customer, o order) { buyer.post(t, o.path("/cancel"), nil).want(200) },
			"welcome order_placed payment_declined order_cancelled",
		},
		{"returned", goodCard, func(t *testing.T, buyer *customer, o order) {
			advance(t, o, "ship", "deliver")
			buyer.post(t, o.path("/returns"), object{}).want(200)
		}, "welcome order_placed order_paid order_shipped order_delivered order_refunded"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			buyer := signUp(t)
			c.do(t, buyer, buyer.buy(t, c.card, line{newProduct(t), 1}))
			got := buyer.kinds(t)
			slices.Reverse(got)
			if strings.Join(got, " ") != c.want {
				t.Errorf("notifications %v, want %s", got, c.want)
			}
		})
	}
	t.Run("shape, paging and delivery", func(t *testing.T) {
		t.Parallel()
		buyer := signUp(t)
		o := buyer.buy(t, goodCard, line{newProduct(t), 1})
		a := buyer.get(t, "/api/notifications?per_page=2").want(200)
		page := a.object()
		page.has(t, "page", "items", "page", "per_page", "pages", "total")
		if page.int(t, "total") != 3 || page.int(t, "pages") != 2 || len(a.items()) != 2 {
			t.Errorf("page says %v", page)
		}
		newest := a.items()[0]
		newest.has(t, "notification", "id", "kind", "subject", "body", "created_at", "sent_at")
		newest.isTime(t, "created_at")
		if newest.text(t, "subject") == "" || !strings.Contains(newest.text(t, "subject")+newest.text(t, "body"), fmt.Sprint(o.id)) {
			t.Errorf("the notification does not name order %d: %v", o.id, newest)
		}
		eventually(t, providerPatience, func() error {
			for _, n := range buyer.get(t, "/api/notifications").items() {
				if n["sent_at"] == nil {
					return fmt.Errorf("%v was not sent", n["kind"])
				}
				n.isTime(t, "sent_at")
			}
			return nil
		})
	})
	t.Run("are one's own", func(t *testing.T) {
		t.Parallel()
		signUp(t).buy(t, goodCard, line{newProduct(t), 1})
		if got := strings.Join(signUp(t).kinds(t), " "); got != "welcome" {
			t.Errorf("a new customer reads %s", got)
		}
	})
	refuse(t, signUp(t).client, []refusal{
		{"page 0", "GET", "/api/notifications?page=0", nil, 422, "invalid", []string{"page"}},
		{"101 a page", "GET", "/api/notifications?per_page=101", nil, 422, "invalid", []string{"per_page"}},
	})
}
