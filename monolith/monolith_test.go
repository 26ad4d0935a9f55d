package monolith_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/stranglerfig/toolkit/monolith"
	"github.com/stranglerfig/toolkit/monolith/testkit"
)

func TestEveryAnswerCarriesARequestID(t *testing.T) {
	t.Parallel()
	c := testkit.New(t, monolith.Options{}).Guest()
	for _, path := range []string{"/healthz", "/", "/api/products", "/api/nothing", "/nothing", "/internal/changes", "/api/me"} {
		if id := c.Do("GET", path, nil, "X-Request-Id", "abc-DEF_1.2").Header.Get("X-Request-Id"); id != "abc-DEF_1.2" {
			t.Errorf("GET %s: request id %q", path, id)
		}
		for _, bad := range []string{"", "a b", strings.Repeat("x", 65), "é"} {
			if id := c.Do("GET", path, nil, "X-Request-Id", bad).Header.Get("X-Request-Id"); id == "" || id == bad {
				t.Errorf("GET %s with %q: request id %q", path, bad, id)
			}
		}
	}
}

func TestUnknownPathsAndMethods(t *testing.T) {
	t.Parallel()
	c := testkit.New(t, monolith.Options{}).Guest()
	c.Do("GET", "/api/nothing", nil).WantError(t, 404, "not_found")
	c.Do("GET", "/internal/nothing", nil).WantError(t, 404, "not_found")
	c.Do("GET", "/nothing", nil).WantError(t, 404, "not_found")
	if a := c.Do("DELETE", "/api/products", nil).WantError(t, 405, "method_not_allowed"); a.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("Allow %q", a.Header.Get("Allow"))
	}
	c.Do("GET", "/api/login", nil).WantError(t, 405, "method_not_allowed")
	page := c.Do("GET", "/nothing", nil, "Accept", "text/html").Want(t, 404)
	if !strings.HasPrefix(page.Header.Get("Content-Type"), "text/html") {
		t.Errorf("a browser gets %s", page.Header.Get("Content-Type"))
	}
}

func TestBodies(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	ada, admin := k.Customer("Ada"), k.Admin()
	for path, c := range map[string]*testkit.Client{
		"/api/register": k.Guest(), "/api/login": k.Guest(), "/api/password-resets": k.Guest(), "/api/password-resets/x": k.Guest(),
		"/api/me/addresses": ada, "/api/products/1/reviews": ada, "/api/admin/products": admin, "/api/admin/products/1/stock": admin,
	} {
		c.Do("POST", path, `{"a":`+strings.Repeat(" ", 1<<20)+`1}`).WantError(t, 413, "body_too_large")
		c.Do("POST", path, `{}`, "Content-Type", "text/plain").WantError(t, 415, "unsupported_media_type")
		c.Do("POST", path, ``).WantError(t, 400, "malformed_json")
		c.Do("POST", path, `{"surprise": 1}`).WantError(t, 422, "invalid", "surprise")
		broken := c.Do("POST", path, "{\n  \"a\": tru\n}").WantError(t, 400, "malformed_json")
		if !strings.Contains(broken.Text("error.message"), "line 2, column 11") {
			t.Errorf("%s: %s", path, broken.Body)
		}
	}
}

func TestOtherSitesMayNotWrite(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	ada := k.Customer("Ada")
	for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}} {
		ada.Do("POST", "/api/logout", nil, header...).WantError(t, 403, "forbidden")
		ada.Do("POST", "/logout", nil, header...).WantError(t, 403, "forbidden")
		ada.Do("GET", "/api/me", nil, header...).Want(t, http.StatusOK)
	}
	for _, header := range [][]string{{"Sec-Fetch-Site", "same-origin"}, {"Sec-Fetch-Site", "none"}, {"Origin", "http://example.com"}, nil} {
		k.Customer("Bob").Do("POST", "/api/logout", nil, header...).Want(t, http.StatusNoContent)
	}
}

func TestHeadIsRoutedLikeGet(t *testing.T) {
	t.Parallel()
	c := testkit.New(t, monolith.Options{}).Guest()
	c.Do("HEAD", "/api/products", nil).Want(t, http.StatusOK)
	c.Do("HEAD", "/api/products/1", nil).Want(t, http.StatusNotFound)
	c.Do("HEAD", "/api/login", nil).Want(t, http.StatusMethodNotAllowed)
}

func TestHealth(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	k.Guest().Do("GET", "/healthz", nil).Want(t, http.StatusOK)
	k.DB.Close()
	k.Guest().Do("GET", "/healthz", nil).WantError(t, 503, "unavailable")
	lost := k.Guest().Do("GET", "/api/categories", nil).WantError(t, 500, "internal")
	if strings.Contains(string(lost.Body), "sql") {
		t.Errorf("the client sees the cause: %s", lost.Body)
	}
}

// Run does all that no request waits for, and leaves no goroutine behind.
func TestRun(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Run("shop", func(t *testing.T) {
		dir := t.TempDir()
		k := testkit.New(t, monolith.Options{Now: time.Now, Sink: filepath.Join(dir, "sink"), Ledger: filepath.Join(dir, "ledger")})
		id := k.Product(k.Category("tea"), "Tea", 500, 10)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- k.Run(ctx) }()
		ada := k.Customer("Ada")
		k.Guest().Do("GET", fmt.Sprintf("/api/products/%d", id), nil).Want(t, http.StatusOK)
		waitFor(t, func() bool {
			return k.Count(`SELECT count(*) FROM notifications WHERE sent_at IS NULL`) == 0 &&
				k.Count(`SELECT coalesce(sum(views), 0) FROM product_views`) == 1
		})
		k.Exec(`UPDATE users SET name = 'Ada' WHERE id = ?`, ada.User.ID)
		k.Guest().Do("GET", fmt.Sprintf("/api/products/%d", id), nil).Want(t, http.StatusOK)
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if n := k.Count(`SELECT sum(views) FROM product_views`); n != 2 {
			t.Errorf("%d views after the end, want 2", n)
		}
		data, err := os.ReadFile(filepath.Join(dir, "sink"))
		if err != nil || !strings.Contains(string(data), ada.User.Email) {
			t.Errorf("the sink holds %s, %v", data, err)
		}
	})
	if err := goleak.Find(before, goleak.IgnoreAnyFunction("testing.(*T).Run")); err != nil {
		t.Error(err)
	}
}

func waitFor(t *testing.T, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !condition(); {
		if time.Now().After(deadline) {
			t.Fatal("it did not happen within 20 s")
		}
	}
}

func TestNewRefusesWhatItCannotWrite(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing", "file")
	for name, opts := range map[string]monolith.Options{"sink": {Sink: missing}, "ledger": {Ledger: missing}} {
		if _, err := monolith.New(testkit.Open(t), opts); err == nil || !strings.Contains(err.Error(), missing) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Each domain's list of routes is in the metrics by pattern, never by path.
func TestMetricsAreBounded(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	for _, path := range []string{"/api/products/1", "/api/products/2", "/nothing/1", "/nothing/2"} {
		k.Guest().Do("GET", path, nil)
	}
	metrics := string(k.Guest().Do("GET", "/metrics", nil).Want(t, 200).Body)
	if !strings.Contains(metrics, `route="/api/products/{id}",status="404"} 2`) || strings.Contains(metrics, "nothing") {
		t.Errorf("%s", metrics)
	}
}

func TestListsAreNeverNull(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	ada, admin := k.Customer("Ada"), k.Admin()
	k.Exec(`DELETE FROM notifications`)
	for path, c := range map[string]*testkit.Client{
		"/api/categories": ada, "/api/products": ada, "/api/me/addresses": ada, "/api/orders": ada, "/api/notifications": ada,
		"/api/admin/products": admin, "/api/admin/orders": admin, "/api/admin/coupons": admin,
	} {
		var list struct{ Items json.RawMessage }
		c.Do("GET", path, nil).Want(t, 200).Into(t, &list)
		if string(list.Items) != "[]" {
			t.Errorf("%s: items %s", path, list.Items)
		}
	}
}
