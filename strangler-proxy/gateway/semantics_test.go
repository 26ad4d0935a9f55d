package gateway_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/gateway"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// A request is what both ways of deciding look at.
type request struct {
	method, path, host string
	headers, query     map[string]string
}

// byGateway decides as the Gateway API asks implementations to: the most specific host,
// then an exact path, the longest prefix, the method, most headers, most query
// parameters, the oldest HTTPRoute, the first rule.
func byGateway(routes []*gateway.HTTPRoute, q request) (gateway.Rule, bool) {
	host := -1
	for _, r := range routes {
		host = max(host, hostRank(r, q.host))
	}
	var best gateway.Rule
	var bestRank []int
	for _, r := range routes {
		if hostRank(r, q.host) != host {
			continue
		}
		for _, rule := range r.Spec.Rules {
			for _, m := range rule.Matches {
				if rank, ok := rankOf(m, q); ok && slices.Compare(rank, bestRank) > 0 {
					best, bestRank = rule, rank
				}
			}
		}
	}
	return best, bestRank != nil
}

func hostRank(r *gateway.HTTPRoute, host string) int {
	if len(r.Spec.Hostnames) == 0 {
		return 0
	}
	want := r.Spec.Hostnames[0]
	suffix, wild := strings.CutPrefix(want, "*")
	switch {
	case !wild && want == host:
		return 1000
	case wild && strings.HasSuffix(host, suffix) && len(host) > len(suffix):
		return len(suffix)
	}
	return -1
}

func rankOf(m gateway.Match, q request) ([]int, bool) {
	kind, length := 0, len(m.Path.Value)
	switch m.Path.Type {
	case "Exact":
		kind = 1
		if q.path != m.Path.Value {
			return nil, false
		}
	case "PathPrefix":
		prefix := strings.TrimSuffix(m.Path.Value, "/")
		if q.path != prefix && !strings.HasPrefix(q.path, prefix+"/") {
			return nil, false
		}
	}
	method := 0
	if m.Method != "" {
		if m.Method != q.method {
			return nil, false
		}
		method = 1
	}
	for _, h := range m.Headers {
		if q.headers[h.Name] != h.Value {
			return nil, false
		}
	}
	for _, p := range m.Query {
		if q.query[p.Name] != p.Value {
			return nil, false
		}
	}
	return []int{kind, length, method, len(m.Headers), len(m.Query)}, true
}

// byProxy says what the proxy does with a request, in the words of an HTTPRoute:
// backends with weights, and who gets a copy.
func byProxy(t *rapid.T, table *route.Table, q request) string {
	head := route.Head{Method: q.method, Path: q.path, Host: q.host, Header: http.Header{}, Peer: netip.MustParseAddr("192.0.2.1")}
	for name, value := range q.headers {
		head.Header.Set(name, value)
	}
	var query []string
	for name, value := range q.query {
		query = append(query, name+"="+value)
	}
	head.Query = strings.Join(query, "&")
	r, err := table.Find(head)
	if err != nil {
		t.Fatalf("%+v: %v", q, err)
	}
	if r == nil {
		return outcome("", 0, false)
	}
	reads := q.method == "GET" || q.method == "HEAD" || q.method == "OPTIONS"
	switch {
	case r.Stage == route.Monolith, r.Stage == route.Shadow && !reads:
		return outcome("", 0, false)
	case r.Stage == route.Shadow:
		return outcome(r.Service, 0, true)
	case r.Stage == route.Live, r.Stage == route.Done:
		return outcome(r.Service, 10000, false)
	case !reads && r.Data != route.DataNone:
		return outcome("", 0, false)
	case r.HasMember(&head):
		return outcome(r.Service, 10000, false)
	}
	return outcome(r.Service, r.Stage.Share(), false)
}

func outcome(service string, share int, copied bool) string {
	text := ""
	if share > 0 {
		text += fmt.Sprintf("%s:%d ", service, share)
	}
	if share < 10000 {
		text += fmt.Sprintf("legacy:%d ", 10000-share)
	}
	if copied {
		text += "copy:" + service
	}
	return text
}

func outcomeOf(rule gateway.Rule) string {
	total := 0
	for _, b := range rule.BackendRefs {
		total += weight(b)
	}
	text := ""
	for _, b := range rule.BackendRefs {
		if share := weight(b) * 10000 / total; share > 0 {
			text += fmt.Sprintf("%s:%d ", b.Name, share)
		}
	}
	for _, f := range rule.Filters {
		text += "copy:" + f.Mirror.Backend.Name
	}
	return text
}

func weight(b gateway.BackendRef) int {
	if b.Weight == nil {
		return 1
	}
	return *b.Weight
}

const head = `version: 1
monolith: http://legacy:9000
services: { s: http://s:80, t: http://t:80 }
routes:
`

// drawConfig adds random routes one by one and keeps those that the checker accepts.
func drawConfig(t *rapid.T) *config.Config {
	oneOf := func(what string, words ...string) string { return rapid.SampledFrom(words).Draw(t, what) }
	text := head
	var cfg *config.Config
	for i := range rapid.IntRange(1, 14).Draw(t, "routes") {
		path := oneOf("path", "/a", "/a/**", "/a/b", "/a/b/**", "/a/b/", "/**", "/", "/c", "/a/{id}", "/{x}/b/**", "/a%20b")
		line := fmt.Sprintf("  r%d: { match: { path: %q", i, path)
		if m := oneOf("method", "", "", "GET", "HEAD", "POST", "OPTIONS", "PROPFIND"); m != "" {
			line += ", method: " + m
		}
		if h := oneOf("host", "", "", "x.example", "*.example", "*.x.example", "192.0.2.7"); h != "" {
			line += fmt.Sprintf(", host: %q", h)
		}
		line += oneOf("headers", "", "", `, headers: { X-A: "1" }`, `, headers: { X-A: "2" }`, `, headers: { X-B: "1" }`, `, headers: { X-A: "1", X-B: "1" }`, `, headers: { X-A: "*" }`)
		line += oneOf("query", "", "", `, query: { p: "1" }`, `, query: { q: "1" }`, `, query: { p: "1", q: "1" }`)
		line += " }, to: " + oneOf("service", "s", "t") + ", stage: " + oneOf("stage", "monolith", "shadow", "canary 5%", "canary 50%", "live", "done")
		line += oneOf("data", "", ", data: none") + oneOf("cohorts", "", "", `, cohorts: [{ header: "X-C: 1" }]`, `, cohorts: [{ header: "X-A: 1" }, { header: "X-B: 1" }]`) + " }\n"
		if next, _, err := config.Parse("c.yaml", []byte(text+line), config.Options{}); err == nil {
			text, cfg = text+line, next
		}
	}
	if cfg == nil {
		t.Skip("no route is good")
	}
	return cfg
}

func drawRequest(t *rapid.T) request {
	oneOf := func(what string, words ...string) string { return rapid.SampledFrom(words).Draw(t, what) }
	q := request{
		method: oneOf("method", "GET", "HEAD", "POST", "OPTIONS", "DELETE", "PUT"),
		path:   oneOf("path", "/", "/a", "/a/", "/a/b", "/a/b/", "/a/b/c", "/a/x", "/c", "/c/d", "/ab", "/x/b", "/a/b/c/d"),
		host:   oneOf("host", "x.example", "y.example", "y.x.example", "other.test"), headers: map[string]string{}, query: map[string]string{},
	}
	for _, name := range []string{"X-A", "X-B", "X-C"} {
		if v := oneOf(name, "", "1", "2"); v != "" {
			q.headers[name] = v
		}
	}
	for _, name := range []string{"p", "q"} {
		if v := oneOf(name, "", "1", "2"); v != "" {
			q.query[name] = v
		}
	}
	return q
}

func TestTheGatewayDecidesAsTheProxy(t *testing.T) {
	t.Parallel()
	schema := mustSchema(t)
	rapid.Check(t, func(t *rapid.T) {
		cfg := drawConfig(t)
		result, err := gateway.Export(cfg, gateway.Options{Timeouts: rapid.Bool().Draw(t, "timeouts")})
		if err != nil {
			t.Fatalf("%v", err)
		}
		checkObjects(t, schema, result)
		var exported []route.Route
		for _, r := range cfg.Routes {
			if !named(result, gateway.LeftOut, r.Name) {
				exported = append(exported, r.Route)
			}
		}
		table, err := route.Build(exported)
		if err != nil {
			t.Fatalf("%v", err)
		}
		for range 20 {
			q := drawRequest(t)
			rule, found := byGateway(result.Routes, q)
			if got, want := outcomeOf(rule), byProxy(t, table, q); !found || got != want {
				t.Fatalf("%+v\nthe gateway: %q by %q\nthe proxy:   %q\n%s", q, got, rule.Comment, want, result.YAML())
			}
		}
	})
}

func named(result *gateway.Result, kind, name string) bool {
	return slices.ContainsFunc(result.Differences, func(d gateway.Difference) bool { return d.Kind == kind && slices.Contains(d.Routes, name) })
}
