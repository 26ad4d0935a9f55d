package mixes_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/internal/shoptest"
)

const catalogConfig = `version: 1
monolith: %s
services:
  catalog: %s
routes:
  category-list:
    match: GET /api/categories
    to: catalog
    stage: live
  product-list:
    match: GET /api/products
    to: catalog
    stage: live
  product-detail:
    match: GET /api/products/{id}
    to: catalog
    stage: live
    shadow: off
`

// TestSuiteWithTheCatalogLive runs the whole suite with the reads of the catalog at
// the service. Its copy lags behind the monolith, which is no fault of it: every read
// of the catalog waits in front of the proxy until the service has seen all that went
// before. One promise of the shop it does not keep: it counts no views. (The monolith
// would count the copies of a live route, as many as there are; that is no promise
// either, so the detail has none.) Killed, the service is missed by nobody.
func TestSuiteWithTheCatalogLive(t *testing.T) {
	t.Parallel()
	monolith := newMonolith(t)
	dir := t.TempDir()
	service, err := shoptest.Start(t.Context(), filepath.Join(bin, "catalog"), "serve", "--addr", "127.0.0.1:0",
		"--db", filepath.Join(dir, "catalog.db"), "--monolith", monolith.URL, "--refresh", "5ms", "--log-level", "warn")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(service.Kill)
	config := filepath.Join(dir, "strangler.yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, catalogConfig, monolith.URL, service.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	proxyURL, admin := startProxy(t, config)
	eventually(t, "the service has its copy", func() bool { return status(t, service.URL+"/readyz") == http.StatusOK })
	patient := waitFor(t, proxyURL, service.URL)

	if v := suite(t, patient, "."); !slices.Equal(v.failed, []string{"TestViewFeed"}) || len(v.skipped) > 0 {
		t.Fatalf("failed %v, want just TestViewFeed; skipped %v:\n%s", v.failed, v.skipped, v.reasons())
	}
	for _, r := range routes(t, admin) {
		if r.Service == 0 || r.Monolith+r.Fallbacks+r.Failed > 0 {
			t.Errorf("the proxy counted %+v, want all of it at the service", r)
		}
	}
	service.Kill()
	suite(t, proxyURL, ".").green(t)
	for _, r := range routes(t, admin) {
		if r.Fallbacks == 0 || r.Failed > 0 {
			t.Errorf("without the service the proxy counted %+v", r)
		}
	}
}

var catalogRead = regexp.MustCompile(`^/api/(categories|products(/[^/]*)?)$`)

// waitFor starts a server that passes everything to the proxy, reads of the catalog
// once the service has looked at the monolith again.
func waitFor(t *testing.T, proxy, service string) string {
	t.Helper()
	to, err := url.Parse(proxy)
	if err != nil {
		t.Fatal(err)
	}
	pass := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host
	}}
	var written, seen atomic.Int64 // how many changes have ended, and of how many the service has heard
	written.Store(1)               // what came before
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reads := r.Method == http.MethodGet || r.Method == http.MethodHead
		if all := written.Load(); reads && catalogRead.MatchString(r.URL.Path) && seen.Load() < all {
			if err := caughtUp(r.Context(), service); err != nil {
				http.Error(w, err.Error(), http.StatusBadGateway)
				return
			}
			seen.Store(all) // perhaps less than another read has found, which costs a look
		}
		pass.ServeHTTP(w, r)
		if !reads {
			written.Add(1)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// caughtUp waits until a look of the service at the monolith that began after this
// call is over: the second one that ends from now on did.
func caughtUp(ctx context.Context, service string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	last, err := lastLook(ctx, service)
	for ended := 0; err == nil && ended < 2; {
		select {
		case <-ctx.Done():
			return errors.New("the service never caught up")
		case <-time.After(2 * time.Millisecond):
		}
		var look string
		if look, err = lastLook(ctx, service); look != last {
			last, ended = look, ended+1
		}
	}
	return err
}

// lastLook returns when the service had last read all that there was.
func lastLook(ctx context.Context, service string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, service+"/healthz", nil)
	if err != nil {
		return "", err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	var state struct {
		CaughtUpAt string `json:"caught_up_at"`
	}
	if err := json.NewDecoder(res.Body).Decode(&state); err != nil {
		return "", err
	}
	return state.CaughtUpAt, nil
}
