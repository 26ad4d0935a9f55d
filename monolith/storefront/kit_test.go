package storefront_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stranglerfig/toolkit/internal/sqlite"
	"github.com/stranglerfig/toolkit/migrations"
	"github.com/stranglerfig/toolkit/monolith"
	"github.com/stranglerfig/toolkit/monolith/seed"
)

// A site is a seeded shop that serves and works in the background.
type site struct {
	*monolith.Shop
	DB  *sqlite.DB
	URL string
}

// open starts a seeded shop. wrap, if not nil, stands in front of it like a proxy.
func open(t *testing.T, wrap func(http.Handler) http.Handler) *site {
	t.Helper()
	path := filepath.Join(t.TempDir(), "shop.db")
	body, err := seeded()
	must(t, err)
	must(t, os.WriteFile(path, body, 0o600))
	db, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	must(t, err)
	t.Cleanup(func() { db.Close() })
	shop, err := monolith.New(db, monolith.Options{})
	must(t, err)
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- shop.Run(ctx) }()
	handler := shop.Handler()
	if wrap != nil {
		handler = wrap(handler)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		server.Close()
		stop()
		if err := <-stopped; err != nil {
			t.Errorf("run: %v", err)
		}
		shop.Close()
	})
	return &site{Shop: shop, DB: db, URL: server.URL}
}

// seeded is the file of a seeded shop, made once: each test gets a copy.
var seeded = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "storefront")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	ctx, path := context.Background(), filepath.Join(dir, "shop.db")
	db, err := sqlite.Open(ctx, path, sqlite.Options{})
	if err != nil {
		return nil, err
	}
	err = errors.Join(
		migrations.Up(ctx, db.Writer(), "monolith"),
		seed.Run(ctx, db, seed.Options{Scale: 1}),
		db.Close(), // puts the write-ahead log into the file
	)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A visitor is a browser without JavaScript: it keeps cookies and sends forms, but
// follows no redirect by itself.
type visitor struct {
	t      *testing.T
	site   *site
	client *http.Client
}

func (s *site) visitor(t *testing.T) *visitor {
	jar, err := cookiejar.New(nil)
	must(t, err)
	return &visitor{t: t, site: s, client: &http.Client{
		Jar:           jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// A result is what a request got.
type result struct {
	status   int
	location string
	header   http.Header
	body     string
}

func (v *visitor) send(req *http.Request) result {
	v.t.Helper()
	if req.Header.Get("Accept") == "" {
		req.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	}
	resp, err := v.client.Do(req)
	must(v.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(v.t, err)
	return result{resp.StatusCode, resp.Header.Get("Location"), resp.Header, string(body)}
}

func (v *visitor) get(path string, header ...string) result {
	v.t.Helper()
	req, err := http.NewRequestWithContext(v.t.Context(), http.MethodGet, v.site.URL+path, nil)
	must(v.t, err)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return v.send(req)
}

// post sends a form: pairs of names and values.
func (v *visitor) post(path string, pairs ...string) result {
	v.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	req, err := http.NewRequestWithContext(v.t.Context(), http.MethodPost, v.site.URL+path, strings.NewReader(form.Encode()))
	must(v.t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return v.send(req)
}

// page gets a page that must be there and hold all of texts.
func (v *visitor) page(path string, texts ...string) string {
	v.t.Helper()
	res := v.get(path)
	if res.status != http.StatusOK {
		v.t.Fatalf("GET %s: status %d: %s", path, res.status, res.body)
	}
	for _, text := range texts {
		if !strings.Contains(res.body, text) {
			v.t.Errorf("GET %s: no %q in %s", path, text, res.body)
		}
	}
	return res.body
}

// to sends a form that must lead to the page target.
func (v *visitor) to(target, path string, pairs ...string) {
	v.t.Helper()
	res := v.post(path, pairs...)
	if res.status != http.StatusSeeOther || res.location != target {
		v.t.Fatalf("POST %s: status %d to %q, want 303 to %q: %s", path, res.status, res.location, target, res.body)
	}
}

// refused sends a form that must come back with 422 and all of texts.
func (v *visitor) refused(path string, pairs []string, texts ...string) string {
	v.t.Helper()
	res := v.post(path, pairs...)
	if res.status != http.StatusUnprocessableEntity {
		v.t.Fatalf("POST %s: status %d, want 422: %s", path, res.status, res.body)
	}
	for _, text := range texts {
		if !strings.Contains(res.body, text) {
			v.t.Errorf("POST %s: no %q in %s", path, text, res.body)
		}
	}
	return res.body
}

func (v *visitor) login(email, password string) {
	v.t.Helper()
	v.to("/", "/login", "email", email, "password", password)
}
