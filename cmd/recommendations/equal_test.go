package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/extracted/recommendations"
	"github.com/stranglerfig/toolkit/internal/follow"
	"github.com/stranglerfig/toolkit/internal/sqlite"
	"github.com/stranglerfig/toolkit/monolith/copytest"
)

var copying = &copytest.Service{
	Name: owner, Binary: &binary, Path: "/api/products/1/recommendations",
	Make: func(db *sqlite.DB, from string, opts follow.Options) (*follow.Feed, http.Handler, error) {
		store := recommendations.New(db, time.Now)
		feed, err := recommendations.NewFeed(store, from, opts)
		if err != nil {
			return nil, nil, err
		}
		return feed, recommendations.Handler(store, feed, recommendations.ServiceOptions{}), nil
	},
	Walk: func(t *testing.T, s *copytest.Shop) func(*rand.Rand) {
		w := newWalk(t, s)
		return func(random *rand.Rand) { w.step(t, random) }
	},
	Settle: flushViews,
	Equal:  func(t *testing.T, s *copytest.Shop, serviceURL string) { requireEqual(t, s, serviceURL, 40) },
}

// flushViews writes the views that the shop counts in memory.
func flushViews(t *testing.T, s *copytest.Shop) {
	t.Helper()
	if err := s.Recommendations.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
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
	requireEqual(t, s, c.URL, 220)
	requireEqualRefusals(t, s, c.URL)
	w, random := newWalk(t, s), rand.New(rand.NewPCG(1, 2))
	for range 3 {
		for range 25 {
			w.step(t, random)
		}
		flushViews(t, s)
		requireEqual(t, s, c.CatchUp(t).URL, 250)
	}
	if w.orders == 0 || w.cancelled == 0 || w.edits == 0 || w.deleted == 0 {
		t.Errorf("the walk did too little: %+v", w)
	}
}

// requireEqual compares what both sides answer about every product there may be.
func requireEqual(t *testing.T, s *copytest.Shop, serviceURL string, products int64) {
	t.Helper()
	for id := int64(1); id <= products; id++ {
		path := fmt.Sprintf("/api/products/%d/recommendations", id)
		s.Same(t, serviceURL, "GET", path, "Accept", "application/json")
		s.Same(t, serviceURL, "GET", path+"?limit=12", "Accept", "text/html")
		s.Same(t, serviceURL, "GET", path+fmt.Sprintf("?limit=%d", 1+id%12), "Accept", "*/*")
	}
}

// requireEqualRefusals compares what both sides answer to requests that ask for
// nothing, or for nonsense.
func requireEqualRefusals(t *testing.T, s *copytest.Shop, serviceURL string) {
	t.Helper()
	for _, product := range []string{"1", "0", "-1", "x", "99999999", "9999999999999999999999"} {
		for _, query := range []string{"", "?limit=0", "?limit=13", "?limit=x", "?limit=", "?limit=2&limit=3"} {
			path := "/api/products/" + product + "/recommendations" + query
			s.Same(t, serviceURL, "GET", path, "Accept", "application/json")
			s.Same(t, serviceURL, "HEAD", path, "Accept", "text/html,*/*;q=0.8")
		}
	}
}
