package acceptance_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// browser are the headers of somebody who reads pages.
func browser() header { return header{"Accept": "text/html,application/xhtml+xml"} }

func link(n *html.Node, href string) bool { return n.Data == "a" && attr(n, "href") == href }

// follows ends the test unless the answer redirects to a page of the shop below
// prefix; it returns where.
func (a *answer) follows(prefix string) string {
	a.t.Helper()
	a.want(http.StatusSeeOther)
	location := a.header.Get("Location")
	if !strings.HasPrefix(location, prefix) {
		a.t.Fatalf("%s: leads to %q, want %s…", a.call, location, prefix)
	}
	return location
}

func TestPages(t *testing.T) {
	t.Parallel()
	p := newProduct(t)
	buyer := signUp(t)
	order := buyer.buy(t, goodCard, line{p, 1})
	pages := []struct {
		name string
		as   *client
		path string
	}{
		{"home", guest(), "/"},
		{"product", guest(), fmt.Sprintf("/p/%d", p.id)},
		{"empty cart", guest(), "/cart"},
		{"login", guest(), "/login"},
		{"registration", guest(), "/register"},
		{"orders", buyer.client, "/orders"},
		{"order", buyer.client, fmt.Sprintf("/orders/%d", order.id)},
		{"account", buyer.client, "/account"},
		{"administration", admin(t), "/admin"},
		{"administration of products", admin(t), "/admin/products"},
		{"administration of orders", admin(t), "/admin/orders"},
	}
	for _, page := range pages {
		t.Run(page.name, func(t *testing.T) {
			t.Parallel()
			a := page.as.get(t, page.path, browser()).want(200)
			doc := parse(t, a)
			root := one(t, doc, func(n *html.Node) bool { return n.Data == "html" })
			if attr(root, "lang") == "" || textOf(one(t, doc, func(n *html.Node) bool { return n.Data == "title" })) == "" {
				t.Error("the page has no language or no title")
			}
			one(t, doc, func(n *html.Node) bool { return n.Data == "h1" })
			one(t, doc, func(n *html.Node) bool { return n.Data == "meta" && attr(n, "name") == "viewport" })
			csp := a.header.Get("Content-Security-Policy")
			if !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "unsafe") {
				t.Errorf("Content-Security-Policy %q", csp)
			}
			if a.header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("X-Content-Type-Options %q", a.header.Get("X-Content-Type-Options"))
			}
			for _, n := range all(doc, func(n *html.Node) bool {
				return n.Data == "script" && attr(n, "src") == "" || n.Data == "style" || hasAttr(n, "style") || hasAttr(n, "onclick")
			}) {
				t.Errorf("the policy blocks <%s> in the page: %v", n.Data, n.Attr)
			}
		})
	}
	t.Run("what they load is there", func(t *testing.T) {
		t.Parallel()
		doc := guest().page(t, "/")
		loaded := 0
		for _, n := range all(doc, func(n *html.Node) bool {
			return n.Data == "script" || n.Data == "img" || n.Data == "link" && attr(n, "rel") == "stylesheet"
		}) {
			source := attr(n, "src") + attr(n, "href")
			if !strings.HasPrefix(source, "/") {
				t.Errorf("<%s> loads %q from elsewhere", n.Data, source)
				continue
			}
			guest().get(t, source).want(200)
			loaded++
		}
		if loaded < 2 {
			t.Errorf("the page loads %d things, want a style sheet and pictures", loaded)
		}
	})
}

func TestUnknownPages(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/nothing-here", "/p/999999999", "/p/abc", "/p/0"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			doc := parse(t, guest().get(t, path, browser()).want(404))
			one(t, doc, func(n *html.Node) bool { return link(n, "/") })
		})
	}
	t.Run("as JSON for programs", func(t *testing.T) {
		t.Parallel()
		guest().get(t, "/nothing-here", header{"Accept": "application/json"}).fails(404, "not_found")
	})
	t.Run("another's order", func(t *testing.T) {
		t.Parallel()
		o := signUp(t).buy(t, goodCard, line{newProduct(t), 1})
		parse(t, signUp(t).get(t, fmt.Sprintf("/orders/%d", o.id), browser()).want(404))
	})
}

func TestPagesThatNeedASession(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/checkout", "/orders", "/orders/1", "/account", "/admin", "/admin/products", "/admin/orders"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			guest().get(t, path, browser()).follows("/login?next=" + url.QueryEscape(path))
		})
	}
	buyer := signUp(t)
	for _, path := range []string{"/admin", "/admin/products", "/admin/orders"} {
		t.Run(path+" for a customer", func(t *testing.T) {
			t.Parallel()
			parse(t, buyer.get(t, path, browser()).want(403))
		})
	}
	t.Run("administration by form", func(t *testing.T) {
		t.Parallel()
		buyer.post(t, "/admin/orders/1/ship", url.Values{"carrier": {"x"}, "tracking": {"y"}}, browser()).want(403)
	})
}

func TestCatalogPages(t *testing.T) {
	t.Parallel()
	word := unique("w")
	var products []product
	for i := range 3 {
		products = append(products, newProduct(t, object{"name": fmt.Sprintf("%s %d", word, i), "price_cents": 1000*(i+1) + 99}))
	}
	linked := func(t *testing.T, doc *html.Node) (list []string) {
		t.Helper()
		for _, n := range all(doc, func(n *html.Node) bool { return n.Data == "a" && strings.HasPrefix(attr(n, "href"), "/p/") }) {
			if href := attr(n, "href"); len(list) == 0 || list[len(list)-1] != href { // picture and name of one card
				list = append(list, href)
			}
		}
		return list
	}
	path := func(i int) string { return fmt.Sprintf("/p/%d", products[i].id) }
	t.Run("search", func(t *testing.T) {
		t.Parallel()
		doc := guest().page(t, "/?q="+word)
		if got, want := linked(t, doc), []string{path(0), path(1), path(2)}; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("found %v, want %v", got, want)
		}
		if !strings.Contains(textOf(doc), "10.99") {
			t.Error("the price 10.99 is not shown")
		}
		search := one(t, doc, func(n *html.Node) bool { return n.Data == "input" && attr(n, "name") == "q" })
		if attr(search, "value") != word {
			t.Errorf("the search field holds %q", attr(search, "value"))
		}
	})
	t.Run("sort", func(t *testing.T) {
		t.Parallel()
		if got, want := linked(t, guest().page(t, "/?sort=-price&q="+word)), []string{path(2), path(1), path(0)}; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("dearest first gives %v, want %v", got, want)
		}
	})
	t.Run("nothing found", func(t *testing.T) {
		t.Parallel()
		if got := linked(t, guest().page(t, "/?q="+unique("x"))); len(got) != 0 {
			t.Errorf("found %v", got)
		}
	})
	t.Run("categories", func(t *testing.T) {
		t.Parallel()
		c := category(t)
		doc := guest().page(t, "/")
		n := one(t, doc, func(n *html.Node) bool {
			return n.Data == "a" && strings.Contains(attr(n, "href"), "category="+c.text(t, "slug"))
		})
		if !strings.Contains(textOf(guest().page(t, attr(n, "href"))), c.text(t, "name")) {
			t.Errorf("the page of %v does not name it", c["name"])
		}
	})
	t.Run("paging", func(t *testing.T) {
		t.Parallel()
		first := guest().page(t, "/")
		next := one(t, first, func(n *html.Node) bool { return n.Data == "a" && strings.Contains(attr(n, "href"), "page=2") })
		if a, b := linked(t, first), linked(t, guest().page(t, attr(next, "href"))); len(a) == 0 || len(b) == 0 || a[0] == b[0] {
			t.Errorf("page 1 shows %v, page 2 %v", a, b)
		}
	})
	t.Run("a bad query does no harm", func(t *testing.T) {
		t.Parallel()
		for _, query := range []string{"page=abc", "page=-1", "sort=random", "q=" + strings.Repeat("a", 101), "category=no-such-thing", "page=99999999999999999999"} {
			if a := guest().get(t, "/?"+query, browser()); a.status >= 500 {
				t.Errorf("%s: status %d", query, a.status)
			} else {
				parse(t, a)
			}
		}
	})
}

func TestNothingIsMarkup(t *testing.T) {
	t.Parallel()
	mark := unique("x")
	attack := fmt.Sprintf(`"><script>alert("%s")</script><img src=x onerror=alert(1)>`, mark)
	harmless := func(t *testing.T, doc *html.Node, shown bool) {
		t.Helper()
		for _, n := range all(doc, func(n *html.Node) bool { return n.Data == "script" || n.Data == "img" }) {
			if strings.Contains(textOf(n), mark) || hasAttr(n, "onerror") {
				t.Errorf("somebody's text became <%s>", n.Data)
			}
		}
		if shown && !strings.Contains(textOf(doc), `<script>alert("`+mark) {
			t.Error("the text is not shown as it was written")
		}
	}
	t.Run("search", func(t *testing.T) {
		t.Parallel()
		harmless(t, guest().page(t, "/?q="+url.QueryEscape(attack)), false)
	})
	p := newProduct(t, object{"name": attack, "description": attack, "tags": []string{"<b>" + mark}})
	t.Run("product", func(t *testing.T) {
		t.Parallel()
		harmless(t, guest().page(t, fmt.Sprintf("/p/%d", p.id)), true)
	})
	t.Run("review", func(t *testing.T) {
		t.Parallel()
		p, buyer := newProduct(t), signUp(t)
		buyer.buy(t, goodCard, line{p, 1})
		buyer.post(t, p.path("/reviews"), object{"rating": 1, "title": attack, "body": attack}).want(201)
		harmless(t, guest().page(t, fmt.Sprintf("/p/%d", p.id)), true)
	})
	t.Run("cart and order", func(t *testing.T) {
		t.Parallel()
		buyer := signUp(t)
		buyer.newCart(t, line{p, 1})
		harmless(t, buyer.page(t, "/cart"), true)
		buyer.post(t, "/api/me/addresses", object{"name": attack, "street": attack, "city": "x", "postal_code": "1", "country": "US"}).want(201)
		harmless(t, buyer.page(t, "/account"), true)
		o := buyer.buy(t, goodCard, line{p, 1})
		harmless(t, buyer.page(t, fmt.Sprintf("/orders/%d", o.id)), true)
	})
	t.Run("account", func(t *testing.T) {
		t.Parallel()
		buyer := signUp(t)
		buyer.patch(t, "/api/me", object{"name": attack}).want(200)
		harmless(t, buyer.page(t, "/account"), false)
	})
	t.Run("where to go after signing in", func(t *testing.T) {
		t.Parallel()
		harmless(t, guest().page(t, "/login?next="+url.QueryEscape(attack)), false)
	})
}

func TestRecommendationsOnProductPage(t *testing.T) {
	t.Parallel()
	buyer, p, other := signUp(t), newProduct(t), newProduct(t)
	buyer.buy(t, goodCard, line{p, 1}, line{other, 1})
	t.Run("loaded by the browser", func(t *testing.T) {
		t.Parallel()
		doc := guest().page(t, fmt.Sprintf("/p/%d", p.id))
		one(t, doc, func(n *html.Node) bool { return attr(n, "hx-get") == p.path("/recommendations") })
	})
	t.Run("on request without JavaScript", func(t *testing.T) {
		t.Parallel()
		doc := guest().page(t, fmt.Sprintf("/p/%d?recommendations=1", p.id))
		section := one(t, doc, func(n *html.Node) bool { return n.Data == "section" && attr(n, "data-fragment") == "recommendations" })
		one(t, section, func(n *html.Node) bool { return link(n, fmt.Sprintf("/p/%d", other.id)) })
	})
}
