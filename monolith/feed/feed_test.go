package feed_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"github.com/stranglerfig/toolkit/monolith"
	"github.com/stranglerfig/toolkit/monolith/feed"
	"github.com/stranglerfig/toolkit/monolith/testkit"
)

type body = map[string]any

func get(k *testkit.Kit, path string) *testkit.Answer {
	return k.Guest().Do("GET", "/internal/"+path, nil, "Authorization", "Bearer s3cret")
}

func TestToken(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{InternalToken: "s3cret"})
	admin := k.Admin()
	for _, path := range []string{
		"changes", "products", "products/1", "purchases", "orders/1/purchase", "product-views",
		"catalog/categories", "catalog/products", "catalog/products/1", "catalog/ratings", "reviews/1/product",
	} {
		for _, header := range []string{"", "Bearer ", "Bearer wrong", "s3cret", "Basic s3cret", "Bearer s3cret2"} {
			admin.Do("GET", "/internal/"+path, nil, "Authorization", header).WantError(t, 401, "unauthenticated")
		}
		if answer := get(k, path); answer.Status == http.StatusUnauthorized {
			t.Errorf("%s: the right token is refused", path)
		}
	}
}

func TestChanges(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{InternalToken: "s3cret"})
	if empty := get(k, "changes").Want(t, 200); string(empty.Body) != `{"items":[],"last":0}`+"\n" {
		t.Errorf("%s", empty.Body)
	}
	id := k.Product(k.Category("tea"), "Tea", 500, 5)
	admin := k.Admin()
	last := get(k, "changes").Int("last")
	admin.Do("PATCH", fmt.Sprintf("/api/admin/products/%d", id), body{"name": "x"}).Want(t, 200)
	admin.Do("DELETE", fmt.Sprintf("/api/admin/products/%d", id), nil).Want(t, 204)
	got := get(k, fmt.Sprintf("changes?after=%d&limit=1", last))
	if got.Text("items.0.action") != "product.updated" || got.Text("items.0.entity") != "product" || got.Text("items.0.entity_id") != fmt.Sprint(id) ||
		got.Get("items.1") != nil || got.Int("last") != last+2 || got.Int("items.0.id") != last+1 || got.Text("items.0.created_at") == "" {
		t.Errorf("%s", got.Body)
	}
	if got.Get("items.0.detail") != nil || got.Get("items.0.actor_id") != nil {
		t.Errorf("the feed says who did what: %s", got.Body)
	}
	if got = get(k, fmt.Sprintf("changes?after=%d", last+1)); got.Text("items.0.action") != "product.deleted" {
		t.Errorf("%s", got.Body)
	}
	if got = get(k, fmt.Sprintf("changes?after=%d", last+2)).Want(t, 200); got.Get("items.0") != nil || got.Int("last") != last+2 {
		t.Errorf("%s", got.Body)
	}
	for query, field := range map[string]string{"after=-1": "after", "after=x": "after", "limit=0": "limit", "limit=1001": "limit"} {
		get(k, "changes?"+query).WantError(t, 422, "invalid", field)
	}
}

func TestProducts(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{InternalToken: "s3cret"})
	tea, admin := k.Category("tea"), k.Admin()
	first, second := k.Product(tea, "A", 100, 1), k.Product(tea, "B", 200, 1)
	admin.Do("PATCH", fmt.Sprintf("/api/admin/products/%d", second), body{"active": false, "images": []body{{"url": "/1.svg"}, {"url": "/2.svg"}}}).Want(t, 200)
	want := fmt.Sprintf(`{"id":%d,"name":"B","category_id":%d,"price_cents":200,"image_url":"/1.svg","active":false}`, second, tea)
	if got := get(k, fmt.Sprintf("products?after=%d", first)).Want(t, 200); string(got.Body) != `{"items":[`+want+"]}\n" {
		t.Errorf("%s", got.Body)
	}
	if got := get(k, fmt.Sprintf("products/%d", second)).Want(t, 200); string(got.Body) != want+"\n" {
		t.Errorf("%s", got.Body)
	}
	if got := get(k, "products?limit=1"); got.Int("items.0.id") != first || got.Get("items.0.active") != true || got.Get("items.1") != nil {
		t.Errorf("%s", got.Body)
	}
	admin.Do("DELETE", fmt.Sprintf("/api/admin/products/%d", second), nil).Want(t, 204)
	get(k, fmt.Sprintf("products/%d", second)).WantError(t, 404, "not_found")
	if got := get(k, fmt.Sprintf("products?after=%d", first)); string(got.Body) != `{"items":[]}`+"\n" {
		t.Errorf("%s", got.Body)
	}
}

func TestPurchases(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{InternalToken: "s3cret"})
	tea, ada := k.Category("tea"), k.Customer("Ada").User.ID
	a, b := k.Product(tea, "A", 100, 1), k.Product(tea, "B", 200, 1)
	counted := []string{}
	for _, status := range []string{"pending", "paid", "packed", "cancelled", "shipped", "delivered", "refunded"} {
		order := k.Order(ada, status, b, a)
		counts := strings.Contains("paid packed shipped delivered", status)
		if counts {
			counted = append(counted, fmt.Sprintf(`{"order_id":%d,"product_ids":[%d,%d]}`, order, a, b))
		}
		want := fmt.Sprintf(`{"order_id":%d,"counts":%t,"product_ids":[%d,%d]}`+"\n", order, counts, a, b)
		if got := get(k, fmt.Sprintf("orders/%d/purchase", order)).Want(t, 200); string(got.Body) != want {
			t.Errorf("%s: %s, want %s", status, got.Body, want)
		}
	}
	if got := get(k, "purchases").Want(t, 200); string(got.Body) != `{"items":[`+strings.Join(counted, ",")+"]}\n" {
		t.Errorf("%s", got.Body)
	}
	after := get(k, "purchases?limit=2").Int("items.1.order_id")
	if got := get(k, fmt.Sprintf("purchases?after=%d", after)); string(got.Body) != `{"items":[`+strings.Join(counted[2:], ",")+"]}\n" {
		t.Errorf("%s", got.Body)
	}
	get(k, "orders/999/purchase").WantError(t, 404, "not_found")
}

// Reading page by page, with any size of page, sees each row once.
func TestViewsPageByPage(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{InternalToken: "s3cret"})
	tea := k.Category("tea")
	n := 0
	for range 3 {
		id := k.Product(tea, "A", 100, 1)
		for _, day := range []string{"2026-02-28", "2026-03-01"} {
			n++
			k.Exec(`INSERT INTO product_views (product_id, day, views, updated_at) VALUES (?, ?, ?, ?)`, id, day, n, 1000+n/3)
		}
	}
	for limit := 1; limit <= 7; limit++ {
		var seen []string
		query := ""
		for {
			var part struct {
				Items []struct {
					ProductID int64 `json:"product_id"`
					Day       string
					Views     int
					UpdatedAt string `json:"updated_at"`
				}
				Last int64
			}
			get(k, fmt.Sprintf("product-views?limit=%d%s", limit, query)).Want(t, 200).Into(t, &part)
			if part.Last != 1002 {
				t.Fatalf("last %d, want 1002", part.Last)
			}
			if len(part.Items) == 0 {
				break
			}
			for _, item := range part.Items {
				seen = append(seen, fmt.Sprint(item.Views))
			}
			last := part.Items[len(part.Items)-1]
			since := k.Count(`SELECT updated_at FROM product_views WHERE product_id = ? AND day = ?`, last.ProductID, last.Day)
			query = fmt.Sprintf("&since=%d&after_product=%d&after_day=%s", since, last.ProductID, last.Day)
		}
		if strings.Join(seen, " ") != "1 2 3 4 5 6" {
			t.Errorf("limit %d: %v", limit, seen)
		}
	}
	if got := get(k, "product-views?since=1001"); got.Int("items.0.views") != 3 || got.Int("items.3.views") != 6 || got.Get("items.4") != nil {
		t.Errorf("since: %s", got.Body)
	}
	get(k, "product-views?after_day=yesterday").WantError(t, 422, "invalid", "after_day")
	get(k, "product-views?since=-1").WantError(t, 422, "invalid", "since")
}

func TestWithoutATokenNobodyPasses(t *testing.T) {
	t.Parallel()
	r := chi.NewRouter()
	feed.Routes(r, feed.New(testkit.Open(t), nil), "")
	for _, header := range []string{"", "Bearer", "Bearer ", "Bearer x"} {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/internal/changes", nil)
		req.Header.Set("Authorization", header)
		w := httptest.NewRecorder()
		r.ServeHTTP(w, req)
		if w.Code != http.StatusUnauthorized {
			t.Errorf("Authorization %q: status %d, want 401", header, w.Code)
		}
	}
}
