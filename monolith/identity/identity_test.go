package identity_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/monolith"
	"github.com/stranglerfig/toolkit/monolith/identity"
	"github.com/stranglerfig/toolkit/monolith/testkit"
)

type body = map[string]any

func TestRegisterSignsIn(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	c := k.Guest()
	made := c.Do("POST", "/api/register", body{"email": " Ada@Shop.Example ", "password": "12345678", "name": " Ada "}).Want(t, http.StatusCreated)
	if made.Text("email") != "ada@shop.example" || made.Text("name") != "Ada" || made.Text("role") != "customer" ||
		made.Text("created_at") != "2026-03-01T12:00:00.000Z" || made.Int("lifetime_value_cents") != 0 {
		t.Errorf("user: %s", made.Body)
	}
	if made.Header.Get("Location") != "/api/me" || made.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers: %v", made.Header)
	}
	if cookie := made.Header.Get("Set-Cookie"); !strings.Contains(cookie, "HttpOnly") || !strings.Contains(cookie, "SameSite=Lax") ||
		!strings.Contains(cookie, "Max-Age=2592000") || strings.Contains(cookie, "Secure") {
		t.Errorf("cookie: %s", cookie)
	}
	me := c.Do("GET", "/api/me", nil).Want(t, http.StatusOK)
	if me.Int("id") != made.Int("id") || me.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("me: %s", me.Body)
	}
	if k.Count(`SELECT count(*) FROM users WHERE password_hash LIKE '$argon2id$%'`) != 1 {
		t.Error("the password is not kept as an argon2id hash")
	}
	if k.Count(`SELECT count(*) FROM sessions WHERE token_hash = ?`, c.Cookie("session")) != 0 {
		t.Error("the session token is kept as it is")
	}
	if k.Count(`SELECT count(*) FROM audit_log WHERE action = 'user.registered' AND entity = 'user' AND actor_id = ?`, made.Int("id")) != 1 {
		t.Error("the registration is not in the audit log")
	}
	if c.Do("GET", "/api/notifications", nil).Text("items.0.kind") != "welcome" {
		t.Error("no welcome")
	}
	k.Guest().Do("POST", "/api/register", body{"email": "ADA@shop.example", "password": "12345678", "name": "A"}).
		WantError(t, http.StatusConflict, "email_taken")
}

func TestRegisterRefuses(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	long := strings.Repeat("x", 250)
	for name, test := range map[string]struct {
		body   any
		fields []string
	}{
		"no at":          {body{"email": "ada", "password": "12345678", "name": "A"}, []string{"email"}},
		"long e-mail":    {body{"email": long + "@x.yz", "password": "12345678", "name": "A"}, []string{"email"}},
		"spaced e-mail":  {body{"email": "a b@c.d", "password": "12345678", "name": "A"}, []string{"email"}},
		"short password": {body{"email": "a@b", "password": "1234567", "name": "A"}, []string{"password"}},
		"long password":  {body{"email": "a@b", "password": strings.Repeat("é", 129), "name": "A"}, []string{"password"}},
		"no name":        {body{"email": "a@b", "password": "12345678", "name": "  "}, []string{"name"}},
		"long name":      {body{"email": "a@b", "password": "12345678", "name": strings.Repeat("é", 101)}, []string{"name"}},
		"all":            {body{}, []string{"email", "password", "name"}},
		"unknown field":  {body{"email": "a@b", "password": "12345678", "name": "A", "role": "admin"}, []string{"role"}},
		"wrong type":     {body{"email": 1}, []string{"email"}},
	} {
		t.Run(name, func(t *testing.T) {
			k.Guest().Do("POST", "/api/register", test.body).WantError(t, http.StatusUnprocessableEntity, "invalid", test.fields...)
		})
	}
	if n := k.Count(`SELECT count(*) FROM users`); n != 0 {
		t.Errorf("%d users were made", n)
	}
	k.Guest().Do("POST", "/api/register", body{"email": "a@b", "password": strings.Repeat("é", 128), "name": strings.Repeat("é", 100)}).
		Want(t, http.StatusCreated)
}

func TestLoginLogout(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	ada, c := k.Customer("Ada"), k.Guest()
	c.Do("POST", "/api/login", body{"email": ada.User.Email, "password": "wrong"}).WantError(t, http.StatusUnauthorized, "unauthenticated")
	c.Do("POST", "/api/login", body{"email": "nobody@shop.example", "password": ada.Password}).WantError(t, http.StatusUnauthorized, "unauthenticated")
	got := c.Do("POST", "/api/login", body{"email": strings.ToUpper(ada.User.Email), "password": ada.Password}).Want(t, http.StatusOK)
	if got.Int("id") != ada.User.ID || got.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s", got.Body)
	}
	token := c.Cookie("session")
	c.Do("POST", "/api/logout", nil).Want(t, http.StatusNoContent)
	if c.Cookie("session") != "" {
		t.Error("the cookie was not deleted")
	}
	c.SetCookie("session", token)
	c.Do("GET", "/api/me", nil).WantError(t, http.StatusUnauthorized, "unauthenticated")
	k.Guest().Do("POST", "/api/logout", nil).Want(t, http.StatusNoContent)
	ada.Do("GET", "/api/me", nil).Want(t, http.StatusOK) // her other session goes on
}

func TestLoginMergesTheGuestsCart(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	product := k.Product(k.Category("tea"), "Tea", 500, 10)
	ada, guest := k.Customer("Ada"), k.Guest()
	cart := guest.Do("POST", "/api/carts", nil).Want(t, http.StatusCreated).Text("id")
	guest.Do("POST", "/api/carts/"+cart+"/items", body{"product_id": product, "qty": 2}).Want(t, http.StatusCreated)
	guest.Do("POST", "/api/login", body{"email": ada.User.Email, "password": ada.Password, "cart_id": cart}).Want(t, http.StatusOK)
	own := ada.Do("POST", "/api/carts", nil)
	if own.Int("items.0.qty") != 2 {
		t.Errorf("cart after signing in: %s", own.Body)
	}
	// A cart that does not exist is no reason not to be let in.
	k.Guest().Do("POST", "/api/login", body{"email": ada.User.Email, "password": ada.Password, "cart_id": "nonsense"}).Want(t, http.StatusOK)
}

func TestSessionEnds(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	c := k.Customer("Ada")
	k.Clock.Advance(identity.SessionLife - time.Second)
	c.Do("GET", "/api/me", nil).Want(t, http.StatusOK)
	k.Clock.Advance(time.Second)
	c.Do("GET", "/api/me", nil).Want(t, http.StatusUnauthorized)
	if err := k.Identity.Cleanup(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := k.Count(`SELECT count(*) FROM sessions`); n != 0 {
		t.Errorf("%d sessions after the clean-up", n)
	}
	c.SetCookie("session", "' OR 1=1 --")
	c.Do("GET", "/api/me", nil).Want(t, http.StatusUnauthorized)
}

func TestFiveFailuresWithinAMinute(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	for _, email := range []string{k.Customer("Ada").User.Email, "nobody@shop.example"} {
		for range 5 {
			k.Guest().Do("POST", "/api/login", body{"email": email, "password": "wrong"}).Want(t, http.StatusUnauthorized)
			k.Clock.Advance(time.Second)
		}
		refused := k.Guest().Do("POST", "/api/login", body{"email": strings.ToUpper(email), "password": "long-enough-Ada"}).
			WantError(t, http.StatusTooManyRequests, "too_many_requests")
		if refused.Header.Get("Retry-After") != "55" {
			t.Errorf("Retry-After %q, want 55", refused.Header.Get("Retry-After"))
		}
	}
	bob := k.Customer("Bob")
	k.Guest().Do("POST", "/api/login", body{"email": bob.User.Email, "password": bob.Password}).Want(t, http.StatusOK)
	k.Clock.Advance(55 * time.Second)
	k.Guest().Do("POST", "/api/login", body{"email": "nobody@shop.example", "password": "wrong"}).Want(t, http.StatusUnauthorized)
}

// However many guesses arrive at once, no more than five are answered with a yes or
// a no; and many right ones at once are all let in.
func TestFailuresCountAtOnce(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	ada := k.Customer("Ada")
	statuses := func(password string) map[int]int {
		var mu sync.Mutex
		var wg sync.WaitGroup
		counts := map[int]int{}
		for range 12 {
			wg.Go(func() {
				answer := k.Guest().Do("POST", "/api/login", body{"email": ada.User.Email, "password": password})
				mu.Lock()
				counts[answer.Status]++
				mu.Unlock()
			})
		}
		wg.Wait()
		return counts
	}
	if got := statuses(ada.Password); got[http.StatusOK] != 12 {
		t.Errorf("twelve right passwords at once: %v", got)
	}
	if got := statuses("wrong"); got[http.StatusUnauthorized] != 5 || got[http.StatusTooManyRequests] != 7 {
		t.Errorf("twelve wrong passwords at once: %v", got)
	}
}

func TestUpdateMe(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	ada, bob := k.Customer("Ada"), k.Customer("Bob")
	got := ada.Do("PATCH", "/api/me", body{"name": "Ada Lovelace"}).Want(t, http.StatusOK)
	if got.Text("name") != "Ada Lovelace" || got.Text("email") != ada.User.Email {
		t.Errorf("%s", got.Body)
	}
	ada.Do("PATCH", "/api/me", body{"email": "new@shop.example"}).WantError(t, 422, "invalid", "current_password")
	ada.Do("PATCH", "/api/me", body{"password": "short", "name": ""}).WantError(t, 422, "invalid", "name", "password", "current_password")
	ada.Do("PATCH", "/api/me", body{"email": "new@shop.example", "current_password": "wrong"}).WantError(t, 401, "unauthenticated")
	ada.Do("PATCH", "/api/me", body{"email": bob.User.Email, "current_password": ada.Password}).WantError(t, 409, "email_taken")
	got = ada.Do("PATCH", "/api/me", body{"email": "New@shop.example", "current_password": ada.Password}).Want(t, http.StatusOK)
	if got.Text("email") != "new@shop.example" {
		t.Errorf("%s", got.Body)
	}
	k.Guest().Do("PATCH", "/api/me", body{"name": "X"}).WantError(t, 401, "unauthenticated")
}

func TestNewPasswordEndsOtherSessions(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	ada, other := k.Customer("Ada"), k.Guest()
	login := body{"email": ada.User.Email, "password": ada.Password}
	other.Do("POST", "/api/login", login).Want(t, http.StatusOK)
	ada.Do("PATCH", "/api/me", body{"password": "another-one", "current_password": ada.Password}).Want(t, http.StatusOK)
	ada.Do("GET", "/api/me", nil).Want(t, http.StatusOK)
	other.Do("GET", "/api/me", nil).Want(t, http.StatusUnauthorized)
	other.Do("POST", "/api/login", login).Want(t, http.StatusUnauthorized)
	other.Do("POST", "/api/login", body{"email": ada.User.Email, "password": "another-one"}).Want(t, http.StatusOK)
}

func TestPasswordReset(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	ada := k.Customer("Ada")
	ask := func() string {
		k.Guest().Do("POST", "/api/password-resets", body{"email": ada.User.Email}).Want(t, http.StatusAccepted)
		words := strings.Fields(ada.Do("GET", "/api/notifications", nil).Text("items.0.body"))
		return words[len(words)-1]
	}
	first, second := ask(), ask()
	if k.Count(`SELECT count(*) FROM password_resets WHERE token_hash = ?`, first) != 0 {
		t.Error("the token is kept as it is")
	}
	set := func(token, password string) *testkit.Answer {
		return k.Guest().Do("POST", "/api/password-resets/"+token, body{"password": password})
	}
	set(first, "short").WantError(t, 422, "invalid", "password")
	set(first, "brand-new-one").Want(t, http.StatusNoContent)
	set(first, "brand-new-two").WantError(t, 404, "not_found")
	set(second, "brand-new-two").WantError(t, 404, "not_found") // a reset uses up all tokens
	set("nonsense", "brand-new-two").WantError(t, 404, "not_found")
	ada.Do("GET", "/api/me", nil).Want(t, http.StatusUnauthorized)
	ada.Do("POST", "/api/login", body{"email": ada.User.Email, "password": "brand-new-one"}).Want(t, http.StatusOK)
	late := ask()
	k.Clock.Advance(time.Hour)
	set(late, "brand-new-two").WantError(t, 404, "not_found")

	before := k.Count(`SELECT count(*) FROM notifications`)
	k.Guest().Do("POST", "/api/password-resets", body{"email": "nobody@shop.example"}).Want(t, http.StatusAccepted)
	if k.Count(`SELECT count(*) FROM notifications`) != before {
		t.Error("a reset for nobody notified somebody")
	}
	for range 10 {
		ask()
	}
	if n := k.Count(`SELECT count(*) FROM password_resets WHERE used_at IS NULL AND expires_at > ?`, k.Clock.Now().UnixMilli()); n != 5 {
		t.Errorf("%d open tokens, want at most 5", n)
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	ada, bob := k.Customer("Ada"), k.Customer("Bob")
	good := body{"name": "Ada", "street": "Long Street 1", "city": "Berlin", "postal_code": "10115", "region": "", "country": "DE"}
	made := ada.Do("POST", "/api/me/addresses", good).Want(t, http.StatusCreated)
	location := fmt.Sprintf("/api/me/addresses/%d", made.Int("id"))
	if made.Header.Get("Location") != location || made.Text("city") != "Berlin" {
		t.Errorf("%v %s", made.Header, made.Body)
	}
	if list := ada.Do("GET", "/api/me/addresses", nil); list.Int("items.0.id") != made.Int("id") {
		t.Errorf("list: %s", list.Body)
	}
	if list := bob.Do("GET", "/api/me/addresses", nil).Want(t, 200); string(list.Body) != "{\"items\":[]}\n" {
		t.Errorf("list of another: %s", list.Body)
	}
	ada.Do("POST", "/api/me/addresses", body{"country": "de", "region": strings.Repeat("x", 201)}).
		WantError(t, 422, "invalid", "name", "street", "city", "postal_code", "region", "country")
	bob.Do("DELETE", location, nil).WantError(t, 404, "not_found")
	ada.Do("DELETE", location, nil).Want(t, http.StatusNoContent)
	ada.Do("DELETE", location, nil).WantError(t, 404, "not_found")
	for range 20 {
		bob.Do("POST", "/api/me/addresses", good).Want(t, http.StatusCreated)
	}
	bob.Do("POST", "/api/me/addresses", good).WantError(t, 409, "too_many_addresses")
	k.Guest().Do("GET", "/api/me/addresses", nil).WantError(t, 401, "unauthenticated")
}

func TestDeletedAddressStaysWithTheOrder(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	ada := k.Customer("Ada")
	product := k.Product(k.Category("tea"), "Tea", 500, 10)
	order := k.Order(ada.User.ID, "paid", product)
	id := ada.Do("GET", "/api/me/addresses", nil).Int("items.0.id")
	ada.Do("DELETE", fmt.Sprintf("/api/me/addresses/%d", id), nil).Want(t, http.StatusNoContent)
	if n := k.Count(`SELECT count(*) FROM orders o JOIN addresses a ON a.id = o.shipping_address_id WHERE o.id = ? AND a.city = 'Berlin'`, order); n != 1 {
		t.Error("the order lost where it was shipped to")
	}
	if list := ada.Do("GET", "/api/me/addresses", nil); list.Get("items.0") != nil {
		t.Errorf("list: %s", list.Body)
	}
}

func TestDeleteAccountWithoutOrders(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	ada := k.Customer("Ada")
	ada.Do("DELETE", "/api/me", body{"current_password": "wrong"}).WantError(t, 401, "unauthenticated")
	ada.Do("POST", "/api/carts", nil).Want(t, http.StatusCreated)
	token := ada.Cookie("session")
	ada.Do("DELETE", "/api/me", body{"current_password": ada.Password}).Want(t, http.StatusNoContent)
	ada.SetCookie("session", token)
	ada.Do("GET", "/api/me", nil).Want(t, http.StatusUnauthorized)
	for _, table := range []string{"users", "sessions", "carts", "notifications"} {
		if n := k.Count(`SELECT count(*) FROM ` + table); n != 0 {
			t.Errorf("%s: %d rows are left", table, n)
		}
	}
	k.Guest().Do("POST", "/api/register", body{"email": ada.User.Email, "password": "12345678", "name": "Ada"}).Want(t, http.StatusCreated)
}

func TestDeleteAccountWithOrders(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	ada := k.Customer("Ada")
	product := k.Product(k.Category("tea"), "Tea", 500, 10)
	order := k.Order(ada.User.ID, "delivered", product)
	path := fmt.Sprintf("/api/products/%d/reviews", product)
	ada.Do("POST", path, body{"rating": 5, "title": "Good"}).Want(t, http.StatusCreated)
	ada.Do("POST", "/api/carts", nil).Want(t, http.StatusCreated)
	ada.Do("POST", "/api/me/addresses", body{"name": "Ada", "street": "S", "city": "C", "postal_code": "P", "country": "DE"}).Want(t, 201)
	ada.Do("DELETE", "/api/me", body{"current_password": ada.Password}).Want(t, http.StatusNoContent)

	id := ada.User.ID
	for query, want := range map[string]int64{
		`SELECT count(*) FROM sessions WHERE user_id = ?`:                                    0,
		`SELECT count(*) FROM notifications WHERE user_id = ?`:                               0,
		`SELECT count(*) FROM reviews WHERE user_id = ?`:                                     0,
		`SELECT count(*) FROM carts WHERE user_id = ?`:                                       1, // that of the order
		`SELECT count(*) FROM addresses WHERE user_id = ? AND name || street || city = ''`:   1,
		`SELECT count(*) FROM addresses WHERE user_id = ?`:                                   1,
		`SELECT count(*) FROM users WHERE id = ? AND email LIKE 'deleted-%@deleted.invalid'`: 1,
		`SELECT count(*) FROM users WHERE id = ? AND password_hash = ''`:                     1,
		`SELECT count(*) FROM audit_log WHERE action = 'user.deleted' AND entity_id = ''||?`: 1,
		`SELECT count(*) FROM orders WHERE user_id = ? AND id = ` + fmt.Sprint(order):        1,
		`SELECT count(*) FROM products WHERE rating_count = 1 AND ? > 0`:                     0, // the product is rated without it
		`SELECT count(*) FROM users WHERE name LIKE '%Ada%' AND id = ?`:                      0,
	} {
		if n := k.Count(query, id); n != want {
			t.Errorf("%s: %d, want %d", query, n, want)
		}
	}
	k.Guest().Do("POST", "/api/login", body{"email": fmt.Sprintf("deleted-%d@deleted.invalid", id), "password": ""}).
		WantError(t, 401, "unauthenticated")
	k.Guest().Do("POST", "/api/register", body{"email": ada.User.Email, "password": "12345678", "name": "Ada"}).Want(t, http.StatusCreated)
}

func TestSecureCookieOnTLS(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	answer := k.Guest().Do("POST", "/api/register", body{"email": "a@b.c", "password": "12345678", "name": "A"}, "X-Forwarded-Proto", "https")
	if !strings.Contains(answer.Want(t, 201).Header.Get("Set-Cookie"), "; Secure") {
		t.Errorf("cookie behind TLS: %s", answer.Header.Get("Set-Cookie"))
	}
}

func TestAdminMiddleware(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	k.Guest().Do("GET", "/api/admin/products", nil).WantError(t, 401, "unauthenticated")
	k.Customer("Ada").Do("GET", "/api/admin/products", nil).WantError(t, 403, "forbidden")
	k.Admin().Do("GET", "/api/admin/products", nil).Want(t, http.StatusOK)
}
