package acceptance_test

import (
	"fmt"
	"testing"
)

// service is the header that services carry.
func service() header { return header{"Authorization": "Bearer " + internalToken} }

func TestFeedNeedsToken(t *testing.T) {
	t.Parallel()
	for _, path := range []string{
		"/internal/changes", "/internal/products", "/internal/products/1",
		"/internal/purchases", "/internal/orders/1/purchase", "/internal/product-views",
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			guest().get(t, path).fails(401, "unauthenticated")
			guest().get(t, path, header{"Authorization": "Bearer wrong"}).fails(401, "unauthenticated")
			guest().get(t, path, header{"Authorization": "Basic " + internalToken}).fails(401, "unauthenticated")
			admin(t).get(t, path).fails(401, "unauthenticated") // a person's session is no service's token
		})
	}
}

func TestChangeFeed(t *testing.T) {
	t.Parallel()
	changes := func(t *testing.T, after int64, limit int) ([]object, int64) {
		t.Helper()
		a := guest().get(t, fmt.Sprintf("/internal/changes?after=%d&limit=%d", after, limit), service()).want(200)
		o := a.object()
		o.has(t, "feed", "items", "last")
		return a.items(), o.int(t, "last")
	}
	_, start := changes(t, 0, 1)
	p, buyer := newProduct(t), signUp(t)
	o := buyer.buy(t, goodCard, line{p, 1})

	var seen []string // what concerns this test, in order
	for after, last := start, int64(-1); after != last; {
		var list []object
		if list, last = changes(t, after, 100); len(list) == 0 {
			break
		}
		for _, c := range list {
			c.has(t, "change", "id", "action", "entity", "entity_id", "created_at")
			c.isTime(t, "created_at")
			if id := c.int(t, "id"); id <= after {
				t.Fatalf("change %d comes after %d", id, after)
			} else {
				after = id
			}
			switch fmt.Sprint(c["entity"], " ", c["entity_id"]) {
			case fmt.Sprintf("product %d", p.id), fmt.Sprintf("order %d", o.id):
				seen = append(seen, c.text(t, "action"))
			}
		}
	}
	if got := fmt.Sprint(seen); got != "[product.created order.placed order.paid]" {
		t.Errorf("changes %s, want product.created order.placed order.paid", got)
	}
	t.Run("limit", func(t *testing.T) {
		t.Parallel()
		if list, last := changes(t, start, 2); len(list) != 2 || last < list[1].int(t, "id") {
			t.Errorf("%d changes, last %d", len(list), last)
		}
		for _, limit := range []int{0, 1001} {
			guest().get(t, fmt.Sprintf("/internal/changes?limit=%d", limit), service()).fails(422, "invalid", "limit")
		}
	})
}

func TestProductFeed(t *testing.T) {
	t.Parallel()
	p := newProduct(t, object{"active": false})
	one := func(o object) {
		t.Helper()
		o.has(t, "product", "id", "name", "category_id", "price_cents", "image_url", "active")
		if o.int(t, "id") != p.id || o["name"] != p.name || o["active"] != false || o.int(t, "price_cents") != 1999 || o["category_id"] != category(t)["id"] {
			t.Errorf("product is %v", o)
		}
	}
	one(guest().get(t, fmt.Sprintf("/internal/products/%d", p.id), service()).want(200).object())
	one(guest().get(t, fmt.Sprintf("/internal/products?after=%d&limit=1", p.id-1), service()).items()[0])
	t.Run("by id", func(t *testing.T) {
		t.Parallel()
		list := ids(t, guest().get(t, "/internal/products?after=0&limit=50", service()).items(), "id")
		for i := 1; i < len(list); i++ {
			if list[i-1] >= list[i] {
				t.Fatalf("products are not by id: %v", list)
			}
		}
		if len(list) != 50 {
			t.Errorf("%d products, want 50", len(list))
		}
	})
	t.Run("deleted", func(t *testing.T) {
		t.Parallel()
		p := newProduct(t)
		admin(t).delete(t, adminProduct(p, ""), nil).want(204)
		guest().get(t, fmt.Sprintf("/internal/products/%d", p.id), service()).fails(404, "not_found")
	})
}

func TestPurchaseFeed(t *testing.T) {
	t.Parallel()
	buyer, p, q := signUp(t), newProduct(t), newProduct(t)
	o := buyer.buy(t, goodCard, line{q, 1}, line{p, 1})
	unpaid := buyer.buy(t, declinedCard, line{p, 1})
	purchase := func(t *testing.T, o order) object {
		t.Helper()
		return guest().get(t, fmt.Sprintf("/internal/orders/%d/purchase", o.id), service()).want(200).object()
	}
	t.Run("of one order", func(t *testing.T) {
		got := purchase(t, o)
		got.has(t, "purchase", "order_id", "counts", "product_ids")
		if got["counts"] != true || got.int(t, "order_id") != o.id || fmt.Sprint(got["product_ids"]) != fmt.Sprint([]int64{p.id, q.id}) && fmt.Sprint(got["product_ids"]) != fmt.Sprint([]int64{q.id, p.id}) {
			t.Errorf("purchase is %v", got)
		}
		if got := purchase(t, unpaid); got["counts"] != false {
			t.Errorf("an unpaid order counts: %v", got)
		}
		guest().get(t, "/internal/orders/999999999/purchase", service()).fails(404, "not_found")
	})
	t.Run("of all orders that count", func(t *testing.T) {
		list := guest().get(t, fmt.Sprintf("/internal/purchases?after=%d&limit=1000", o.id-1), service()).items()
		if len(list) == 0 || list[0].int(t, "order_id") != o.id {
			t.Fatalf("order %d is not the first after %d: %v", o.id, o.id-1, list)
		}
		list[0].has(t, "purchase", "order_id", "product_ids")
		if _, ok := find(list, func(x object) bool { return x.int(t, "order_id") == unpaid.id }); ok {
			t.Error("an unpaid order is among the purchases")
		}
	})
	t.Run("not once it is cancelled", func(t *testing.T) {
		buyer.post(t, o.path("/cancel"), nil).want(200)
		if got := purchase(t, o); got["counts"] != false {
			t.Errorf("a cancelled order counts: %v", got)
		}
	})
}

func TestViewFeed(t *testing.T) {
	t.Parallel()
	path := "/internal/product-views?limit=%d&since=%d"
	start := guest().get(t, fmt.Sprintf(path, 1, 0), service()).want(200).object().int(t, "last")
	p := newProduct(t)
	for range 3 {
		guest().get(t, p.path("")).want(200)
	}
	eventually(t, providerPatience, func() error {
		views := int64(0)
		for _, v := range guest().get(t, fmt.Sprintf(path, 1000, start), service()).items() {
			v.has(t, "view", "product_id", "day", "views", "updated_at")
			if v.int(t, "product_id") == p.id { // two rows around midnight
				views += v.int(t, "views")
			}
		}
		if views != 3 {
			return fmt.Errorf("product %d was viewed %d times, want 3", p.id, views)
		}
		return nil
	})
}
