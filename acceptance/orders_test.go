package acceptance_test

import (
	"fmt"
	"slices"
	"testing"
)

func TestOrderList(t *testing.T) {
	t.Parallel()
	buyer, p := signUp(t), newProduct(t)
	if list := buyer.get(t, "/api/orders").items(); len(list) != 0 {
		t.Errorf("a new customer has orders: %v", list)
	}
	var want []int64
	for range 3 {
		want = slices.Insert(want, 0, buyer.buy(t, goodCard, line{p, 1}).id)
	}
	a := buyer.get(t, "/api/orders?per_page=2").want(200)
	if o := a.object(); o.int(t, "total") != 3 || o.int(t, "pages") != 2 || o.int(t, "per_page") != 2 {
		t.Errorf("list says %v", o)
	}
	withoutLines := slices.DeleteFunc(slices.Clone(orderFields), func(f string) bool { return f == "lines" })
	for _, o := range a.items() {
		o.has(t, "order of the list", withoutLines...)
	}
	got := append(ids(t, a.items(), "id"), ids(t, buyer.get(t, "/api/orders?per_page=2&page=2").items(), "id")...)
	if !slices.Equal(got, want) {
		t.Errorf("orders %v, want %v", got, want)
	}
	refuse(t, buyer.client, []refusal{
		{"page 0", "GET", "/api/orders?page=0", nil, 422, "invalid", []string{"page"}},
		{"101 a page", "GET", "/api/orders?per_page=101", nil, 422, "invalid", []string{"per_page"}},
		{"an unknown order", "GET", "/api/orders/999999999", nil, 404, "not_found", nil},
	})
}

func TestOthersOrder(t *testing.T) {
	t.Parallel()
	owner, p := signUp(t), newProduct(t)
	o := owner.buy(t, declinedCard, line{p, 1})
	payment := fmt.Sprintf("/api/payments/%d", o.payment)
	t.Run("refused", func(t *testing.T) {
		refuse(t, signUp(t).client, []refusal{
			{"read", "GET", o.path(""), nil, 404, "not_found", nil},
			{"events", "GET", o.path("/events"), nil, 404, "not_found", nil},
			{"cancel", "POST", o.path("/cancel"), nil, 404, "not_found", nil},
			{"return", "POST", o.path("/returns"), object{}, 404, "not_found", nil},
			{"payment", "GET", payment, nil, 404, "not_found", nil},
			{"pay", "POST", payment + "/confirm", object{"card": object{"number": goodCard}}, 404, "not_found", nil},
		})
	})
	if got := owner.order(t, o).text(t, "status"); got != "pending" {
		t.Errorf("the order is %s, want pending", got)
	}
}

func TestOrderEvents(t *testing.T) {
	t.Parallel()
	buyer, p := signUp(t), newProduct(t)
	o := buyer.buy(t, goodCard, line{p, 1})
	steps := 0
	check := func(name string) {
		t.Run(name, func(t *testing.T) {
			list := buyer.get(t, o.path("/events")).items()
			if len(list) <= steps {
				t.Errorf("%d events, want more than %d", len(list), steps)
			}
			steps = len(list)
			last := ""
			for _, e := range list {
				e.has(t, "event", "kind", "detail", "created_at")
				e.isTime(t, "created_at")
				if at := e.text(t, "created_at"); at < last {
					t.Errorf("events are not oldest first: %v", list)
				} else {
					last = at
				}
			}
		})
	}
	check("paid")
	for _, step := range []string{"pack", "ship", "deliver"} {
		advance(t, o, step)
		check(step)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		card    string
		steps   []string
		payment string
		refund  bool
	}{
		{"pending", declinedCard, nil, "", false},
		{"paid", goodCard, nil, "refunded", true},
		{"packed", goodCard, []string{"pack"}, "refunded", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			buyer, p := signUp(t), newProduct(t)
			o := buyer.buy(t, c.card, line{p, 3})
			advance(t, o, c.steps...)
			if n := available(t, p); n != 7 {
				t.Errorf("%d available before, want 7", n)
			}
			if got := buyer.post(t, o.path("/cancel"), nil).want(200).object(); got["status"] != "cancelled" || got["id"] != o.body["id"] {
				t.Errorf("order is %v", got)
			}
			if n := available(t, p); n != 10 {
				t.Errorf("%d available after, want 10", n)
			}
			payment := buyer.payment(t, o)
			if c.refund && (payment["refunded_cents"] != o.body["total_cents"] || payment["status"] != c.payment) {
				t.Errorf("payment is %v, want %s in full", payment, c.payment)
			}
			if !c.refund && payment.int(t, "refunded_cents") != 0 {
				t.Errorf("nothing was paid, but the payment is %v", payment)
			}
			if me := buyer.get(t, "/api/me").object(); me.int(t, "lifetime_value_cents") != 0 {
				t.Errorf("lifetime value %v, want 0", me["lifetime_value_cents"])
			}
			buyer.post(t, o.path("/cancel"), nil).fails(409, "")
			if n := available(t, p); n != 10 {
				t.Errorf("%d available after cancelling twice, want 10", n)
			}
		})
	}
}

func TestCancelLimits(t *testing.T) {
	t.Parallel()
	t.Run("not once it is shipped", func(t *testing.T) {
		t.Parallel()
		buyer, p := signUp(t), newProduct(t)
		o := buyer.buy(t, goodCard, line{p, 1})
		advance(t, o, "pack", "ship")
		buyer.post(t, o.path("/cancel"), nil).fails(409, "")
		advance(t, o, "deliver")
		buyer.post(t, o.path("/cancel"), nil).fails(409, "")
		if n := available(t, p); n != 9 {
			t.Errorf("%d available, want 9", n)
		}
	})
	t.Run("at once gives the stock back once", func(t *testing.T) {
		t.Parallel()
		buyer, p := signUp(t), newProduct(t)
		o := buyer.buy(t, goodCard, line{p, 4})
		got := atOnce(t, 8, func(int) (*answer, error) { return buyer.send(t.Context(), t.Name(), "POST", o.path("/cancel"), nil) })
		if got[200] != 1 || got[409] != 7 {
			t.Errorf("statuses %v, want one 200 and seven 409", got)
		}
		if n := available(t, p); n != 10 {
			t.Errorf("%d available, want 10", n)
		}
	})
	t.Run("a cancelled order cannot be paid", func(t *testing.T) {
		t.Parallel()
		buyer := signUp(t)
		o := buyer.buy(t, declinedCard, line{newProduct(t), 1})
		buyer.post(t, o.path("/cancel"), nil).want(200)
		buyer.confirm(t, o, goodCard).fails(409, "order_not_pending")
	})
}

func TestReturn(t *testing.T) {
	t.Parallel()
	buyer, p := signUp(t), newProduct(t)
	o := buyer.buy(t, goodCard, line{p, 2})
	for _, step := range []string{"", "pack", "ship"} {
		if step != "" {
			advance(t, o, step)
		}
		t.Run("not before delivery "+step, func(t *testing.T) {
			buyer.post(t, o.path("/returns"), object{"reason": "too small"}).fails(409, "")
		})
	}
	advance(t, o, "deliver")
	t.Run("after delivery", func(t *testing.T) {
		if got := buyer.post(t, o.path("/returns"), object{"reason": "too small"}).want(200).object(); got["status"] != "refunded" {
			t.Errorf("order is %v", got["status"])
		}
		if n := available(t, p); n != 10 {
			t.Errorf("%d available, want 10", n)
		}
		if payment := buyer.payment(t, o); payment["refunded_cents"] != o.body["total_cents"] || payment["status"] != "refunded" {
			t.Errorf("payment is %v", payment)
		}
		if me := buyer.get(t, "/api/me").object(); me.int(t, "lifetime_value_cents") != 0 {
			t.Errorf("lifetime value %v, want 0", me["lifetime_value_cents"])
		}
	})
	t.Run("not twice", func(t *testing.T) {
		buyer.post(t, o.path("/returns"), object{}).fails(409, "")
		if n := available(t, p); n != 10 {
			t.Errorf("%d available, want 10", n)
		}
	})
}

func TestFulfilment(t *testing.T) {
	t.Parallel()
	p := newProduct(t)
	unpaid := signUp(t).buy(t, declinedCard, line{p, 1})
	for _, step := range []string{"pack", "ship", "deliver"} {
		t.Run("an unpaid order cannot "+step, func(t *testing.T) {
			t.Parallel()
			adminOrder(t, unpaid, step).fails(409, "")
		})
	}
	t.Run("step by step", func(t *testing.T) {
		t.Parallel()
		buyer := signUp(t)
		o := buyer.buy(t, goodCard, line{p, 1})
		adminOrder(t, o, "deliver").fails(409, "")
		for _, s := range []struct{ step, status string }{{"pack", "packed"}, {"ship", "shipped"}, {"deliver", "delivered"}} {
			if got := adminOrder(t, o, s.step).want(200).object(); got["status"] != s.status {
				t.Errorf("after %s the order is %v", s.step, got["status"])
			}
			adminOrder(t, o, s.step).fails(409, "")
		}
		shipment := buyer.order(t, o).at(t, "shipment")
		shipment.has(t, "shipment", "carrier", "tracking", "shipped_at", "delivered_at")
		shipment.isTime(t, "shipped_at")
		shipment.isTime(t, "delivered_at")
		if shipment["carrier"] != "UPS" || shipment["tracking"] != "1Z999" {
			t.Errorf("shipment is %v", shipment)
		}
	})
	t.Run("shipped without packing", func(t *testing.T) {
		t.Parallel()
		o := signUp(t).buy(t, goodCard, line{p, 1})
		got := adminOrder(t, o, "ship").want(200).object()
		if got["status"] != "shipped" || got.at(t, "shipment")["delivered_at"] != nil {
			t.Errorf("order is %v", got)
		}
	})
	t.Run("refused", func(t *testing.T) {
		o := signUp(t).buy(t, goodCard, line{p, 1})
		refuse(t, admin(t), []refusal{
			{"no carrier", "POST", fmt.Sprintf("/api/admin/orders/%d/ship", o.id), object{"tracking": "1Z"}, 422, "invalid", []string{"carrier"}},
			{"no tracking", "POST", fmt.Sprintf("/api/admin/orders/%d/ship", o.id), object{"carrier": "UPS"}, 422, "invalid", []string{"tracking"}},
			{"unknown order", "POST", "/api/admin/orders/999999999/pack", nil, 404, "not_found", nil},
		})
	})
}
