package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	extracted "github.com/stranglerfig/toolkit/extracted/reviews"
	sides "github.com/stranglerfig/toolkit/internal/owner"
	"github.com/stranglerfig/toolkit/internal/shoptest"
	"github.com/stranglerfig/toolkit/monolith/testkit"
)

// TestAnAccountTakesItsReviewsAlong, at once if the service is there, and otherwise as
// soon as it is again.
func TestAnAccountTakesItsReviewsAlong(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	tea := p.Product(p.category, "Tea", 500, 10)
	ada, bob, eve := p.buyer("Ada", tea), p.buyer("Bob", tea), p.buyer("Eve", tea)
	for i, c := range []*testkit.Client{ada, bob, eve} {
		c.Do("POST", reviewsOf(tea), body{"rating": 3 + i, "title": "x"}).Want(t, http.StatusCreated)
	}
	p.move(t, sides.Target, 1)
	leave := func(c *testkit.Client) {
		t.Helper()
		c.Do("DELETE", "/api/me", body{"current_password": c.Password}).Want(t, http.StatusNoContent)
	}
	leave(ada)
	if n := p.count(t, `SELECT count(*) FROM reviews`); n != 2 || p.rating(tea) != "4.5 of 2" {
		t.Errorf("%d reviews, rated %s, want 2 and 4.5 of 2", n, p.rating(tea))
	}
	p.reviews.close(always)
	leave(bob)
	if n := p.count(t, `SELECT count(*) FROM reviews`); n != 2 {
		t.Errorf("%d reviews: who deleted Bob's?", n)
	}
	p.run(t)
	eventually(t, "Bob's is gone, too", func() bool { return p.rating(tea) == "5 of 1" })
	if n := p.count(t, `SELECT count(*) FROM reviews WHERE user_id = ?`, eve.User.ID); n != 1 {
		t.Error("Eve's review is gone")
	}
}

// TestWhoIsGoneWritesNothing: a review that was on its way when its author or product
// went is refused, whichever of the two came first.
func TestWhoIsGoneWritesNothing(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.move(t, sides.Target, 1)
	if err := p.store.Apply(t.Context(), extracted.Batch{Users: []int64{7}, Products: []int64{8}, Reached: 1}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		user, product int64
		want          string
	}{{7, 1, "sign in first"}, {1, 8, "no such product"}, {7, 8, "no such product"}, {1, 1, ""}} {
		_, _, err := p.store.Create(t.Context(), c.product, extracted.User{ID: c.user, Name: "x"}, true, extracted.Draft{Rating: 5, Title: "x"})
		if got := fmt.Sprint(err); got != c.want && (c.want != "" || err != nil) {
			t.Errorf("user %d, product %d: %v, want %q", c.user, c.product, err, c.want)
		}
	}
}

// TestKilledWhileItForgets kills the real program at each of its requests in turn, while
// users and a product go. The next start finishes the work.
func TestKilledWhileItForgets(t *testing.T) {
	t.Parallel()
	for step := 1; ; step++ {
		p := newPair(t)
		tea, mug := p.Product(p.category, "Tea", 500, 10), p.Product(p.category, "Mug", 500, 10)
		var leaving []*testkit.Client
		for range 3 {
			c := p.buyer("Ada", tea)
			c.Do("POST", reviewsOf(tea), body{"rating": 2, "title": "x"}).Want(t, http.StatusCreated)
			leaving = append(leaving, c)
		}
		p.buyer("Bob", tea).Do("POST", reviewsOf(tea), body{"rating": 5, "title": "x"}).Want(t, http.StatusCreated)
		p.move(t, sides.Target, 1)
		// No order keeps this product, so it can be deleted: its review came by hand.
		if _, err := p.db.Writer().Exec(`INSERT INTO reviews (product_id, user_id, rating, title, created_at, updated_at) VALUES (?, 1, 5, 'x', 0, 0)`, mug); err != nil {
			t.Fatal(err)
		}
		p.reviews.close(always) // the test's own service is out of this
		for _, c := range leaving {
			c.Do("DELETE", "/api/me", body{"current_password": c.Password}).Want(t, http.StatusNoContent)
		}
		p.Admin().Do("DELETE", fmt.Sprintf("/api/admin/products/%d", mug), nil).Want(t, http.StatusNoContent)

		reached, release := p.shop.holdAt(step)
		first := p.start(t)
		held := false
		eventually(t, "the program waits, or has done everything", func() bool {
			select {
			case <-reached:
				held = true
			default:
			}
			return held || p.forgotten(t, tea)
		})
		first.Kill()
		release()
		second := p.start(t)
		eventually(t, "only Bob's review is left, and counted", func() bool { return p.forgotten(t, tea) })
		if err := second.Stop(); err != nil {
			t.Error(err)
		}
		if !held {
			if step < 3 {
				t.Errorf("everything took %d requests only", step-1)
			}
			return // step lies beyond the last request: it was killed at each once
		}
	}
}

func (p *pair) forgotten(t *testing.T, product int64) bool {
	t.Helper()
	return p.count(t, `SELECT count(*) FROM reviews`) == 1 && p.count(t, `SELECT count(*) FROM review_changes`) == 0 && p.rating(product) == "5 of 1"
}

// start starts the real program on the service's database.
func (p *pair) start(t *testing.T) *shoptest.Process {
	t.Helper()
	process, err := shoptest.Start(t.Context(), binary, "serve", "--addr", "127.0.0.1:0", "--db", p.path,
		"--monolith", p.shop.url, "--refresh", "10ms", "--log-level", "error")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(process.Kill)
	return process
}

// holdAt lets the n-th internal request from now, and all that follow, wait for release,
// which cuts them off.
func (d *door) holdAt(n int) (reached <-chan struct{}, release func()) {
	var mu sync.Mutex
	seen, here, gone := 0, make(chan struct{}), make(chan struct{})
	d.close(func(r *http.Request) bool {
		if !strings.HasPrefix(r.URL.Path, "/internal/") {
			return false
		}
		mu.Lock()
		seen++
		at := seen
		if at == n {
			close(here)
		}
		mu.Unlock()
		if at < n {
			return false
		}
		select {
		case <-gone:
		case <-r.Context().Done():
		}
		return true
	})
	return here, func() {
		d.open()
		close(gone)
	}
}
