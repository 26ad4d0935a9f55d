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
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/extracted/catalog"
	"github.com/stranglerfig/toolkit/internal/service"
	"github.com/stranglerfig/toolkit/internal/sqlite"
	"github.com/stranglerfig/toolkit/migrations"
	"github.com/stranglerfig/toolkit/monolith"
	"github.com/stranglerfig/toolkit/monolith/seed"
)

// A shop is a real, seeded monolith in this process.
type shop struct {
	*monolith.Shop
	db     *sqlite.DB
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
	s := &shop{Shop: inner, db: db}
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
func newCopy(t *testing.T) *catalog.Store {
	t.Helper()
	db, err := service.Open(t.Context(), owner, filepath.Join(t.TempDir(), "catalog.db"), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return catalog.New(db, time.Now)
}

func newFeed(t *testing.T, store *catalog.Store, from string) *catalog.Feed {
	t.Helper()
	feed, err := catalog.NewFeed(store, from, catalog.FeedOptions{Token: monolith.DevInternalToken})
	if err != nil {
		t.Fatal(err)
	}
	return feed
}

func serveCopy(t *testing.T, store *catalog.Store, feed *catalog.Feed) string {
	t.Helper()
	server := httptest.NewServer(catalog.Handler(store, feed, catalog.ServiceOptions{}))
	t.Cleanup(server.Close)
	return server.URL
}

// answer is all of an answer that a client may rely on.
func answer(t *testing.T, method, address, etag string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if etag != "" {
		req.Header.Set("If-None-Match", etag)
	}
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

// requireEqual compares what both sides answer about every product there may be, and
// every list of them.
func requireEqual(t *testing.T, s *shop, serviceURL string) {
	t.Helper()
	requireEqualRows(t, s, serviceURL)
	var slugs []string
	if err := s.db.Select(&slugs, `SELECT slug FROM categories`); err != nil {
		t.Fatal(err)
	}
	for _, slug := range append(slugs, "") {
		for _, sort := range []string{"", "name", "price", "-price", "rating", "newest"} {
			query := url.Values{"category": {slug}, "sort": {sort}}
			requireSamePages(t, s.url, serviceURL, query)
		}
	}
	for i, text := range searches {
		query := url.Values{"q": {text}, "sort": {[]string{"", "price", "rating", "newest"}[i%4]}, "category": {append(slugs, "")[i%(len(slugs)+1)]}}
		requireSamePages(t, s.url, serviceURL, query)
		requireSamePages(t, s.url, serviceURL, url.Values{"q": {text}, "per_page": {"100"}})
	}
}

// requireEqualRows compares everything that was copied: all products and categories,
// and one list.
func requireEqualRows(t *testing.T, s *shop, serviceURL string) {
	t.Helper()
	requireSame(t, s.url, serviceURL, "GET", "/api/categories", "")
	requireSamePages(t, s.url, serviceURL, url.Values{"per_page": {"100"}})
	var products int64
	if err := s.db.Get(&products, `SELECT max(id) + 2 FROM products`); err != nil {
		t.Fatal(err)
	}
	for id := int64(1); id <= products; id++ {
		path := fmt.Sprintf("/api/products/%d", id)
		got := requireSame(t, s.url, serviceURL, "GET", path, "")
		if etag := etagOf.FindString(got); etag != "" && id%10 == 1 {
			if again := requireSame(t, s.url, serviceURL, "GET", path, etag); !strings.HasPrefix(again, "304") {
				t.Fatalf("%s with its own ETag: %s", path, again)
			}
		}
	}
}

var (
	etagOf   = regexp.MustCompile(`"\d+-[0-9a-f]+"`)
	pagesOf  = regexp.MustCompile(`"pages":(\d+)`)
	searches = []string{"a", "e o", "the", "Tea", "TEA", "new", "renamed & <", "%", "_", `\`, "ü", "É", "fresh", "nothing-has-this", "  a  b  ", strings.Repeat("ä", 100)}
)

// requireSamePages compares all pages of a list.
func requireSamePages(t *testing.T, monolithURL, serviceURL string, query url.Values) {
	t.Helper()
	for page, pages := 1, 1; page <= pages; page++ {
		query.Set("page", fmt.Sprint(page))
		got := requireSame(t, monolithURL, serviceURL, "GET", "/api/products?"+query.Encode(), "")
		found := pagesOf.FindStringSubmatch(got)
		if found == nil {
			t.Fatalf("no list of products: %s", got)
		}
		pages, _ = strconv.Atoi(found[1])
	}
}

// requireEqualRefusals compares what both sides answer to reads that ask for nothing,
// or for nonsense.
func requireEqualRefusals(t *testing.T, monolithURL, serviceURL string) {
	t.Helper()
	for _, product := range []string{"1", "0", "-1", "x", "99999999", "9999999999999999999999", "1/", "1%2f", "%31", ""} {
		for _, method := range []string{"GET", "HEAD"} {
			requireSame(t, monolithURL, serviceURL, method, "/api/products/"+product, "")
		}
		for _, etag := range []string{"*", `"x"`, `W/"1-00"`, "nonsense"} {
			requireSame(t, monolithURL, serviceURL, "GET", "/api/products/"+product, etag)
		}
	}
	for _, query := range []string{
		"", "page=0", "page=x", "page=-1", "page=10000", "page=10001", "page=", "page=1&page=2", "per_page=0", "per_page=101", "per_page=1", "per_page=x",
		"sort=nonsense", "sort=NAME", "sort=", "category=nonsense", "category=", "category=%00", "category=nonsense&sort=nonsense",
		"q=" + strings.Repeat("a", 101), "q=" + strings.Repeat("a", 101) + "&page=0", "q=+++", "q=%00", "q=%ff", "q=a;b", "q=%zz", "unknown=1",
	} {
		for _, method := range []string{"GET", "HEAD"} {
			requireSame(t, monolithURL, serviceURL, method, "/api/products?"+query, "")
		}
		requireSame(t, monolithURL, serviceURL, "GET", "/api/categories?"+query, "")
	}
	requireSame(t, monolithURL, serviceURL, "HEAD", "/api/categories", "")
}

func requireSame(t *testing.T, monolithURL, serviceURL, method, path, etag string) string {
	t.Helper()
	want, got := answer(t, method, monolithURL+path, etag), answer(t, method, serviceURL+path, etag)
	if want != got {
		t.Fatalf("%s %s (%s)\nmonolith: %s\nservice:  %s", method, path, etag, want, got)
	}
	return got
}

func poll(t *testing.T, feed *catalog.Feed) {
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
	requireEqual(t, s, service)
	requireEqualRefusals(t, s.url, service)
	c := newCustomer(t, s)
	random := rand.New(rand.NewPCG(1, 2))
	for range 3 {
		for range 25 {
			c.doAnything(t, random)
		}
		poll(t, feed)
		requireEqual(t, s, service)
	}
	for what, n := range c.did {
		if n == 0 {
			t.Errorf("the walk did not %s once", what)
		}
	}
	t.Logf("the walk did %v", c.did)
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
		s.broken.Store(nil)
		feed := newFeed(t, store, s.url)
		service := serveCopy(t, store, feed)
		poll(t, feed)
		t.Logf("cut at request %d: %v", step, err)
		requireEqualRows(t, s, service)
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
		t.Logf("cut at request %d: %v", step, err)
		feed := newFeed(t, store, s.url)
		poll(t, feed)
		requireEqualRows(t, s, serveCopy(t, store, feed))
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
	requireEqual(t, second, serveCopy(t, store, feed))
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
