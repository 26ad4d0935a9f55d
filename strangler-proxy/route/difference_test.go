package route_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
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

// Canaries differ by their share, by whom they take and by whose data it is.
func TestCompareCanaries(t *testing.T) {
	t.Parallel()
	canary := func(share int, change func(*route.Route)) []route.Route {
		r := at(conditional(t, "r", "/a"), "s", route.Canary(share))
		if change != nil {
			change(&r)
		}
		return []route.Route{r}
	}
	beta := route.Cohort{Header: route.Condition{Name: "X-Beta", Value: "yes"}}
	office := route.Cohort{Peers: netip.MustParsePrefix("10.0.0.0/8")}
	both := route.Cohort{Header: beta.Header, Peers: office.Peers}
	cohorts := func(all ...route.Cohort) func(*route.Route) { return func(r *route.Route) { r.Cohorts = all } }
	for name, c := range map[string]struct {
		old, now []route.Route
		want     string // the example's method, header and peer
	}{
		"same":       {canary(5_00, nil), canary(5_00, nil), ""},
		"share":      {canary(5_00, nil), canary(5_01, nil), "GET  invalid IP"},
		"all":        {canary(100_00, nil), []route.Route{at(conditional(t, "r", "GET /a"), "s", route.Live)}, "OPTIONS  invalid IP"},
		"none":       {canary(0, nil), []route.Route{at(conditional(t, "r", "/a"), "", route.Monolith)}, ""},
		"shadow":     {canary(0, nil), []route.Route{at(conditional(t, "r", "/a"), "s", route.Shadow)}, ""},
		"group":      {canary(5_00, nil), canary(5_00, func(r *route.Route) { r.Group = "g" }), "GET  invalid IP"},
		"name":       {canary(5_00, func(r *route.Route) { r.Group = "g" }), canary(5_00, func(r *route.Route) { r.Name, r.Group = "other", "g" }), ""},
		"sticky":     {canary(5_00, nil), canary(5_00, func(r *route.Route) { r.Sticky = userID }), "GET  invalid IP"},
		"the same":   {canary(5_00, nil), canary(5_00, func(r *route.Route) { r.Sticky = route.Sticky{{}} }), ""},
		"data":       {canary(5_00, nil), canary(5_00, func(r *route.Route) { r.Data = route.DataNone }), "POST  invalid IP"},
		"cohort":     {canary(5_00, nil), canary(5_00, cohorts(beta)), "GET yes invalid IP"},
		"at nothing": {canary(0, cohorts(beta)), canary(0, nil), "GET yes invalid IP"},
		"address":    {canary(5_00, nil), canary(5_00, cohorts(office)), "GET  10.0.0.0"},
		"narrower":   {canary(5_00, cohorts(beta)), canary(5_00, cohorts(both)), "GET yes invalid IP"},
		"equal":      {canary(5_00, cohorts(beta, office)), canary(5_00, cohorts(office, beta)), ""},
		"unused":     {[]route.Route{at(conditional(t, "r", "/a"), "s", route.Live)}, []route.Route{func() route.Route { r := canary(0, cohorts(beta))[0]; r.Stage = route.Live; return r }()}, ""},
	} {
		old, errOld := route.Build(c.old)
		now, errNow := route.Build(c.now)
		if errOld != nil || errNow != nil {
			t.Fatal(errOld, errNow)
		}
		all, err := route.Compare(old, now)
		got := ""
		for _, d := range all {
			got += fmt.Sprintf("%s %s %s", d.Example.Method, d.Example.Header.Get("X-Beta"), d.Example.Peer)
		}
		if err != nil || got != c.want {
			t.Errorf("%s: %q %v, want %q", name, got, err, c.want)
		}
	}
}
