package recommendations_test

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

	"github.com/stranglerfig/toolkit/extracted/recommendations"
	"github.com/stranglerfig/toolkit/internal/follow"
	"github.com/stranglerfig/toolkit/internal/sqlite"
	"github.com/stranglerfig/toolkit/migrations"
)

var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

func newStore(t *testing.T) *recommendations.Store {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "recommendations.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := migrations.Up(t.Context(), db.Writer(), "recommendations"); err != nil {
		t.Fatal(err)
	}
	return recommendations.New(db, func() time.Time { return noon })
}

// shelf are five products of category 1 and one of category 2; product 5 is not
// sold any more.
func shelf() []recommendations.Product {
	var list []recommendations.Product
	for id := int64(1); id <= 6; id++ {
		list = append(list, recommendations.Product{
			ID: id, Name: fmt.Sprintf("Product %d", id), CategoryID: 1 + id/6, PriceCents: 100 * id, Active: id != 5, ImageURL: "/static/one.svg",
		})
	}
	return list
}

func apply(t *testing.T, s *recommendations.Store, b recommendations.Batch) {
	t.Helper()
	b.Reached.Feed = "test"
	if err := s.Apply(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

// scores shows a list as "id:score:first letter of the reason".
func scores(t *testing.T, s *recommendations.Store, product int64, limit int) string {
	t.Helper()
	list, err := s.For(t.Context(), product, limit)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, item := range list.Items {
		out = append(out, fmt.Sprintf("%d:%d:%c", item.ID, item.Score, item.Reason[0]))
	}
	return strings.Join(out, " ")
}

func TestForOrdersByPurchasesThenViews(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	apply(t, s, recommendations.Batch{
		Products: shelf(),
		Purchases: []recommendations.Purchase{
			{OrderID: 1, ProductIDs: []int64{1, 6, 4}, Counts: true},
			{OrderID: 2, ProductIDs: []int64{1, 6, 5}, Counts: true},
			{OrderID: 3, ProductIDs: []int64{1, 2}, Counts: false},
		},
		Views: []recommendations.Views{
			{ProductID: 3, Day: "2026-01-31", Views: 2},
			{ProductID: 3, Day: "2026-01-02", Views: 3},   // the first day that counts
			{ProductID: 2, Day: "2026-01-01", Views: 100}, // the last that does not
			{ProductID: 2, Day: "2026-02-01", Views: 100}, // tomorrow
		},
	})
	for _, test := range []struct {
		product int64
		limit   int
		want    string
	}{
		{1, 6, "6:2:b 4:1:b 3:5:s 2:0:s"},
		{1, 3, "6:2:b 4:1:b 3:5:s"},
		{1, 1, "6:2:b"},
		{2, 6, "3:5:s 1:0:s 4:0:s"},
		{6, 6, "1:2:b 4:1:b"},
	} {
		if got := scores(t, s, test.product, test.limit); got != test.want {
			t.Errorf("product %d, limit %d: got %q, want %q", test.product, test.limit, got, test.want)
		}
	}
}

func TestApplyReplacesWhatChanged(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	first := recommendations.Batch{
		Products:  shelf(),
		Purchases: []recommendations.Purchase{{OrderID: 1, ProductIDs: []int64{1, 2, 3}, Counts: true}},
		Views:     []recommendations.Views{{ProductID: 4, Day: "2026-01-31", Views: 7}},
	}
	apply(t, s, first)
	apply(t, s, first) // the same again changes nothing
	if got, want := scores(t, s, 1, 12), "2:1:b 3:1:b 4:7:s"; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
	apply(t, s, recommendations.Batch{
		Products:  []recommendations.Product{{ID: 5, Name: "Back", CategoryID: 1, Active: true}},
		Gone:      []int64{2},
		Purchases: []recommendations.Purchase{{OrderID: 1}}, // cancelled
		Views:     []recommendations.Views{{ProductID: 4, Day: "2026-01-31", Views: 9}},
	})
	if got, want := scores(t, s, 1, 12), "4:9:s 3:0:s 5:0:s"; got != want {
		t.Errorf("after the changes: got %q, want %q", got, want)
	}
}

func TestPositionsAreWrittenWithTheData(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	at := recommendations.Position{Feed: "views", At: 5, Product: 3, Day: "2026-01-31"}
	if err := s.Apply(t.Context(), recommendations.Batch{Reached: at}); err != nil {
		t.Fatal(err)
	}
	bad := shelf()
	bad[0].Active = true
	if err := s.Apply(t.Context(), recommendations.Batch{Products: bad, Reached: recommendations.Position{Feed: "changes", At: 9}}); err != nil {
		t.Fatal(err)
	}
	got, err := s.Positions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]recommendations.Position{"views": at, "changes": {Feed: "changes", At: 9}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if err := s.Restart(t.Context(), 4); err != nil {
		t.Fatal(err)
	}
	if got, err = s.Positions(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]recommendations.Position{"changes": {Feed: "changes", At: 4}}, got); diff != "" {
		t.Error("after a restart:", diff)
	}
	if _, err := s.For(t.Context(), 1, 6); err == nil {
		t.Error("a product survived the restart")
	}
}

// serve runs the service on a monolith that is not there: what it answers comes
// from its own copy. complete says whether the first snapshot was taken.
func serve(t *testing.T, bug recommendations.Bug, complete bool) *httptest.Server {
	t.Helper()
	s := newStore(t)
	apply(t, s, recommendations.Batch{Products: shelf()})
	if complete {
		for _, feed := range []string{"changes", "snapshot"} {
			if err := s.Apply(t.Context(), recommendations.Batch{Reached: recommendations.Position{Feed: feed, At: 1}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	feed, err := recommendations.NewFeed(s, "http://127.0.0.1:1", follow.Options{Refresh: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	ctx := t.Context()
	go func() { done <- feed.Run(ctx) }()
	server := httptest.NewServer(recommendations.Handler(s, feed, recommendations.ServiceOptions{Bug: bug}))
	eventually(t, func() string {
		if complete && !feed.Ready() {
			return "the feed did not find its snapshot"
		}
		return ""
	})
	t.Cleanup(func() {
		server.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return server
}

func get(t *testing.T, url, accept string) (*http.Response, string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", accept)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return res, string(body), err
}

// eventually waits until check returns "".
func eventually(t *testing.T, check func() string) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		problem := check()
		if problem == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(problem)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestServesItsCopyWhileTheMonolithIsAway(t *testing.T) {
	t.Parallel()
	server := serve(t, "", true)
	eventually(t, func() string {
		res, body, err := get(t, server.URL+"/healthz", "*/*")
		if err != nil || res.StatusCode != http.StatusOK {
			return fmt.Sprint("healthz: ", err, res)
		}
		var st follow.Status
		if err := json.Unmarshal([]byte(body), &st); err != nil {
			return err.Error()
		}
		if st.Word != "degraded" || !strings.Contains(st.LastError, "refused") {
			return "healthz says " + body
		}
		return ""
	})
	if res, body, err := get(t, server.URL+"/readyz", "*/*"); err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("readyz: %v %s", err, body)
	}
	res, body, err := get(t, server.URL+"/api/products/6/recommendations", "application/json")
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"product_id":6,"items":[]}` + "\n"; res.StatusCode != http.StatusOK || body != want {
		t.Errorf("status %d, body %s, want %s", res.StatusCode, body, want)
	}
	if _, metrics, err := get(t, server.URL+"/metrics", "*/*"); err != nil || !strings.Contains(metrics, "recommendations_feed_ready 1") {
		t.Errorf("metrics without the state of the feed: %v", err)
	}
}

func TestRefusesWhileTheCopyIsIncomplete(t *testing.T) {
	t.Parallel()
	server := serve(t, "", false)
	for path, want := range map[string]int{
		"/api/products/1/recommendations": http.StatusServiceUnavailable,
		"/readyz":                         http.StatusServiceUnavailable,
		"/healthz":                        http.StatusOK,
	} {
		res, body, err := get(t, server.URL+path, "*/*")
		if err != nil || res.StatusCode != want {
			t.Errorf("%s: %v, %s, want status %d", path, err, body, want)
		}
	}
}

func TestFragment(t *testing.T) {
	t.Parallel()
	server := serve(t, "", true)
	for product, want := range map[int]string{6: `<section class="recommendations" data-fragment="recommendations"></section>` + "\n"} {
		res, body, err := get(t, fmt.Sprintf("%s/api/products/%d/recommendations", server.URL, product), "text/html")
		if err != nil {
			t.Fatal(err)
		}
		if body != want {
			t.Errorf("product %d: got %q, want %q", product, body, want)
		}
		if res.Header.Get("X-Fragment") != "recommendations" || res.Header.Get("Vary") != "Accept" {
			t.Errorf("headers: %v", res.Header)
		}
	}
	_, body, err := get(t, server.URL+"/api/products/1/recommendations", "text/html")
	if err != nil || !strings.Contains(body, `<a href="/p/2">`) || !strings.Contains(body, "$2.00") {
		t.Errorf("fragment of product 1: %v %s", err, body)
	}
}

func TestBugs(t *testing.T) {
	t.Parallel()
	t.Run("wrong", func(t *testing.T) {
		t.Parallel()
		server := serve(t, recommendations.BugWrong, true)
		_, body, err := get(t, server.URL+"/api/products/1/recommendations?limit=1", "*/*")
		if err != nil || !strings.Contains(body, `"price_cents":201,"image_url":"/static/one.svg"`) {
			t.Errorf("want a price that is one cent too high, and an image: %v %s", err, body)
		}
	})
	t.Run("image", func(t *testing.T) {
		t.Parallel()
		server := serve(t, recommendations.BugImage, true)
		_, body, err := get(t, server.URL+"/api/products/1/recommendations?limit=1", "*/*")
		if err != nil || !strings.Contains(body, `"price_cents":200,"image_url":""`) {
			t.Errorf("want no image: %v %s", err, body)
		}
	})
	t.Run("garbage", func(t *testing.T) {
		t.Parallel()
		server := serve(t, recommendations.BugGarbage, true)
		if _, body, err := get(t, server.URL+"/api/products/1/recommendations", "*/*"); err == nil {
			t.Errorf("want no HTTP, got %s", body)
		}
		if res, _, err := get(t, server.URL+"/healthz", "*/*"); err != nil || res.StatusCode != http.StatusOK {
			t.Errorf("healthz: %v", err)
		}
	})
	t.Run("slow", func(t *testing.T) {
		t.Parallel()
		server := serve(t, recommendations.BugSlow, true)
		began := time.Now()
		res, _, err := get(t, server.URL+"/api/products/1/recommendations", "*/*")
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("%v %v", err, res)
		}
		if took := time.Since(began); took < 4*time.Second {
			t.Errorf("answered after %s: not slow", took)
		}
	})
	if _, err := recommendations.ParseBug("recommendations-odd"); err == nil {
		t.Error("an unknown bug of this service was accepted")
	}
	if bug, err := recommendations.ParseBug("checkout-slow"); err != nil || bug != "" {
		t.Errorf("another program's bug: %q, %v", bug, err)
	}
}
