package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/extracted/reviews"
	"github.com/stranglerfig/toolkit/internal/service"
	"github.com/stranglerfig/toolkit/internal/service/servicetest"
	"github.com/stranglerfig/toolkit/internal/shoptest"
	"github.com/stranglerfig/toolkit/internal/sqlite"
	"github.com/stranglerfig/toolkit/monolith"
	"github.com/stranglerfig/toolkit/monolith/testkit"
)

var binary string // the real program

func TestMain(m *testing.M) { servicetest.Main(m, owner, &binary) }

type body = map[string]any

// A pair is a real monolith and the real service in this process, with a server each.
type pair struct {
	*testkit.Kit
	store    *reviews.Store
	service  *reviews.Service
	db       *sqlite.DB // the service's
	path     string     // of that
	shop     *door
	reviews  *door
	category int64
}

// A door is a server that can be shut: all, or paths that a function chooses.
type door struct {
	url  string
	shut atomic.Pointer[func(*http.Request) bool]
	in   atomic.Pointer[http.Handler]
}

func newDoor(t *testing.T) *door {
	t.Helper()
	d := &door{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if shut := d.shut.Load(); shut != nil && (*shut)(r) {
			panic(http.ErrAbortHandler)
		}
		(*d.in.Load()).ServeHTTP(w, r)
	}))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	t.Cleanup(server.Close)
	d.url = server.URL
	return d
}

func (d *door) close(when func(*http.Request) bool) { d.shut.Store(&when) }
func (d *door) open()                               { d.shut.Store(nil) }
func always(*http.Request) bool                     { return true }

// newPair returns a shop that owns its reviews, and a service that does not run.
func newPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{shop: newDoor(t), reviews: newDoor(t), path: filepath.Join(t.TempDir(), "reviews.db")}
	p.Kit = testkit.New(t, monolith.Options{ReviewsURL: p.reviews.url, PasswordMemory: 64})
	handler := p.Handler()
	p.shop.in.Store(&handler)
	db, err := service.Open(t.Context(), owner, p.path, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	p.db, p.store = db, reviews.New(db, p.Clock.Now)
	p.service, err = reviews.NewService(p.store, p.shop.url, reviews.Options{
		Token: monolith.DevInternalToken, Refresh: 10 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	inner := p.service.Handler()
	p.reviews.in.Store(&inner)
	if err := p.service.Settle(t.Context()); err != nil { // the feed begins here
		t.Fatal(err)
	}
	p.category = p.Category("tea")
	return p
}

// run lets the service run until the test ends.
func (p *pair) run(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.service.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func (p *pair) move(t *testing.T, side string, epoch int) {
	t.Helper()
	if err := shoptest.Move(t.Context(), p.DB, p.db, "reviews", side, epoch); err != nil {
		t.Fatal(err)
	}
}

// buyer returns a new customer who has bought the products.
func (p *pair) buyer(name string, products ...int64) *testkit.Client {
	c := p.Customer(name)
	p.Order(c.User.ID, "paid", products...)
	return c
}

// An answer is what one of the two said.
type answer struct {
	status int
	header http.Header
	body   string
}

// do asks the server at base, with the session of c, who may be nil. body is sent as
// JSON, a string as it is.
func do(t *testing.T, c *testkit.Client, method, url string, content any) answer {
	t.Helper()
	a, err := send(t.Context(), c, method, url, content)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return a
}

func send(ctx context.Context, c *testkit.Client, method, url string, content any, header ...string) (answer, error) {
	var reader io.Reader
	switch content := content.(type) {
	case nil:
	case string:
		reader = strings.NewReader(content)
	default:
		data, err := json.Marshal(content)
		if err != nil {
			return answer{}, err
		}
		reader = strings.NewReader(string(data))
	}
	req, err := http.NewRequestWithContext(ctx, method, url, reader)
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("X-Request-Id", "r-1")
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	if c != nil {
		req.AddCookie(&http.Cookie{Name: "session", Value: c.Cookie("session")})
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(data)}, err
}

func (a answer) want(t *testing.T, status int) answer {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	return a
}

// count returns the one number that a query of the service's database yields.
func (p *pair) count(t *testing.T, query string, args ...any) (n int64) {
	t.Helper()
	if err := p.db.GetContext(t.Context(), &n, query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("within 15 s: %s", what)
		}
	}
}

func reviewsOf(product int64) string { return fmt.Sprintf("/api/products/%d/reviews", product) }
