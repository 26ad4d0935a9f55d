package gateway_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/gateway"
)

var update = flag.Bool("update", false, "rewrite the files under testdata")

func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	cfg, _, err := config.Parse("c.yaml", []byte(text), config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// A file with everything that an HTTPRoute can and cannot say, in each way to write it.
func TestExport(t *testing.T) {
	t.Parallel()
	schema := mustSchema(t)
	source, err := os.ReadFile("testdata/shop.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, opts := range map[string]gateway.Options{
		"plain": {Timeouts: true}, "regex": {Regex: true, Namespace: "shop", Gateway: "infra/edge", Name: "routes"}, "widen": {Widen: true},
	} {
		result, err := gateway.Export(parse(t, string(source)), opts)
		if err != nil {
			t.Fatal(err)
		}
		checkObjects(t, schema, result)
		path := "testdata/" + name + ".golden"
		if *update {
			if err := os.WriteFile(path, []byte(result.YAML()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil || string(want) != result.YAML() {
			t.Errorf("%s: %v; go test -update rewrites it\n%s", path, err, result.YAML())
		}
	}
}

// Every route is either written or named as left out or hidden.
func TestNothingIsLeftOutSilently(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("testdata/shop.yaml")
	if err != nil {
		t.Fatal(err)
	}
	cfg := parse(t, string(source))
	for _, opts := range []gateway.Options{{}, {Regex: true}, {Widen: true}} {
		result, err := gateway.Export(cfg, opts)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range cfg.RouteNames() {
			written := slices.ContainsFunc(result.Routes, func(r *gateway.HTTPRoute) bool {
				return slices.ContainsFunc(r.Spec.Rules, func(rule gateway.Rule) bool { return strings.HasPrefix(rule.Comment, name+":") })
			})
			if missing := named(result, gateway.LeftOut, name) || named(result, gateway.Hidden, name); written == missing {
				t.Errorf("%+v: route %s: written %v, named as missing %v", opts, name, written, missing)
			}
		}
	}
}

// Many routes become many HTTPRoutes of at most 16 rules, in a fixed order.
func TestManyRoutes(t *testing.T) {
	t.Parallel()
	schema := mustSchema(t)
	var b strings.Builder
	b.WriteString(head)
	for i := range 500 {
		fmt.Fprintf(&b, "  r%d: { match: /things%d/**, to: s, stage: canary 5%% }\n", i, i)
	}
	for i := range 100 { // on one path, by header
		fmt.Fprintf(&b, "  h%d: { match: { path: /h, headers: { X-N: \"%d\" } }, to: t, stage: live }\n", i, i)
	}
	first, err := gateway.Export(parse(t, b.String()), gateway.Options{})
	if err != nil {
		t.Fatal(err)
	}
	checkObjects(t, schema, first)
	if n := len(first.Routes); n < 500*2/16 || first.Routes[0].Metadata.Name != "strangler-001" && first.Routes[0].Metadata.Name != "strangler-01" {
		t.Errorf("%d HTTPRoutes, the first is %s", n, first.Routes[0].Metadata.Name)
	}
	again, err := gateway.Export(parse(t, b.String()), gateway.Options{})
	if err != nil || again.YAML() != first.YAML() {
		t.Errorf("the same again is something else: %v", err)
	}
	var hosts strings.Builder
	hosts.WriteString(b.String())
	for i := range 200 {
		fmt.Fprintf(&hosts, "  x%d: { match: { path: /x, host: h%d.example }, to: t, stage: live }\n", i, i)
	}
	if _, err := gateway.Export(parse(t, hosts.String()), gateway.Options{}); err == nil || !strings.Contains(err.Error(), "more than 50000 rules") {
		t.Errorf("200 hosts: %v", err)
	}
}

func TestBadNames(t *testing.T) {
	t.Parallel()
	cfg := parse(t, head+"  a: { match: /a, to: s, stage: live }\n")
	for _, opts := range []gateway.Options{
		{Name: "No"}, {Name: "a\nb: c"}, {Namespace: "x y"}, {Gateway: "a/b/c"}, {Gateway: "/b"}, {Gateway: "b/"}, {Name: strings.Repeat("x", 64)},
	} {
		if _, err := gateway.Export(cfg, opts); err == nil {
			t.Errorf("%+v is accepted", opts)
		}
	}
}
