package acceptance_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

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

// A shopper goes the way of a customer without JavaScript, from the product to the
// delivery; each step needs the one before.
type shopper struct {
	*client
	product product
	order   string // the page of the order
}

func TestShoppingByForms(t *testing.T) {
	t.Parallel()
	s := &shopper{client: guest(), product: newProduct(t, object{"price_cents": 2599})}
	for _, step := range []struct {
		name string
		do   func(t *testing.T)
	}{
		{"put into the cart", s.putIntoCart},
		{"change the quantity", s.changeQuantity},
		{"use a coupon", s.useCoupon},
		{"register on the way", s.register},
		{"order with a card that is declined", s.orderDeclined},
		{"pay with another card", s.payAgain},
		{"find it in the history", s.findOrder},
		{"the administrator ships it", s.receive},
		{"review it", s.review},
	} {
		if !t.Run(step.name, step.do) {
			t.Fatalf("cannot go on after: %s", step.name)
		}
	}
}

// cartShows ends the test unless the cart's page contains what.
func (s *shopper) cartShows(t *testing.T, what string) {
	t.Helper()
	if cart := textOf(s.page(t, "/cart")); !strings.Contains(cart, what) {
		t.Fatalf("the cart does not show %s: %s", what, cart)
	}
}

func (s *shopper) putIntoCart(t *testing.T) {
	page := s.page(t, fmt.Sprintf("/p/%d", s.product.id))
	if shown := textOf(page); !strings.Contains(shown, s.product.name) || !strings.Contains(shown, "25.99") {
		t.Error("the product's page lacks name or price")
	}
	a := s.submit(t, form(t, page, "/cart/items"), url.Values{"qty": {"2"}})
	a.follows("/cart")
	i := slices.IndexFunc(a.cookies, func(c *http.Cookie) bool { return c.Name == "cart" })
	if i < 0 || !a.cookies[i].HttpOnly || a.cookies[i].SameSite != http.SameSiteLaxMode {
		t.Errorf("cookies %v: want cart with HttpOnly and SameSite=Lax", a.cookies)
	}
	s.cartShows(t, s.product.name)
	s.cartShows(t, "51.98")
}

func (s *shopper) changeQuantity(t *testing.T) {
	change := func(field, value string) *answer {
		t.Helper()
		item := one(t, s.page(t, "/cart"), func(n *html.Node) bool {
			return n.Data == "form" && strings.HasPrefix(attr(n, "action"), "/cart/items/") &&
				len(all(n, func(n *html.Node) bool { return attr(n, "name") == field })) > 0
		})
		return s.submit(t, item, url.Values{field: {value}})
	}
	change("qty", "3").follows("/cart")
	s.cartShows(t, "77.97")
	parse(t, change("qty", "99").want(422)) // more than there is
	change("remove", "1").follows("/cart")
	if cart := textOf(s.page(t, "/cart")); strings.Contains(cart, s.product.name) {
		t.Errorf("the cart still shows %s: %s", s.product.name, cart)
	}
	page := s.page(t, fmt.Sprintf("/p/%d", s.product.id))
	s.submit(t, form(t, page, "/cart/items"), url.Values{"qty": {"1"}}).follows("/cart")
}

func (s *shopper) useCoupon(t *testing.T) {
	f := form(t, s.page(t, "/cart"), "/cart/coupon")
	parse(t, s.submit(t, f, url.Values{"code": {unique("NO")}}).want(422))
	s.submit(t, f, url.Values{"code": {"WELCOME10"}}).follows("/cart")
	s.cartShows(t, "23.39")
}

func (s *shopper) register(t *testing.T) {
	login := s.get(t, "/checkout", browser()).follows("/login")
	register := one(t, s.page(t, login), func(n *html.Node) bool {
		return n.Data == "a" && strings.HasPrefix(attr(n, "href"), "/register?next=")
	})
	f := form(t, s.page(t, attr(register, "href")), "/register")
	a := s.submit(t, f, url.Values{"email": {unique("form-") + "@example.com"}, "password": {password}, "name": {"Form Filler"}})
	if to := a.follows("/"); to != "/checkout" {
		t.Errorf("registering leads to %q, want /checkout", to)
	}
	s.cartShows(t, "23.39")
}

func (s *shopper) orderDeclined(t *testing.T) {
	page := s.page(t, "/checkout")
	if !strings.Contains(textOf(page), s.product.name) {
		t.Error("the checkout does not show what is bought")
	}
	values := func(card string) url.Values {
		return url.Values{
			"address_id": {"new"}, "name": {"Form Filler"}, "street": {"5 Paper Rd"}, "city": {"Springfield"}, "postal_code": {"12345"},
			"region": {"CA"}, "country": {"US"}, "shipping_method": {"standard"}, "card_number": {card},
		}
	}
	parse(t, s.submit(t, form(t, page, "/checkout"), values("1234")).want(422))
	a := s.submit(t, form(t, page, "/checkout"), values(declinedCard))
	if a.status == 422 { // the total for a new address was not shown yet; this page shows it
		a = s.submit(t, form(t, parse(t, a), "/checkout"), values(declinedCard))
	}
	s.order, _, _ = strings.Cut(a.follows("/orders/"), "?")
	if list := s.get(t, "/api/orders").items(); len(list) != 1 || list[0]["status"] != "pending" {
		t.Fatalf("orders are %v, want one that is pending", list)
	}
}

func (s *shopper) payAgain(t *testing.T) {
	f := form(t, s.page(t, s.order), s.order+"/pay")
	parse(t, s.submit(t, f, url.Values{"card_number": {"1234"}}).want(422))
	s.submit(t, f, url.Values{"card_number": {goodCard}}).follows(s.order)
	if page := textOf(s.page(t, s.order)); !strings.Contains(strings.ToLower(page), "paid") {
		t.Errorf("the order's page does not say paid: %s", page)
	}
}

func (s *shopper) findOrder(t *testing.T) {
	one(t, s.page(t, "/orders"), func(n *html.Node) bool { return link(n, s.order) })
}

func (s *shopper) receive(t *testing.T) {
	office := admin(t)
	office.submit(t, adminForm(t, "paid", "/admin"+s.order+"/pack"), nil).follows("/admin/orders")
	tracking := unique("TRACK-")
	f := adminForm(t, "packed", "/admin"+s.order+"/ship")
	office.submit(t, f, url.Values{"carrier": {"UPS"}, "tracking": {tracking}}).follows("/admin/orders")
	if page := textOf(s.page(t, s.order)); !strings.Contains(page, tracking) {
		t.Errorf("the customer does not see the tracking number: %s", page)
	}
	office.submit(t, adminForm(t, "shipped", "/admin"+s.order+"/deliver"), nil).follows("/admin/orders")
}

func (s *shopper) review(t *testing.T) {
	path := fmt.Sprintf("/p/%d", s.product.id)
	f := form(t, s.page(t, path), path+"/reviews")
	title := unique("Nice ")
	parse(t, s.submit(t, f, url.Values{"rating": {"5"}, "title": {""}, "body": {"x"}}).want(422))
	s.submit(t, f, url.Values{"rating": {"5"}, "title": {title}, "body": {"As shown."}}).follows(path)
	if !strings.Contains(textOf(guest().page(t, path)), title) {
		t.Error("the review is not on the page")
	}
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

func TestReturnByForm(t *testing.T) {
	t.Parallel()
	buyer := signUp(t)
	o := buyer.buy(t, goodCard, line{newProduct(t), 1})
	advance(t, o, "ship", "deliver")
	page := fmt.Sprintf("/orders/%d", o.id)
	buyer.submit(t, form(t, buyer.page(t, page), page+"/return"), nil).follows(page)
	if got := buyer.order(t, o).text(t, "status"); got != "refunded" {
		t.Errorf("the order is %s", got)
	}
}

func TestAddressesByForm(t *testing.T) {
	t.Parallel()
	buyer := signUp(t)
	values := url.Values{
		"name": {"A B"}, "street": {unique("Street ")}, "city": {"Berlin"}, "postal_code": {"10115"}, "region": {""}, "country": {"DE"},
	}
	f := form(t, buyer.page(t, "/account"), "/account/addresses")
	buyer.submit(t, f, values).follows("/account")
	if page := textOf(buyer.page(t, "/account")); !strings.Contains(page, values.Get("street")) {
		t.Errorf("the account does not show the address: %s", page)
	}
	values.Set("city", "")
	parse(t, buyer.submit(t, f, values).want(422))
	list := buyer.get(t, "/api/me/addresses").items()
	if len(list) != 1 {
		t.Fatalf("addresses are %v, want one", list)
	}
	remove := form(t, buyer.page(t, "/account"), fmt.Sprintf("/account/addresses/%d/delete", list[0].int(t, "id")))
	buyer.submit(t, remove, nil).follows("/account")
	if list := buyer.get(t, "/api/me/addresses").items(); len(list) != 0 {
		t.Errorf("left are %v", list)
	}
}
