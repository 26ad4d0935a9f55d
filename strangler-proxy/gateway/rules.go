package gateway

import (
	"net/http"
	"slices"
	"strings"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// A gateway looks at the host first and at the path then, the proxy at the path first.
// So each host that some route names gets HTTPRoutes of its own, which hold every route
// that such a request could take; then the host plays no part any more.

// hostsOf lists the hosts that routes name, and "" for all others.
func hostsOf(routes []written) []string {
	var hosts []string
	for _, r := range routes {
		if host := r.route.Match.Host(); !slices.Contains(hosts, host) && host != "" {
			hosts = append(hosts, host)
		}
	}
	slices.Sort(hosts)
	return append(hosts, "")
}

// covers reports whether every request for host, a name or *.name, is one for want.
func covers(want, host string) bool {
	if want == "" || want == host {
		return true
	}
	suffix, wild := strings.CutPrefix(want, "*")
	return wild && len(host) > len(suffix) && strings.HasSuffix(host, suffix)
}

// limitCohorts is more than a route has.
const limitCohorts = 1 << 16

// An entry is one way in which a request of a path can be decided.
type entry struct {
	name           string // of the route
	text           string // of the route's stage
	order          int    // among those of the path, the preferred one first
	headers, query []route.Condition
	reads, writes  plan
}

func (n *entry) plan(method string) plan {
	if route.Safe(method) {
		return n.reads
	}
	return n.writes
}

// asksMore reports whether a gateway prefers n to o on the same path and method.
func (n *entry) asksMore(o *entry) bool {
	if len(n.headers) != len(o.headers) {
		return len(n.headers) > len(o.headers)
	}
	return len(n.query) > len(o.query)
}

// rules writes the routes for one host.
func (e *exporter) rules(routes []written, host string) []Rule {
	var paths []PathMatch
	byPath := map[PathMatch][]written{}
	for _, r := range routes {
		if !covers(r.route.Match.Host(), host) {
			continue
		}
		if byPath[r.path] == nil {
			paths = append(paths, r.path)
		}
		byPath[r.path] = append(byPath[r.path], r)
	}
	everything := PathMatch{prefix, "/"}
	if byPath[everything] == nil {
		paths = append(paths, everything)
	}
	slices.SortFunc(paths, comparePaths)
	var rules []Rule
	for _, p := range paths {
		rules = append(rules, e.onPath(p, byPath[p], p == everything)...)
	}
	return rules
}

// comparePaths puts what a gateway prefers first.
func comparePaths(a, b PathMatch) int {
	if a.Type != b.Type {
		return strings.Compare(a.Type, b.Type) // Exact, PathPrefix, RegularExpression
	}
	if d := len(b.Value) - len(a.Value); d != 0 {
		return d
	}
	return strings.Compare(a.Value, b.Value)
}

// onPath writes the routes of one path, for each method that is treated apart and for
// the others.
func (e *exporter) onPath(path PathMatch, routes []written, last bool) []Rule {
	w := &ruleWriter{exporter: e, path: path}
	others := e.slot(routes, "")
	if last {
		others = append(others, &entry{name: route.Default, text: "whatever no route takes", order: len(routes) * limitCohorts})
	}
	others = untilAll(others)
	for _, method := range apart(routes) {
		slot := e.slot(routes, method)
		if last {
			slot = append(slot, others[len(others)-1])
		}
		slot = untilAll(slot)
		if !same(slot, others, method) {
			w.add(slot, method)
		}
	}
	w.add(others, "")
	return w.inOrder()
}

// apart lists the methods that need matches of their own.
func apart(routes []written) []string {
	var all []string
	for _, m := range methods {
		if slices.ContainsFunc(routes, func(w written) bool {
			r := w.route
			if r.Match.Method == "" {
				return route.Safe(m) && r.Stage != route.Monolith && (r.Stage == route.Shadow || r.Stage.IsCanary())
			}
			return r.Match.Method == m || m == http.MethodHead && r.Match.Method == http.MethodGet
		}) {
			all = append(all, m)
		}
	}
	return all
}

// slot lists what can happen to requests of a method, the preferred entry first; the
// method "" stands for those that no route names.
func (e *exporter) slot(routes []written, method string) []*entry {
	var slot []*entry
	for from := 0; from < len(routes); { // with widened templates, a path has several shapes
		to := from + 1
		for to < len(routes) && shape(routes[from]) == shape(routes[to]) {
			to++
		}
		take := func(named string) {
			for i, w := range routes[from:to] {
				if w.route.Match.Method == named {
					slot = append(slot, e.entries(w.route, from+i)...)
				}
			}
		}
		if method != "" {
			take(method)
		}
		if method == http.MethodHead {
			take(http.MethodGet)
		}
		take("")
		from = to
	}
	return slot
}

// entries are a route and, before it, its cohorts.
func (e *exporter) entries(r *config.Route, at int) []*entry {
	own := &entry{
		name: r.Name, text: r.Stage.String(), order: at * limitCohorts, headers: r.Match.Headers(), query: r.Match.Query(),
		reads: e.planOf(r, true), writes: e.planOf(r, false),
	}
	var all []*entry
	for i, c := range r.Cohorts {
		if !r.Stage.IsCanary() || c.Header.Name == "" || c.Peers.IsValid() {
			continue
		}
		cohort := *own
		cohort.order += i - len(r.Cohorts)
		cohort.text += ", cohort " + c.Header.Name
		headers, ok := union(own.headers, []route.Condition{c.Header})
		if !ok {
			continue // nobody can be in it
		}
		if c.Header.Value == route.Any && !e.opts.Regex || len(headers) > limitAsked {
			e.differs(Cohort, "the cohort "+c.Header.Name+" is not sent to the service: an HTTPRoute cannot ask for it", r.Name)
			continue
		}
		cohort.headers = headers
		cohort.reads = plan{service: r.Service, share: route.Everyone}
		if r.Data == route.DataNone {
			cohort.writes = cohort.reads
		}
		all = append(all, &cohort)
	}
	return append(all, own)
}

// untilAll ends a slot at the entry that takes everything.
func untilAll(slot []*entry) []*entry {
	for i, n := range slot {
		if len(n.headers) == 0 && len(n.query) == 0 {
			return slot[:i+1]
		}
	}
	return slot
}

func same(slot, others []*entry, method string) bool {
	return slices.EqualFunc(slot, others, func(a, b *entry) bool {
		return a.name == b.name && a.order == b.order && a.plan(method) == b.plan("")
	})
}
