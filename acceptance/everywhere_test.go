package acceptance_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// refusal is one request that must be refused.
type refusal struct {
	name   string
	method string
	path   string
	body   any
	status int
	code   string
	fields []string
}

// refuse sends each request as c and checks the error that comes back.
func refuse(t *testing.T, c *client, list []refusal, headers ...header) {
	t.Helper()
	for _, r := range list {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			c.do(t, r.method, r.path, r.body, headers...).fails(r.status, r.code, r.fields...)
		})
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	// Behind a proxy this is still the answer of the shop, not the proxy's own.
	if o := guest().get(t, "/healthz").want(http.StatusOK).object(); o["status"] != "ok" {
		t.Errorf("status %v, want ok", o["status"])
	}
}

func TestUnknownThings(t *testing.T) {
	t.Parallel()
	refuse(t, guest(), []refusal{
		{"path", "GET", "/api/nothing-here", nil, 404, "not_found", nil},
		{"path below a resource", "GET", "/api/products/1/nothing", nil, 404, "not_found", nil},
		{"product", "GET", "/api/products/999999999", nil, 404, "not_found", nil},
		{"product id that is no number", "GET", "/api/products/abc", nil, 404, "not_found", nil},
		{"product id that is negative", "GET", "/api/products/-1", nil, 404, "not_found", nil},
		{"product id beyond 64 bits", "GET", "/api/products/99999999999999999999", nil, 404, "not_found", nil},
		{"stock", "GET", "/api/products/999999999/stock", nil, 404, "not_found", nil},
		{"reviews", "GET", "/api/products/999999999/reviews", nil, 404, "not_found", nil},
		{"recommendations", "GET", "/api/products/999999999/recommendations", nil, 404, "not_found", nil},
		{"cart", "GET", "/api/carts/00000000-0000-4000-8000-000000000000", nil, 404, "not_found", nil},
		{"password reset", "POST", "/api/password-resets/unknown-token", object{"password": password}, 404, "not_found", nil},
	})
}

func TestUnknownMethods(t *testing.T) {
	t.Parallel()
	refuse(t, guest(), []refusal{
		{"DELETE categories", "DELETE", "/api/categories", nil, 405, "method_not_allowed", nil},
		{"PUT products", "PUT", "/api/products", object{}, 405, "method_not_allowed", nil},
		{"GET register", "GET", "/api/register", nil, 405, "method_not_allowed", nil},
		{"GET checkout", "GET", "/api/checkout", nil, 405, "method_not_allowed", nil},
		{"PUT login", "PUT", "/api/login", object{}, 405, "method_not_allowed", nil},
		{"POST product", "POST", "/api/products/1", object{}, 405, "method_not_allowed", nil},
	})
}

func TestBadBodies(t *testing.T) {
	t.Parallel()
	login := "/api/login"
	refuse(t, guest(), []refusal{
		{"nothing", "POST", login, "", 400, "malformed_json", nil},
		{"not JSON", "POST", login, "hello", 400, "malformed_json", nil},
		{"cut short", "POST", login, `{"email": "a@b.example"`, 400, "malformed_json", nil},
		{"data after the object", "POST", login, `{"email":"a@b.example","password":"x"} {}`, 400, "malformed_json", nil},
		{"an array", "POST", login, `[]`, 422, "invalid", nil},
		{"unknown field", "POST", login, object{"email": "a@b.example", "password": "x", "admin": true}, 422, "invalid", []string{"admin"}},
		{"wrong type", "POST", login, object{"email": 1, "password": "x"}, 422, "invalid", []string{"email"}},
		{"too large", "POST", login, `{"email": "` + strings.Repeat("a", 1<<20) + `"}`, 413, "body_too_large", nil},
	})
	t.Run("not JSON by its type", func(t *testing.T) {
		t.Parallel()
		guest().post(t, login, `{"email":"a@b.example","password":"x"}`, header{"Content-Type": "text/plain"}).fails(415, "unsupported_media_type")
		guest().post(t, login, `{"email":"a@b.example","password":"x"}`, header{"Content-Type": ""}).fails(415, "unsupported_media_type")
		guest().post(t, login, url.Values{"email": {"a@b.example"}}).fails(415, "unsupported_media_type")
	})
	t.Run("too large, without saying so beforehand", func(t *testing.T) {
		t.Parallel()
		guest().post(t, login, endless{strings.NewReader(`{"email": "` + strings.Repeat("a", 1<<20) + `"}`)},
			header{"Content-Type": "application/json"}).fails(413, "body_too_large")
	})
	t.Run("JSON with a charset is accepted", func(t *testing.T) {
		t.Parallel()
		body := fmt.Sprintf(`{"email": %q, "password": "wrong password"}`, unique("nobody-")+"@example.com")
		guest().post(t, login, body, header{"Content-Type": "application/json; charset=utf-8"}).fails(401, "unauthenticated")
	})
	t.Run("a mistake is located by line and column", func(t *testing.T) {
		t.Parallel()
		a := guest().post(t, login, "{\n  \"email\": nope\n}")
		a.fails(400, "malformed_json")
		message := a.object().at(t, "error").text(t, "message")
		if !strings.Contains(message, "line 2") || !strings.Contains(message, "column") {
			t.Errorf("the message does not say line 2 and a column: %q", message)
		}
	})
}

// endless is a body whose length is not known, so that it is sent in chunks.
type endless struct{ io.Reader }

func TestRequestID(t *testing.T) {
	t.Parallel()
	ask := func(t *testing.T, id string) string {
		return guest().get(t, "/api/categories", header{"X-Request-Id": id}).want(200).header.Get("X-Request-Id")
	}
	t.Run("the client's own comes back", func(t *testing.T) {
		t.Parallel()
		for _, id := range []string{"a", "acceptance-1_2.3", strings.Repeat("x", 64)} {
			if got := ask(t, id); got != id {
				t.Errorf("X-Request-Id %q, want the client's %q", got, id)
			}
		}
	})
	t.Run("one that is not clean is replaced", func(t *testing.T) {
		t.Parallel()
		for _, id := range []string{strings.Repeat("x", 65), "two words", "<script>", "a;b", "é"} {
			if got := ask(t, id); got == id || got == "" {
				t.Errorf("X-Request-Id %q for %q, want another", got, id)
			}
		}
	})
	t.Run("it is in the error", func(t *testing.T) {
		t.Parallel()
		guest().get(t, "/api/products/999999999", header{"X-Request-Id": "find-me"}).fails(404, "not_found")
	})
	t.Run("two requests get two", func(t *testing.T) {
		t.Parallel()
		c := guest()
		one := c.get(t, "/api/categories").header.Get("X-Request-Id")
		if two := c.get(t, "/api/categories").header.Get("X-Request-Id"); one == two {
			t.Errorf("both requests got %q", one)
		}
	})
}

func TestCrossOriginWrites(t *testing.T) {
	t.Parallel()
	buyer := signUp(t)
	evil := header{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
	t.Run("JSON is refused", func(t *testing.T) {
		t.Parallel()
		buyer.post(t, "/api/carts", nil, evil).fails(403, "forbidden")
		buyer.post(t, "/api/logout", nil, evil).fails(403, "forbidden")
	})
	t.Run("by origin alone", func(t *testing.T) {
		t.Parallel()
		buyer.post(t, "/api/carts", nil, header{"Origin": "https://evil.example"}).fails(403, "forbidden")
	})
	t.Run("a form is refused", func(t *testing.T) {
		t.Parallel()
		buyer.post(t, "/account/addresses", url.Values{"name": {"x"}}, evil).want(403)
	})
	t.Run("another site on the same domain is refused", func(t *testing.T) {
		t.Parallel()
		buyer.post(t, "/api/carts", nil, header{"Origin": "https://evil.example", "Sec-Fetch-Site": "same-site"}).fails(403, "forbidden")
	})
	t.Run("reading is allowed", func(t *testing.T) {
		t.Parallel()
		buyer.get(t, "/api/categories", evil).want(200)
	})
	t.Run("the same origin is allowed", func(t *testing.T) {
		t.Parallel()
		buyer.post(t, "/api/carts", nil, header{"Origin": baseURL, "Sec-Fetch-Site": "same-origin"}).want(201)
		if buyer.get(t, "/api/me").status != 200 {
			t.Error("the refused log-out ended the session")
		}
	})
}

func TestPersonalAnswersAreNotStored(t *testing.T) {
	t.Parallel()
	buyer := signUp(t)
	cart := buyer.newCart(t)
	for _, path := range []string{"/api/me", "/api/me/addresses", "/api/orders", "/api/notifications", "/api/carts/" + cart} {
		t.Run(strings.TrimSuffix(path, cart), func(t *testing.T) {
			t.Parallel()
			if got := buyer.get(t, path).want(200).header.Get("Cache-Control"); !strings.Contains(got, "no-store") {
				t.Errorf("Cache-Control %q, want no-store", got)
			}
		})
	}
}

// TestSessionIsNeeded asks everything that is somebody's own without a session.
func TestSessionIsNeeded(t *testing.T) {
	t.Parallel()
	calls := []struct {
		method, path string
		body         any
	}{
		{"GET", "/api/me", nil},
		{"PATCH", "/api/me", object{"name": "x"}},
		{"DELETE", "/api/me", object{"current_password": "x"}},
		{"GET", "/api/me/addresses", nil},
		{"POST", "/api/me/addresses", object{"name": "x"}},
		{"DELETE", "/api/me/addresses/1", nil},
		{"POST", "/api/products/1/reviews", object{"rating": 5, "title": "x"}},
		{"POST", "/api/checkout", checkoutBody("c", 1, goodCard)},
		{"GET", "/api/orders", nil},
		{"GET", "/api/orders/1", nil},
		{"GET", "/api/orders/1/events", nil},
		{"POST", "/api/orders/1/cancel", nil},
		{"POST", "/api/orders/1/returns", object{}},
		{"GET", "/api/payments/1", nil},
		{"POST", "/api/payments/1/confirm", object{"card": object{"number": goodCard}}},
		{"POST", "/api/payments/1/refunds", object{"amount_cents": 1}},
		{"GET", "/api/notifications", nil},
	}
	for _, c := range append(adminCalls, calls...) {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			t.Parallel()
			guest().do(t, c.method, c.path, c.body, key("k")).fails(401, "unauthenticated")
		})
	}
	t.Run("a made-up cookie is no session", func(t *testing.T) {
		t.Parallel()
		guest().get(t, "/api/me", header{"Cookie": "session=" + strings.Repeat("A", 43)}).fails(401, "unauthenticated")
	})
}

// adminCalls are the calls that only an administrator may make.
var adminCalls = []struct {
	method, path string
	body         any
}{
	{"GET", "/api/admin/products", nil},
	{"POST", "/api/admin/products", object{"sku": "x"}},
	{"PATCH", "/api/admin/products/1", object{"name": "x"}},
	{"DELETE", "/api/admin/products/999999999", nil},
	{"POST", "/api/admin/products/1/stock", object{"delta": 1}},
	{"GET", "/api/admin/products/1/movements", nil},
	{"GET", "/api/admin/orders", nil},
	{"POST", "/api/admin/orders/1/pack", nil},
	{"POST", "/api/admin/orders/1/ship", object{"carrier": "x", "tracking": "y"}},
	{"POST", "/api/admin/orders/1/deliver", nil},
	{"GET", "/api/admin/coupons", nil},
	{"POST", "/api/admin/coupons", object{"code": "X"}},
	{"PATCH", "/api/admin/coupons/1", object{"active": false}},
	{"DELETE", "/api/admin/coupons/999999999", nil},
	{"GET", "/api/admin/dashboard", nil},
	{"GET", "/api/admin/audit", nil},
}

func TestCustomersAreNoAdministrators(t *testing.T) {
	t.Parallel()
	buyer := signUp(t)
	for _, c := range adminCalls {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			t.Parallel()
			buyer.do(t, c.method, c.path, c.body).fails(403, "forbidden")
		})
	}
	t.Run("POST refunds", func(t *testing.T) {
		t.Parallel()
		buyer.post(t, "/api/payments/1/refunds", object{"amount_cents": 1}, key("k")).fails(403, "forbidden")
	})
}
