package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/extracted/recommendations"
	"github.com/stranglerfig/toolkit/internal/service"
	"github.com/stranglerfig/toolkit/internal/sqlite"
	"github.com/stranglerfig/toolkit/migrations"
	"github.com/stranglerfig/toolkit/monolith"
	"github.com/stranglerfig/toolkit/monolith/seed"
)

// A shop is a real, seeded monolith in this process.
type shop struct {
	*monolith.Shop
	url    string
	broken atomic.Pointer[func() bool] // asked before each request to the read API: cut this one off?
}

func newShop(t *testing.T) *shop {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "monolith.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := migrations.Up(t.Context(), db.Writer(), "monolith"); err != nil {
		t.Fatal(err)
	}
	if err := seed.Run(t.Context(), db, seed.Options{Scale: 1}); err != nil {
		t.Fatal(err)
	}
	inner, err := monolith.New(db, monolith.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { inner.Close() })
	s := &shop{Shop: inner}
	handler := inner.Handler()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if cut := s.broken.Load(); cut != nil && strings.HasPrefix(r.URL.Path, "/internal/") && (*cut)() {
			panic(http.ErrAbortHandler)
		}
		handler.ServeHTTP(w, r)
	}))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// newCopy returns an empty store of the service.
func newCopy(t *testing.T) *recommendations.Store {
	t.Helper()
	db, err := service.Open(t.Context(), owner, filepath.Join(t.TempDir(), "recommendations.db"), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return recommendations.New(db, time.Now)
}

func newFeed(t *testing.T, store *recommendations.Store, from string) *recommendations.Feed {
	t.Helper()
	feed, err := recommendations.NewFeed(store, from, recommendations.FeedOptions{Token: monolith.DevInternalToken})
	if err != nil {
		t.Fatal(err)
	}
	return feed
}

func serveCopy(t *testing.T, store *recommendations.Store, feed *recommendations.Feed) string {
	t.Helper()
	server := httptest.NewServer(recommendations.Handler(store, feed, recommendations.ServiceOptions{}))
	t.Cleanup(server.Close)
	return server.URL
}

// answer is all of an answer that a client may rely on.
func answer(t *testing.T, method, url, accept string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", accept)
	req.Header.Set("X-Request-Id", "the-same")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	res.Header.Del("Date")
	return fmt.Sprintf("%s\n%v\n%s", res.Status, res.Header, body)
}

// requireEqual compares what both sides answer about every product there may be.
func requireEqual(t *testing.T, monolithURL, serviceURL string, products int64) {
	t.Helper()
	for id := int64(1); id <= products; id++ {
		path := fmt.Sprintf("/api/products/%d/recommendations", id)
		requireSame(t, monolithURL, serviceURL, "GET", path, "application/json")
		requireSame(t, monolithURL, serviceURL, "GET", path+"?limit=12", "text/html")
		requireSame(t, monolithURL, serviceURL, "GET", path+fmt.Sprintf("?limit=%d", 1+id%12), "*/*")
	}
}

// requireEqualRefusals compares what both sides answer to requests that ask for
// nothing, or for nonsense.
func requireEqualRefusals(t *testing.T, monolithURL, serviceURL string) {
	t.Helper()
	for _, product := range []string{"1", "0", "-1", "x", "99999999", "9999999999999999999999"} {
		for _, query := range []string{"", "?limit=0", "?limit=13", "?limit=x", "?limit=", "?limit=2&limit=3"} {
			path := "/api/products/" + product + "/recommendations" + query
			requireSame(t, monolithURL, serviceURL, "GET", path, "application/json")
			requireSame(t, monolithURL, serviceURL, "HEAD", path, "text/html,*/*;q=0.8")
		}
	}
}

func requireSame(t *testing.T, monolithURL, serviceURL, method, path, accept string) {
	t.Helper()
	if want, got := answer(t, method, monolithURL+path, accept), answer(t, method, serviceURL+path, accept); want != got {
		t.Fatalf("%s %s (%s)\nmonolith: %s\nservice:  %s", method, path, accept, want, got)
	}
}

func poll(t *testing.T, feed *recommendations.Feed) {
	t.Helper()
	if err := feed.Poll(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestAnswersAsTheMonolithDoes(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	store := newCopy(t)
	feed := newFeed(t, store, s.url)
	service := serveCopy(t, store, feed)
	poll(t, feed)
	requireEqual(t, s.url, service, 220)
	requireEqualRefusals(t, s.url, service)
	c := newCustomer(t, s)
	random := rand.New(rand.NewPCG(1, 2))
	for range 3 {
		for range 25 {
			c.doAnything(t, random)
		}
		if err := s.Recommendations.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		poll(t, feed)
		requireEqual(t, s.url, service, 250)
	}
	if c.orders == 0 || c.cancelled == 0 || c.edits == 0 || c.deleted == 0 {
		t.Errorf("the walk did too little: %+v", c)
	}
}

// TestSurvivesACutAtEveryStep cuts each request of the feed off in turn, goes on with
// a new feed on the same file, and wants the same end.
func TestSurvivesACutAtEveryStep(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	c := newCustomer(t, s)
	random := rand.New(rand.NewPCG(3, 4))
	for step := 1; ; step++ {
		store := newCopy(t)
		reached := s.cutAt(step)
		err := newFeed(t, store, s.url).Poll(t.Context())
		if (err != nil) != reached() {
			t.Fatalf("cut at request %d: reached %t, error %v", step, reached(), err)
		}
		for range 3 {
			c.doAnything(t, random) // the shop goes on while the service is away
		}
		if err := s.Recommendations.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.broken.Store(nil)
		feed := newFeed(t, store, s.url)
		service := serveCopy(t, store, feed)
		poll(t, feed)
		t.Logf("cut at request %d: %v", step, err)
		requireEqual(t, s.url, service, 40)
		if err == nil {
			return // step lies beyond the last request: each was cut off once
		}
	}
}

// TestSurvivesACutWhileFollowing does the same to a copy that is complete: what
// changed is read again in many requests, and each of them may fail.
func TestSurvivesACutWhileFollowing(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	c := newCustomer(t, s)
	random := rand.New(rand.NewPCG(7, 8))
	store := newCopy(t)
	poll(t, newFeed(t, store, s.url))
	for step := 1; ; step++ {
		for range 3 {
			c.doAnything(t, random)
		}
		reached := s.cutAt(step)
		err := newFeed(t, store, s.url).Poll(t.Context())
		if (err != nil) != reached() {
			t.Fatalf("cut at request %d: reached %t, error %v", step, reached(), err)
		}
		s.broken.Store(nil)
		if err := s.Recommendations.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Logf("cut at request %d: %v", step, err)
		feed := newFeed(t, store, s.url)
		poll(t, feed)
		requireEqual(t, s.url, serveCopy(t, store, feed), 40)
		if err == nil {
			return
		}
	}
}

// cutAt cuts off the n-th request to the read API from now and all that follow.
func (s *shop) cutAt(n int) (reached func() bool) {
	var count atomic.Int64
	cut := func() bool { return count.Add(1) >= int64(n) }
	s.broken.Store(&cut)
	return func() bool { return count.Load() >= int64(n) }
}

func TestCopiesAnotherDatabaseAnew(t *testing.T) {
	t.Parallel()
	first, second := newShop(t), newShop(t)
	c := newCustomer(t, first)
	random := rand.New(rand.NewPCG(5, 6))
	for range 10 {
		c.doAnything(t, random)
	}
	store := newCopy(t)
	feed := newFeed(t, store, first.url)
	poll(t, feed)
	feed = newFeed(t, store, second.url)
	if err := feed.Poll(t.Context()); err == nil {
		t.Fatal("the feed took another, shorter database for its own")
	}
	if feed.Ready() {
		t.Error("ready with half a copy")
	}
	poll(t, feed)
	requireEqual(t, second.url, serveCopy(t, store, feed), 220)
}

// A customer uses the shop at random; half of the time she is its administrator.
type customer struct {
	shop             *shop
	user, admin      *http.Client
	address          int64
	placed           []int64
	made             []int64
	orders, edits    int
	cancelled, views int
	deleted          int
}

func newCustomer(t *testing.T, s *shop) *customer {
	t.Helper()
	c := &customer{shop: s, user: signIn(t, s, "ada@shop.example", "ada-password"), admin: signIn(t, s, "admin@shop.example", "admin-password")}
	var address struct{ ID int64 }
	c.mustCall(t, c.user, "POST", "/api/me/addresses", map[string]any{
		"name": "Ada", "street": "1 Way", "city": "Town", "postal_code": "12345", "region": "", "country": "DE",
	}, &address)
	c.address = address.ID
	return c
}

func (c *customer) doAnything(t *testing.T, random *rand.Rand) {
	t.Helper()
	product := 1 + random.Int64N(40)
	switch random.IntN(8) {
	case 0, 1, 2:
		c.buy(t, random)
	case 3:
		if len(c.placed) > 0 {
			id := c.placed[random.IntN(len(c.placed))]
			if c.call(t, c.user, "POST", fmt.Sprintf("/api/orders/%d/cancel", id), nil, nil) == http.StatusOK {
				c.cancelled++
			}
		}
	case 4:
		change := []map[string]any{
			{"price_cents": 100 + random.IntN(9000)},
			{"name": fmt.Sprintf("<Renamed> & %d", random.IntN(1000))},
			{"active": random.IntN(3) > 0},
			{"category_id": 1 + random.IntN(4)},
			{"images": []map[string]any{{"url": fmt.Sprintf("/static/products/x-%d.svg", random.IntN(9)), "alt": "x"}}},
		}[random.IntN(5)]
		if c.call(t, c.admin, "PATCH", fmt.Sprintf("/api/admin/products/%d", product), change, nil) == http.StatusOK {
			c.edits++
		}
	case 5:
		var made struct{ ID int64 }
		c.mustCall(t, c.admin, "POST", "/api/admin/products", map[string]any{
			"sku": fmt.Sprintf("NEW-%d", random.Int64()), "name": "New", "category_id": 1 + random.IntN(4), "price_cents": 500, "stock_qty": 50,
		}, &made)
		c.made = append(c.made, made.ID)
	case 6:
		if len(c.made) > 0 {
			id := c.made[random.IntN(len(c.made))]
			if c.call(t, c.admin, "DELETE", fmt.Sprintf("/api/admin/products/%d", id), nil, nil) == http.StatusNoContent {
				c.deleted++
			}
		}
	case 7:
		for range 1 + random.IntN(30) {
			c.call(t, c.user, "GET", fmt.Sprintf("/api/products/%d", 1+random.Int64N(220)), nil, nil)
			c.views++
		}
	}
}

func (c *customer) buy(t *testing.T, random *rand.Rand) {
	t.Helper()
	var cart, order struct{ ID any }
	if status := c.call(t, c.user, "POST", "/api/carts", map[string]any{}, &cart); status/100 != 2 {
		t.Fatalf("cart: status %d", status)
	}
	for range 2 + random.IntN(3) {
		c.call(t, c.user, "POST", fmt.Sprintf("/api/carts/%v/items", cart.ID), map[string]any{"product_id": 1 + random.IntN(40), "qty": 1}, nil)
	}
	card := []string{"4242424242424242", "4242424242424242", "4000000000000002"}[random.IntN(3)]
	status := c.call(t, c.user, "POST", "/api/checkout", map[string]any{
		"cart_id": cart.ID, "address_id": c.address, "shipping_method": "standard", "card": map[string]any{"number": card},
	}, &order)
	if status == http.StatusCreated {
		c.orders++
		c.placed = append(c.placed, int64(order.ID.(float64)))
	}
}

func signIn(t *testing.T, s *shop, email, password string) *http.Client {
	t.Helper()
	body, _ := json.Marshal(map[string]string{"email": email, "password": password})
	res, err := http.Post(s.url+"/api/login", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("sign in %s: status %s", email, res.Status)
	}
	return &http.Client{Transport: withCookies(res.Cookies())}
}

type withCookies []*http.Cookie

func (c withCookies) RoundTrip(r *http.Request) (*http.Response, error) {
	for _, cookie := range c {
		r.AddCookie(cookie)
	}
	return http.DefaultTransport.RoundTrip(r)
}

func (c *customer) mustCall(t *testing.T, client *http.Client, method, path string, body, into any) {
	t.Helper()
	if status := c.call(t, client, method, path, body, into); status/100 != 2 {
		t.Fatalf("%s %s: status %d", method, path, status)
	}
}

var keys atomic.Int64

func (c *customer) call(t *testing.T, client *http.Client, method, path string, body, into any) int {
	t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	if body == nil {
		data = nil
	}
	req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), method, c.shop.url+path, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Idempotency-Key", fmt.Sprint("key-", keys.Add(1)))
	res, err := client.Do(req)
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
