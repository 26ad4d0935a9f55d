package route_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	slashpath "path"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

func build(t testing.TB, matches ...string) *route.Table {
	t.Helper()
	table, err := route.Build(routes(t, matches...))
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func routes(t testing.TB, matches ...string) []route.Route {
	t.Helper()
	var all []route.Route
	for _, m := range matches {
		template, err := route.ParseTemplate(m)
		if err != nil {
			t.Fatalf("%s: %v", m, err)
		}
		all = append(all, route.Route{Name: m, Match: template, Service: "s", Stage: route.Live})
	}
	return all
}

func TestFind(t *testing.T) {
	t.Parallel()
	table := build(t,
		"/**", "/", "/orders/**", "/orders/{id}", "GET /orders/{id}", "GET /orders/new", "/orders/{id}/items/{n}",
		"/orders/{id}/items/last", "POST /only/post", "HEAD /both", "GET /both", "/x/{a}/c", "/x/b/{c}",
		"/folder/", "/caf%C3%A9/x", "GET /orders", "/exact/rest/**",
	)
	for request, want := range map[string]string{
		"GET /": "/", "GET /nothing": "/**", "GET /orders/new": "GET /orders/new",
		"POST /orders/new": "/orders/{id}", "GET /orders/7": "GET /orders/{id}", "HEAD /orders/7": "GET /orders/{id}",
		"PATCH /orders/7": "/orders/{id}", "GET /orders": "GET /orders", "POST /orders": "/orders/**",
		"GET /orders/": "/orders/**", "GET /orders/7/items/last": "/orders/{id}/items/last",
		"GET /orders/7/items/2": "/orders/{id}/items/{n}", "GET /orders/7/items": "/orders/**",
		"GET /ordersX": "/**", "GET /orders.": "/**", "GET /orders%20": "/**",
		"GET /only/post": "/**", "POST /only/post": "POST /only/post",
		"HEAD /both": "HEAD /both", "GET /both": "GET /both",
		"GET /x/b/c": "/x/b/{c}", "GET /x/d/c": "/x/{a}/c", "GET /x/d/e": "/**",
		"GET /folder/": "/folder/", "GET /folder": "/**",
		"GET /caf%c3%a9/x": "/caf%C3%A9/x", "GET /exact/rest": "/exact/rest/**",
	} {
		method, path, _ := strings.Cut(request, " ")
		got, err := table.Find(route.Head{Method: method, Path: path})
		if err != nil || got == nil || got.Name != want {
			t.Errorf("%s: got %v %v, want %s", request, got, err, want)
		}
	}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	all := routes(t, "/live", "/stays")
	all[1].Stage = route.Monolith
	table, err := route.Build(all)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]struct {
		side   route.Side
		reason route.Reason
		name   string
		stage  route.Stage
	}{
		"/live":  {route.ToService, route.StageLive, "/live", route.Live},
		"/stays": {route.ToMonolith, route.StageStays, "/stays", route.Monolith},
		"/other": {route.ToMonolith, route.NoRoute, route.Default, route.Monolith},
	} {
		d, err := route.Decide(table, route.Head{Method: "GET", Path: path})
		if err != nil || d.Side != want.side || d.Reason != want.reason || d.Name() != want.name || d.Stage() != want.stage {
			t.Errorf("%s: %+v %v", path, d, err)
		}
	}
}

func TestAmbiguity(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]string{
		{"GET /a/{x}", "GET /a/{y}"}, {"/a", "/a"}, {"/a/**", "/a/**"}, {"/%61", "/a"},
	} {
		_, err := route.Build(routes(t, pair[0], "/other", pair[1]))
		var ambiguous *route.AmbiguousError
		if !errors.As(err, &ambiguous) || ambiguous.First.Name != pair[0] || ambiguous.Second.Name != pair[1] {
			t.Errorf("%v: %v", pair, err)
		}
	}
	build(t, "GET /a", "/a", "POST /a", "/a/", "/a/**", "/a/{x}") // none of them matches the same
}

func TestTemplateErrors(t *testing.T) {
	t.Parallel()
	for template, want := range map[string]string{
		"": "a match is", "GET": "must start with", "GET /a b": "a match is", "get /a": "in capitals", "CONNECT /": "never forwarded",
		"/a/**/b": "at the end", "/a/*": "use {name}", "/a/{id": "whole segment", "/a/{id}.json": "whole segment",
		"/a/{}": "a placeholder is a name", "/a/{x}/{x}": "stands there twice", "/a//b": "empty segment",
		"/a?b": "not queries", "/a#b": "not queries", "/a/../b": "can never match", "/a/%2e%2e": "can never match",
		"/a/%2f": "can never match", "/a/%00": "can never match", "/a/%zz": "invalid URL escape", `/a\b`: "can never match",
	} {
		_, err := route.ParseTemplate(template)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q in it", template, err, want)
		}
	}
}

// The attack strings are of the kinds that CVE-2021-29492, CVE-2019-9901 and their
// relatives used. A path that another reading sends elsewhere is refused.
func TestPathsThatCanBeReadInTwoWays(t *testing.T) {
	t.Parallel()
	table := build(t, "/orders/**", "/admin", "/admin/{page}")
	refused := []string{
		"/orders/../admin", "/orders/..%2fadmin", "/orders%2f..%2fadmin", "/orders/%2e%2e/admin", "/orders/.%2e/admin",
		"/orders/%2E%2E/admin", `/orders\..\admin`, "/orders/%5c..%5cadmin", "/orders/..%5cadmin", "//admin", "/./admin",
		"/x/../admin", "/admin/.", "/admin/a/..", "/%2e/admin", "/x%2f..%2fadmin", `/x\..\admin`, "/admin//page", "/orders%2f1",
		"/admin%2fpage", "/x//../admin", "/orders/./../admin/page",
	}
	for _, path := range refused {
		if r, err := table.Find(route.Head{Method: "GET", Path: path}); !errors.Is(err, route.ErrAmbiguousPath) {
			t.Errorf("%s: got %v %v, want a refusal", path, r, err)
		}
	}
	for path, want := range map[string]error{
		"/a%00": route.ErrControlByte, "/admin%00": route.ErrControlByte, "/a%0d%0ab": route.ErrControlByte, "/a\x01": route.ErrControlByte,
		"/a%7f": route.ErrControlByte, "/a%zz": route.ErrBadEscape, "/a%2": route.ErrBadEscape, "a": route.ErrNotAbsolute, "": route.ErrNotAbsolute,
	} {
		if _, err := table.Find(route.Head{Method: "GET", Path: path}); !errors.Is(err, want) {
			t.Errorf("%q: got %v, want %v", path, err, want)
		}
	}
	for path, want := range map[string]string{
		"/orders/a%2fb": "/orders/**", "/orders/a/../b": "/orders/**", "/orders/x//y": "/orders/**", "/orders/%41": "/orders/**",
		"/else/../other": "", "/else%2fother": "", "/else//other": "", `/else\other`: "", "/.well-known/x": "", "/admin/a%20b": "/admin/{page}",
	} {
		r, err := table.Find(route.Head{Method: "GET", Path: path})
		name := ""
		if r != nil {
			name = r.Name
		}
		if err != nil || name != want {
			t.Errorf("%s: got %q %v, want %q", path, name, err, want)
		}
	}
}

// naive is the meaning of a table: of all routes that match, the one that is
// preferred, found without an index.
func naive(all []route.Route, head route.Head) string {
	best := ""
	var bestRank []int
	for _, r := range all {
		rank, ok := rankOf(r.Match, head.Method, strings.Split(head.Path[1:], "/"))
		if !ok || !fulfils(r.Match, head) {
			continue
		}
		rank = append(rank, conditionRank(r.Match)...)
		if bestRank == nil || less(rank, bestRank) {
			best, bestRank = r.Name, rank
		}
	}
	return best
}

func rankOf(m route.Template, method string, segments []string) (rank []int, ok bool) {
	template := strings.Split(m.Path()[1:], "/")
	for i := 0; ; i++ {
		switch {
		case i < len(template) && template[i] == "**":
			return append(rank, 2, methodRank(m.Method, method)), m.Method == "" || methodRank(m.Method, method) < 2
		case i == len(template) && i == len(segments):
			return append(rank, -1, methodRank(m.Method, method)), m.Method == "" || methodRank(m.Method, method) < 2
		case i >= len(template) || i >= len(segments):
			return nil, false
		case strings.HasPrefix(template[i], "{"):
			if segments[i] == "" {
				return nil, false
			}
			rank = append(rank, 1)
		case template[i] == segments[i]:
			rank = append(rank, 0)
		default:
			return nil, false
		}
	}
}

func methodRank(template, method string) int {
	switch {
	case template == method:
		return 0
	case template == "GET" && method == "HEAD":
		return 1
	}
	return 2
}

func less(a, b []int) bool {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return a[i] < b[i]
		}
	}
	return len(a) < len(b)
}

// randomRoutes makes up to atMost routes without ambiguity.
func randomRoutes(r *rand.Rand, atMost int) []route.Route {
	seen := map[string]bool{}
	var all []route.Route
	for i := range 1 + r.IntN(atMost) {
		var path strings.Builder
		for depth := 1 + r.IntN(4); depth > 0; depth-- {
			word := []string{"a", "b", "c", "d", fmt.Sprintf("{p%d}", depth), fmt.Sprintf("{q%d}", depth)}[r.IntN(6)]
			path.WriteString("/" + word)
		}
		path.WriteString([]string{"", "", "/", "/**"}[r.IntN(4)])
		text := strings.TrimSpace([]string{"", "GET ", "HEAD ", "POST "}[r.IntN(4)] + path.String())
		template, err := route.ParseTemplate(text)
		if err != nil {
			panic(err)
		}
		template = randomConditions(r, template)
		rival := tieKey(template)
		if !seen[template.Key()] && (rival == "" || !seen[rival]) {
			seen[template.Key()], seen[rival] = true, true
			all = append(all, route.Route{Name: fmt.Sprintf("%d %s", i, text), Match: template, Stage: route.Live})
		}
	}
	return all
}

func randomPath(r *rand.Rand) string {
	var path strings.Builder
	for range 1 + r.IntN(5) {
		path.WriteString("/" + []string{"a", "b", "c", "d", "e"}[r.IntN(5)])
	}
	return path.String() + []string{"", "", "/"}[r.IntN(3)]
}

// Whatever the order and the size of the table, it decides like the naive reference.
func TestOrderNeverMattersAndTheIndexAgrees(t *testing.T) {
	t.Parallel()
	for name, atMost := range map[string]int{"small": 8, "large": 900} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
				all := randomRoutes(r, atMost)
				first, err := route.Build(all)
				if err != nil {
					t.Fatal(err)
				}
				shuffled := append([]route.Route(nil), all...)
				r.Shuffle(len(all), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
				second, err := route.Build(shuffled)
				if err != nil {
					t.Fatal(err)
				}
				for range 50 {
					compare(t, all, []*route.Table{first, second}, randomHead(r))
				}
			})
		})
	}
}

func compare(t *rapid.T, all []route.Route, tables []*route.Table, head route.Head) {
	want := naive(all, head)
	for _, table := range tables {
		if got := find(t, table, head); got != want {
			t.Fatalf("%+v: got %q, want %q", head, got, want)
		}
		explained, err := table.Explain(head)
		if err != nil || want != "" && (len(explained) == 0 || explained[0].Route.Name != want || !explained[0].Matches) {
			t.Fatalf("%+v: explained %v %v, want %q first", head, explained, err, want)
		}
	}
}

func find(t interface{ Fatal(...any) }, table *route.Table, head route.Head) string {
	r, err := table.Find(head)
	if err != nil {
		t.Fatal(err)
	}
	if r == nil {
		return ""
	}
	return r.Name
}

func TestExplainSaysWhy(t *testing.T) {
	t.Parallel()
	table := build(t, "/orders/**", "GET /orders/{id}", "/orders/{id}", "POST /orders/{id}", "/orders/new", "/other")
	got, err := table.Explain(route.Head{Method: "GET", Path: "/orders/new"})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, c := range got {
		lines = append(lines, fmt.Sprintf("%v %s: %s", c.Matches, c.Route.Name, c.Why))
	}
	want := []string{
		"true /orders/new: it is the most specific match",
		"true GET /orders/{id}: at /orders/{id} route /orders/new has the literal segment, this one only a placeholder",
		"true /orders/{id}: at /orders/{id} route /orders/new has the literal segment, this one only a placeholder",
		"true /orders/**: at /orders/** route /orders/new has the literal segment, this one only **",
		"false POST /orders/{id}: its path matches, but it takes only POST",
	}
	if strings.Join(lines, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
}

// The path model must not be fooled: what it accepts selects the same route however
// a server behind it decodes, merges and resolves.
func FuzzPathModel(f *testing.F) {
	for _, seed := range []string{"/orders/..%2fadmin", "/a//b/../admin", `/x\..\admin`, "/%61dmin", "/orders/%252e%252e/admin", "/admin/.", "/%2e%2e/%2e%2e"} {
		f.Add(seed)
	}
	table := build(f, "/orders/**", "/admin", "/admin/{page}", "GET /a/b/{c}", "/a/**")
	f.Fuzz(func(t *testing.T, path string) {
		r, err := table.Find(route.Head{Method: "GET", Path: path})
		if err != nil {
			return
		}
		for _, seen := range sloppyReadings(path) {
			other, err := table.Find(route.Head{Method: "GET", Path: seen})
			if err != nil {
				continue // refused in that form, so it is no way in
			}
			if other != r {
				t.Fatalf("%q selects %v, but read as %q it selects %v", path, r, seen, other)
			}
		}
	})
}

// sloppyReadings are what common servers make of a path before they route it.
func sloppyReadings(path string) []string {
	decoded := undo(path)
	slashes := strings.ReplaceAll(decoded, `\`, "/")
	merged := slashes
	for strings.Contains(merged, "//") {
		merged = strings.ReplaceAll(merged, "//", "/")
	}
	all := []string{path, clean(path)}
	for _, p := range []string{decoded, slashes, merged, clean(decoded), clean(slashes), clean(merged), slashpath.Clean(merged)} {
		if strings.HasSuffix(merged, "/") && !strings.HasSuffix(p, "/") {
			continue // whether a trailing slash counts is not what this is about
		}
		all = append(all, strings.ReplaceAll(p, "%", "%25"))
	}
	return all
}

func undo(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		var c byte
		if s[i] == '%' && i+2 < len(s) {
			if _, err := fmt.Sscanf(s[i+1:i+3], "%02x", &c); err == nil {
				b.WriteByte(c)
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// clean resolves dot segments as RFC 3986 does: empty segments stay.
func clean(path string) string {
	var kept []string
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i, p := range parts {
		last := i == len(parts)-1
		if p != "." && p != ".." {
			kept = append(kept, p)
			continue
		}
		if p == ".." && len(kept) > 0 {
			kept = kept[:len(kept)-1]
		}
		if last {
			kept = append(kept, "")
		}
	}
	return "/" + strings.Join(kept, "/")
}

func BenchmarkDecide(b *testing.B) {
	for _, size := range []int{1, 500} {
		b.Run(fmt.Sprintf("routes=%d", size), func(b *testing.B) {
			var matches []string
			for i := range size {
				matches = append(matches, fmt.Sprintf("GET /api/resource%d/{id}/parts", i))
			}
			table := build(b, matches...)
			heads := make([]route.Head, 256)
			for i := range heads {
				heads[i] = route.Head{Method: "GET", Path: fmt.Sprintf("/api/resource%d/4711/parts", rand.IntN(size))}
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				d, err := route.Decide(table, heads[i%len(heads)])
				if err != nil || d.Route == nil {
					b.Fatal(d, err)
				}
				i++
			}
		})
	}
}
