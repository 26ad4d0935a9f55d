// Package testkit puts a whole shop on a fresh database into the hands of a test: a
// clock that the test sets, clients that keep their cookies, and the few rows that
// most tests need. Nothing of it is shared between tests.
package testkit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/internal/sqlite"
	"github.com/stranglerfig/toolkit/migrations"
	"github.com/stranglerfig/toolkit/monolith"
	"github.com/stranglerfig/toolkit/monolith/identity"
)

// A Kit is a shop and everything to drive it with. Its methods end the test when
// something is wrong that the test is not about.
type Kit struct {
	*monolith.Shop
	DB    *sqlite.DB
	Clock *Clock

	t       testing.TB
	handler http.Handler
	serial  atomic.Int64
}

// A Clock stands still until it is told otherwise. Goroutines may share it.
type Clock struct {
	mu sync.Mutex
	t  time.Time
}

// Now returns the time of the clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

// Advance sets the clock forward.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// New returns a Kit with an empty shop, without goroutines of its own. Options may
// leave out the clock.
func New(t testing.TB, opts monolith.Options) *Kit {
	t.Helper()
	k := &Kit{t: t, DB: Open(t), Clock: &Clock{t: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}}
	if opts.Now == nil {
		opts.Now = k.Clock.Now
	}
	shop, err := monolith.New(k.DB, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shop.Close() })
	k.Shop, k.handler = shop, shop.Handler()
	return k
}

// Open returns a fresh database with the schema of the monolith.
func Open(t testing.TB) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "shop.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := migrations.Up(t.Context(), db.Writer(), "monolith"); err != nil {
		t.Fatal(err)
	}
	return db
}

// Exec changes the database behind the back of the shop.
func (k *Kit) Exec(sql string, args ...any) {
	k.t.Helper()
	if err := k.DB.Tx(k.t.Context(), func(tx *sqlx.Tx) error {
		_, err := tx.Exec(sql, args...)
		return err
	}); err != nil {
		k.t.Fatalf("%s: %v", sql, err)
	}
}

// Insert runs an INSERT and returns the id of the row.
func (k *Kit) Insert(sql string, args ...any) (id int64) {
	k.t.Helper()
	if err := k.DB.Tx(k.t.Context(), func(tx *sqlx.Tx) error {
		result, err := tx.Exec(sql, args...)
		if err != nil {
			return err
		}
		id, err = result.LastInsertId()
		return err
	}); err != nil {
		k.t.Fatalf("%s: %v", sql, err)
	}
	return id
}

// Count returns the one number that the query yields.
func (k *Kit) Count(sql string, args ...any) (n int64) {
	k.t.Helper()
	if err := k.DB.GetContext(k.t.Context(), &n, sql, args...); err != nil {
		k.t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// Category adds a category.
func (k *Kit) Category(slug string) int64 {
	k.t.Helper()
	return k.Insert(`INSERT INTO categories (slug, name) VALUES (?, ?)`, slug, "The "+slug)
}

// Product adds an active product with stock through the catalog.
func (k *Kit) Product(category int64, name string, priceCents int64, stock int) int64 {
	k.t.Helper()
	admin := k.Admin()
	answer := admin.Do("POST", "/api/admin/products", map[string]any{
		"sku": fmt.Sprintf("SKU-%d", k.serial.Add(1)), "name": name, "category_id": category,
		"price_cents": priceCents, "stock_qty": stock,
	})
	answer.Want(k.t, http.StatusCreated)
	return answer.Int("id")
}

// Order adds a finished order of one piece of each product, past the checkout.
func (k *Kit) Order(userID int64, status string, products ...int64) int64 {
	k.t.Helper()
	n, now := k.serial.Add(1), k.Clock.Now().UnixMilli()
	address := k.Insert(`
		INSERT INTO addresses (user_id, name, street, city, postal_code, country, created_at)
		VALUES (?, 'Ada', 'Long Street 1', 'Berlin', '10115', 'DE', ?)`, userID, now)
	k.Exec(`INSERT INTO carts (id, user_id, status, created_at, updated_at) VALUES (?, ?, 'ordered', ?, ?)`,
		fmt.Sprintf("cart-%d", n), userID, now, now)
	order := k.Insert(`
		INSERT INTO orders (user_id, cart_id, shipping_address_id, status, shipping_method, subtotal_cents, discount_cents,
		                    shipping_cents, tax_cents, total_cents, idempotency_key, request_hash, created_at, updated_at)
		VALUES (?, ?, ?, ?, 'standard', 0, 0, 0, 0, 0, ?, '', ?, ?)`,
		userID, fmt.Sprintf("cart-%d", n), address, status, fmt.Sprint(n), now, now)
	for _, product := range products {
		k.Exec(`INSERT INTO order_lines (order_id, product_id, name, unit_price_cents, qty) VALUES (?, ?, 'x', 0, 1)`, order, product)
	}
	return order
}

// A Client sends requests and keeps its cookies. It is for one goroutine.
type Client struct {
	User     identity.User // zero for a guest
	Password string

	kit     *Kit
	cookies map[string]string
}

// Guest returns a client that is not signed in.
func (k *Kit) Guest() *Client { return &Client{kit: k, cookies: map[string]string{}} }

// Customer returns a client that has just registered.
func (k *Kit) Customer(name string) *Client {
	k.t.Helper()
	c := k.Guest()
	c.Password = "long-enough-" + name
	user, token, err := k.Identity.Register(k.t.Context(), identity.Registration{
		Email: fmt.Sprintf("user%d@shop.example", k.serial.Add(1)), Password: c.Password, Name: name,
	})
	if err != nil {
		k.t.Fatal(err)
	}
	c.User, c.cookies["session"] = user, token
	return c
}

// Admin returns a client that is signed in as an administrator.
func (k *Kit) Admin() *Client {
	k.t.Helper()
	c := k.Customer("Root")
	k.Exec(`UPDATE users SET role = 'admin' WHERE id = ?`, c.User.ID)
	return c
}

// Do sends body (nil: none, string: as it is, else as JSON) with header, given in
// pairs, and returns the answer.
func (c *Client) Do(method, path string, body any, header ...string) *Answer {
	c.kit.t.Helper()
	var content io.Reader
	switch body := body.(type) {
	case nil:
	case string:
		content = bytes.NewReader([]byte(body))
	default:
		encoded, err := json.Marshal(body)
		if err != nil {
			c.kit.t.Fatal(err)
		}
		content = bytes.NewReader(encoded)
	}
	r := httptest.NewRequestWithContext(c.kit.t.Context(), method, path, content)
	if content != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	for name, value := range c.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	c.kit.handler.ServeHTTP(w, r)
	for _, cookie := range w.Result().Cookies() {
		if cookie.MaxAge < 0 {
			delete(c.cookies, cookie.Name)
		} else {
			c.cookies[cookie.Name] = cookie.Value
		}
	}
	return &Answer{Request: method + " " + path, Status: w.Code, Header: w.Header(), Body: w.Body.Bytes()}
}

// Cookie returns the value of a cookie that the client keeps, or "".
func (c *Client) Cookie(name string) string { return c.cookies[name] }

// SetCookie makes the client send a cookie.
func (c *Client) SetCookie(name, value string) { c.cookies[name] = value }
