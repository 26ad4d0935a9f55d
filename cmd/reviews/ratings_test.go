package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	sides "github.com/stranglerfig/toolkit/internal/owner"
	"github.com/stranglerfig/toolkit/monolith/reviews"
)

// rating is what the monolith's catalog shows.
func (p *pair) rating(product int64) string {
	a := p.Guest().Do("GET", fmt.Sprintf("/api/products/%d", product), nil)
	return fmt.Sprintf("%v of %v", a.Get("rating_avg"), a.Get("rating_count"))
}

// TestRatingsComeBackAtOnce: who has written a review at the service sees the product
// rated at the monolith, and the feed tells whoever follows the catalog.
func TestRatingsComeBackAtOnce(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	tea := p.Product(p.category, "Tea", 500, 10)
	p.buyer("Ada", tea).Do("POST", reviewsOf(tea), body{"rating": 5, "title": "x"}).Want(t, http.StatusCreated)
	p.move(t, sides.Target, 1)
	for i, want := range []string{"4.5 of 2", "4.33 of 3"} {
		do(t, p.buyer("Bob", tea), "POST", p.reviews.url+reviewsOf(tea), body{"rating": 4, "title": "x"}).want(t, http.StatusCreated)
		if got := p.rating(tea); got != want {
			t.Errorf("after review %d the product is rated %s, want %s", i+2, got, want)
		}
	}
	for query, want := range map[string]int64{
		`SELECT count(*) FROM audit_log WHERE action = 'review.created'`:                                       3,
		`SELECT count(*) FROM audit_log WHERE action = 'product.rated' AND entity_id = ''||` + fmt.Sprint(tea): 2,
		`SELECT count(*) FROM reviews`: 1, // the copy, which nobody follows here
	} {
		if n := p.Count(query); n != want {
			t.Errorf("%s: %d, want %d", query, n, want)
		}
	}
	if n := p.count(t, `SELECT count(*) FROM review_changes`); n != 0 {
		t.Errorf("%d changes wait, want none", n)
	}
}

// TestAChangeIsToldUntilItArrives: a monolith that cannot be told keeps nobody from
// reviewing, and learns of everything later, once.
func TestAChangeIsToldUntilItArrives(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	tea := p.Product(p.category, "Tea", 500, 10)
	p.move(t, sides.Target, 1)
	p.run(t)
	p.shop.close(func(r *http.Request) bool { return r.URL.Path == "/internal/reviews/changes" })
	for range 2 {
		do(t, p.buyer("Bob", tea), "POST", p.reviews.url+reviewsOf(tea), body{"rating": 4, "title": "x"}).want(t, http.StatusCreated)
	}
	if got := p.rating(tea); got != "0 of 0" {
		t.Errorf("rated %s before anybody could tell", got)
	}
	p.shop.open()
	eventually(t, "the product is rated", func() bool { return p.rating(tea) == "4 of 2" })
	eventually(t, "nothing waits", func() bool { return p.count(t, `SELECT count(*) FROM review_changes`) == 0 })
	if n := p.Count(`SELECT count(*) FROM audit_log WHERE action = 'review.created'`); n != 2 {
		t.Errorf("%d reviews in the audit log, want 2", n)
	}
}

// TestToldTwiceOrLate: what the monolith hears again, or after something newer, changes
// nothing; and while it owns the reviews itself, its own table knows better.
func TestToldTwiceOrLate(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	tea := p.Product(p.category, "Tea", 500, 10)
	p.move(t, sides.Target, 1)
	tell := func(seq, count int64, avg float64) {
		t.Helper()
		if err := p.Reviews.Changed(t.Context(), reviews.Change{
			Seq: seq, Action: reviews.Created, ReviewID: 7, ProductID: tea, UserID: 1, RatingAvg: avg, RatingCount: count,
		}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		seq, count int64
		avg        float64
		want       string
	}{{3, 2, 4.5, "4.5 of 2"}, {3, 2, 4.5, "4.5 of 2"}, {2, 1, 5, "4.5 of 2"}, {4, 3, 4, "4 of 3"}} {
		if tell(c.seq, c.count, c.avg); p.rating(tea) != c.want {
			t.Errorf("after change %d: %s, want %s", c.seq, p.rating(tea), c.want)
		}
	}
	p.move(t, sides.Source, 2)
	if tell(9, 5, 5); p.rating(tea) != "0 of 0" {
		t.Errorf("its own table is empty, but the product is rated %s", p.rating(tea))
	}
	if n := p.Count(`SELECT count(*) FROM audit_log WHERE action = 'review.created'`); n != 1 {
		t.Errorf("review 7 is %d times in the audit log", n)
	}
}

// TestBackAtTheShop: what the service had not told or deleted when the reviews came back
// the shop settles by itself.
func TestBackAtTheShop(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	tea := p.Product(p.category, "Tea", 500, 10)
	p.move(t, sides.Target, 1)
	ada, bob := p.buyer("Ada", tea), p.buyer("Bob", tea)
	do(t, ada, "POST", p.reviews.url+reviewsOf(tea), body{"rating": 5, "title": "x"}).want(t, http.StatusCreated)
	p.shop.close(func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/internal/reviews/") })
	do(t, bob, "POST", p.reviews.url+reviewsOf(tea), body{"rating": 2, "title": "x"}).want(t, http.StatusCreated)
	p.reviews.close(always)
	ada.Do("DELETE", "/api/me", body{"current_password": ada.Password}).Want(t, http.StatusNoContent)
	p.move(t, sides.Source, 2)
	if n := p.Count(`SELECT count(*) FROM reviews`); n != 2 || p.rating(tea) != "5 of 1" {
		t.Fatalf("%d reviews, rated %s: nothing is left to settle", n, p.rating(tea))
	}
	background(t, p.Reviews.Run)
	eventually(t, "the product has Bob's rating alone", func() bool { return p.rating(tea) == "2 of 1" })
	if n := p.Count(`SELECT count(*) FROM reviews`); n != 1 {
		t.Errorf("%d reviews, want Bob's alone", n)
	}
	for _, broken := range p.brokenReviews(t.Context()) {
		t.Error(broken)
	}
}

// TestTheMonolithAlone: without the service the shop shows its copy and takes no
// reviews; without the copy too, its pages say so.
func TestTheMonolithAlone(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	tea := p.Product(p.category, "Tea", 500, 10)
	ada, bob := p.buyer("Ada", tea), p.buyer("Bob", tea)
	ada.Do("POST", reviewsOf(tea), body{"rating": 5, "title": "Kept here"}).Want(t, http.StatusCreated)
	p.move(t, sides.Target, 1)
	p.reviews.close(always)
	page := fmt.Sprintf("/p/%d", tea)
	if a := bob.Do("GET", page, nil).Want(t, http.StatusOK); !strings.Contains(string(a.Body), "Kept here") {
		t.Error("the page does not show the copy")
	}
	began := time.Now()
	bob.Do("POST", reviewsOf(tea), body{"rating": 4, "title": "x"}).WantError(t, 503, "unavailable")
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("the refusal took %s", took)
	}
	p.Exec(`DROP TABLE reviews`) // as completing the split does
	if a := bob.Do("GET", page, nil).Want(t, http.StatusOK); !strings.Contains(string(a.Body), "Reviews cannot be shown right now") {
		t.Errorf("the page says nothing of it")
	}
	bob.Do("GET", reviewsOf(tea), nil).WantError(t, 503, "unavailable")
	p.Admin().Do("GET", "/api/admin/dashboard", nil).Want(t, http.StatusOK)
	p.reviews.open()
	if a := bob.Do("GET", page, nil).Want(t, http.StatusOK); !strings.Contains(string(a.Body), "Kept here") {
		t.Error("the page does not show what the service has")
	}
	bob.Do("POST", reviewsOf(tea), body{"rating": 4, "title": "x"}).Want(t, http.StatusCreated)
	if a := p.Admin().Do("GET", "/api/admin/dashboard", nil).Want(t, http.StatusOK); a.Get("average_rating") != 4.5 {
		t.Errorf("average %v, want 4.5", a.Get("average_rating"))
	}
	bob.Do("DELETE", "/api/me", body{"current_password": bob.Password}).Want(t, http.StatusNoContent)
	if got := p.rating(tea); got != "5 of 1" {
		t.Errorf("after Bob left the product is rated %s", got)
	}
}

// TestTheServiceAlone: without the monolith the service shows what it has seen, and
// takes no reviews.
func TestTheServiceAlone(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	tea, mug := p.Product(p.category, "Tea", 500, 10), p.Product(p.category, "Mug", 500, 10)
	ada, bob := p.buyer("Ada", tea, mug), p.buyer("Bob", tea)
	for _, id := range []int64{tea, mug} {
		ada.Do("POST", reviewsOf(id), body{"rating": 5, "title": "x"}).Want(t, http.StatusCreated)
	}
	p.move(t, sides.Target, 1)
	seen := do(t, nil, "GET", p.reviews.url+reviewsOf(tea), nil).want(t, http.StatusOK)
	p.shop.close(always)
	if a := do(t, nil, "GET", p.reviews.url+reviewsOf(tea), nil).want(t, http.StatusOK); a.body != seen.body {
		t.Errorf("%s, want %s", a.body, seen.body)
	}
	do(t, nil, "GET", p.reviews.url+reviewsOf(mug), nil).want(t, http.StatusServiceUnavailable) // nobody ever asked
	do(t, bob, "POST", p.reviews.url+reviewsOf(tea), body{"rating": 4, "title": "x"}).want(t, http.StatusServiceUnavailable)
}
