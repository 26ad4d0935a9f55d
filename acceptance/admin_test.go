package acceptance_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

func adminProduct(p product, below string) string {
	return fmt.Sprintf("/api/admin/products/%d%s", p.id, below)
}

func TestAdminProducts(t *testing.T) {
	t.Parallel()
	sku := unique("SKU-")
	body := object{
		"sku": sku, "name": "Lamp", "description": "Bright", "category_id": category(t)["id"], "price_cents": 500,
		"stock_qty": 3, "active": false, "tags": []string{"b", "a"}, "images": []object{{"url": "/static/x.svg", "alt": "x"}},
	}
	a := admin(t).post(t, "/api/admin/products", body)
	a.created("/api/products/")
	o := a.object()
	o.has(t, "product", append([]string{"active"}, productFields...)...)
	if o["sku"] != sku || o["active"] != false || o.int(t, "stock_qty") != 3 || fmt.Sprint(o["tags"]) != "[a b]" || o.int(t, "version") != 1 {
		t.Errorf("product is %v", o)
	}
	p := product{id: o.int(t, "id"), sku: sku}
	t.Run("list shows inactive ones", func(t *testing.T) {
		t.Parallel()
		list := admin(t).get(t, "/api/admin/products?q="+url.QueryEscape(unique("x"))).want(200).object()
		list.has(t, "page", "items", "page", "per_page", "pages", "total")
		word := unique("w")
		hidden := newProduct(t, object{"name": word, "active": false})
		items := admin(t).get(t, "/api/admin/products?q="+word).items()
		if len(items) != 1 || items[0].int(t, "id") != hidden.id || items[0]["active"] != false {
			t.Errorf("the list has %v", items)
		}
	})
	t.Run("change", func(t *testing.T) {
		changed := admin(t).patch(t, adminProduct(p, ""), object{"name": "Floor lamp", "active": true, "price_cents": 700, "tags": []string{"c"}}).want(200).object()
		if changed["name"] != "Floor lamp" || changed["active"] != true || changed.int(t, "price_cents") != 700 || changed.int(t, "version") != 2 {
			t.Errorf("product is %v", changed)
		}
		got := guest().get(t, p.path("")).want(200).object()
		if got["name"] != "Floor lamp" || fmt.Sprint(got["tags"]) != "[c]" || got["description"] != "Bright" || got.int(t, "stock_qty") != 3 {
			t.Errorf("customers see %v", got)
		}
	})
	t.Run("change only what was read", func(t *testing.T) {
		admin(t).patch(t, adminProduct(p, ""), object{"price_cents": 800}, header{"If-Match": `"1"`}).fails(409, "version_conflict")
		admin(t).patch(t, adminProduct(p, ""), object{"price_cents": 800}, header{"If-Match": `"2"`}).want(200)
		if got := guest().get(t, p.path("")).object(); got.int(t, "price_cents") != 800 || got.int(t, "version") != 3 {
			t.Errorf("product is %v", got)
		}
	})
	t.Run("delete", func(t *testing.T) {
		admin(t).delete(t, adminProduct(p, ""), nil).want(204)
		guest().get(t, p.path("")).fails(404, "not_found")
		admin(t).delete(t, adminProduct(p, ""), nil).fails(404, "not_found")
	})
}

func TestAdminProductsRefused(t *testing.T) {
	t.Parallel()
	p := newProduct(t)
	with := func(field string, value any) object {
		o := object{"sku": unique("SKU-"), "name": "Lamp", "category_id": category(t)["id"], "price_cents": 500}
		o[field] = value
		return o
	}
	path := "/api/admin/products"
	refuse(t, admin(t), []refusal{
		{"a sku that is taken", "POST", path, with("sku", p.sku), 409, "sku_taken", nil},
		{"no sku", "POST", path, with("sku", ""), 422, "invalid", []string{"sku"}},
		{"no name", "POST", path, with("name", ""), 422, "invalid", []string{"name"}},
		{"a negative price", "POST", path, with("price_cents", -1), 422, "invalid", []string{"price_cents"}},
		{"half a cent", "POST", path, with("price_cents", 1.5), 422, "invalid", []string{"price_cents"}},
		{"an unknown category", "POST", path, with("category_id", 999999999), 422, "invalid", []string{"category_id"}},
		{"negative stock", "POST", path, with("stock_qty", -1), 422, "invalid", []string{"stock_qty"}},
		{"stock by a change", "PATCH", adminProduct(p, ""), object{"stock_qty": 5}, 422, "invalid", []string{"stock_qty"}},
		{"a change of what is not there", "PATCH", path + "/999999999", object{"name": "x"}, 404, "not_found", nil},
		{"deleting what is not there", "DELETE", path + "/999999999", nil, 404, "not_found", nil},
		{"movements of what is not there", "GET", path + "/999999999/movements", nil, 404, "not_found", nil},
	})
}

func TestDeleteProductInUse(t *testing.T) {
	t.Parallel()
	t.Run("what was ordered cannot be deleted", func(t *testing.T) {
		t.Parallel()
		p, buyer := newProduct(t), signUp(t)
		o := buyer.buy(t, declinedCard, line{p, 1})
		admin(t).delete(t, adminProduct(p, ""), nil).fails(409, "product_ordered")
		buyer.post(t, o.path("/cancel"), nil).want(200)
		admin(t).delete(t, adminProduct(p, ""), nil).fails(409, "product_ordered")
		guest().get(t, p.path("")).want(200)
	})
	t.Run("what is in a cart can be deleted", func(t *testing.T) {
		t.Parallel()
		p, c := newProduct(t), guest()
		cart := c.newCart(t, line{p, 1})
		admin(t).delete(t, adminProduct(p, ""), nil).want(204)
		if got := quantities(t, c.get(t, "/api/carts/"+cart).want(200).object()); len(got) != 0 {
			t.Errorf("the cart still holds %v", got)
		}
	})
}

func TestAdminStock(t *testing.T) {
	t.Parallel()
	p := newProduct(t)
	adjust := func(t *testing.T, delta any) *answer {
		t.Helper()
		return admin(t).post(t, adminProduct(p, "/stock"), object{"delta": delta, "note": "counted"})
	}
	t.Run("up and down", func(t *testing.T) {
		o := adjust(t, 5).want(200).object()
		o.has(t, "stock", "product_id", "on_hand", "reserved", "available")
		if o.int(t, "on_hand") != 15 || o.int(t, "available") != 15 || o.int(t, "reserved") != 0 {
			t.Errorf("stock is %v", o)
		}
		if o = adjust(t, -15).want(200).object(); o.int(t, "on_hand") != 0 {
			t.Errorf("stock is %v", o)
		}
		adjust(t, -1).fails(409, "out_of_stock")
		adjust(t, 10).want(200)
	})
	t.Run("not below what is promised", func(t *testing.T) {
		signUp(t).buy(t, declinedCard, line{p, 4})
		adjust(t, -7).fails(409, "out_of_stock")
		if o := adjust(t, -6).want(200).object(); o.int(t, "on_hand") != 4 || o.int(t, "reserved") != 4 || o.int(t, "available") != 0 {
			t.Errorf("stock is %v", o)
		}
	})
	refuse(t, admin(t), []refusal{
		{"a delta in words", "POST", adminProduct(p, "/stock"), object{"delta": "ten"}, 422, "invalid", []string{"delta"}},
		{"no change", "POST", adminProduct(p, "/stock"), object{"delta": 0}, 422, "invalid", []string{"delta"}},
		{"an unknown product", "POST", "/api/admin/products/999999999/stock", object{"delta": 1}, 404, "not_found", nil},
	})
	t.Run("at once adds up", func(t *testing.T) {
		t.Parallel()
		p := newProduct(t)
		got := atOnce(t, 10, func(int) (*answer, error) {
			return admin(t).send(t.Context(), t.Name(), "POST", adminProduct(p, "/stock"), object{"delta": 3})
		})
		if n := available(t, p); got[200] != 10 || n != 40 {
			t.Errorf("statuses %v, %d available; want ten 200 and 40", got, n)
		}
	})
	t.Run("movements add up to what is there", func(t *testing.T) {
		t.Parallel()
		p, buyer := newProduct(t), signUp(t)
		kept := buyer.buy(t, goodCard, line{p, 2})
		back := buyer.buy(t, goodCard, line{p, 3})
		buyer.post(t, back.path("/cancel"), nil).want(200)
		admin(t).post(t, adminProduct(p, "/stock"), object{"delta": 7, "note": "found more"}).want(200)
		list := admin(t).get(t, adminProduct(p, "/movements")).items()
		sum, ofKept := int64(0), int64(0)
		for _, m := range list {
			m.has(t, "movement", "delta", "reason", "note", "order_id", "created_at")
			m.isTime(t, "created_at")
			sum += m.int(t, "delta")
			if m["order_id"] == float64(kept.id) {
				ofKept += m.int(t, "delta")
			}
		}
		if sum != 15 || ofKept != -2 {
			t.Errorf("the movements add up to %d, those of the order kept to %d; want 15 and -2: %v", sum, ofKept, list)
		}
		if first := list[0]; first.int(t, "delta") != 7 || first["note"] != "found more" || first["order_id"] != nil {
			t.Errorf("the newest movement is %v", first)
		}
	})
}

func TestAdminOrders(t *testing.T) {
	t.Parallel()
	buyer := signUp(t)
	paid := buyer.buy(t, goodCard, line{newProduct(t), 1})
	pending := buyer.buy(t, declinedCard, line{newProduct(t), 1})
	t.Run("by status", func(t *testing.T) {
		t.Parallel()
		for status, o := range map[string]order{"paid": paid, "pending": pending} {
			got, ok := findOrder(t, status, o.id)
			if !ok {
				t.Fatalf("order %d is not among the %s", o.id, status)
			}
			if !strings.Contains(fmt.Sprint(got["customer"]), buyer.email) {
				t.Errorf("the customer is %v, want %s", got["customer"], buyer.email)
			}
		}
		if _, ok := findOrder(t, "shipped", paid.id); ok {
			t.Error("a paid order is among the shipped")
		}
	})
	t.Run("every status is honoured", func(t *testing.T) {
		t.Parallel()
		for _, status := range []string{"pending", "paid", "packed", "shipped", "delivered", "cancelled", "refunded"} {
			for _, o := range admin(t).get(t, "/api/admin/orders?per_page=20&status="+status).items() {
				if o["status"] != status {
					t.Errorf("order %v is %v, asked for %s", o["id"], o["status"], status)
				}
			}
		}
	})
	t.Run("newest first", func(t *testing.T) {
		t.Parallel()
		list := ids(t, admin(t).get(t, "/api/admin/orders?per_page=100").items(), "id")
		for i := 1; i < len(list); i++ {
			if list[i-1] <= list[i] {
				t.Fatalf("orders are not newest first: %v", list)
			}
		}
	})
	refuse(t, admin(t), []refusal{
		{"an unknown status", "GET", "/api/admin/orders?status=lost", nil, 422, "invalid", []string{"status"}},
		{"page 0", "GET", "/api/admin/orders?page=0", nil, 422, "invalid", []string{"page"}},
	})
}

func TestAdminCoupons(t *testing.T) {
	t.Parallel()
	code := strings.ToUpper(unique("C"))
	a := admin(t).post(t, "/api/admin/coupons", object{"code": code, "kind": "fixed", "value": 250, "min_order_cents": 100, "max_redemptions": 5, "per_user_limit": 2})
	a.created("/api/admin/coupons/")
	o := a.object()
	if o["code"] != code || o["kind"] != "fixed" || o.int(t, "value") != 250 || o.int(t, "min_order_cents") != 100 || o.int(t, "max_redemptions") != 5 || o.int(t, "per_user_limit") != 2 {
		t.Errorf("coupon is %v", o)
	}
	path := fmt.Sprintf("/api/admin/coupons/%d", o.int(t, "id"))
	t.Run("is listed", func(t *testing.T) {
		got, ok := find(admin(t).get(t, "/api/admin/coupons").items(), func(o object) bool { return o["code"] == code })
		if !ok || got["id"] != o["id"] {
			t.Errorf("coupon %s is not in the list", code)
		}
	})
	t.Run("change", func(t *testing.T) {
		if got := admin(t).patch(t, path, object{"active": false, "max_redemptions": 9}).want(200).object(); got["active"] != false || got.int(t, "max_redemptions") != 9 {
			t.Errorf("coupon is %v", got)
		}
	})
	t.Run("delete", func(t *testing.T) {
		admin(t).delete(t, path, nil).want(204)
		admin(t).delete(t, path, nil).fails(404, "not_found")
	})
	t.Run("a used one stays", func(t *testing.T) {
		t.Parallel()
		id, code := newCoupon(t, "percent", 10)
		signUp(t).orderWithCoupon(t, code, newProduct(t)).want(201)
		admin(t).delete(t, fmt.Sprintf("/api/admin/coupons/%d", id), nil).fails(409, "coupon_redeemed")
	})
	with := func(field string, value any) object {
		o := object{"code": strings.ToUpper(unique("C")), "kind": "percent", "value": 10}
		o[field] = value
		return o
	}
	yesterday := time.Now().UTC().Add(-24 * time.Hour).Format(time.RFC3339)
	create := "/api/admin/coupons"
	refuse(t, admin(t), []refusal{
		{"a code that is taken", "POST", create, with("code", "WELCOME10"), 409, "code_taken", nil},
		{"a code that is taken but for its case", "POST", create, with("code", "welcome10"), 409, "code_taken", nil},
		{"no code", "POST", create, with("code", ""), 422, "invalid", []string{"code"}},
		{"an unknown kind", "POST", create, with("kind", "gift"), 422, "invalid", []string{"kind"}},
		{"no value", "POST", create, with("value", 0), 422, "invalid", []string{"value"}},
		{"101 percent", "POST", create, with("value", 101), 422, "invalid", []string{"value"}},
		{"an end before the start", "POST", create, object{
			"code": strings.ToUpper(unique("C")), "kind": "percent", "value": 10,
			"starts_at": time.Now().UTC().Format(time.RFC3339), "ends_at": yesterday,
		}, 422, "invalid", []string{"ends_at"}},
		{"a change of the code", "PATCH", create + "/999999999", object{"code": "X"}, 422, "invalid", []string{"code"}},
		{"a change of what is not there", "PATCH", create + "/999999999", object{"active": false}, 404, "not_found", nil},
	})
}

func TestDashboard(t *testing.T) {
	t.Parallel()
	buyer := signUp(t)
	before := admin(t).get(t, "/api/admin/dashboard").want(200).object()
	before.has(t, "dashboard", "orders_by_status", "revenue_cents", "orders_today", "customers", "products",
		"low_stock", "top_products", "average_rating", "pending_notifications")
	o := buyer.buy(t, goodCard, line{newProduct(t, object{"price_cents": 123_456}), 1})
	after := admin(t).get(t, "/api/admin/dashboard").want(200).object()
	// Other tests order and cancel at the same time, so only what grows for certain is compared.
	if after.int(t, "customers") < before.int(t, "customers") || after.int(t, "customers") < 1 || after.int(t, "products") < 1 {
		t.Errorf("customers %v, products %v", after["customers"], after["products"])
	}
	if after.int(t, "revenue_cents") < o.body.int(t, "total_cents") {
		t.Errorf("revenue %v is below the order of %v", after["revenue_cents"], o.body["total_cents"])
	}
	if n := after.at(t, "orders_by_status").int(t, "paid"); n < 1 {
		t.Errorf("%d paid orders", n)
	}
	if after.int(t, "orders_today") < 1 {
		t.Errorf("orders today %v", after["orders_today"])
	}
}

func TestAudit(t *testing.T) {
	t.Parallel()
	p := newProduct(t)
	admin(t).patch(t, adminProduct(p, ""), object{"price_cents": 1}).want(200)
	list := admin(t).get(t, fmt.Sprintf("/api/admin/audit?entity=product&entity_id=%d", p.id)).items()
	if len(list) != 2 {
		t.Fatalf("%d entries for two changes: %v", len(list), list)
	}
	for _, e := range list {
		e.has(t, "entry", "id", "actor_id", "action", "entity", "entity_id", "detail", "created_at")
		e.isTime(t, "created_at")
		if e["entity"] != "product" || fmt.Sprint(e["entity_id"]) != fmt.Sprint(p.id) || e["actor_id"] == nil {
			t.Errorf("entry is %v", e)
		}
	}
	if list[0]["action"] != "product.updated" || list[1]["action"] != "product.created" {
		t.Errorf("actions %v, %v; want the newest first", list[0]["action"], list[1]["action"])
	}
	t.Run("of an order", func(t *testing.T) {
		t.Parallel()
		buyer := signUp(t)
		o := buyer.buy(t, goodCard, line{newProduct(t), 1})
		list := admin(t).get(t, fmt.Sprintf("/api/admin/audit?entity=order&entity_id=%d", o.id)).items()
		if len(list) < 2 || list[len(list)-1]["action"] != "order.placed" || list[len(list)-1].int(t, "actor_id") != buyer.id {
			t.Errorf("entries are %v", list)
		}
	})
	t.Run("holds no password", func(t *testing.T) {
		t.Parallel()
		buyer := signUp(t)
		a := admin(t).get(t, fmt.Sprintf("/api/admin/audit?entity=user&entity_id=%d", buyer.id)).want(200)
		if len(a.items()) == 0 || strings.Contains(string(a.body), password) || strings.Contains(string(a.body), "argon2") {
			t.Errorf("entries are %s", a.excerpt())
		}
	})
}
