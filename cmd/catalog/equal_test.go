package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/extracted/catalog"
	"github.com/stranglerfig/toolkit/internal/follow"
	"github.com/stranglerfig/toolkit/internal/sqlite"
	"github.com/stranglerfig/toolkit/monolith/copytest"
)

var copying = &copytest.Service{
	Name: owner, Binary: &binary, Path: "/api/products/1",
	Make: func(db *sqlite.DB, from string, opts follow.Options) (*follow.Feed, http.Handler, error) {
		store := catalog.New(db, time.Now)
		feed, err := catalog.NewFeed(store, from, opts)
		if err != nil {
			return nil, nil, err
		}
		return feed, catalog.Handler(store, feed, catalog.ServiceOptions{}), nil
	},
	Walk: func(t *testing.T, s *copytest.Shop) func(*rand.Rand) {
		w := newWalk(t, s)
		return func(random *rand.Rand) { w.step(t, random) }
	},
	Equal: requireEqualRows,
}

func TestSurvivesACutAtEveryStep(t *testing.T)    { copying.SurvivesACutAtEveryStep(t) }
func TestSurvivesACutWhileFollowing(t *testing.T) { copying.SurvivesACutWhileFollowing(t) }
func TestCopiesAnotherDatabaseAnew(t *testing.T)  { copying.CopiesAnotherDatabaseAnew(t) }
func TestOutlivesTheMonolith(t *testing.T)        { copying.OutlivesTheMonolith(t) }
func TestSurvivesAKillInTheSnapshot(t *testing.T) { copying.SurvivesAKillInTheSnapshot(t) }

func TestAnswersAsTheMonolithDoes(t *testing.T) {
	t.Parallel()
	s := copytest.NewShop(t)
	c := copying.Copy(t, s).CatchUp(t)
	requireEqual(t, s, c.URL)
	requireEqualRefusals(t, s, c.URL)
	w, random := newWalk(t, s), rand.New(rand.NewPCG(1, 2))
	for range 3 {
		for range 25 {
			w.step(t, random)
		}
		requireEqual(t, s, c.CatchUp(t).URL)
	}
	for what, n := range w.did {
		if n == 0 {
			t.Errorf("the walk did not %s once", what)
		}
	}
	t.Logf("the walk did %v", w.did)
}

// requireEqual compares what both sides answer about every product there may be, and
// every list of them.
func requireEqual(t *testing.T, s *copytest.Shop, serviceURL string) {
	t.Helper()
	requireEqualRows(t, s, serviceURL)
	var slugs []string
	if err := s.DB.Select(&slugs, `SELECT slug FROM categories`); err != nil {
		t.Fatal(err)
	}
	for _, slug := range append(slugs, "") {
		for _, sort := range []string{"", "name", "price", "-price", "rating", "newest"} {
			query := url.Values{"category": {slug}, "sort": {sort}}
			requireSamePages(t, s, serviceURL, query)
		}
	}
	for i, text := range searches {
		query := url.Values{"q": {text}, "sort": {[]string{"", "price", "rating", "newest"}[i%4]}, "category": {append(slugs, "")[i%(len(slugs)+1)]}}
		requireSamePages(t, s, serviceURL, query)
		requireSamePages(t, s, serviceURL, url.Values{"q": {text}, "per_page": {"100"}})
	}
}

// requireEqualRows compares everything that was copied: all products and categories,
// and one list.
func requireEqualRows(t *testing.T, s *copytest.Shop, serviceURL string) {
	t.Helper()
	s.Same(t, serviceURL, "GET", "/api/categories")
	requireSamePages(t, s, serviceURL, url.Values{"per_page": {"100"}})
	var products int64
	if err := s.DB.Get(&products, `SELECT max(id) + 2 FROM products`); err != nil {
		t.Fatal(err)
	}
	for id := int64(1); id <= products; id++ {
		path := fmt.Sprintf("/api/products/%d", id)
		got := s.Same(t, serviceURL, "GET", path)
		if etag := etagOf.FindString(got); etag != "" && id%10 == 1 {
			if again := s.Same(t, serviceURL, "GET", path, "If-None-Match", etag); !strings.HasPrefix(again, "304") {
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
func requireSamePages(t *testing.T, s *copytest.Shop, serviceURL string, query url.Values) {
	t.Helper()
	for page, pages := 1, 1; page <= pages; page++ {
		query.Set("page", fmt.Sprint(page))
		got := s.Same(t, serviceURL, "GET", "/api/products?"+query.Encode())
		found := pagesOf.FindStringSubmatch(got)
		if found == nil {
			t.Fatalf("no list of products: %s", got)
		}
		pages, _ = strconv.Atoi(found[1])
	}
}

// requireEqualRefusals compares what both sides answer to reads that ask for nothing,
// or for nonsense.
func requireEqualRefusals(t *testing.T, s *copytest.Shop, serviceURL string) {
	t.Helper()
	for _, product := range []string{"1", "0", "-1", "x", "99999999", "9999999999999999999999", "1/", "1%2f", "%31", ""} {
		for _, method := range []string{"GET", "HEAD"} {
			s.Same(t, serviceURL, method, "/api/products/"+product)
		}
		for _, etag := range []string{"*", `"x"`, `W/"1-00"`, "nonsense"} {
			s.Same(t, serviceURL, "GET", "/api/products/"+product, "If-None-Match", etag)
		}
	}
	for _, query := range []string{
		"", "page=0", "page=x", "page=-1", "page=10000", "page=10001", "page=", "page=1&page=2", "per_page=0", "per_page=101", "per_page=1", "per_page=x",
		"sort=nonsense", "sort=NAME", "sort=", "category=nonsense", "category=", "category=%00", "category=nonsense&sort=nonsense",
		"q=" + strings.Repeat("a", 101), "q=" + strings.Repeat("a", 101) + "&page=0", "q=+++", "q=%00", "q=%ff", "q=a;b", "q=%zz", "unknown=1",
	} {
		for _, method := range []string{"GET", "HEAD"} {
			s.Same(t, serviceURL, method, "/api/products?"+query)
		}
		s.Same(t, serviceURL, "GET", "/api/categories?"+query)
	}
	s.Same(t, serviceURL, "HEAD", "/api/categories")
}
