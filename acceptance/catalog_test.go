package acceptance_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

var (
	summaryFields = []string{"id", "sku", "name", "price_cents", "category", "image_url", "rating_avg", "rating_count", "stock_qty"}
	productFields = append([]string{"description", "images", "tags", "version", "created_at", "updated_at"}, summaryFields...)
)

func TestCategories(t *testing.T) {
	t.Parallel()
	list := guest().get(t, "/api/categories").items()
	if len(list) < 2 {
		t.Fatalf("%d categories, want several", len(list))
	}
	slugs := map[string]bool{}
	for _, c := range list {
		c.has(t, "category", "id", "slug", "name", "products")
		slugs[c.text(t, "slug")] = true
	}
	if len(slugs) != len(list) {
		t.Errorf("slugs repeat in %v", list)
	}
	t.Run("counts active products", func(t *testing.T) {
		t.Parallel()
		slug := category(t).text(t, "slug")
		eventually(t, providerPatience, func() error { // other tests add products meanwhile
			c, _ := find(guest().get(t, "/api/categories").items(), func(o object) bool { return o["slug"] == slug })
			page := guest().get(t, "/api/products?per_page=1&category="+slug).want(200).object()
			if c["products"] != page["total"] {
				return fmt.Errorf("category %s says %v products, its list %v", slug, c["products"], page["total"])
			}
			return nil
		})
	})
}

func TestProductSearch(t *testing.T) {
	t.Parallel()
	word, tag := unique("w"), unique("t")
	cheap := newProduct(t, object{"name": "B " + word + " lamp", "price_cents": 100})
	dear := newProduct(t, object{"name": "C " + word + " table", "price_cents": 900, "description": "solid oak"})
	middle := newProduct(t, object{"name": "A plain one", "price_cents": 500, "tags": []string{tag, word}})
	secret := unique("s")
	newProduct(t, object{"name": "D " + word + " " + secret, "active": false})

	search := func(t *testing.T, query string) []int64 {
		t.Helper()
		return ids(t, guest().get(t, "/api/products?"+query).items(), "id")
	}
	expect := func(name, query string, want ...product) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := search(t, query)
			var wantIDs []int64
			for _, p := range want {
				wantIDs = append(wantIDs, p.id)
			}
			if !slices.Equal(got, wantIDs) {
				t.Errorf("%s: products %v, want %v", query, got, wantIDs)
			}
		})
	}
	expect("by name is the default", "q="+word, middle, cheap, dear)
	expect("sort by name", "sort=name&q="+word, middle, cheap, dear)
	expect("sort by price", "sort=price&q="+word, cheap, middle, dear)
	expect("sort by price, dearest first", "sort=-price&q="+word, dear, middle, cheap)
	expect("sort by newest", "sort=newest&q="+word, middle, dear, cheap)
	expect("a word of the description", "q="+word+"+oak", dear)
	expect("a tag", "q="+tag, middle)
	expect("every word is needed", "q="+word+"+lamp+oak")
	expect("words in any order", "q=lamp+"+word, cheap)
	expect("spaces do not matter", "q=++"+word+"+++lamp+", cheap)
	expect("percent is no wildcard", "q="+url.QueryEscape(word[:6]+"%"+word[8:]))
	expect("underscore is no wildcard", "q="+url.QueryEscape(word[:6]+"_"+word[7:]))
	expect("a quote is only a letter", "q="+url.QueryEscape(word+"' OR 1=1 --"))
	expect("what nobody sells", "q="+unique("x"))
	expect("inactive products are hidden", "q="+secret)
	t.Run("within a category", func(t *testing.T) {
		t.Parallel()
		for _, c := range guest().get(t, "/api/categories").items()[:2] {
			got := search(t, "q="+word+"&category="+c.text(t, "slug"))
			if want := c["id"] == category(t)["id"]; (len(got) == 3) != want || (len(got) == 0) == want {
				t.Errorf("category %v: products %v", c["slug"], got)
			}
		}
	})
	t.Run("summary", func(t *testing.T) {
		t.Parallel()
		o := guest().get(t, "/api/products?q="+url.QueryEscape(word+" lamp")).items()[0]
		o.has(t, "product summary", summaryFields...)
		o.at(t, "category").has(t, "category", "id", "slug", "name")
		if o.int(t, "price_cents") != 100 || o["sku"] != cheap.sku || o.int(t, "stock_qty") != 10 || o.int(t, "rating_count") != 0 {
			t.Errorf("summary is %v", o)
		}
	})
}

func TestProductsByRating(t *testing.T) {
	t.Parallel()
	word, buyer := unique("w"), signUp(t)
	var products [3]product // unrated, rated 2, rated 5
	for i := range products {
		products[i] = newProduct(t, object{"name": fmt.Sprintf("%s %d", word, i)})
	}
	buyer.buy(t, goodCard, line{products[1], 1}, line{products[2], 1})
	buyer.post(t, products[1].path("/reviews"), object{"rating": 2, "title": "Poor"}).want(201)
	buyer.post(t, products[2].path("/reviews"), object{"rating": 5, "title": "Great"}).want(201)
	got := ids(t, guest().get(t, "/api/products?sort=rating&q="+word).items(), "id")
	if want := []int64{products[2].id, products[1].id, products[0].id}; !slices.Equal(got, want) {
		t.Errorf("best first gives %v, want %v", got, want)
	}
}

func TestProductPaging(t *testing.T) {
	t.Parallel()
	word := unique("w")
	var all []int64
	for i := range 5 {
		all = append(all, newProduct(t, object{"name": fmt.Sprintf("%s %d", word, i)}).id)
	}
	t.Run("pages add up to the whole", func(t *testing.T) {
		t.Parallel()
		var got []int64
		for page := 1; page <= 4; page++ {
			o := guest().get(t, fmt.Sprintf("/api/products?q=%s&per_page=2&page=%d", word, page)).want(200)
			list := o.object()
			list.has(t, "page", "items", "page", "per_page", "pages", "total")
			if list.int(t, "page") != int64(page) || list.int(t, "per_page") != 2 || list.int(t, "pages") != 3 || list.int(t, "total") != 5 {
				t.Errorf("page %d says %v", page, list)
			}
			got = append(got, ids(t, o.items(), "id")...)
		}
		if !slices.Equal(got, all) {
			t.Errorf("the pages hold %v, want %v", got, all)
		}
	})
	t.Run("24 a page by default", func(t *testing.T) {
		t.Parallel()
		a := guest().get(t, "/api/products").want(200)
		if o := a.object(); o.int(t, "per_page") != 24 || o.int(t, "page") != 1 || len(a.items()) != 24 {
			t.Errorf("page %v, per_page %v, %d items; want 1, 24, 24", o["page"], o["per_page"], len(a.items()))
		}
	})
	t.Run("the last page that may be asked for is empty", func(t *testing.T) {
		t.Parallel()
		if list := guest().get(t, "/api/products?page=10000&per_page=100").items(); len(list) != 0 {
			t.Errorf("page 10000 has %d products", len(list))
		}
	})
	t.Run("no match has no pages", func(t *testing.T) {
		t.Parallel()
		o := guest().get(t, "/api/products?q="+unique("x")).want(200).object()
		if o.int(t, "total") != 0 || o.int(t, "pages") != 0 {
			t.Errorf("total %v, pages %v, want 0", o["total"], o["pages"])
		}
	})
	refuse(t, guest(), []refusal{
		{"page 0", "GET", "/api/products?page=0", nil, 422, "invalid", []string{"page"}},
		{"page 10001", "GET", "/api/products?page=10001", nil, 422, "invalid", []string{"page"}},
		{"page that is no number", "GET", "/api/products?page=two", nil, 422, "invalid", []string{"page"}},
		{"0 a page", "GET", "/api/products?per_page=0", nil, 422, "invalid", []string{"per_page"}},
		{"101 a page", "GET", "/api/products?per_page=101", nil, 422, "invalid", []string{"per_page"}},
		{"unknown order", "GET", "/api/products?sort=random", nil, 422, "invalid", []string{"sort"}},
		{"search of 101 characters", "GET", "/api/products?q=" + strings.Repeat("a", 101), nil, 422, "invalid", []string{"q"}},
		{"unknown category", "GET", "/api/products?category=no-such-thing", nil, 404, "not_found", nil},
	})
}

func TestProduct(t *testing.T) {
	t.Parallel()
	p := newProduct(t, object{
		"name": unique("<b>Bold</b> & "), "tags": []string{"zebra", "apple"},
		"images": []object{{"url": "/static/one.svg", "alt": "one"}, {"url": "/static/two.svg", "alt": "two"}},
	})
	a := guest().get(t, p.path("")).want(200)
	o := a.object()
	o.has(t, "product", productFields...)
	o.isTime(t, "created_at")
	o.isTime(t, "updated_at")
	if o["name"] != p.name || o["description"] != "Made by a test." || o.int(t, "price_cents") != 1999 || o.int(t, "stock_qty") != 10 || o.int(t, "version") != 1 {
		t.Errorf("product is %v", o)
	}
	if got := fmt.Sprint(o["tags"]); got != "[apple zebra]" {
		t.Errorf("tags %v, want them sorted", got)
	}
	if got := fmt.Sprint(o["images"]); got != "[map[alt:one url:/static/one.svg] map[alt:two url:/static/two.svg]]" {
		t.Errorf("images are %v", got)
	}
	if o["image_url"] != "/static/one.svg" {
		t.Errorf("image_url %v, want the first image", o["image_url"])
	}
	t.Run("one without images and tags has empty lists", func(t *testing.T) {
		t.Parallel()
		o := guest().get(t, newProduct(t).path("")).want(200).object()
		if o["images"] == nil || o["tags"] == nil {
			t.Errorf("images %v, tags %v: want []", o["images"], o["tags"])
		}
	})
	t.Run("inactive is not found", func(t *testing.T) {
		t.Parallel()
		p := newProduct(t, object{"active": false})
		for _, below := range []string{"", "/recommendations"} {
			guest().get(t, p.path(below)).fails(404, "not_found")
		}
	})
	t.Run("HEAD answers without a body", func(t *testing.T) {
		t.Parallel()
		a := guest().do(t, "HEAD", p.path(""), nil)
		if a.status != 200 && a.status != 405 || len(a.body) != 0 {
			t.Errorf("HEAD: status %d, %d bytes", a.status, len(a.body))
		}
	})
}

func TestProductETag(t *testing.T) {
	t.Parallel()
	p, buyer := newProduct(t), signUp(t)
	etag := func(t *testing.T) string {
		t.Helper()
		tag := guest().get(t, p.path("")).want(200).header.Get("ETag")
		if !strings.Contains(tag, `"`) {
			t.Fatalf("ETag %q, want a quoted one", tag)
		}
		return tag
	}
	unchanged := func(t *testing.T, condition string) *answer {
		t.Helper()
		return guest().get(t, p.path(""), header{"If-None-Match": condition})
	}
	first := etag(t)
	a := unchanged(t, first).want(304)
	if len(a.body) != 0 || a.header.Get("ETag") != first {
		t.Errorf("304 with %d bytes and ETag %q, want none and %q", len(a.body), a.header.Get("ETag"), first)
	}
	unchanged(t, `"other", `+first).want(304)
	unchanged(t, "W/"+strings.TrimPrefix(first, "W/")).want(304)
	unchanged(t, "*").want(304)
	unchanged(t, `"other"`).want(200)

	seen := map[string]string{first: "at first"}
	changes := []struct {
		name string
		do   func(t *testing.T)
	}{
		{"price", func(t *testing.T) {
			admin(t).patch(t, fmt.Sprintf("/api/admin/products/%d", p.id), object{"price_cents": 2500}).want(200)
		}},
		{"stock by the administrator", func(t *testing.T) {
			admin(t).post(t, fmt.Sprintf("/api/admin/products/%d/stock", p.id), object{"delta": 5}).want(200)
		}},
		{"stock by a sale", func(t *testing.T) { buyer.buy(t, goodCard, line{p, 1}) }},
		{"rating", func(t *testing.T) {
			buyer.post(t, p.path("/reviews"), object{"rating": 3, "title": "So so"}).want(201)
		}},
	}
	for _, c := range changes { // one after the other: each must change it anew
		t.Run("changes with the "+c.name, func(t *testing.T) {
			c.do(t)
			tag := etag(t)
			if when, ok := seen[tag]; ok {
				t.Errorf("the ETag %s is the same as %s", tag, when)
			}
			seen[tag] = "after " + c.name
			unchanged(t, first).want(200)
		})
	}
}

func TestStock(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		qty     int
		inStock bool
		low     bool
	}{{0, false, true}, {1, true, true}, {1000, true, false}} {
		t.Run(fmt.Sprint(c.qty), func(t *testing.T) {
			t.Parallel()
			p := newProduct(t, object{"stock_qty": c.qty})
			o := guest().get(t, p.path("/stock")).want(200).object()
			o.has(t, "stock", "product_id", "available", "in_stock", "low")
			if o.int(t, "product_id") != p.id || o.int(t, "available") != int64(c.qty) || o["in_stock"] != c.inStock || o["low"] != c.low {
				t.Errorf("stock is %v, want %d, in stock %t, low %t", o, c.qty, c.inStock, c.low)
			}
		})
	}
}
