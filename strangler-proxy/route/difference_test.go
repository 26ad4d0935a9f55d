package route_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

func at(r route.Route, service string, stage route.Stage) route.Route {
	r.Service, r.Stage = service, stage
	return r
}

func TestCompare(t *testing.T) {
	t.Parallel()
	all := conditional(t, "all", "/a/**")
	one := conditional(t, "one", "GET /a/{x}")
	cross := conditional(t, "cross", "/{y}/b")
	beta := conditional(t, "beta", "GET /a/{x}", "X-Beta:yes", "?p=1")
	slash := conditional(t, "slash", "/a/")
	for name, c := range map[string]struct {
		old, now []route.Route
		want     []string
	}{
		"nothing": {[]route.Route{all}, []route.Route{all}, nil},
		"added":   {nil, []route.Route{one}, []string{"default one GET /a/{x} GET /a/xx"}},
		"removed": {[]route.Route{one}, nil, []string{"one default GET /a/{x} GET /a/xx"}},
		"stage":   {[]route.Route{at(all, "s", route.Monolith)}, []route.Route{all}, []string{"all all /a/** GET /a"}},
		"service": {[]route.Route{all}, []route.Route{at(all, "t", route.Live)}, []string{"all all /a/** GET /a"}},
		"renamed": {[]route.Route{all}, []route.Route{conditional(t, "every", "/a/**")}, nil},
		"shadowed": {
			[]route.Route{all},
			[]route.Route{all, at(one, "", route.Monolith)},
			[]string{"all one GET /a/{x} GET /a/xx"},
		},
		"crossing": {
			[]route.Route{cross},
			[]route.Route{cross, at(all, "", route.Monolith)},
			[]string{"cross all /a/** GET /a/b"},
		},
		"condition": {
			[]route.Route{one},
			[]route.Route{one, at(beta, "t", route.Live)},
			[]string{"one beta GET /a/{x} X-Beta:yes ?p=1 GET /a/xx?p=1 yes"},
		},
		"slash": {
			[]route.Route{all, one, conditional(t, "a", "/a")},
			[]route.Route{all, one, conditional(t, "a", "/a"), at(slash, "", route.Monolith)},
			[]string{"all slash /a/ GET /a/"},
		},
	} {
		got := differences(t, c.old, c.now)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func differences(t testing.TB, old, now []route.Route) []string {
	t.Helper()
	a, err := route.Build(old)
	if err != nil {
		t.Fatal(err)
	}
	b, err := route.Build(now)
	if err != nil {
		t.Fatal(err)
	}
	all, err := route.Compare(a, b)
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, d := range all {
		text := fmt.Sprintf("%s %s %s %s %s", d.Old.Name(), d.New.Name(), d.Match(), d.Example.Method, d.Example.Path)
		if d.Example.Query != "" {
			text += "?" + d.Example.Query + " " + d.Example.Header.Get("X-Beta")
		}
		texts = append(texts, text)
	}
	return texts
}

// Whatever random request changes its owner between two random tables, Compare has
// named the pair of routes, and each of its examples is true.
func TestCompareMissesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		old, now := randomPair(r)
		a, errA := route.Build(old)
		b, errB := route.Build(now)
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		all, err := route.Compare(a, b)
		if err != nil {
			t.Fatal(err)
		}
		named := map[string]bool{}
		for _, d := range all {
			named[d.Old.Name()+"|"+d.New.Name()] = true
			if !changes(t, a, b, d.Example) {
				t.Fatalf("%+v changes nothing", d.Example)
			}
		}
		for range 200 {
			head := randomHead(r)
			if changes(t, a, b, head) {
				before, _ := route.Decide(a, head)
				after, _ := route.Decide(b, head)
				if !named[before.Name()+"|"+after.Name()] {
					t.Fatalf("%+v goes from %s to %s, which was not found", head, before.Name(), after.Name())
				}
			}
		}
	})
}

func changes(t *rapid.T, a, b *route.Table, head route.Head) bool {
	before, errA := route.Decide(a, head)
	after, errB := route.Decide(b, head)
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	owner := func(d route.Decision) string {
		if d.Side == route.ToMonolith {
			return ""
		}
		return d.Route.Service
	}
	return owner(before) != owner(after)
}

// randomPair makes a table and one that a few changes have made of it.
func randomPair(r *rand.Rand) (old, now []route.Route) {
	all := randomRoutes(r, 12)
	for i, one := range all {
		service := []string{"s", "t"}[r.IntN(2)]
		one = at(one, service, []route.Stage{route.Live, route.Monolith}[r.IntN(2)])
		one.Name = fmt.Sprint(i, " ", one.Match)
		kind := r.IntN(6)
		if kind != 0 {
			old = append(old, one)
		}
		if kind == 1 {
			one.Stage = route.Live
		}
		if kind == 2 {
			one.Stage = route.Monolith
		}
		if kind != 3 {
			now = append(now, one)
		}
	}
	return old, now
}

func TestCompareLargeTables(t *testing.T) {
	t.Parallel()
	var old, now []route.Route
	for i := range 3000 {
		r := conditional(t, fmt.Sprint("r", i), fmt.Sprintf("GET /api/r%d/{id}/parts", i))
		old = append(old, r)
		if i != 7 {
			now = append(now, r)
		}
	}
	if got := differences(t, old, now); !slices.Equal(got, []string{"r7 default GET /api/r7/{id}/parts GET /api/r7/x/parts"}) {
		t.Errorf("got %q", got)
	}
}

// What cannot be compared in full is not compared at all.
func TestCompareHasALimit(t *testing.T) {
	t.Parallel()
	var all []route.Route
	for i := range 1100 {
		all = append(all, conditional(t, fmt.Sprint(i), "/a", fmt.Sprint("X-Tenant:", i)))
	}
	table, err := route.Build(all)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := route.Compare(table, table); !errors.Is(err, route.ErrTooManyShapes) {
		t.Errorf("got %v %v", got, err)
	}
}
