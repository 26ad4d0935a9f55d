package mixes_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stranglerfig/toolkit/internal/owner"
	"github.com/stranglerfig/toolkit/internal/shoptest"
	"github.com/stranglerfig/toolkit/internal/sqlite"
)

const reviewsConfig = `version: 1
monolith: %s
services:
  reviews: %s
guard: off
routes:
  product-reviews:
    match: /api/products/{id}/reviews/**
    to: reviews
    stage: %s
`

// reviewsShop is the monolith and the reviews service behind the proxy, and the files
// of their databases.
type reviewsShop struct {
	monolith, service *shoptest.Process
	url, admin        string
	config            string
	source, target    *sqlite.DB
	start             func() *shoptest.Process // starts the service again
}

func newReviewsShop(t *testing.T) *reviewsShop {
	t.Helper()
	dir, addr := t.TempDir(), freeAddress(t)
	monolith, err := shoptest.StartMonolith(t.Context(), bin, dir, "--reviews", "http://"+addr)
	if err != nil {
		t.Fatal(err)
	}
	stopAtEnd(t, monolith)
	s := &reviewsShop{monolith: monolith, config: filepath.Join(dir, "strangler.yaml")}
	s.start = func() *shoptest.Process {
		service, err := shoptest.Start(t.Context(), filepath.Join(bin, "reviews"), "serve", "--addr", addr,
			"--db", filepath.Join(dir, "reviews.db"), "--monolith", monolith.URL, "--refresh", "50ms", "--log-level", "warn")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(service.Kill)
		return service
	}
	s.service = s.start()
	s.route(t, "monolith")
	s.url, s.admin = startProxy(t, s.config)
	s.source, s.target = openDB(t, filepath.Join(dir, "monolith.db")), openDB(t, filepath.Join(dir, "reviews.db"))
	return s
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func openDB(t *testing.T, path string) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// route writes the file with the route at stage, and waits for the proxy if it runs.
func (s *reviewsShop) route(t *testing.T, stage string) {
	t.Helper()
	if err := os.WriteFile(s.config, fmt.Appendf(nil, reviewsConfig, s.monolith.URL, s.service.URL, stage), 0o600); err != nil {
		t.Fatal(err)
	}
	if s.admin != "" {
		eventually(t, "the proxy follows the file", func() bool { return routes(t, s.admin)[0].Stage == stage })
	}
}

// move gives the reviews to side.
func (s *reviewsShop) move(t *testing.T, side string, epoch int) {
	t.Helper()
	if err := shoptest.Move(t.Context(), s.source, s.target, "reviews", side, epoch); err != nil {
		t.Fatal(err)
	}
}

// aboutReviews are the tests that have to do with reviews in any way.
const aboutReviews = "Review|DeleteAccount|Product|Feed|Dashboard|Journey|Shopper|Form|Pages|Markup|Audit|Categories"

// TestSuiteWithTheReviewsMoved runs the suite before the reviews move, after that with
// their routes at the service and at the monolith, which then asks the service itself,
// and after they came back.
func TestSuiteWithTheReviewsMoved(t *testing.T) {
	t.Parallel()
	s := newReviewsShop(t)
	suite(t, s.url, aboutReviews).green(t)
	s.move(t, owner.Target, 1)
	t.Run("at the monolith", func(t *testing.T) { suite(t, s.url, aboutReviews).green(t) })
	s.route(t, "live")
	t.Run("live", func(t *testing.T) {
		suite(t, s.url, ".").green(t)
		if r := routes(t, s.admin)[0]; r.Service == 0 || r.Fallbacks+r.Failed > 0 {
			t.Errorf("the proxy counted %+v", r)
		}
	})
	s.route(t, "monolith")
	s.move(t, owner.Source, 2)
	t.Run("back again", func(t *testing.T) { suite(t, s.url, aboutReviews).green(t) })
	if status(t, s.service.URL+"/api/products/1/reviews") != http.StatusOK {
		t.Error("the service does not show its copy")
	}
}
