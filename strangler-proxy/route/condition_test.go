package route_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// conditional makes a route; words are "Host:x", "Name:value" and "?name=value".
func conditional(t testing.TB, name, match string, words ...string) route.Route {
	t.Helper()
	template, err := route.ParseTemplate(match)
	for _, w := range words {
		if err != nil {
			break
		}
		template, err = with(template, w)
	}
	if err != nil {
		t.Fatalf("%s %v: %v", match, words, err)
	}
	return route.Route{Name: name, Match: template, Service: "s", Stage: route.Live}
}

func with(t route.Template, word string) (route.Template, error) {
	if query, ok := strings.CutPrefix(word, "?"); ok {
		name, value, _ := strings.Cut(query, "=")
		return t.WithQuery(name, value)
	}
	name, value, _ := strings.Cut(word, ":")
	if name == "Host" {
		return t.WithHost(value)
	}
	return t.WithHeader(name, value)
}

func TestConditions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		condition string
		yes, no   []route.Head
	}{
		{
			"Host:Shop.Example",
			[]route.Head{{Host: "shop.example"}, {Host: "SHOP.example:8080"}, {Host: "shop.example."}, {Host: "shop.example.:80"}},
			[]route.Head{{}, {Host: "shop.example.org"}, {Host: "a.shop.example"}, {Host: "shop"}},
		},
		{
			"Host:*.shop.example",
			[]route.Head{{Host: "a.shop.example"}, {Host: "a.B.Shop.Example:1"}},
			[]route.Head{{}, {Host: "shop.example"}, {Host: ".shop.example"}, {Host: "ashop.example"}, {Host: "a.shop.example.org"}},
		},
		{"Host:[::1]", []route.Head{{Host: "[::1]:80"}, {Host: "[::1]"}}, []route.Head{{Host: "[::2]"}}},
		{
			"x-beta:yes",
			[]route.Head{{Header: http.Header{"X-Beta": {"yes"}}}},
			[]route.Head{{}, {Header: http.Header{"X-Beta": {"no"}}}, {Header: http.Header{"X-Beta": {"Yes"}}}, {Header: http.Header{"X-Beta": {"yes", "yes"}}}},
		},
		{"X-Beta:*", []route.Head{{Header: http.Header{"X-Beta": {""}}}, {Header: http.Header{"X-Beta": {"a", "b"}}}}, []route.Head{{}, {Header: http.Header{"X-Bet": {"*"}}}}},
		{
			"?q=a b",
			[]route.Head{{Query: "q=a+b"}, {Query: "x&q=a%20b&y=%zz"}, {Query: "%71=a%20b"}},
			[]route.Head{{}, {Query: "q"}, {Query: "q=a+b&q=a+b"}, {Query: "q=a+b&q"}, {Query: "Q=a+b"}, {Query: "q=a+b;"}},
		},
		{"?q=*", []route.Head{{Query: "q"}, {Query: "a=1&q="}, {Query: "q=1&q=2"}}, []route.Head{{}, {Query: "a=q"}, {Query: "qq=1"}}},
	} {
		table, err := route.Build([]route.Route{conditional(t, "r", "/a", c.condition)})
		if err != nil {
			t.Fatal(err)
		}
		for want, heads := range map[string][]route.Head{"r": c.yes, "": c.no} {
			for _, head := range heads {
				head.Method, head.Path = "GET", "/a"
				if got := find(t, table, head); got != want {
					t.Errorf("%s: %+v: got %q, want %q", c.condition, head, got, want)
				}
			}
		}
	}
}

// What asks for more comes first, but only after path and method; what is not
// fulfilled is as if it were not there.
func TestPrecedenceOfConditions(t *testing.T) {
	t.Parallel()
	table, err := route.Build([]route.Route{
		conditional(t, "rest", "GET /a/**", "Host:shop.example", "A:1", "B:1"),
		conditional(t, "plain", "/a/{x}"),
		conditional(t, "method", "GET /a/{x}"),
		conditional(t, "host", "GET /a/{x}", "Host:shop.example"),
		conditional(t, "wild", "GET /a/{x}", "Host:*.example", "A:1", "B:1"),
		conditional(t, "header", "GET /a/{x}", "A:1"),
		conditional(t, "query", "GET /a/{x}", "?q=1", "?r=1"),
		conditional(t, "present", "GET /a/{x}", "A:*"),
		conditional(t, "post", "POST /a/{x}", "A:1"),
	})
	if err != nil {
		t.Fatal(err)
	}
	a, b := http.Header{"A": {"1"}}, http.Header{"A": {"1"}, "B": {"1"}}
	for _, c := range []struct {
		head route.Head
		want string
	}{
		{route.Head{}, "method"},
		{route.Head{Method: "PUT", Header: a}, "plain"},
		{route.Head{Method: "POST"}, "plain"},
		{route.Head{Method: "POST", Header: a}, "post"},
		{route.Head{Method: "HEAD", Header: a}, "header"},
		{route.Head{Header: a, Query: "q=1&r=1"}, "header"},
		{route.Head{Query: "q=1&r=1"}, "query"},
		{route.Head{Header: http.Header{"A": {"2"}}}, "present"},
		{route.Head{Host: "shop.example", Header: b}, "host"},
		{route.Head{Host: "x.example", Header: b}, "wild"},
		{route.Head{Host: "x.example", Header: a}, "header"},
		{route.Head{Host: "shop.example", Header: b, Path: "/a/x/y"}, "rest"},
		{route.Head{Host: "shop.example", Header: a, Path: "/a/x/y"}, ""},
	} {
		if c.head.Method == "" {
			c.head.Method = "GET"
		}
		if c.head.Path == "" {
			c.head.Path = "/a/x"
		}
		if got := find(t, table, c.head); got != c.want {
			t.Errorf("%+v: got %q, want %q", c.head, got, c.want)
		}
	}
}

func TestAmbiguousConditions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b      []string
		ambiguous bool
	}{
		{[]string{"A:1"}, []string{"a:1"}, true},
		{[]string{"A:1"}, []string{"B:1"}, true},
		{[]string{"A:*"}, []string{"B:*"}, true},
		{[]string{"A:1", "B:*"}, []string{"A:*", "B:1"}, true},
		{[]string{"A:1", "B:1"}, []string{"A:1", "C:1"}, true},
		{[]string{"?a=1"}, []string{"?b=1"}, true},
		{[]string{"A:1"}, []string{"A:2"}, false},
		{[]string{"A:1", "B:1"}, []string{"A:2", "C:1"}, false},
		{[]string{"A:1"}, []string{"A:*"}, false},
		{[]string{"A:1"}, []string{"?a=1"}, false},
		{[]string{"Host:a.example"}, []string{"Host:b.example"}, false},
		{[]string{"Host:*.b.example"}, []string{"Host:*.example"}, false},
		{[]string{"?a=1"}, []string{"?A=1"}, true},
		{[]string{"A:1"}, []string{"B:1", "C:1"}, false},
	} {
		_, err := route.Build([]route.Route{conditional(t, "first", "/a", c.a...), conditional(t, "other", "GET /a", c.a...), conditional(t, "second", "/a", c.b...)})
		var ambiguous *route.AmbiguousError
		if errors.As(err, &ambiguous) != c.ambiguous {
			t.Errorf("%v and %v: %v", c.a, c.b, err)
		} else if c.ambiguous && (ambiguous.First.Name != "first" || ambiguous.Second.Name != "second" || !strings.Contains(err.Error(), `"first" and "second"`)) {
			t.Errorf("%v and %v: %v", c.a, c.b, err)
		}
	}
}

func TestExplainNamesConditions(t *testing.T) {
	t.Parallel()
	table, err := route.Build([]route.Route{
		conditional(t, "plain", "/a"), conditional(t, "beta", "/a", "X-Beta:yes"), conditional(t, "host", "/a", "Host:shop.example"),
		conditional(t, "any", "/a", "X-Beta:*"), conditional(t, "page", "/a", "?page=2"),
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := table.Explain(route.Head{Method: "GET", Path: "/a", Header: http.Header{"X-Beta": {"yes"}}})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, c := range got {
		lines = append(lines, fmt.Sprintf("%v %s: %s", c.Matches, c.Route.Name, c.Why))
	}
	want := []string{
		"true beta: it is the most specific match",
		"true any: route beta asks for values, this one only for their presence",
		"true plain: route beta asks for more headers",
		"false host: its path matches, but it asks for host shop.example",
		"false page: its path matches, but it asks for query parameter page=2",
	}
	if strings.Join(lines, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
}

// randomConditions adds conditions to every second template.
func randomConditions(r *rand.Rand, t route.Template) route.Template {
	add := func(word string) {
		changed, err := with(t, word)
		if err != nil {
			panic(err)
		}
		t = changed
	}
	if r.IntN(2) == 0 {
		return t
	}
	if host := []string{"", "", "a.x", "*.x", "*.b.x"}[r.IntN(5)]; host != "" {
		add("Host:" + host)
	}
	for _, name := range []string{"A:", "B:", "?c=", "?d="} {
		if value := []string{"", "", "1", "2", "*"}[r.IntN(5)]; value != "" {
			add(name + value)
		}
	}
	return t
}

// tieKey is equal for templates that might be ambiguous because of their conditions.
func tieKey(t route.Template) string {
	if !t.Conditional() {
		return ""
	}
	return fmt.Sprint(t.Host(), conditionRank(t), strings.Split(t.Key(), ` "`)[0])
}

func fulfils(t route.Template, head route.Head) bool {
	query, _ := url.ParseQuery(head.Query)
	host, _, _ := strings.Cut(head.Host, ":")
	suffix, wild := strings.CutPrefix(t.Host(), "*")
	good := t.Host() == "" || host == t.Host() || wild && strings.HasSuffix(host, suffix) && host != suffix
	for _, c := range t.Headers() {
		good = good && one(head.Header[c.Name], c.Value)
	}
	for _, c := range t.Query() {
		good = good && one(query[c.Name], c.Value)
	}
	return good
}

func one(values []string, want string) bool {
	return len(values) == 1 && values[0] == want || len(values) > 0 && want == route.Any
}

func conditionRank(t route.Template) []int {
	host := 0
	switch {
	case strings.HasPrefix(t.Host(), "*"):
		host = -len(t.Host())
	case t.Host() != "":
		host = -1000
	}
	rank := []int{host, -len(t.Headers()), -len(t.Query()), 0, 0}
	for i, all := range [][]route.Condition{t.Headers(), t.Query()} {
		for _, c := range all {
			if c.Value != route.Any {
				rank[3+i]--
			}
		}
	}
	return rank
}

func randomHead(r *rand.Rand) route.Head {
	head := route.Head{
		Method: []string{"GET", "HEAD", "POST", "PUT"}[r.IntN(4)], Path: randomPath(r),
		Host: []string{"a.x", "b.x:80", "c.b.x", "x", ""}[r.IntN(5)], Header: http.Header{},
	}
	var query []string
	for range r.IntN(6) {
		name, value := []string{"A", "B", "c", "d"}[r.IntN(4)], []string{"1", "1", "2", "3"}[r.IntN(4)]
		if name < "a" {
			head.Header[name] = append(head.Header[name], value)
		} else {
			query = append(query, name+"="+value)
		}
	}
	head.Query = strings.Join(query, "&")
	return head
}

func BenchmarkDecideWithConditions(b *testing.B) {
	table, err := route.Build([]route.Route{
		conditional(b, "beta", "GET /api/{id}", "Host:shop.example", "X-Beta:yes", "?page=2"), conditional(b, "rest", "GET /api/{id}"),
	})
	if err != nil {
		b.Fatal(err)
	}
	head := route.Head{Method: "GET", Path: "/api/4711", Host: "shop.example:8080", Header: http.Header{"X-Beta": {"yes"}}, Query: "a=1&page=2"}
	b.ReportAllocs()
	for b.Loop() {
		if d, err := route.Decide(table, head); err != nil || d.Name() != "beta" {
			b.Fatal(d, err)
		}
	}
}

// Choosing a route costs no memory, with conditions or without.
func TestFindDoesNotAllocate(t *testing.T) {
	var all []route.Route
	for i := range 500 {
		all = append(all, conditional(t, fmt.Sprint(i), fmt.Sprintf("GET /r%d/{id}", i)))
	}
	all = append(all, conditional(t, "beta", "GET /r7/{id}", "Host:*.example", "X-Beta:yes", "?page=2"))
	table, err := route.Build(all)
	if err != nil {
		t.Fatal(err)
	}
	for want, head := range map[string]route.Head{
		"8":    {Method: "GET", Path: "/r8/4711"},
		"beta": {Method: "GET", Path: "/r7/1", Host: "shop.example:8080", Header: http.Header{"X-Beta": {"yes"}}, Query: "a=1&page=2"},
	} {
		if got := testing.AllocsPerRun(100, func() {
			if d, err := route.Decide(table, head); err != nil || d.Name() != want {
				t.Errorf("got %v %v, want %s", d, err, want)
			}
		}); got != 0 {
			t.Errorf("%s: %v allocations", want, got)
		}
	}
}
