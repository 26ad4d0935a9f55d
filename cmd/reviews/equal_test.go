package main

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	sides "github.com/stranglerfig/toolkit/internal/owner"
	"github.com/stranglerfig/toolkit/monolith/testkit"
)

// A question is one request of a client.
type question struct {
	method, path string
	client       *testkit.Client
	body         any
	header       []string
}

// told is an answer without what differs between any two answers.
func (q question) told(t *testing.T, base string) string {
	t.Helper()
	a, err := send(t.Context(), q.client, q.method, base+q.path, q.body, q.header...)
	if err != nil {
		t.Fatalf("%s %s: %v", q.method, q.path, err)
	}
	a.header.Del("Date")
	return fmt.Sprintf("%d %v\n%s", a.status, a.header, a.body)
}

// TestAnswersAsTheMonolithDid asks the monolith while it owns the reviews, and after the
// move the service, and the monolith that asks the service: all say the same, byte for
// byte, with the same headers.
func TestAnswersAsTheMonolithDid(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	tea, mug, none := p.Product(p.category, "Tea", 500, 10), p.Product(p.category, "Mug", 500, 10), p.Product(p.category, "Pot", 500, 10)
	hidden := p.Product(p.category, "Cup", 500, 10)
	var ada *testkit.Client
	for i, rating := range []int{5, 4, 4} {
		ada = p.buyer(fmt.Sprintf("A&da <%d>", i), tea, mug, hidden)
		ada.Do("POST", reviewsOf(tea), body{"rating": rating, "title": "T & <t>", "body": "ü"}).Want(t, http.StatusCreated)
		ada.Do("POST", reviewsOf(hidden), body{"rating": rating, "title": "Cup"}).Want(t, http.StatusCreated)
	}
	p.Admin().Do("PATCH", fmt.Sprintf("/api/admin/products/%d", hidden), body{"active": false}).Want(t, http.StatusOK)
	stranger := p.Customer("Eve")
	questions := asked(tea, mug, none, hidden, ada, stranger)
	before := make([]string, len(questions))
	for i, q := range questions {
		before[i] = q.told(t, p.shop.url)
	}
	p.move(t, sides.Target, 1)
	for _, who := range []struct{ name, base string }{{"the service", p.reviews.url}, {"the monolith", p.shop.url}} {
		for i, q := range questions {
			if got := q.told(t, who.base); got != before[i] {
				t.Errorf("%s %s: %s says\n%s\nthe monolith said\n%s", q.method, q.path, who.name, got, before[i])
			}
		}
	}
	ids := regexp.MustCompile(`"id":\d+`)
	a := do(t, ada, "POST", p.reviews.url+reviewsOf(mug), body{"rating": 3, "title": " So so "}).want(t, http.StatusCreated)
	want := fmt.Sprintf(`{"id":0,"product_id":%d,"author":"A\u0026da \u003c2\u003e","rating":3,"title":"So so","body":"","created_at":"2026-03-01T12:00:00.000Z"}`+"\n", mug)
	if got := ids.ReplaceAllString(a.body, `"id":0`); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if read := do(t, nil, "GET", p.shop.url+a.header.Get("Location"), nil).want(t, http.StatusOK); read.body != a.body {
		t.Errorf("read %s, written %s", read.body, a.body)
	}
}

// asked are questions that change nothing.
func asked(tea, mug, none, hidden int64, buyer, stranger *testkit.Client) []question {
	good := body{"rating": 5, "title": "x"}
	list := []question{
		{method: "GET", path: reviewsOf(tea)},
		{method: "HEAD", path: reviewsOf(tea)},
		{method: "GET", path: reviewsOf(tea) + "?per_page=2"},
		{method: "GET", path: reviewsOf(tea) + "?per_page=2&page=2"},
		{method: "GET", path: reviewsOf(tea) + "?page=9"},
		{method: "GET", path: reviewsOf(tea) + "?page=0"},
		{method: "GET", path: reviewsOf(tea) + "?per_page=101"},
		{method: "GET", path: reviewsOf(tea) + "/1"},
		{method: "HEAD", path: reviewsOf(tea) + "/1"},
		{method: "GET", path: reviewsOf(tea) + "/x"},
		{method: "GET", path: reviewsOf(tea) + "/999"},
		{method: "GET", path: reviewsOf(mug) + "/1"},
		{method: "GET", path: reviewsOf(none)},
		{method: "GET", path: reviewsOf(hidden)},
		{method: "GET", path: reviewsOf(hidden) + "/2"},
		{method: "GET", path: reviewsOf(999)},
		{method: "GET", path: "/api/products/x/reviews"},
		{method: "DELETE", path: reviewsOf(tea)},
		{method: "PUT", path: reviewsOf(tea) + "/1"},
		{method: "POST", path: reviewsOf(tea), body: good},
		{method: "POST", path: reviewsOf(tea), body: good, client: stranger},
		{method: "POST", path: reviewsOf(tea), body: good, client: buyer},
		{method: "POST", path: reviewsOf(hidden), body: good, client: buyer},
		{method: "POST", path: reviewsOf(999), body: good, client: buyer},
		{method: "POST", path: "/api/products/x/reviews", body: good, client: buyer},
		{method: "POST", path: reviewsOf(mug), body: good, client: buyer, header: []string{"Sec-Fetch-Site", "cross-site"}},
		{method: "POST", path: reviewsOf(mug), body: good, client: buyer, header: []string{"Content-Type", "text/plain"}},
	}
	for _, bad := range []any{
		nil, "", "{", `{"rating": 5, "title": "x"} {}`, `[]`,
		body{},
		body{"rating": 0, "title": "x"},
		body{"rating": 6, "title": strings.Repeat("x", 121), "body": strings.Repeat("x", 4001)},
		body{"rating": 4.5, "title": "x"},
		body{"rating": "5", "title": "x"},
		body{"rating": 5, "title": "x", "user_id": 1},
		strings.Repeat("x", 2<<20),
	} {
		list = append(list, question{method: "POST", path: reviewsOf(mug), body: bad, client: buyer})
	}
	return list
}

// TestWritesNothingThatIsNotItsOwn: until the table belongs to the service it takes no
// review, and until a split has begun it shows none.
func TestWritesNothingThatIsNotItsOwn(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	tea := p.Product(p.category, "Tea", 500, 10)
	ada := p.buyer("Ada", tea)
	post := func() answer {
		return do(t, ada, "POST", p.reviews.url+reviewsOf(tea), body{"rating": 5, "title": "x"})
	}
	get := func() answer { return do(t, nil, "GET", p.reviews.url+reviewsOf(tea), nil) }
	if a := get().want(t, http.StatusServiceUnavailable); a.header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
	}
	post().want(t, http.StatusServiceUnavailable)
	p.move(t, sides.Target, 1)
	post().want(t, http.StatusCreated)
	p.move(t, sides.Source, 2)
	if a := post().want(t, http.StatusServiceUnavailable); !strings.Contains(a.body, `"not_owner"`) {
		t.Errorf("%s", a.body)
	}
	get().want(t, http.StatusOK)
	ada.Do("POST", reviewsOf(tea), body{"rating": 5, "title": "x"}).WantError(t, 409, "already_reviewed") // it came back
}
