package catalog_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/monolith"
	"github.com/stranglerfig/toolkit/monolith/testkit"
)

type body = map[string]any

// names returns the names on a page, joined.
func names(t *testing.T, answer *testkit.Answer) string {
	t.Helper()
	var page struct{ Items []struct{ Name string } }
	answer.Want(t, http.StatusOK).Into(t, &page)
	list := []string{}
	for _, item := range page.Items {
		list = append(list, item.Name)
	}
	return strings.Join(list, " ")
}

func TestCategories(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	tea := k.Category("tea")
	k.Category("mugs")
	hidden := k.Product(tea, "Old", 100, 1)
	k.Product(tea, "New", 100, 1)
	k.Admin().Do("PATCH", fmt.Sprintf("/api/admin/products/%d", hidden), body{"active": false}).Want(t, http.StatusOK)
	got := k.Guest().Do("GET", "/api/categories", nil).Want(t, http.StatusOK)
	want := `{"items":[{"id":1,"slug":"tea","name":"The tea","products":1},{"id":2,"slug":"mugs","name":"The mugs","products":0}]}` + "\n"
	if string(got.Body) != want {
		t.Errorf("%s", got.Body)
	}
}

func TestListSortsAndPages(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	tea, mugs := k.Category("tea"), k.Category("mugs")
	for i, p := range []struct {
		name     string
		category int64
		price    int64
	}{{"banana", tea, 300}, {"Apple", mugs, 100}, {"cherry", tea, 200}, {"Date", tea, 200}, {"apple", tea, 400}} {
		id := k.Product(p.category, p.name, p.price, 1)
		k.Exec(`UPDATE products SET created_at = ?, rating_avg = ?, rating_count = ? WHERE id = ?`, i, float64(i%3), i, id)
	}
	for query, want := range map[string]string{
		"":                              "Apple apple banana cherry Date",
		"sort=name":                     "Apple apple banana cherry Date",
		"sort=price":                    "Apple cherry Date banana apple",
		"sort=-price":                   "apple banana Date cherry Apple",
		"sort=rating":                   "cherry apple Apple Date banana",
		"sort=newest":                   "apple Date cherry Apple banana",
		"category=tea":                  "apple banana cherry Date",
		"category=tea&sort=price":       "cherry Date banana apple",
		"per_page=2":                    "Apple apple",
		"per_page=2&page=3":             "Date",
		"per_page=2&page=4":             "",
		"q=an":                          "banana",
		"q=AP":                          "Apple apple",
		"q=ap&category=mugs&sort=price": "Apple",
	} {
		t.Run(query, func(t *testing.T) {
			if got := names(t, k.Guest().Do("GET", "/api/products?"+query, nil)); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
	page := k.Guest().Do("GET", "/api/products?per_page=2&page=2", nil)
	if page.Int("total") != 5 || page.Int("pages") != 3 || page.Int("page") != 2 || page.Int("per_page") != 2 {
		t.Errorf("paging: %s", page.Body)
	}
	if empty := k.Guest().Do("GET", "/api/products?page=10000", nil).Want(t, 200); !strings.HasPrefix(string(empty.Body), `{"items":[],`) {
		t.Errorf("page beyond the last: %s", empty.Body)
	}
}

func TestListRefuses(t *testing.T) {
	t.Parallel()
	c := testkit.New(t, monolith.Options{}).Guest()
	for query, field := range map[string]string{
		"page=0": "page", "page=10001": "page", "page=x": "page", "per_page=0": "per_page", "per_page=101": "per_page",
		"sort=size": "sort", "q=" + strings.Repeat("x", 101): "q",
	} {
		c.Do("GET", "/api/products?"+query, nil).WantError(t, 422, "invalid", field)
	}
	c.Do("GET", "/api/products?category=nothing", nil).WantError(t, 404, "not_found")
}

func TestSearchFindsEveryWordAnywhere(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	tea, admin := k.Category("tea"), k.Admin()
	for i, p := range []body{
		{"name": "Green tea", "description": "From Uji", "tags": []string{"Organic", "loose"}},
		{"name": "Black tea", "description": "100% organic, with milk_foam"},
		{"name": "Cup", "description": `back\slash`},
	} {
		p["sku"], p["category_id"], p["price_cents"] = fmt.Sprint("s", i), tea, 100+i
		admin.Do("POST", "/api/admin/products", p).Want(t, http.StatusCreated)
	}
	for q, want := range map[string]string{
		"tea":           "Black tea Green tea",
		"ORGANIC  tea":  "Black tea Green tea",
		"organic uji":   "Green tea",
		"loose green":   "Green tea",
		"100%":          "Black tea",
		"%":             "Black tea",
		"_":             "Black tea",
		`\`:             "Cup",
		"tea cup":       "",
		"' OR 1=1 --":   "",
		"   ":           "Black tea Cup Green tea",
		"organic loose": "Green tea",
	} {
		if got := names(t, k.Guest().Do("GET", "/api/products?q="+url.QueryEscape(q), nil)); got != want {
			t.Errorf("q=%s: %q, want %q", q, got, want)
		}
	}
}

func TestProductETagFollowsTheWholeBody(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	ada, admin := k.Customer("Ada"), k.Admin()
	id := k.Product(k.Category("tea"), "Tea", 500, 10)
	k.Order(ada.User.ID, "paid", id)
	path, managed := fmt.Sprintf("/api/products/%d", id), fmt.Sprintf("/api/admin/products/%d", id)
	seen := map[string]string{}
	for _, change := range []struct {
		what string
		do   func()
	}{
		{"nothing", func() {}},
		{"price", func() { admin.Do("PATCH", managed, body{"price_cents": 501}).Want(t, 200) }},
		{"stock", func() { admin.Do("POST", managed+"/stock", body{"delta": -1}).Want(t, 200) }},
		{"review", func() { ada.Do("POST", path+"/reviews", body{"rating": 4, "title": "Good"}).Want(t, 201) }},
		{"category's name", func() { k.Exec(`UPDATE categories SET name = 'Teas'`) }},
		{"tags", func() { admin.Do("PATCH", managed, body{"tags": []string{"b", "A", "b"}}).Want(t, 200) }},
		{"images", func() {
			admin.Do("PATCH", managed, body{"images": []body{{"url": "/static/a.svg", "alt": "A"}, {"url": "https://x.example/b"}}}).Want(t, 200)
		}},
	} {
		change.do()
		answer := k.Guest().Do("GET", path, nil).Want(t, http.StatusOK)
		etag := answer.Header.Get("ETag")
		if before, again := seen[etag]; etag == "" || again {
			t.Fatalf("after a change of %s the ETag is that after %s: %s", change.what, before, etag)
		}
		seen[etag] = change.what
		for _, match := range []string{etag, `"x", W/` + etag, "*"} {
			if unchanged := k.Guest().Do("GET", path, nil, "If-None-Match", match).Want(t, http.StatusNotModified); len(unchanged.Body) != 0 {
				t.Errorf("304 with a body: %s", unchanged.Body)
			}
		}
		k.Guest().Do("GET", path, nil, "If-None-Match", `"x"`).Want(t, http.StatusOK)
	}
	last := k.Guest().Do("GET", path, nil)
	if last.Text("tags.0") != "a" || last.Text("tags.1") != "b" || last.Text("images.1.url") != "https://x.example/b" ||
		last.Text("image_url") != "/static/a.svg" || last.Int("version") != 4 || last.Int("stock_qty") != 9 || last.Int("rating_count") != 1 {
		t.Errorf("%s", last.Body)
	}
	if last.Get("active") != nil {
		t.Error("customers see whether a product is active")
	}
}

func TestProductNotFound(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	id := k.Product(k.Category("tea"), "Tea", 500, 10)
	k.Admin().Do("PATCH", fmt.Sprintf("/api/admin/products/%d", id), body{"active": false}).Want(t, http.StatusOK)
	for _, path := range []string{fmt.Sprint(id), "999", "0", "-1", "abc", "99999999999999999999"} {
		k.Guest().Do("GET", "/api/products/"+path, nil).WantError(t, 404, "not_found")
	}
	if got := names(t, k.Guest().Do("GET", "/api/products", nil)); got != "" {
		t.Errorf("listed: %s", got)
	}
}

func TestCreateProduct(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	tea, admin := k.Category("tea"), k.Admin()
	made := admin.Do("POST", "/api/admin/products", body{
		"sku": " T-1 ", "name": " Tea ", "description": "Good", "category_id": tea, "price_cents": 0, "stock_qty": 7, "active": false,
		"tags": []string{" Green ", "black"}, "images": []body{{"url": "/a.svg", "alt": "A"}},
	}).Want(t, http.StatusCreated)
	id := made.Int("id")
	if made.Header.Get("Location") != fmt.Sprintf("/api/products/%d", id) || made.Get("active") != false || made.Text("sku") != "T-1" ||
		made.Int("stock_qty") != 7 || made.Text("tags.1") != "green" || made.Int("version") != 1 || made.Text("category.slug") != "tea" {
		t.Errorf("%s", made.Body)
	}
	for query, want := range map[string]int64{
		`SELECT on_hand FROM stock_items WHERE product_id = ?`:                                           7,
		`SELECT count(*) FROM stock_movements WHERE product_id = ? AND reason = 'initial' AND delta = 7`: 1,
		`SELECT count(*) FROM audit_log WHERE action = 'product.created' AND entity_id = '' || ?`:        1,
	} {
		if n := k.Count(query, id); n != want {
			t.Errorf("%s: %d, want %d", query, n, want)
		}
	}
	admin.Do("POST", "/api/admin/products", body{"sku": "T-1", "name": "Tea", "category_id": tea, "price_cents": 1}).WantError(t, 409, "sku_taken")
	for name, test := range map[string]struct {
		body   body
		fields []string
	}{
		"nothing":     {body{}, []string{"sku", "name", "category_id", "price_cents"}},
		"category":    {body{"sku": "x", "name": "x", "price_cents": 1, "category_id": 99}, []string{"category_id"}},
		"values":      {body{"sku": "", "name": " ", "price_cents": -1, "category_id": tea, "stock_qty": -1}, []string{"stock_qty", "sku", "name", "price_cents"}},
		"tag":         {body{"sku": "x", "name": "x", "price_cents": 1, "category_id": tea, "tags": []string{"ok", ""}}, []string{"tags[1]"}},
		"image":       {body{"sku": "x", "name": "x", "price_cents": 1, "category_id": tea, "images": []body{{"url": "javascript:alert(1)"}}}, []string{"images[0].url"}},
		"other host":  {body{"sku": "x", "name": "x", "price_cents": 1, "category_id": tea, "images": []body{{"url": "//evil.example/a"}}}, []string{"images[0].url"}},
		"wrong type":  {body{"price_cents": "1"}, []string{"price_cents"}},
		"fractional":  {body{"price_cents": 1.5}, []string{"price_cents"}},
		"stranger":    {body{"rating_avg": 5}, []string{"rating_avg"}},
		"wrong array": {body{"tags": "a"}, []string{"tags"}},
	} {
		t.Run(name, func(t *testing.T) {
			admin.Do("POST", "/api/admin/products", test.body).WantError(t, 422, "invalid", test.fields...)
		})
	}
	if n := k.Count(`SELECT count(*) FROM products`); n != 1 {
		t.Errorf("%d products, want 1: what was refused left something", n)
	}
}

func TestUpdateProduct(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	tea, admin := k.Category("tea"), k.Admin()
	id, other := k.Product(tea, "Tea", 500, 10), k.Product(tea, "Mug", 500, 10)
	path := fmt.Sprintf("/api/admin/products/%d", id)
	first := k.Guest().Do("GET", fmt.Sprintf("/api/products/%d", id), nil)
	second := admin.Do("PATCH", path, body{"name": "Tea!"}, "If-Match", first.Header.Get("ETag")).Want(t, http.StatusOK)
	if second.Int("version") != 2 || second.Text("name") != "Tea!" || second.Int("price_cents") != 500 {
		t.Errorf("%s", second.Body)
	}
	for _, old := range []string{first.Header.Get("ETag"), `"1"`, "1", "nonsense"} {
		admin.Do("PATCH", path, body{"name": "lost"}, "If-Match", old).WantError(t, 409, "version_conflict")
	}
	admin.Do("POST", path+"/stock", body{"delta": 1}).Want(t, 200) // is no change of the catalog's
	admin.Do("PATCH", path, body{"active": false}, "If-Match", second.Header.Get("ETag")).Want(t, http.StatusOK)
	admin.Do("PATCH", path, body{"active": true}, "If-Match", "3").Want(t, http.StatusOK)
	admin.Do("PATCH", path, body{"sku": "SKU-2"}, "If-Match", "*")
	admin.Do("PATCH", path, body{"stock_qty": 3}).WantError(t, 422, "invalid", "stock_qty")
	admin.Do("PATCH", path, body{"category_id": 99}).WantError(t, 422, "invalid", "category_id")
	sku := k.Guest().Do("GET", fmt.Sprintf("/api/products/%d", other), nil).Text("sku")
	admin.Do("PATCH", path, body{"sku": sku}).WantError(t, 409, "sku_taken")
	admin.Do("PATCH", "/api/admin/products/999", body{"name": "x"}).WantError(t, 404, "not_found")
}

func TestDeleteProduct(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	tea, admin, ada := k.Category("tea"), k.Admin(), k.Customer("Ada")
	sold, unsold := k.Product(tea, "Sold", 500, 10), k.Product(tea, "Unsold", 500, 10)
	k.Order(ada.User.ID, "cancelled", sold)
	path := fmt.Sprintf("/api/admin/products/%d", unsold)
	admin.Do("PATCH", path, body{"tags": []string{"a"}, "images": []body{{"url": "/a"}}}).Want(t, 200)
	admin.Do("POST", path+"/stock", body{"delta": 1}).Want(t, 200)
	k.Recommendations.Viewed(unsold)
	if err := k.Recommendations.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	admin.Do("DELETE", fmt.Sprintf("/api/admin/products/%d", sold), nil).WantError(t, 409, "product_ordered")
	admin.Do("DELETE", path, nil).Want(t, http.StatusNoContent)
	admin.Do("DELETE", path, nil).WantError(t, 404, "not_found")
	for _, table := range []string{"products", "stock_items", "stock_movements"} {
		if n := k.Count(`SELECT count(*) FROM ` + table); n != 1 {
			t.Errorf("%s: %d rows, want that of the sold product", table, n)
		}
	}
	for _, table := range []string{"product_tags", "product_images", "product_views"} {
		if n := k.Count(`SELECT count(*) FROM ` + table); n != 0 {
			t.Errorf("%s: %d rows are left", table, n)
		}
	}
}

func TestManagedListShowsInactive(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	tea, admin := k.Category("tea"), k.Admin()
	k.Product(tea, "On", 1, 1)
	off := k.Product(tea, "Off", 1, 1)
	admin.Do("PATCH", fmt.Sprintf("/api/admin/products/%d", off), body{"active": false}).Want(t, 200)
	list := admin.Do("GET", "/api/admin/products", nil)
	if names(t, list) != "Off On" || list.Get("items.0.active") != false || list.Get("items.1.active") != true || list.Int("total") != 2 {
		t.Errorf("%s", list.Body)
	}
	if got := names(t, admin.Do("GET", "/api/admin/products?q=of", nil)); got != "Off" {
		t.Errorf("search: %s", got)
	}
}
