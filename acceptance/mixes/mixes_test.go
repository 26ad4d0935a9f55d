package mixes_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/internal/shoptest"
)

const (
	routeName = "product-recommendations"
	config    = `version: 1
monolith: %s
services:
  recommendations: %s
guard: off
routes:
  product-recommendations:
    match: GET /api/products/{id}/recommendations
    to: recommendations
    stage: monolith
    timeout: 1s
`
)

// shop is the monolith and a service behind the proxy, all of them real processes.
type shop struct {
	url, admin, config string
	recommendations    *shoptest.Process
}

func newShop(t *testing.T) *shop {
	t.Helper()
	dir := t.TempDir()
	monolith := newMonolith(t)
	service, err := shoptest.Start(t.Context(), filepath.Join(bin, "recommendations"), "serve", "--addr", "127.0.0.1:0",
		"--db", filepath.Join(dir, "recommendations.db"), "--monolith", monolith.URL, "--refresh", "200ms", "--log-level", "warn")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(service.Kill)
	s := &shop{config: filepath.Join(dir, "strangler.yaml"), recommendations: service}
	if err := os.WriteFile(s.config, fmt.Appendf(nil, config, monolith.URL, service.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	s.url, s.admin = startProxy(t, s.config)
	eventually(t, "the service has its copy", func() bool { return status(t, service.URL+"/readyz") == http.StatusOK })
	return s
}

// startProxy starts the proxy with the config file and returns its two addresses.
func startProxy(t *testing.T, config string) (url, admin string) {
	t.Helper()
	proxy, err := shoptest.Start(t.Context(), filepath.Join(bin, "strangler"), "proxy", "--config", config,
		"--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--access-log=false")
	if err != nil {
		t.Fatal(err)
	}
	stopAtEnd(t, proxy)
	eventually(t, "the proxy prints its admin address", func() bool {
		m := regexp.MustCompile(`(http://127\.0\.0\.1:\d+)/status`).FindStringSubmatch(proxy.Output())
		if m != nil {
			admin = m[1]
		}
		return m != nil
	})
	return proxy.URL, admin
}

// A route is what the proxy tells of one.
type route struct {
	Name      string `json:"name"`
	Stage     string `json:"stage"`
	Monolith  int    `json:"monolith"`
	Service   int    `json:"service"`
	Fallbacks int    `json:"fallbacks"`
	Failed    int    `json:"failed"`
}

func (s *shop) route(t *testing.T) route {
	t.Helper()
	all := routes(t, s.admin)
	for _, r := range all {
		if r.Name == routeName {
			return r
		}
	}
	t.Fatalf("the proxy has no route %s: %v", routeName, all)
	return route{}
}

// routes asks the proxy for all of its routes.
func routes(t *testing.T, admin string) []route {
	t.Helper()
	res, err := http.Get(admin + "/status")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var state struct {
		Routes []route `json:"routes"`
	}
	if err := json.NewDecoder(res.Body).Decode(&state); err != nil {
		t.Fatal(err)
	}
	return state.Routes
}

// set moves the route to stage, as a person would, and waits for the proxy to follow.
func (s *shop) set(t *testing.T, stage string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "strangler"), "route", "set", routeName, stage, "--config", s.config)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("route set: %v\n%s", err, out)
	}
	eventually(t, "the proxy follows the file", func() bool { return s.route(t).Stage == stage })
}

// TestSuiteBehindProxy runs the suite three times on the same shop: with the route
// at the monolith, at the service, and at a service that was killed. What the proxy
// counted must agree with what each run claims to have tested.
func TestSuiteBehindProxy(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	for _, mix := range []struct {
		name    string
		prepare func(t *testing.T)
		check   func(before, after route) bool
	}{
		{"monolith", func(*testing.T) {}, func(before, after route) bool {
			return after.Monolith > before.Monolith && after.Service == before.Service && after.Fallbacks == before.Fallbacks
		}},
		{"live", func(t *testing.T) { s.set(t, "live") }, func(before, after route) bool {
			return after.Service > before.Service && after.Monolith == before.Monolith && after.Fallbacks == before.Fallbacks
		}},
		{"live with the service killed", func(*testing.T) { s.recommendations.Kill() }, func(before, after route) bool {
			return after.Fallbacks > before.Fallbacks && after.Service == before.Service
		}},
	} {
		t.Run(mix.name, func(t *testing.T) {
			mix.prepare(t)
			before := s.route(t)
			suite(t, s.url, ".").green(t)
			if after := s.route(t); !mix.check(before, after) || after.Failed != before.Failed {
				t.Errorf("the proxy counted %+v before and %+v after", before, after)
			}
		})
	}
}

func status(t *testing.T, url string) int {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		return 0
	}
	res.Body.Close()
	return res.StatusCode
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("within 15 s: %s", what)
		}
	}
}
