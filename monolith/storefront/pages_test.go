package storefront_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

const hostile = `"><script>alert('x')</script><b onclick="x">&amp;`

// TestHostileTextIsShownAsText puts markup into everything that people may write.
func TestHostileTextIsShownAsText(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	v := s.visitor(t)
	_, err := s.DB.Writer().Exec(`UPDATE products SET name = ?, description = ? WHERE id = 1`, hostile, hostile)
	must(t, err)
	_, err = s.DB.Writer().Exec(`UPDATE product_images SET alt = ?, url = ? WHERE product_id = 1`, hostile, "javascript:alert(1)")
	must(t, err)
	_, err = s.DB.Writer().Exec(`UPDATE product_tags SET tag = ? WHERE product_id = 1 AND tag = (SELECT min(tag) FROM product_tags WHERE product_id = 1)`, hostile)
	must(t, err)
	_, err = s.DB.Writer().Exec(`UPDATE reviews SET title = ?, body = ?`, hostile, hostile)
	must(t, err)
	v.to("/", "/register", "name", hostile, "email", "eve@example.org", "password", "a long password")
	v.to("/account", "/account/addresses", "name", hostile, "street", hostile, "city", hostile, "postal_code", "1", "region", hostile, "country", "US")
	v.to("/cart", "/cart/items", "product_id", "1", "qty", "1")
	reviewed := regexp.MustCompile(`/p/(\d+)"[^<]*<`).FindStringSubmatch(v.page("/"))[1]
	query := url.QueryEscape(hostile)
	for _, path := range []string{
		"/?q=" + query, "/?q=a&sort=name&category=kitchen", "/p/1", "/p/1?recommendations=1", "/p/" + reviewed, "/cart", "/checkout",
		"/account", "/nowhere/" + url.PathEscape(hostile), "/login?next=" + query, "/?category=" + query, "/?sort=" + query,
	} {
		clean(t, path, v.get(path).body)
	}
	clean(t, "coupon", v.refused("/cart/coupon", []string{"code", hostile}))
	clean(t, "checkout", v.refused("/checkout", []string{"address_id", "new", "name", hostile, "street", hostile, "card_number", hostile, "country", hostile}))
	guest := s.visitor(t)
	clean(t, "login", guest.refused("/login", []string{"email", hostile, "password", hostile, "next", hostile}))
	clean(t, "register", guest.refused("/register", []string{"email", hostile, "password", "x", "name", hostile}))
	guest.login("admin@shop.example", "admin-password")
	clean(t, "admin", guest.get("/admin/products?q="+query).body)
}

// Bytes that are no UTF-8 must not get into the database, for JSON and the services
// would show other texts than the pages do.
func TestBrokenTextIsMended(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	v := s.visitor(t)
	const broken = "a\xff\xfeb"
	v.to("/", "/register", "name", broken, "email", "eve@example.org", "password", "a long password")
	v.to("/account", "/account/addresses", "name", broken, "street", broken, "city", broken, "postal_code", "1", "country", "US")
	for _, path := range []string{"/account", "/?q=" + url.QueryEscape(broken), "/login?next=/" + url.QueryEscape(broken), "/" + url.PathEscape(broken)} {
		if body := v.get(path).body; !utf8.ValidString(body) {
			t.Errorf("%s is not UTF-8", path)
		}
	}
	var names []string
	must(t, s.DB.Select(&names, `SELECT name FROM users WHERE email = 'eve@example.org' UNION ALL SELECT street FROM addresses WHERE city LIKE 'a%b'`))
	if len(names) != 2 || names[0] != "a\uFFFDb" || names[1] != "a\uFFFDb" {
		t.Errorf("kept: %q", names)
	}
}

// clean fails if a page holds markup that somebody has sent in, or any script or
// style of its own.
func clean(t *testing.T, what, body string) {
	t.Helper()
	if body == "" {
		t.Errorf("%s: no page", what)
	}
	for _, bad := range []string{"<script>", "alert('x')</script", "onclick=\"x\"", "<b onclick", "javascript:", " style=", "<style", " onload="} {
		if strings.Contains(body, bad) {
			t.Errorf("%s: the page holds %q: %s", what, bad, body)
		}
	}
}

func TestEveryPageSendsThePolicy(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	guest, admin := s.visitor(t), s.visitor(t)
	admin.login("admin@shop.example", "admin-password")
	want := "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	for _, c := range []struct {
		v      *visitor
		path   string
		status int
	}{
		{guest, "/", 200},
		{guest, "/p/1", 200},
		{guest, "/cart", 200},
		{guest, "/login", 200},
		{guest, "/register", 200},
		{guest, "/orders", 303},
		{guest, "/account", 303},
		{guest, "/checkout", 303},
		{guest, "/admin", 303},
		{guest, "/nowhere", 404},
		{guest, "/p/99999", 404},
		{guest, "/p/x", 404},
		{guest, "/?category=none", 404},
		{guest, "/?page=x", 422},
		{guest, "/?sort=x", 422},
		{guest, "/?q=" + strings.Repeat("a", 101), 422},
		{guest, "/static/shop.css", 200},
		{guest, "/static/none.css", 404},
		{guest, "/static/vendor/VENDOR.md", 404},
		{admin, "/orders", 200},
		{admin, "/account", 200},
		{admin, "/admin", 200},
		{admin, "/admin/products", 200},
		{admin, "/admin/orders?status=paid", 200},
		{admin, "/admin/orders?status=none", 422},
		{admin, "/orders/1", 404},
		{admin, "/checkout", 303},
		{admin, "/login", 303},
		{admin, "/register", 303},
	} {
		res := c.v.get(c.path)
		if res.status != c.status {
			t.Errorf("GET %s: status %d, want %d: %s", c.path, res.status, c.status, res.body)
		}
		if got := res.header.Get("Content-Security-Policy"); got != want {
			t.Errorf("GET %s: policy %q", c.path, got)
		}
		if !strings.HasPrefix(c.path, "/static/") && res.header.Get("Cache-Control") != "no-store" {
			t.Errorf("GET %s: Cache-Control %q", c.path, res.header.Get("Cache-Control"))
		}
		if c.status >= 400 && !strings.Contains(res.body, "To the shop") {
			t.Errorf("GET %s: not a page of the shop: %s", c.path, res.body)
		}
	}
}

func TestProgramsGetJSON(t *testing.T) {
	t.Parallel()
	v := open(t, nil).visitor(t)
	for _, c := range []struct{ path, accept, kind string }{
		{"/nowhere", "text/html", "text/html; charset=utf-8"},
		{"/nowhere", "*/*", "application/json; charset=utf-8"},
		{"/api/nowhere", "text/html", "application/json; charset=utf-8"},
		{"/internal/nowhere", "text/html", "application/json; charset=utf-8"},
	} {
		res := v.get(c.path, "Accept", c.accept)
		if res.status != http.StatusNotFound || res.header.Get("Content-Type") != c.kind {
			t.Errorf("GET %s for %s: %d %s, want 404 %s", c.path, c.accept, res.status, res.header.Get("Content-Type"), c.kind)
		}
	}
	if res := v.post("/p/1"); res.status != http.StatusMethodNotAllowed || !strings.Contains(res.body, "That does not work here") {
		t.Errorf("POST /p/1: %d %s", res.status, res.body)
	}
}

func TestAdministrationIsForAdministrators(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	guest, customer := s.visitor(t), s.visitor(t)
	customer.login("ada@shop.example", "ada-password")
	for _, path := range []string{"/admin", "/admin/products", "/admin/orders"} {
		if res := guest.get(path); res.status != 303 || res.location != "/login?next="+url.QueryEscape(path) {
			t.Errorf("GET %s of a guest: %d to %q", path, res.status, res.location)
		}
		if res := customer.get(path); res.status != 403 || !strings.Contains(res.body, "This page is not for you") {
			t.Errorf("GET %s of a customer: %d %s", path, res.status, res.body)
		}
	}
	for _, path := range []string{"/admin/products/1/stock", "/admin/orders/1/pack", "/admin/orders/1/ship", "/admin/orders/1/deliver"} {
		if res := guest.post(path, "delta", "5"); res.status != 303 || res.location != "/login?next=%2F" {
			t.Errorf("POST %s of a guest: %d to %q", path, res.status, res.location)
		}
		if res := customer.post(path, "delta", "5"); res.status != 403 {
			t.Errorf("POST %s of a customer: %d", path, res.status)
		}
	}
	if res := customer.get("/"); strings.Contains(res.body, `href="/admin"`) {
		t.Error("a customer sees the way to the administration")
	}
}

func TestListsPagesAndSorts(t *testing.T) {
	t.Parallel()
	v := open(t, nil).visitor(t)
	price := regexp.MustCompile(`class="price">\$([\d,.]+)<`)
	first := price.FindAllStringSubmatch(v.page("/?sort=price"), -1)
	if len(first) != 24 {
		t.Fatalf("%d products on a page, want 24", len(first))
	}
	last := 0.0
	for _, m := range first {
		var dollars float64
		fmt.Sscanf(strings.ReplaceAll(m[1], ",", ""), "%f", &dollars) //nolint:errcheck // 0 fails below
		if dollars < last || dollars == 0 {
			t.Errorf("price %s after %.2f", m[1], last)
		}
		last = dollars
	}
	v.page("/?sort=price&page=2", `href="/?page=3&amp;sort=price"`, `aria-current="page"><span class="visually-hidden">Page </span>2`, `href="/?sort=price"`)
	v.page("/?category=toys&sort=-price", "Toys &amp; Games", `href="/?category=toys" aria-current="page"`)
	v.page("/?q=no+such+thing", "Nothing found")
	v.page("/?page=10000", "Nothing found")
}

// TestRefusedForms sends what nobody should: each form comes back with the reason.
func TestRefusedForms(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	v := s.visitor(t)
	must(t, s.setStock(1, 3))
	must(t, s.setStock(2, 0))
	v.refused("/cart/items", []string{"product_id", "1", "qty", "4"}, `role="alert"`, `value="4"`, "Add to cart")
	v.refused("/cart/items", []string{"product_id", "2"}, `role="alert"`, "Sold out")
	v.refused("/cart/items", []string{"product_id", "1", "qty", "many"}, "must be a whole number")
	v.to("/cart", "/cart/items", "product_id", "1", "qty", "2")
	item := regexp.MustCompile(`action="/cart/items/(\d+)"`).FindStringSubmatch(v.page("/cart"))[1]
	v.refused("/cart/items/"+item, []string{"qty", "9"}, `role="alert"`)
	v.refused("/cart/items/"+item, []string{"qty", "-1"}, `role="alert"`)
	v.refused("/cart/coupon", []string{"code", "NOPE"}, `id="code-error"`, `value="NOPE"`, `aria-invalid="true"`)
	v.to("/cart", "/cart/items/"+item, "qty", "0")
	v.page("/cart", "There is nothing in it yet")
	for path, status := range map[string]int{"/cart/items/999999": 404, "/cart/items/x": 404} {
		if res := v.post(path, "qty", "1"); res.status != status {
			t.Errorf("POST %s: %d", path, res.status)
		}
	}
	if res := v.post("/cart/items", "product_id", "99999"); res.status != 404 {
		t.Errorf("add an unknown product: %d", res.status)
	}
	v.refused("/register", []string{"email", "x", "password", "short", "name", ""}, `id="email-error"`, `id="password-error"`, `id="name-error"`)
	v.refused("/register", []string{"email", "ada@shop.example", "password", "long enough", "name", "Ada"}, "already an account")
	body := v.refused("/login", []string{"email", "ada@shop.example", "password", "wrong-password"}, "The e-mail or the password is wrong", `value="ada@shop.example"`)
	if strings.Contains(body, "wrong-password") {
		t.Error("the page shows the password again")
	}
	v.login("ada@shop.example", "ada-password")
	v.refused("/account/addresses", []string{"name", "Ada", "country", "XYZ"}, `id="street-error"`, `id="country-error"`, `value="Ada"`)
	if res := v.post("/account/addresses/999999/delete"); res.status != 404 {
		t.Errorf("delete an unknown address: %d", res.status)
	}
	fresh := s.visitor(t)
	fresh.to("/", "/register", "name", "Bo", "email", "bo@example.org", "password", "a long password")
	for _, res := range []result{fresh.get("/checkout"), fresh.post("/checkout", "card_number", goodCard)} {
		if res.status != 303 || res.location != "/cart" {
			t.Errorf("check out nothing: %d to %q", res.status, res.location)
		}
	}
	fresh.page("/cart", "Your cart is empty")
	v.refused("/p/3/reviews", []string{"rating", "9"}, `role="alert"`)
}

func (s *site) setStock(product, qty int) error {
	_, err := s.DB.Writer().Exec(`
		UPDATE stock_items SET on_hand = reserved + ? WHERE product_id = ?;
		UPDATE products SET stock_qty = ? WHERE id = ?`, qty, product, qty, product)
	return err
}

func TestCheckoutRefusals(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	v := s.visitor(t)
	v.to("/", "/register", "name", "Bo", "email", "bo@example.org", "password", "a long password")
	must(t, s.setStock(1, 5))
	v.to("/cart", "/cart/items", "product_id", "1", "qty", "2")
	to := []string{"address_id", "new", "name", "Bo", "street", "1 Road", "postal_code", "1", "city", "X", "country", "US", "shipping_method", "standard"}
	body := v.refused("/checkout", append(to, "card_number", "4242"), `id="card.number-error"`, `value="1 Road"`)
	if strings.Contains(body, `value="4242"`) {
		t.Error("the page shows the card number again")
	}
	if strings.Contains(v.page("/account"), "1 Road") {
		t.Error("a refused checkout has kept the address")
	}
	v.refused("/checkout", []string{"address_id", "999999", "card_number", goodCard}, "must be one of your addresses")
	v.refused("/checkout", append(to, "card_number", goodCard, "idempotency_key", strings.Repeat("k", 101)), "please begin again")
	v.refused("/checkout", append(to, "card_number", goodCard, "shipping_method", "x", "shipping_method", "y", "total_cents", "1"), "The total is now")
	must(t, s.setStock(1, 1))
	v.refused("/checkout", append(to, "card_number", goodCard), `role="alert"`)
	v.page("/cart", "Only 1 left")
	must(t, s.setStock(1, 5))

	late := v.post("/checkout", append(to, "card_number", lateCard)...)
	if late.status != 303 {
		t.Fatalf("checkout: %d %s", late.status, late.body)
	}
	v.page(late.location, "The bank has not answered")
	other := s.visitor(t)
	other.login("ada@shop.example", "ada-password")
	for _, path := range []string{late.location, late.location + "/nothing"} {
		if res := other.get(path); res.status != 404 {
			t.Errorf("GET %s of somebody else: %d", path, res.status)
		}
	}
	for _, path := range []string{"/pay", "/cancel", "/return"} {
		if res := other.post(late.location+path, "card_number", goodCard); res.status != 404 {
			t.Errorf("POST %s of somebody else: %d", path, res.status)
		}
	}
	v.refused(late.location+"/return", nil, "The order is")
	if n := strings.Count(v.page("/account"), "1 Road"); n != 1 {
		t.Errorf("%d copies of the address, want 1", n)
	}
}

func TestManyFailedLogins(t *testing.T) {
	t.Parallel()
	v := open(t, nil).visitor(t)
	for range 5 {
		v.refused("/login", []string{"email", "ada@shop.example", "password", "wrong-password"})
	}
	res := v.post("/login", "email", "ada@shop.example", "password", "ada-password")
	if res.status != http.StatusTooManyRequests || res.header.Get("Retry-After") == "" || !strings.Contains(res.body, "Too many failed sign-ins") {
		t.Errorf("the sixth try: %d, Retry-After %q: %s", res.status, res.header.Get("Retry-After"), res.body)
	}
}

// TestNextStaysInTheShop tries to make the login page send people elsewhere.
func TestNextStaysInTheShop(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	for next, want := range map[string]string{
		"/orders?page=2":          "/orders?page=2",
		"":                        "/",
		"https://evil.example/":   "/",
		"//evil.example/":         "/",
		"/\\evil.example/":        "/",
		"\\/evil.example":         "/",
		"/\t/evil.example":        "/",
		"/\n/evil.example":        "/",
		"javascript:alert(1)":     "/",
		"evil.example":            "/",
		"///evil.example":         "/",
		"/%2f/evil.example/%zz":   "/",
		"http:/evil.example":      "/",
		" //evil.example":         "/",
		"/\\\\evil.example/a?b=c": "/",
	} {
		v := s.visitor(t)
		v.to(want, "/login", "email", "ada@shop.example", "password", "ada-password", "next", next)
		res := v.get("/login?next=" + url.QueryEscape(next)) // signed in already
		if to := strings.TrimSuffix(res.location, "account"); res.status != 303 || to != want {
			t.Errorf("GET /login?next=%q: %d to %q", next, res.status, res.location)
		}
		if body := s.visitor(t).page("/login?next=" + url.QueryEscape(next)); strings.Contains(body, "evil") {
			t.Errorf("the login page for next=%q names it: %s", next, body)
		}
	}
}

// TestMessagesComeFromTheList shows that nobody can put words on a page by a cookie.
func TestMessagesComeFromTheList(t *testing.T) {
	t.Parallel()
	v := open(t, nil).visitor(t)
	if body := v.get("/", "Cookie", "flash=Send+money+to+me").body; strings.Contains(body, "Send") {
		t.Error("a made-up message is shown")
	}
	res := v.get("/", "Cookie", "flash=added")
	if !strings.Contains(res.body, "Added to your cart.") || !strings.Contains(res.header.Get("Set-Cookie"), "flash=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax") {
		t.Errorf("message %q", res.header.Get("Set-Cookie"))
	}
}

func TestForeignFormsAreRefused(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	v := s.visitor(t)
	v.login("ada@shop.example", "ada-password")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/logout", nil)
	must(t, err)
	req.Header.Set("Origin", "https://evil.example")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	if res := v.send(req); res.status != http.StatusForbidden {
		t.Errorf("a form of another site: %d", res.status)
	}
	v.page("/account", "ada@shop.example")
	large := v.post("/login", "email", strings.Repeat("a", 2<<20))
	if large.status != http.StatusRequestEntityTooLarge || !strings.Contains(large.body, "That was too much at once") {
		t.Errorf("a form of 2 MiB: %d %s", large.status, large.body)
	}
}

// TestBrokenDatabase shows the error page in the shop's look, without the cause.
func TestBrokenDatabase(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	_, err := s.DB.Writer().Exec(`ALTER TABLE products RENAME COLUMN price_cents TO gone`)
	must(t, err)
	res := s.visitor(t).get("/")
	if res.status != 500 || !strings.Contains(res.body, "Something went wrong on our side") || strings.Contains(res.body, "gone") || strings.Contains(res.body, "price_cents") {
		t.Errorf("GET /: %d %s", res.status, res.body)
	}
}
