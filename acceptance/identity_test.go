package acceptance_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

var userFields = []string{"id", "email", "name", "role", "lifetime_value_cents", "created_at"}

func TestRegister(t *testing.T) {
	t.Parallel()
	t.Run("signs in", func(t *testing.T) {
		t.Parallel()
		c, email := guest(), unique("new-")+"@example.com"
		a := c.post(t, "/api/register", object{"email": email, "password": password, "name": "Zoë <b>"}).want(201)
		if a.header.Get("Location") == "" {
			t.Error("no Location")
		}
		o := a.object()
		o.has(t, "user", userFields...)
		o.isTime(t, "created_at")
		if o["email"] != email || o["name"] != "Zoë <b>" || o["role"] != "customer" || o.int(t, "lifetime_value_cents") != 0 {
			t.Errorf("user is %v", o)
		}
		if me := c.get(t, "/api/me").want(200).object(); me["email"] != email {
			t.Errorf("signed in as %v, want %s", me["email"], email)
		}
	})
	t.Run("the cookie is for the server only", func(t *testing.T) {
		t.Parallel()
		a := guest().post(t, "/api/register", object{"email": unique("new-") + "@example.com", "password": password, "name": "N"}).want(201)
		if len(a.cookies) != 1 || a.cookies[0].Name != "session" {
			t.Fatalf("cookies %v, want session alone", a.cookies)
		}
		s := a.cookies[0]
		if !s.HttpOnly || s.SameSite != http.SameSiteLaxMode || s.Path != "/" || len(s.Value) < 32 {
			t.Errorf("cookie %s: want HttpOnly, SameSite=Lax, Path=/ and a long value", s)
		}
		if life := max(time.Duration(s.MaxAge)*time.Second, time.Until(s.Expires)); life < 29*24*time.Hour || life > 31*24*time.Hour {
			t.Errorf("the cookie lives for %s, want 30 days", life)
		}
	})
	t.Run("an e-mail once, whatever its case", func(t *testing.T) {
		t.Parallel()
		buyer := signUp(t)
		for _, email := range []string{buyer.email, strings.ToUpper(buyer.email)} {
			guest().post(t, "/api/register", object{"email": email, "password": password, "name": "N"}).fails(409, "email_taken")
		}
	})
	t.Run("the same e-mail at once makes one account", func(t *testing.T) {
		t.Parallel()
		body := object{"email": unique("race-") + "@example.com", "password": password, "name": "N"}
		got := atOnce(t, 6, func(int) (*answer, error) {
			return guest().send(t.Context(), t.Name(), "POST", "/api/register", body)
		})
		if got[201] != 1 || got[409] != 5 {
			t.Errorf("statuses %v, want one 201 and five 409", got)
		}
	})
}

func TestRegisterRefused(t *testing.T) {
	t.Parallel()
	email := unique("never-") + "@example.com"
	with := func(field string, value any) object {
		o := object{"email": email, "password": password, "name": "N"}
		if o[field] = value; value == nil {
			delete(o, field)
		}
		return o
	}
	refuse(t, guest(), []refusal{
		{"no e-mail", "POST", "/api/register", with("email", nil), 422, "invalid", []string{"email"}},
		{"e-mail without @", "POST", "/api/register", with("email", "nobody.example"), 422, "invalid", []string{"email"}},
		{"e-mail above 254 bytes", "POST", "/api/register", with("email", strings.Repeat("a", 250)+"@b.example"), 422, "invalid", []string{"email"}},
		{"password of 7", "POST", "/api/register", with("password", "1234567"), 422, "invalid", []string{"password"}},
		{"password of 129", "POST", "/api/register", with("password", strings.Repeat("p", 129)), 422, "invalid", []string{"password"}},
		{"no name", "POST", "/api/register", with("name", ""), 422, "invalid", []string{"name"}},
		{"name of 101", "POST", "/api/register", with("name", strings.Repeat("n", 101)), 422, "invalid", []string{"name"}},
		{"everything wrong at once", "POST", "/api/register", object{}, 422, "invalid", []string{"email", "password", "name"}},
	})
	t.Run("longest values are accepted", func(t *testing.T) {
		t.Parallel()
		body := object{"email": unique("long-") + "@example.com", "password": strings.Repeat("é", 128), "name": strings.Repeat("ñ", 100)}
		c := guest()
		c.post(t, "/api/register", body).want(201)
		guest().post(t, "/api/login", object{"email": body["email"], "password": body["password"]}).want(200)
	})
}

func TestLogin(t *testing.T) {
	t.Parallel()
	buyer := signUp(t)
	t.Run("signs in", func(t *testing.T) {
		t.Parallel()
		c := guest()
		o := c.post(t, "/api/login", object{"email": strings.ToUpper(buyer.email), "password": password}).want(200).object()
		o.has(t, "user", userFields...)
		if o.int(t, "id") != buyer.id {
			t.Errorf("signed in as %v, want %d", o["id"], buyer.id)
		}
		c.get(t, "/api/me").want(200)
	})
	t.Run("a wrong password and an unknown e-mail read alike", func(t *testing.T) {
		t.Parallel()
		a := guest().post(t, "/api/login", object{"email": buyer.email, "password": "wrong password"})
		b := guest().post(t, "/api/login", object{"email": unique("nobody-") + "@example.com", "password": "wrong password"})
		a.fails(401, "unauthenticated")
		b.fails(401, "unauthenticated")
		if x, y := a.object().at(t, "error")["message"], b.object().at(t, "error")["message"]; x != y {
			t.Errorf("the messages tell who has an account: %q and %q", x, y)
		}
		if len(a.cookies) > 0 {
			t.Errorf("a refused login sets %v", a.cookies)
		}
	})
	t.Run("five failures lock the e-mail for a while", func(t *testing.T) {
		t.Parallel()
		for _, who := range []string{signUp(t).email, unique("nobody-") + "@example.com"} {
			for range 5 {
				guest().post(t, "/api/login", object{"email": who, "password": "wrong password"}).fails(401, "unauthenticated")
			}
			a := guest().post(t, "/api/login", object{"email": who, "password": "wrong password"})
			a.fails(429, "too_many_requests")
			if !regexp.MustCompile(`^[1-9]\d?$`).MatchString(a.header.Get("Retry-After")) {
				t.Errorf("Retry-After %q, want seconds up to a minute", a.header.Get("Retry-After"))
			}
		}
	})
	t.Run("missing fields", func(t *testing.T) {
		t.Parallel()
		if a := guest().post(t, "/api/login", object{}); a.status != 401 {
			a.fails(422, "invalid")
		}
	})
	t.Run("merges the guest's cart", func(t *testing.T) {
		t.Parallel()
		buyer, p, other := signUp(t), newProduct(t, object{"stock_qty": 200}), newProduct(t)
		mine := buyer.newCart(t, line{p, 60})
		c := guest()
		theirs := c.newCart(t, line{p, 50}, line{other, 2})
		c.post(t, "/api/login", object{"email": buyer.email, "password": password, "cart_id": theirs}).want(200)
		cart := c.get(t, "/api/carts/"+mine).want(200).object()
		if got, want := quantities(t, cart), map[int64]int64{p.id: 99, other.id: 2}; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("the merged cart holds %v, want %v (at most 99 of one)", got, want)
		}
		c.get(t, "/api/carts/"+theirs).fails(404, "not_found")
		guest().get(t, "/api/carts/"+theirs).fails(404, "not_found")
	})
	t.Run("the guest's cart becomes the user's first", func(t *testing.T) {
		t.Parallel()
		buyer, p := signUp(t), newProduct(t)
		c := guest()
		theirs := c.newCart(t, line{p, 3})
		c.post(t, "/api/login", object{"email": buyer.email, "password": password, "cart_id": theirs}).want(200)
		cart := c.post(t, "/api/carts", nil).object()
		if got := quantities(t, cart); got[p.id] != 3 {
			t.Errorf("the user's cart holds %v, want 3 of product %d", got, p.id)
		}
	})
}

func TestLogout(t *testing.T) {
	t.Parallel()
	c, buyer := guest(), signUp(t)
	a := c.post(t, "/api/login", object{"email": buyer.email, "password": password}).want(200)
	session := header{"Cookie": "session=" + a.cookies[0].Value}
	guest().get(t, "/api/me", session).want(200)
	c.post(t, "/api/logout", nil).want(204)
	guest().get(t, "/api/me", session).fails(401, "unauthenticated") // not merely forgotten by the browser
	buyer.get(t, "/api/me").want(200)                                // the other session lives on
}

func TestChangeAccount(t *testing.T) {
	t.Parallel()
	t.Run("name", func(t *testing.T) {
		t.Parallel()
		buyer := signUp(t)
		if o := buyer.patch(t, "/api/me", object{"name": "Renamed"}).want(200).object(); o["name"] != "Renamed" || o["email"] != buyer.email {
			t.Errorf("user is %v", o)
		}
		if me := buyer.get(t, "/api/me").object(); me["name"] != "Renamed" {
			t.Errorf("name is %v", me["name"])
		}
	})
	t.Run("e-mail", func(t *testing.T) {
		t.Parallel()
		buyer, email := signUp(t), unique("moved-")+"@example.com"
		buyer.patch(t, "/api/me", object{"email": email, "current_password": password}).want(200)
		guest().post(t, "/api/login", object{"email": email, "password": password}).want(200)
		guest().post(t, "/api/login", object{"email": buyer.email, "password": password}).fails(401, "unauthenticated")
	})
	t.Run("password", func(t *testing.T) {
		t.Parallel()
		buyer := signUp(t)
		buyer.patch(t, "/api/me", object{"password": "another password", "current_password": password}).want(200)
		guest().post(t, "/api/login", object{"email": buyer.email, "password": "another password"}).want(200)
		guest().post(t, "/api/login", object{"email": buyer.email, "password": password}).fails(401, "unauthenticated")
	})
	buyer, other := signUp(t), signUp(t)
	refuse(t, buyer.client, []refusal{
		{"e-mail without the password", "PATCH", "/api/me", object{"email": "x@example.com"}, 422, "invalid", []string{"current_password"}},
		{"password without the old one", "PATCH", "/api/me", object{"password": "another password"}, 422, "invalid", []string{"current_password"}},
		{"wrong password", "PATCH", "/api/me", object{"password": "another password", "current_password": "wrong password"}, 401, "unauthenticated", nil},
		{"another's e-mail", "PATCH", "/api/me", object{"email": other.email, "current_password": password}, 409, "email_taken", nil},
		{"e-mail without @", "PATCH", "/api/me", object{"email": "nobody", "current_password": password}, 422, "invalid", []string{"email"}},
		{"password too short", "PATCH", "/api/me", object{"password": "short", "current_password": password}, 422, "invalid", []string{"password"}},
		{"empty name", "PATCH", "/api/me", object{"name": ""}, 422, "invalid", []string{"name"}},
		{"role", "PATCH", "/api/me", object{"role": "admin"}, 422, "invalid", []string{"role"}},
	})
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	buyer := signUp(t)
	if list := buyer.get(t, "/api/me/addresses").items(); len(list) != 0 {
		t.Errorf("a new customer has addresses: %v", list)
	}
	good := object{"name": "A B", "street": "1 Main St", "city": "Berlin", "postal_code": "10115", "region": "", "country": "DE"}
	t.Run("add, list and delete", func(t *testing.T) {
		t.Parallel()
		buyer := signUp(t)
		a := buyer.post(t, "/api/me/addresses", good)
		location := a.created("/api/me/addresses/")
		o := a.object()
		o.has(t, "address", "id", "name", "street", "city", "postal_code", "region", "country")
		for k, v := range good {
			if o[k] != v {
				t.Errorf("%s is %v, want %v", k, o[k], v)
			}
		}
		second := buyer.newAddress(t)
		list := buyer.get(t, "/api/me/addresses").items()
		if len(list) != 2 {
			t.Fatalf("%d addresses, want 2", len(list))
		}
		buyer.delete(t, location, nil).want(204)
		buyer.delete(t, location, nil).fails(404, "not_found")
		if left := buyer.get(t, "/api/me/addresses").items(); len(left) != 1 || left[0].int(t, "id") != second {
			t.Errorf("left are %v, want address %d alone", left, second)
		}
	})
	t.Run("another's cannot be deleted", func(t *testing.T) {
		t.Parallel()
		owner := signUp(t)
		path := fmt.Sprintf("/api/me/addresses/%d", owner.newAddress(t))
		buyer.delete(t, path, nil).fails(404, "not_found")
		if list := owner.get(t, "/api/me/addresses").items(); len(list) != 1 {
			t.Errorf("the owner has %d addresses left, want 1", len(list))
		}
	})
	t.Run("an order keeps where it was shipped to", func(t *testing.T) {
		t.Parallel()
		buyer := signUp(t)
		o := buyer.buy(t, goodCard, line{newProduct(t), 1})
		path := fmt.Sprintf("/api/me/addresses/%d", buyer.get(t, "/api/me/addresses").items()[0].int(t, "id"))
		buyer.delete(t, path, nil).want(204)
		if list := buyer.get(t, "/api/me/addresses").items(); len(list) != 0 {
			t.Errorf("left are %v", list)
		}
		if got, want := buyer.order(t, o)["shipping_address"], o.body["shipping_address"]; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("shipped to %v, was %v", got, want)
		}
	})
	t.Run("at most 20", func(t *testing.T) {
		t.Parallel()
		buyer := signUp(t)
		for range 20 {
			buyer.newAddress(t)
		}
		buyer.post(t, "/api/me/addresses", good).fails(409, "")
	})
}

func TestAddressesRefused(t *testing.T) {
	t.Parallel()
	buyer := signUp(t)
	good := object{"name": "A B", "street": "1 Main St", "city": "Berlin", "postal_code": "10115", "region": "", "country": "DE"}
	with := func(field string, value any) object {
		o := object{}
		for k, v := range good {
			o[k] = v
		}
		o[field] = value
		return o
	}
	path := "/api/me/addresses"
	refuse(t, buyer.client, []refusal{
		{"no name", "POST", path, with("name", ""), 422, "invalid", []string{"name"}},
		{"no street", "POST", path, with("street", ""), 422, "invalid", []string{"street"}},
		{"no city", "POST", path, with("city", ""), 422, "invalid", []string{"city"}},
		{"no postal code", "POST", path, with("postal_code", ""), 422, "invalid", []string{"postal_code"}},
		{"street of 201", "POST", path, with("street", strings.Repeat("s", 201)), 422, "invalid", []string{"street"}},
		{"country in full", "POST", path, with("country", "Germany"), 422, "invalid", []string{"country"}},
		{"country in small letters", "POST", path, with("country", "de"), 422, "invalid", []string{"country"}},
		{"city that is a number", "POST", path, with("city", 7), 422, "invalid", []string{"city"}},
	})
}

func TestPasswordReset(t *testing.T) {
	t.Parallel()
	buyer := signUp(t)
	known := guest().post(t, "/api/password-resets", object{"email": buyer.email}).want(202)
	unknown := guest().post(t, "/api/password-resets", object{"email": unique("nobody-") + "@example.com"}).want(202)
	if string(known.body) != string(unknown.body) {
		t.Errorf("the answers tell who has an account: %q and %q", known.body, unknown.body)
	}
	path := "/api/password-resets/" + resetToken(t, buyer)

	guest().post(t, path, object{"password": "short"}).fails(422, "invalid", "password")
	guest().post(t, path, object{"password": "brand new password"}).want(204)
	buyer.get(t, "/api/me").fails(401, "unauthenticated") // all sessions have ended
	guest().post(t, "/api/login", object{"email": buyer.email, "password": password}).fails(401, "unauthenticated")
	guest().post(t, "/api/login", object{"email": buyer.email, "password": "brand new password"}).want(200)
	guest().post(t, path, object{"password": "once more, please"}).fails(404, "not_found")
}

// resetToken reads the token from the notification that carries it.
func resetToken(t *testing.T, buyer *customer) string {
	t.Helper()
	n, ok := find(buyer.get(t, "/api/notifications").items(), func(o object) bool { return o["kind"] == "password_reset" })
	if !ok {
		t.Fatal("no notification password_reset")
	}
	token := ""
	for _, word := range regexp.MustCompile(`[A-Za-z0-9_-]{20,}`).FindAllString(n.text(t, "body"), -1) {
		if len(word) > len(token) {
			token = word
		}
	}
	if token == "" {
		t.Fatalf("no token in %q", n["body"])
	}
	return token
}

func TestDeleteAccount(t *testing.T) {
	t.Parallel()
	buyer, p := signUp(t), newProduct(t)
	o := buyer.buy(t, goodCard, line{p, 1})
	buyer.post(t, p.path("/reviews"), object{"rating": 4, "title": "Soon gone"}).want(201)
	buyer.newCart(t, line{p, 1}) // an open cart must not be in the way

	buyer.delete(t, "/api/me", object{"current_password": "wrong password"}).fails(401, "unauthenticated")
	buyer.get(t, "/api/me").want(200)
	buyer.delete(t, "/api/me", object{"current_password": password}).want(204)

	t.Run("the session has ended", func(t *testing.T) {
		buyer.get(t, "/api/me").fails(401, "unauthenticated")
	})
	t.Run("nobody can sign in", func(t *testing.T) {
		guest().post(t, "/api/login", object{"email": buyer.email, "password": password}).fails(401, "unauthenticated")
	})
	t.Run("its review and rating are gone", func(t *testing.T) {
		list := guest().get(t, p.path("/reviews")).want(200).object()
		if list.int(t, "total") != 0 || list.int(t, "rating_count") != 0 {
			t.Errorf("the product still has reviews: %v", list)
		}
		if got := guest().get(t, p.path("")).want(200).object().int(t, "rating_count"); got != 0 {
			t.Errorf("the product still counts %d ratings", got)
		}
	})
	t.Run("its order stays without personal data", func(t *testing.T) {
		page := admin(t).get(t, "/api/admin/orders?status=paid&per_page=100").want(200)
		if strings.Contains(string(page.body), buyer.email) {
			t.Error("the administrator's list of orders still shows the e-mail")
		}
		got, ok := findOrder(t, "paid", o.id)
		if !ok {
			t.Fatalf("order %d is gone", o.id)
		}
		if got["total_cents"] != o.body["total_cents"] {
			t.Errorf("its total is %v, want %v", got["total_cents"], o.body["total_cents"])
		}
	})
	t.Run("the e-mail can be used again", func(t *testing.T) {
		again := guest()
		again.post(t, "/api/register", object{"email": buyer.email, "password": password, "name": "Again"}).want(201)
		if list := again.get(t, "/api/orders").items(); len(list) != 0 {
			t.Errorf("the new account sees old orders: %v", list)
		}
		again.get(t, o.path("")).fails(404, "not_found")
	})
}

// findOrder looks for an order in the administrator's list, page by page.
func findOrder(t *testing.T, status string, id int64) (object, bool) {
	t.Helper()
	for page := 1; page <= 50; page++ {
		list := admin(t).get(t, fmt.Sprintf("/api/admin/orders?status=%s&per_page=100&page=%d", status, page)).items()
		if o, ok := find(list, func(o object) bool { return o.int(t, "id") == id }); ok {
			return o, true
		}
		if len(list) == 0 {
			break
		}
	}
	return nil, false
}
