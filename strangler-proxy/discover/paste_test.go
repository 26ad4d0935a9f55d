package discover_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/discover"
)

const pastable = "version: 1\nmonolith: http://127.0.0.1:9000\nservices: { orders: http://127.0.0.1:9001 }\n"

func parse(source string) (*config.Config, error) {
	cfg, _, err := config.Parse("strangler.yaml", []byte(source), config.Options{})
	return cfg, err
}

func TestProposedRoutes(t *testing.T) {
	t.Parallel()
	o := observe(append(many("GET /users/%d", 3), "POST /users", "PUT /users/7", "PATCH /users/7", "DELETE /users/7", "OPTIONS /users",
		"GET /", "GET /static/app.js", "GET /users-id", "GET /users/7/", "GET /%7Bx%7D", "GET /caf%C3%A9", "GET /"+strings.Repeat("long/", 11))...)
	proposals := discover.Propose(o.Findings(day).Endpoints, []string{"users-create"})
	got := discover.YAML(proposals, "orders")
	for _, want := range []string{
		"routes:\n  users-id-read: { match: \"GET /users/{id}\", to: orders, stage: monolith } # requests 3, p95 ",
		"  users-create-2: { match: \"POST /users\"", "  users-id-replace: ", "  users-id-change: ", "  users-id-delete: ", "  users-options: ",
		"  root-read: { match: \"GET /\"", "  static-all-read: { match: \"GET /static/**\"", "  users-id-read-2: ", "  users-id-read-3: ", "  caf-c3-a9-read: ",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	cfg, err := parse(pastable + got)
	if err != nil {
		t.Fatalf("%v\n%s", err, got)
	}
	if left := discover.Unclaimed(o.Findings(day).Endpoints, cfg.Table); len(left) != 0 {
		t.Errorf("the pasted routes leave %v", left)
	}
	if empty := discover.YAML(nil, ""); empty != "routes: {}\n" {
		t.Errorf("nothing found: %q", empty)
	}
}

// Whatever was asked for, and whatever routes there are: what is proposed can be pasted.
func TestProposedRoutesPassTheCheck(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		o := discover.NewObserver(nil)
		for range rapid.IntRange(1, 60).Draw(rt, "n") {
			method := rapid.SampledFrom([]string{"GET", "POST", "PUT", "DELETE", "HEAD", "QUERY"}).Draw(rt, "method")
			o.Observe(method, rapid.StringMatching(`(/[a-zA-Z0-9%{}*.;:$@=&+é_~-]{0,8}){1,5}`).Draw(rt, "path"), 200, 0)
			o.Observe(method, "/"+strings.Join(rapid.SliceOfN(rapid.SampledFrom(segments), 1, 3).Draw(rt, "segments"), "/"), 200, 0)
		}
		source := pastable + "routes:\n"
		for i, match := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{
			"/users/**", "GET /users/{name}", "GET /orders/1", "POST /orders/{id}", "/orders/me/**", "GET /{any}",
		}), 1, 4, rapid.ID).Draw(rt, "routes") {
			source += fmt.Sprintf("  %s: { match: %q, stage: monolith }\n", []string{"users-id-read", "orders-read", "b", "c"}[i], match)
		}
		source += "  d: { match: { path: /users/search, headers: { X-Beta: yes } }, stage: monolith }\n"
		before, err := parse(source)
		if err != nil {
			rt.Fatal(err)
		}
		proposals := discover.Propose(discover.Unclaimed(o.Findings(day).Endpoints, before.Table), before.RouteNames())
		routes := strings.TrimPrefix(strings.TrimPrefix(discover.YAML(proposals, "orders"), "routes: {}\n"), "routes:\n")
		after, err := parse(source + routes)
		if err != nil {
			rt.Fatalf("%v\n%s", err, source+routes)
		}
		if left := discover.Unclaimed(o.Findings(day).Endpoints, after.Table); len(left) != 0 {
			rt.Fatalf("the pasted routes leave %v\n%s", left, source+routes)
		}
	})
}
