package catalog_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stranglerfig/toolkit/extracted/catalog"
	"github.com/stranglerfig/toolkit/internal/follow"
	"github.com/stranglerfig/toolkit/internal/instant"
	"github.com/stranglerfig/toolkit/internal/sqlite"
	"github.com/stranglerfig/toolkit/internal/web"
	"github.com/stranglerfig/toolkit/migrations"
)

var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

func newStore(t *testing.T) *catalog.Store {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "catalog.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := migrations.Up(t.Context(), db.Writer(), "catalog"); err != nil {
		t.Fatal(err)
	}
	return catalog.New(db, func() time.Time { return noon })
}

// shelf are four products; 3 and 4 are cups, 4 is not sold any more.
func shelf() catalog.Batch {
	b := catalog.Batch{Categories: []catalog.CategoryRow{{ID: 1, Slug: "tea", Name: "Tea", Position: 2}, {ID: 2, Slug: "cups", Name: "Cups", Position: 1}}}
	for id := int64(1); id <= 4; id++ {
		b.Products = append(b.Products, catalog.ProductRow{
			ID: id, SKU: fmt.Sprint("S-", id), Name: fmt.Sprint("Product ", id), Description: "Fine & 100%", CategoryID: 1 + id/3%2, PriceCents: 500 - 100*id,
			Active: id != 4, StockQty: id, RatingAvg: 4.5, RatingCount: 2, Version: 3, CreatedAt: instant.Instant(id), UpdatedAt: 9,
			Images: []catalog.Image{{URL: "/b.svg", Alt: "b"}, {URL: "/a.svg"}}, Tags: []string{"x", fmt.Sprint("tag-", id)},
		})
	}
	return b
}

func apply(t *testing.T, s *catalog.Store, b catalog.Batch) {
	t.Helper()
	b.Reached.Feed = "test"
	if err := s.Apply(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

// list shows a page as "id:price ... of total".
func list(t *testing.T, s *catalog.Store, q catalog.Query) string {
	t.Helper()
	q.Page = web.Paging{Page: 1, PerPage: 10}
	page, err := s.List(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, item := range page.Items {
		fmt.Fprintf(&b, "%d:%d ", item.ID, item.PriceCents)
	}
	return b.String() + fmt.Sprint("of ", page.Total)
}

func TestApplyReplacesWhatChanged(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	apply(t, s, shelf())
	apply(t, s, shelf()) // the same again changes nothing
	for query, want := range map[catalog.Query]string{
		{}:                            "1:400 2:300 3:200 of 3",
		{Sort: "price"}:               "3:200 2:300 1:400 of 3",
		{Sort: "newest"}:              "3:200 2:300 1:400 of 3",
		{Category: "cups"}:            "3:200 of 1",
		{Text: "tag-2 FINE"}:          "2:300 of 1",
		{Text: "100%"}:                "1:400 2:300 3:200 of 3",
		{Text: "1%0"}:                 "of 0",
		{Text: "x", Category: "cups"}: "3:200 of 1",
	} {
		if got := list(t, s, query); got != want {
			t.Errorf("%+v: got %q, want %q", query, got, want)
		}
	}
	back := shelf().Products[3]
	back.Active, back.Images, back.Tags, back.RatingCount = true, nil, nil, 7
	apply(t, s, catalog.Batch{
		Products: []catalog.ProductRow{back}, Gone: []int64{2},
		Ratings: []catalog.Rating{{ProductID: 1, RatingAvg: 5, RatingCount: 1}, {ProductID: 99, RatingAvg: 1, RatingCount: 1}},
	})
	if got, want := list(t, s, catalog.Query{Sort: "rating"}), "1:400 4:100 3:200 of 3"; got != want {
		t.Errorf("after the changes: got %q, want %q", got, want)
	}
	p, err := s.Product(t.Context(), 4)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Images)+len(p.Tags) != 0 || p.Images == nil || p.Tags == nil || p.RatingCount != 7 {
		t.Errorf("product 4: %+v", p)
	}
	categories, err := s.Categories(t.Context())
	want := []catalog.Category{{ID: 2, Slug: "cups", Name: "Cups", Products: 2}, {ID: 1, Slug: "tea", Name: "Tea", Products: 1}}
	if diff := cmp.Diff(want, categories); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

func TestPositionsAreWrittenWithTheData(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	b := shelf()
	b.Reached = catalog.Position{Feed: "changes", At: 9}
	if err := s.Apply(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	bad := shelf()
	bad.Products[0].Tags = []string{"twice", "twice"}
	bad.Products[0].PriceCents = 1
	bad.Reached = catalog.Position{Feed: "changes", At: 10}
	if err := s.Apply(t.Context(), bad); err == nil || !strings.Contains(err.Error(), "product 1") {
		t.Fatalf("a batch that cannot be written: %v", err)
	}
	requirePositions(t, s, map[string]int64{"changes": 9})
	if p, err := s.Product(t.Context(), 1); err != nil || p.PriceCents != 400 {
		t.Errorf("half of a refused batch was written: %v %+v", err, p)
	}
	if err := s.Restart(t.Context(), 4); err != nil {
		t.Fatal(err)
	}
	requirePositions(t, s, map[string]int64{"changes": 4})
	if got := list(t, s, catalog.Query{}); got != "of 0" {
		t.Errorf("after a restart: %s", got)
	}
}

func requirePositions(t *testing.T, s *catalog.Store, want map[string]int64) {
	t.Helper()
	got, err := s.Reached(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// serve runs the service on a monolith that is not there: what it answers comes
// from its own copy. complete says whether the first snapshot was taken.
func serve(t *testing.T, bug catalog.Bug, complete bool) *httptest.Server {
	t.Helper()
	s := newStore(t)
	apply(t, s, shelf())
	if complete {
		for _, feed := range []string{"changes", "snapshot"} {
			if err := s.Apply(t.Context(), catalog.Batch{Reached: catalog.Position{Feed: feed, At: 1}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	feed, err := catalog.NewFeed(s, "http://127.0.0.1:1", follow.Options{Refresh: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	ctx := t.Context()
	go func() { done <- feed.Run(ctx) }()
	server := httptest.NewServer(catalog.Handler(s, feed, catalog.ServiceOptions{Bug: bug}))
	if complete {
		eventually(t, "the feed finds its snapshot", feed.Ready)
	}
	t.Cleanup(func() {
		server.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return server
}

func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("within 20 s: %s", what)
		}
	}
}

func TestServesItsCopyWhileTheMonolithIsAway(t *testing.T) {
	t.Parallel()
	server := serve(t, "", true)
	eventually(t, "it says that it is degraded", func() bool {
		status, body := get(t, server.URL+"/healthz")
		var st follow.Status
		if err := json.Unmarshal([]byte(body), &st); err != nil {
			t.Fatal(err)
		}
		return status == http.StatusOK && st.Word == "degraded" && strings.Contains(st.LastError, "refused")
	})
	if status, body := get(t, server.URL+"/readyz"); status != http.StatusOK {
		t.Errorf("readyz: %d %s", status, body)
	}
	want := `{"id":1,"sku":"S-1","name":"Product 1","price_cents":400,"category":{"id":1,"slug":"tea","name":"Tea"},"image_url":"/b.svg",` +
		`"rating_avg":4.5,"rating_count":2,"stock_qty":1,"description":"Fine \u0026 100%","images":[{"url":"/b.svg","alt":"b"},{"url":"/a.svg","alt":""}],` +
		`"tags":["tag-1","x"],"version":3,"created_at":"1970-01-01T00:00:00.001Z","updated_at":"1970-01-01T00:00:00.009Z"}` + "\n"
	if status, body := get(t, server.URL+"/api/products/1"); status != http.StatusOK || body != want {
		t.Errorf("status %d, got\n%swant\n%s", status, body, want)
	}
	if status, body := get(t, server.URL+"/api/products/4"); status != http.StatusNotFound {
		t.Errorf("a product that is not sold: status %d, %s", status, body)
	}
	if _, metrics := get(t, server.URL+"/metrics"); !strings.Contains(metrics, "catalog_feed_ready 1") {
		t.Error("metrics without the state of the feed")
	}
}

func TestRefusesWhileTheCopyIsIncomplete(t *testing.T) {
	t.Parallel()
	server := serve(t, "", false)
	for path, want := range map[string]int{
		"/api/products/1": http.StatusServiceUnavailable,
		"/api/products":   http.StatusServiceUnavailable,
		"/api/categories": http.StatusServiceUnavailable,
		"/readyz":         http.StatusServiceUnavailable,
		"/healthz":        http.StatusOK,
	} {
		if status, body := get(t, server.URL+path); status != want {
			t.Errorf("%s: %d %s, want status %d", path, status, body, want)
		}
	}
}

func TestBugs(t *testing.T) {
	t.Parallel()
	for bug, want := range map[catalog.Bug]string{"": "1:400 2:300 3:200", catalog.BugPrice: "1:401 2:301 3:201", catalog.BugOrder: "3:200 2:300 1:400"} {
		server := serve(t, bug, true)
		_, body := get(t, server.URL+"/api/products")
		var page web.Page[catalog.Summary]
		if err := json.Unmarshal([]byte(body), &page); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, item := range page.Items {
			got = append(got, fmt.Sprintf("%d:%d", item.ID, item.PriceCents))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("bug %q: got %v, want %s", bug, got, want)
		}
		price := `"price_cents":400`
		if bug == catalog.BugPrice {
			price = `"price_cents":401`
		}
		if _, body := get(t, server.URL+"/api/products/1"); !strings.Contains(body, price) {
			t.Errorf("bug %q: %s, want %s", bug, body, price)
		}
	}
	server := serve(t, catalog.BugSlow, true)
	began := time.Now()
	if status, _ := get(t, server.URL+"/api/categories"); status != http.StatusOK || time.Since(began) < 4*time.Second {
		t.Errorf("status %d after %s: not slow", status, time.Since(began))
	}
}

func TestParseBug(t *testing.T) {
	t.Parallel()
	if _, err := catalog.ParseBug("catalog-odd"); err == nil {
		t.Error("an unknown bug of this service was accepted")
	}
	if bug, err := catalog.ParseBug("recommendations-slow"); err != nil || bug != "" {
		t.Errorf("another program's bug: %q, %v", bug, err)
	}
	for _, want := range catalog.Bugs() {
		if bug, err := catalog.ParseBug(string(want)); err != nil || bug != want {
			t.Errorf("%q: %q, %v", want, bug, err)
		}
	}
}
