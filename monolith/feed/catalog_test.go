package feed_test

import (
	"fmt"
	"testing"

	"github.com/stranglerfig/toolkit/monolith"
	"github.com/stranglerfig/toolkit/monolith/testkit"
)

func TestCatalogCategories(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{InternalToken: "s3cret"})
	if got := get(k, "catalog/categories").Want(t, 200); string(got.Body) != `{"items":[]}`+"\n" {
		t.Errorf("%s", got.Body)
	}
	tea := k.Category("tea")
	k.Exec(`UPDATE categories SET position = 7`)
	want := fmt.Sprintf(`{"items":[{"id":%d,"slug":"tea","name":"The tea","position":7}]}`+"\n", tea)
	if got := get(k, "catalog/categories").Want(t, 200); string(got.Body) != want {
		t.Errorf("%s, want %s", got.Body, want)
	}
}

func TestCatalogProducts(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{InternalToken: "s3cret"})
	tea, admin := k.Category("tea"), k.Admin()
	first, second := k.Product(tea, "A", 100, 1), k.Product(tea, "B", 200, 9)
	path := fmt.Sprintf("/api/admin/products/%d", second)
	admin.Do("PATCH", path, body{
		"sku": "B-1", "active": false, "description": "d", "tags": []string{"y", "x"}, "images": []body{{"url": "/2.svg"}, {"url": "/1.svg", "alt": "one"}},
	}).Want(t, 200)
	k.Exec(`UPDATE stock_items SET reserved = 2 WHERE product_id = ?`, second)
	k.Exec(`UPDATE products SET rating_avg = 3.67, rating_count = 3, stock_qty = 7, created_at = 0, updated_at = 1 WHERE id = ?`, second)
	want := fmt.Sprintf(`{"id":%d,"sku":"B-1","name":"B","description":"d","category_id":%d,"price_cents":200,"active":false,`+
		`"stock_qty":7,"rating_avg":3.67,"rating_count":3,"version":2,"created_at":"1970-01-01T00:00:00.000Z","updated_at":"1970-01-01T00:00:00.001Z",`+
		`"images":[{"url":"/2.svg","alt":""},{"url":"/1.svg","alt":"one"}],"tags":["x","y"]}`, second, tea)
	if got := get(k, fmt.Sprintf("catalog/products?after=%d", first)).Want(t, 200); string(got.Body) != `{"items":[`+want+"]}\n" {
		t.Errorf("%s, want %s", got.Body, want)
	}
	if got := get(k, fmt.Sprintf("catalog/products/%d", second)).Want(t, 200); string(got.Body) != want+"\n" {
		t.Errorf("%s, want %s", got.Body, want)
	}
	got := get(k, "catalog/products?limit=1").Want(t, 200)
	if got.Int("items.0.id") != first || got.Get("items.1") != nil || fmt.Sprint(got.Get("items.0.tags"), got.Get("items.0.images")) != "[] []" {
		t.Errorf("%s", got.Body)
	}
	want = fmt.Sprintf(`{"items":[{"product_id":%d,"rating_avg":0,"rating_count":0},{"product_id":%d,"rating_avg":3.67,"rating_count":3}]}`+"\n", first, second)
	if got := get(k, "catalog/ratings").Want(t, 200); string(got.Body) != want {
		t.Errorf("%s, want %s", got.Body, want)
	}
	if got := get(k, fmt.Sprintf("catalog/ratings?limit=1&after=%d", first)); got.Int("items.0.product_id") != second {
		t.Errorf("%s", got.Body)
	}
	admin.Do("DELETE", path, nil).Want(t, 204)
	get(k, fmt.Sprintf("catalog/products/%d", second)).WantError(t, 404, "not_found")
	for _, list := range []string{"catalog/products", "catalog/ratings"} {
		get(k, list+"?limit=1001").WantError(t, 422, "invalid", "limit")
		if got := get(k, fmt.Sprintf("%s?after=%d", list, first)).Want(t, 200); string(got.Body) != `{"items":[]}`+"\n" {
			t.Errorf("%s", got.Body)
		}
	}
}

func TestReviewed(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{InternalToken: "s3cret"})
	ada, tea := k.Customer("Ada").User.ID, k.Category("tea")
	k.Product(tea, "A", 100, 1)
	id := k.Product(tea, "B", 100, 1)
	review := k.Insert(`INSERT INTO reviews (product_id, user_id, rating, title, created_at, updated_at) VALUES (?, ?, 5, 'x', 0, 0)`, id, ada)
	want := fmt.Sprintf(`{"review_id":%d,"product_id":%d}`+"\n", review, id)
	if got := get(k, fmt.Sprintf("reviews/%d/product", review)).Want(t, 200); string(got.Body) != want {
		t.Errorf("%s, want %s", got.Body, want)
	}
	k.Exec(`DELETE FROM reviews`)
	get(k, fmt.Sprintf("reviews/%d/product", review)).WantError(t, 404, "not_found")
}
