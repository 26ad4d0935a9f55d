package acceptance_test

import (
	"fmt"
	"testing"
)

var cartFields = []string{"id", "user_id", "items", "coupon", "subtotal_cents", "discount_cents", "total_cents", "updated_at"}

func itemsPath(cart string) string { return "/api/carts/" + cart + "/items" }

// firstItem returns the first item of a cart.
func firstItem(t *testing.T, cart object) object {
	t.Helper()
	list, _ := cart["items"].([]any)
	if len(list) == 0 {
		t.Fatalf("the cart is empty: %v", cart)
	}
	return list[0].(map[string]any)
}

func TestGuestCart(t *testing.T) {
	t.Parallel()
	c := guest()
	a := c.post(t, "/api/carts", nil)
	location := a.created("/api/carts/")
	o := a.object()
	o.has(t, "cart", cartFields...)
	o.isTime(t, "updated_at")
	if o["user_id"] != nil || o["coupon"] != nil || o.int(t, "total_cents") != 0 || len(quantities(t, o)) != 0 {
		t.Errorf("a new cart is %v", o)
	}
	if len(o.text(t, "id")) < 20 {
		t.Errorf("the id %v can be guessed", o["id"])
	}
	t.Run("is known by its id alone", func(t *testing.T) {
		t.Parallel()
		if got := guest().get(t, location).want(200).object(); got["id"] != o["id"] {
			t.Errorf("read %v", got)
		}
	})
	t.Run("is another each time", func(t *testing.T) {
		t.Parallel()
		if other := guest().post(t, "/api/carts", nil).want(201).object(); other["id"] == o["id"] {
			t.Error("two guests share a cart")
		}
	})
}

func TestUserCart(t *testing.T) {
	t.Parallel()
	buyer := signUp(t)
	cart := buyer.post(t, "/api/carts", nil).want(201).object()
	if cart.int(t, "user_id") != buyer.id {
		t.Errorf("user_id %v, want %d", cart["user_id"], buyer.id)
	}
	t.Run("stays the one open cart", func(t *testing.T) {
		t.Parallel()
		if again := buyer.post(t, "/api/carts", nil).want(200).object(); again["id"] != cart["id"] {
			t.Errorf("second cart %v, want %v", again["id"], cart["id"])
		}
	})
	t.Run("one even when asked at once", func(t *testing.T) {
		t.Parallel()
		buyer := signUp(t)
		carts := map[string]bool{}
		for _, a := range together(t, 8, func(int) (*answer, error) { return buyer.send(t.Context(), t.Name(), "POST", "/api/carts", nil) }) {
			carts[a.object().text(t, "id")] = true
		}
		if len(carts) != 1 {
			t.Errorf("eight requests opened %d carts", len(carts))
		}
	})
	t.Run("an ordered cart is gone and the next one new", func(t *testing.T) {
		t.Parallel()
		buyer, p := signUp(t), newProduct(t)
		cart := buyer.newCart(t, line{p, 1})
		buyer.buy(t, goodCard, line{p, 1})
		buyer.get(t, "/api/carts/"+cart).fails(404, "not_found")
		buyer.post(t, itemsPath(cart), object{"product_id": p.id, "qty": 1}).fails(404, "not_found")
		if next := buyer.post(t, "/api/carts", nil).want(201).object(); next["id"] == cart || len(quantities(t, next)) != 0 {
			t.Errorf("the next cart is %v", next)
		}
	})
}

// TestOthersCart tries everything on a customer's cart as a guest and as another customer.
func TestOthersCart(t *testing.T) {
	t.Parallel()
	owner, p := signUp(t), newProduct(t)
	cart := owner.newCart(t, line{p, 2})
	item := firstItem(t, owner.get(t, "/api/carts/"+cart).object()).int(t, "id")
	path := "/api/carts/" + cart
	t.Run("refused", func(t *testing.T) {
		for name, c := range map[string]*client{"guest": guest(), "customer": signUp(t).client, "administrator": admin(t)} {
			refuse(t, c, []refusal{
				{name + " reads", "GET", path, nil, 404, "not_found", nil},
				{name + " adds", "POST", path + "/items", object{"product_id": p.id, "qty": 1}, 404, "not_found", nil},
				{name + " changes", "PATCH", fmt.Sprintf("%s/items/%d", path, item), object{"qty": 9}, 404, "not_found", nil},
				{name + " removes", "DELETE", fmt.Sprintf("%s/items/%d", path, item), nil, 404, "not_found", nil},
				{name + " uses a coupon", "POST", path + "/coupon", object{"code": "WELCOME10"}, 404, "not_found", nil},
				{name + " takes the coupon off", "DELETE", path + "/coupon", nil, 404, "not_found", nil},
				{name + " asks for a quote", "GET", path + "/quote?country=US", nil, 404, "not_found", nil},
			})
		}
	})
	if got := quantities(t, owner.get(t, path).want(200).object()); got[p.id] != 2 {
		t.Errorf("the owner's cart holds %v, want 2 of %d", got, p.id)
	}
}

func TestCartItems(t *testing.T) {
	t.Parallel()
	c, p := guest(), newProduct(t, object{"price_cents": 1250, "stock_qty": 200})
	cart := c.newCart(t)
	a := c.post(t, itemsPath(cart), object{"product_id": p.id, "qty": 2})
	location := a.created(itemsPath(cart) + "/")
	o := a.object()
	o.has(t, "cart", cartFields...)
	item := firstItem(t, o)
	item.has(t, "item", "id", "product_id", "name", "image_url", "unit_price_cents", "qty", "line_cents", "available")
	if item["name"] != p.name || item.int(t, "unit_price_cents") != 1250 || item.int(t, "qty") != 2 || item.int(t, "line_cents") != 2500 || item.int(t, "available") != 200 {
		t.Errorf("item is %v", item)
	}
	if o.int(t, "subtotal_cents") != 2500 || o.int(t, "discount_cents") != 0 || o.int(t, "total_cents") != 2500 {
		t.Errorf("cart is %v", o)
	}
	t.Run("life of an item", func(t *testing.T) {
		o := c.post(t, itemsPath(cart), object{"product_id": p.id, "qty": 3}).want(201).object()
		if got := quantities(t, o); got[p.id] != 5 || len(got) != 1 {
			t.Errorf("added twice: %v, want 5", got)
		}
		o = c.patch(t, location, object{"qty": 7}).want(200).object()
		if firstItem(t, o).int(t, "qty") != 7 || o.int(t, "total_cents") != 7*1250 {
			t.Errorf("changed to 7: %v", o)
		}
		admin(t).patch(t, fmt.Sprintf("/api/admin/products/%d", p.id), object{"price_cents": 1300}).want(200)
		if o = c.get(t, "/api/carts/"+cart).object(); o.int(t, "total_cents") != 7*1300 {
			t.Errorf("the price rose to 1300, the cart says %v", o["total_cents"])
		}
		o = c.delete(t, location, nil).want(200).object()
		if len(quantities(t, o)) != 0 || o.int(t, "total_cents") != 0 {
			t.Errorf("emptied: %v", o)
		}
		c.delete(t, location, nil).fails(404, "not_found")
		c.patch(t, location, object{"qty": 1}).fails(404, "not_found")
	})
	t.Run("does not reserve", func(t *testing.T) {
		t.Parallel()
		p := newProduct(t)
		guest().newCart(t, line{p, 10})
		if got := available(t, p); got != 10 {
			t.Errorf("%d available, want 10", got)
		}
	})
}

func TestCartLimits(t *testing.T) {
	t.Parallel()
	c, p, rare := guest(), newProduct(t, object{"stock_qty": 500}), newProduct(t, object{"stock_qty": 3})
	hidden, none := newProduct(t, object{"active": false}), newProduct(t, object{"stock_qty": 0})
	cart := c.newCart(t, line{p, 90})
	path := itemsPath(cart)
	item := fmt.Sprintf("%s/%d", path, firstItem(t, c.get(t, "/api/carts/"+cart).object()).int(t, "id"))
	add := func(id int64, qty any) object { return object{"product_id": id, "qty": qty} }
	refuse(t, c, []refusal{
		{"none", "POST", path, add(p.id, 0), 422, "invalid", []string{"qty"}},
		{"less than none", "POST", path, add(p.id, -1), 422, "invalid", []string{"qty"}},
		{"100 at once", "POST", path, add(p.id, 100), 422, "invalid", []string{"qty"}},
		{"half a piece", "POST", path, add(p.id, 1.5), 422, "invalid", []string{"qty"}},
		{"a quantity in words", "POST", path, add(p.id, "two"), 422, "invalid", []string{"qty"}},
		{"100 in sum", "POST", path, add(p.id, 10), 409, "quantity_limit", nil},
		{"an unknown product", "POST", path, add(999999999, 1), 422, "invalid", []string{"product_id"}},
		{"an inactive product", "POST", path, add(hidden.id, 1), 422, "invalid", []string{"product_id"}},
		{"more than there is", "POST", path, add(rare.id, 4), 409, "out_of_stock", nil},
		{"what is sold out", "POST", path, add(none.id, 1), 409, "out_of_stock", nil},
		{"change to 100", "PATCH", item, object{"qty": 100}, 422, "invalid", []string{"qty"}},
		{"change to none", "PATCH", item, object{"qty": 0}, 422, "invalid", []string{"qty"}},
		{"an item of no cart", "PATCH", path + "/999999999", object{"qty": 1}, 404, "not_found", nil},
	})
	t.Run("an item of another cart", func(t *testing.T) {
		t.Parallel()
		other := guest()
		theirs := other.newCart(t, line{p, 1})
		id := firstItem(t, other.get(t, "/api/carts/"+theirs).object()).int(t, "id")
		c.delete(t, fmt.Sprintf("%s/%d", path, id), nil).fails(404, "not_found")
	})
	t.Run("change to more than there is", func(t *testing.T) {
		t.Parallel()
		c := guest()
		cart := c.newCart(t, line{rare, 3})
		item := firstItem(t, c.get(t, "/api/carts/"+cart).object()).int(t, "id")
		c.patch(t, fmt.Sprintf("%s/%d", itemsPath(cart), item), object{"qty": 4}).fails(409, "out_of_stock")
	})
	t.Run("added at once adds up", func(t *testing.T) {
		t.Parallel()
		c := guest()
		cart := c.newCart(t)
		got := atOnce(t, 10, func(int) (*answer, error) {
			return c.send(t.Context(), t.Name(), "POST", itemsPath(cart), add(p.id, 2))
		})
		if got[201] != 10 {
			t.Errorf("statuses %v, want ten 201", got)
		}
		if q := quantities(t, c.get(t, "/api/carts/"+cart).object()); q[p.id] != 20 {
			t.Errorf("the cart holds %v, want 20", q)
		}
	})
}

func TestCartOfManyProducts(t *testing.T) {
	t.Parallel()
	c := guest()
	cart := c.newCart(t)
	for range 50 {
		c.post(t, itemsPath(cart), object{"product_id": newProduct(t).id, "qty": 1}).want(201)
	}
	if n := len(quantities(t, c.get(t, "/api/carts/"+cart).want(200).object())); n != 50 {
		t.Errorf("%d items, want 50", n)
	}
	c.post(t, itemsPath(cart), object{"product_id": newProduct(t).id, "qty": 1}).fails(409, "")
}
