package copytest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"testing"
)

// A Customer is somebody who is signed in.
type Customer struct {
	shop    *Shop
	client  *http.Client
	address int64 // where her orders go
}

// Nobody is who has not signed in.
func (s *Shop) Nobody() *Customer { return &Customer{shop: s, client: http.DefaultClient} }

// SignIn signs in who has an account.
func (s *Shop) SignIn(t *testing.T, email, password string) *Customer {
	t.Helper()
	body, err := json.Marshal(map[string]string{"email": email, "password": password})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/api/login", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("sign in %s: status %s", email, res.Status)
	}
	return &Customer{shop: s, client: &http.Client{Transport: withCookies(res.Cookies())}}
}

// Ada signs in a customer of the seed.
func (s *Shop) Ada(t *testing.T) *Customer { return s.SignIn(t, "ada@shop.example", "ada-password") }

// Admin signs in the administrator of the seed.
func (s *Shop) Admin(t *testing.T) *Customer {
	return s.SignIn(t, "admin@shop.example", "admin-password")
}

type withCookies []*http.Cookie

func (c withCookies) RoundTrip(r *http.Request) (*http.Response, error) {
	for _, cookie := range c {
		r.AddCookie(cookie)
	}
	return http.DefaultTransport.RoundTrip(r)
}

// MustCall is Call that has to succeed.
func (c *Customer) MustCall(t *testing.T, method, path string, body, into any) {
	t.Helper()
	if status := c.Call(t, method, path, body, into); status/100 != 2 {
		t.Fatalf("%s %s: status %d", method, path, status)
	}
}

var keys atomic.Int64

// Call sends body as JSON, decodes the answer of a success into into, and returns the
// status, which is none of 5xx.
func (c *Customer) Call(t *testing.T, method, path string, body, into any) int {
	t.Helper()
	var data []byte
	if body != nil {
		var err error
		if data, err = json.Marshal(body); err != nil {
			t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), method, c.shop.URL+path, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Idempotency-Key", fmt.Sprint("key-", keys.Add(1)))
	res, err := c.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if into != nil && res.StatusCode/100 == 2 {
		if err := json.Unmarshal(answer, into); err != nil {
			t.Fatalf("%s %s: %v: %s", method, path, err, answer)
		}
	}
	if res.StatusCode >= 500 {
		t.Fatalf("%s %s: status %d: %s", method, path, res.StatusCode, answer)
	}
	return res.StatusCode
}

// Buy orders up to four of the first products, up to most of each, and returns the order,
// or 0 if they are not there or the card is refused.
func (c *Customer) Buy(t *testing.T, random *rand.Rand, most int) int64 {
	t.Helper()
	var cart, order, address struct{ ID any }
	if c.address == 0 {
		c.MustCall(t, "POST", "/api/me/addresses", map[string]any{
			"name": "Ada", "street": "1 Way", "city": "Town", "postal_code": "12345", "region": "", "country": "DE",
		}, &address)
		c.address = int64(address.ID.(float64))
	}
	c.MustCall(t, "POST", "/api/carts", map[string]any{}, &cart)
	for range 2 + random.IntN(3) {
		c.Call(t, "POST", fmt.Sprintf("/api/carts/%v/items", cart.ID), map[string]any{"product_id": 1 + random.IntN(40), "qty": 1 + random.IntN(most)}, nil)
	}
	card := []string{"4242424242424242", "4242424242424242", "4000000000000002"}[random.IntN(3)]
	status := c.Call(t, "POST", "/api/checkout", map[string]any{
		"cart_id": cart.ID, "address_id": c.address, "shipping_method": "standard", "card": map[string]any{"number": card},
	}, &order)
	if status != http.StatusCreated {
		return 0
	}
	return int64(order.ID.(float64))
}
