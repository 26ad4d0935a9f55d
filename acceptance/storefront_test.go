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

func TestSignInPages(t *testing.T) {
	t.Parallel()
	t.Run("register and sign out", func(t *testing.T) {
		t.Parallel()
		c, email := guest(), unique("page-")+"@example.com"
		f := form(t, c.page(t, "/register"), "/register")
		a := c.submit(t, f, url.Values{"email": {email}, "password": {password}, "name": {"Page Reader"}})
		c.page(t, a.follows("/"))
		if me := c.get(t, "/api/me").want(200).object(); me["email"] != email {
			t.Errorf("signed in as %v", me["email"])
		}
		c.submit(t, form(t, c.page(t, "/account"), "/logout"), nil).follows("/")
		c.get(t, "/api/me").fails(401, "unauthenticated")
	})
	t.Run("leads back to where one wanted to go", func(t *testing.T) {
		t.Parallel()
		buyer, c := signUp(t), guest()
		login := c.get(t, "/orders", browser()).follows("/login")
		f := form(t, c.page(t, login), "/login")
		if to := c.submit(t, f, url.Values{"email": {buyer.email}, "password": {password}}).follows("/"); to != "/orders" {
			t.Errorf("signing in leads to %q, want /orders", to)
		}
	})
	t.Run("but never to another site", func(t *testing.T) {
		t.Parallel()
		buyer := signUp(t)
		for _, next := range []string{
			"https://evil.example/", "//evil.example/", `/\evil.example`, `\\evil.example`, "/\t/evil.example", "javascript:alert(1)",
			" //evil.example", "http:evil.example", "/%0d%0aSet-Cookie:%20a=b\r\nX: y",
		} {
			values := url.Values{"email": {buyer.email}, "password": {password}, "next": {next}}
			a := guest().post(t, "/login", values, browser()).want(303)
			to, err := url.Parse(a.header.Get("Location"))
			if err != nil || to.Host != "" || to.Scheme != "" || !strings.HasPrefix(to.Path, "/") || len(to.Path) > 1 && strings.ContainsAny(to.Path[1:2], `/\`) {
				t.Errorf("next=%q leads to %q", next, a.header.Get("Location"))
			}
		}
	})
	t.Run("a wrong password", func(t *testing.T) {
		t.Parallel()
		buyer, c := signUp(t), guest()
		f := form(t, c.page(t, "/login"), "/login")
		a := c.submit(t, f, url.Values{"email": {buyer.email}, "password": {"wrong password"}}).want(422)
		again := form(t, parse(t, a), "/login")
		one(t, again, func(n *html.Node) bool { return attr(n, "name") == "email" && attr(n, "value") == buyer.email })
		if strings.Contains(string(a.body), "wrong password") {
			t.Error("the page repeats the password")
		}
		c.get(t, "/api/me").fails(401, "unauthenticated")
	})
	t.Run("a bad registration", func(t *testing.T) {
		t.Parallel()
		c := guest()
		f := form(t, c.page(t, "/register"), "/register")
		a := c.submit(t, f, url.Values{"email": {"nobody"}, "password": {"short"}, "name": {"Keep me"}}).want(422)
		again := form(t, parse(t, a), "/register")
		one(t, again, func(n *html.Node) bool { return attr(n, "name") == "name" && attr(n, "value") == "Keep me" })
	})
	t.Run("an e-mail that is taken", func(t *testing.T) {
		t.Parallel()
		c := guest()
		f := form(t, c.page(t, "/register"), "/register")
		parse(t, c.submit(t, f, url.Values{"email": {signUp(t).email}, "password": {password}, "name": {"N"}}).want(422))
	})
}

// TestShoppingByForms is the way of a customer without JavaScript: from the
// product to the delivery.
func TestShoppingByForms(t *testing.T) {
	t.Parallel()
	c, p := guest(), newProduct(t, object{"price_cents": 2599})
	productPage := fmt.Sprintf("/p/%d", p.id)

	t.Run("put into the cart", func(t *testing.T) {
		page := c.page(t, productPage)
		if !strings.Contains(textOf(page), p.name) || !strings.Contains(textOf(page), "25.99") {
			t.Error("the product page lacks name or price")
		}
		a := c.submit(t, form(t, page, "/cart/items"), url.Values{"qty": {"2"}})
		for _, cookie := range a.cookies {
			if cookie.Name == "cart" && (!cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode) {
				t.Errorf("cookie %s: want HttpOnly and SameSite=Lax", cookie)
			}
		}
		a.follows("/cart")
		if cart := textOf(c.page(t, "/cart")); !strings.Contains(cart, p.name) || !strings.Contains(cart, "51.98") {
			t.Errorf("the cart shows %s", cart)
		}
	})
	item := func(t *testing.T) *html.Node {
		t.Helper()
		return one(t, c.page(t, "/cart"), func(n *html.Node) bool {
			return n.Data == "form" && strings.HasPrefix(attr(n, "action"), "/cart/items/")
		})
	}
	t.Run("change the quantity", func(t *testing.T) {
		c.submit(t, item(t), url.Values{"qty": {"3"}}).follows("/cart")
		if cart := textOf(c.page(t, "/cart")); !strings.Contains(cart, "77.97") {
			t.Errorf("the cart shows %s", cart)
		}
		c.submit(t, item(t), url.Values{"qty": {"99"}}).want(422) // more than there is
		c.submit(t, item(t), url.Values{"qty": {"1"}}).follows("/cart")
	})
	t.Run("use a coupon", func(t *testing.T) {
		f := form(t, c.page(t, "/cart"), "/cart/coupon")
		c.submit(t, f, url.Values{"code": {unique("NO")}}).want(422)
		c.submit(t, f, url.Values{"code": {"WELCOME10"}}).follows("/cart")
		if cart := textOf(c.page(t, "/cart")); !strings.Contains(cart, "23.39") {
			t.Errorf("the cart shows %s", cart)
		}
	})
	t.Run("register on the way", func(t *testing.T) {
		login := c.get(t, "/checkout", browser()).follows("/login")
		register := one(t, c.page(t, login), func(n *html.Node) bool { return n.Data == "a" && strings.HasPrefix(attr(n, "href"), "/register?next=") })
		f := form(t, c.page(t, attr(register, "href")), "/register")
		a := c.submit(t, f, url.Values{"email": {unique("form-") + "@example.com"}, "password": {password}, "name": {"Form Filler"}})
		if to := a.follows("/"); to != "/checkout" {
			t.Errorf("registering leads to %q, want /checkout", to)
		}
	})
	address := url.Values{
		"address_id": {"new"}, "name": {"Form Filler"}, "street": {"5 Paper Rd"}, "city": {"Springfield"},
		"postal_code": {"12345"}, "region": {"CA"}, "country": {"US"}, "shipping_method": {"standard"},
	}
	with := func(field, value string) url.Values {
		v := url.Values{field: {value}}
		for k, x := range address {
			if k != field {
				v[k] = x
			}
		}
		return v
	}
	var orderPage string
	t.Run("order with a card that is declined", func(t *testing.T) {
		page := c.page(t, "/checkout")
		if !strings.Contains(textOf(page), p.name) {
			t.Error("the checkout does not show what is bought")
		}
		f := form(t, page, "/checkout")
		c.submit(t, f, with("card_number", "1234")).want(422)
		a := c.submit(t, f, with("card_number", declinedCard))
		if a.status == 422 { // the total for a new address was not shown yet: the page shows it now
			a = c.submit(t, form(t, parse(t, a), "/checkout"), with("card_number", declinedCard))
		}
		orderPage = a.follows("/orders/")
		if list := c.get(t, "/api/orders").items(); len(list) != 1 || list[0]["status"] != "pending" {
			t.Fatalf("orders are %v, want one that is pending", list)
		}
	})
	if orderPage == "" {
		t.Fatal("no order came of it")
	}
	id := strings.TrimPrefix(strings.SplitN(orderPage, "?", 2)[0], "/orders/")
	t.Run("pay with another card", func(t *testing.T) {
		f := form(t, c.page(t, orderPage), "/orders/"+id+"/pay")
		c.submit(t, f, url.Values{"card_number": {"1234"}}).want(422)
		c.submit(t, f, url.Values{"card_number": {goodCard}}).follows("/orders/" + id)
		page := c.page(t, "/orders/"+id)
		if !strings.Contains(strings.ToLower(textOf(page)), "paid") {
			t.Errorf("the order's page does not say paid: %s", textOf(page))
		}
	})
	t.Run("history", func(t *testing.T) {
		one(t, c.page(t, "/orders"), func(n *html.Node) bool { return link(n, "/orders/"+id) })
	})
	t.Run("the administrator ships it", func(t *testing.T) {
		admin(t).submit(t, adminForm(t, "paid", "/admin/orders/"+id+"/pack"), nil).follows("/admin/orders")
		f := adminForm(t, "packed", "/admin/orders/"+id+"/ship")
		admin(t).submit(t, f, url.Values{"carrier": {"UPS"}, "tracking": {"TRACK-" + id}}).follows("/admin/orders")
		if page := textOf(c.page(t, "/orders/"+id)); !strings.Contains(page, "TRACK-"+id) {
			t.Errorf("the customer does not see the tracking number: %s", page)
		}
	})
	t.Run("review it", func(t *testing.T) {
		f := form(t, c.page(t, productPage), productPage+"/reviews")
		title := unique("Nice ")
		c.submit(t, f, url.Values{"rating": {"5"}, "title": {""}, "body": {"x"}}).want(422)
		c.submit(t, f, url.Values{"rating": {"5"}, "title": {title}, "body": {"As shown."}}).follows(productPage)
		if !strings.Contains(textOf(guest().page(t, productPage)), title) {
			t.Error("the review is not on the page")
		}
	})
}

// adminForm looks for a form on the administrator's pages of the orders with status.
func adminForm(t *testing.T, status, action string) *html.Node {
	t.Helper()
	for page := 1; page <= 50; page++ {
		doc := admin(t).page(t, fmt.Sprintf("/admin/orders?status=%s&page=%d", status, page))
		if found := all(doc, func(n *html.Node) bool { return isForm(n, action) }); len(found) > 0 {
			return found[0]
		}
	}
	t.Fatalf("no form for %s among the %s orders", action, status)
	return nil
}

func TestCheckoutPage(t *testing.T) {
	t.Parallel()
	ready := func(t *testing.T) (*customer, product, *html.Node) {
		t.Helper()
		buyer, p := signUp(t), newProduct(t)
		buyer.newAddress(t)
		buyer.newCart(t, line{p, 1})
		return buyer, p, form(t, buyer.page(t, "/checkout"), "/checkout")
	}
	t.Run("a form sent twice orders once", func(t *testing.T) {
		t.Parallel()
		buyer, p, f := ready(t)
		one := buyer.submit(t, f, url.Values{"card_number": {goodCard}}).follows("/orders/")
		two := buyer.submit(t, f, url.Values{"card_number": {goodCard}}).follows("/orders/")
		if strings.SplitN(one, "?", 2)[0] != strings.SplitN(two, "?", 2)[0] || available(t, p) != 9 {
			t.Errorf("led to %s and %s, %d available", one, two, available(t, p))
		}
	})
	t.Run("another price than the one shown", func(t *testing.T) {
		t.Parallel()
		buyer, p, f := ready(t)
		admin(t).patch(t, adminProduct(p, ""), object{"price_cents": 4999}).want(200)
		parse(t, buyer.submit(t, f, url.Values{"card_number": {goodCard}}).want(422))
		if list := buyer.get(t, "/api/orders").items(); len(list) != 0 {
			t.Errorf("ordered nevertheless: %v", list)
		}
	})
	t.Run("sold out meanwhile", func(t *testing.T) {
		t.Parallel()
		buyer, p, f := ready(t)
		admin(t).post(t, adminProduct(p, "/stock"), object{"delta": -10}).want(200)
		parse(t, buyer.submit(t, f, url.Values{"card_number": {goodCard}}).want(422))
		if list := buyer.get(t, "/api/orders").items(); len(list) != 0 {
			t.Errorf("ordered nevertheless: %v", list)
		}
	})
	t.Run("an empty cart leads back to the cart", func(t *testing.T) {
		t.Parallel()
		signUp(t).get(t, "/checkout", browser()).follows("/cart")
	})
}

func TestCancelByForm(t *testing.T) {
	t.Parallel()
	buyer, p := signUp(t), newProduct(t)
	o := buyer.buy(t, goodCard, line{p, 1})
	page := fmt.Sprintf("/orders/%d", o.id)
	buyer.submit(t, form(t, buyer.page(t, page), page+"/cancel"), nil).follows(page)
	if got := buyer.order(t, o).text(t, "status"); got != "cancelled" {
		t.Errorf("the order is %s", got)
	}
}

func TestAdminStockByForm(t *testing.T) {
	t.Parallel()
	p := newProduct(t)
	action := fmt.Sprintf("/admin/products/%d/stock", p.id)
	f := form(t, admin(t).page(t, "/admin/products?q="+url.QueryEscape(p.name)), action)
	admin(t).submit(t, f, url.Values{"delta": {"5"}, "note": {"counted"}}).follows("/admin/products")
	if n := available(t, p); n != 15 {
		t.Errorf("%d available, want 15", n)
	}
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
