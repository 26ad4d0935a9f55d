package route

import (
	"fmt"
	"strings"
)

// An AmbiguousError names two routes of which neither is more specific and that can
// match one request, so that a choice between them would be arbitrary.
type AmbiguousError struct{ First, Second *Route }

// Same reports whether both match exactly the same requests.
func (e *AmbiguousError) Same() bool { return e.First.Match.SameMatch(e.Second.Match) }

func (e *AmbiguousError) Error() string {
	if e.Same() {
		return fmt.Sprintf("routes %q and %q match the same requests (%s)", e.First.Name, e.Second.Name, e.First.Match)
	}
	return fmt.Sprintf("routes %q and %q can match the same request and neither is more specific (%s and %s)",
		e.First.Name, e.Second.Name, e.First.Match, e.Second.Match)
}

// Ambiguities reports each route that cannot be told from an earlier one, together
// with the first such.
func Ambiguities(routes []Route) []*AmbiguousError {
	var all []*AmbiguousError
	groups := map[string]*equals{}
	for i := range routes {
		r := &routes[i]
		key := r.Match.rankKey()
		group := groups[key]
		if group == nil {
			group = &equals{same: map[string]int{}, asking: map[string][]int{}}
			groups[key] = group
		}
		if first := group.clash(routes, i); first >= 0 {
			all = append(all, &AmbiguousError{First: &routes[first], Second: r})
			continue
		}
		group.add(r, i)
	}
	return all
}

// equals are routes of one method, path and rank of conditions, by their index. Two
// that ask for values of the same things differ in a value, so no request has both;
// only others have to be looked at in pairs.
type equals struct {
	same   map[string]int   // by Key
	asking map[string][]int // by what they ask for, without the values
}

func (g *equals) add(r *Route, i int) {
	g.same[r.Match.Key()] = i
	asks := r.Match.conditionsOrNone().asks()
	g.asking[asks] = append(g.asking[asks], i)
}

// clash is the index of the first route that can match a request of route i, or -1.
func (g *equals) clash(routes []Route, i int) int {
	r := &routes[i]
	if first, found := g.same[r.Match.Key()]; found {
		return first
	}
	first := -1
	own := r.Match.conditionsOrNone()
	asks := own.asks()
	for others, indexes := range g.asking {
		if others == asks {
			continue
		}
		for _, j := range indexes {
			if (first < 0 || j < first) && own.overlaps(routes[j].Match.conditionsOrNone()) {
				first = j
			}
		}
	}
	return first
}

// rankKey is equal for templates of which neither is more specific because of its
// path, method or host, or the number of its conditions.
func (t Template) rankKey() string {
	c := t.conditionsOrNone()
	return fmt.Sprint(t.Method, " ", t.shape(), " ", c.host, c.rank)
}

func (c *conditions) asks() string {
	var b strings.Builder
	for kind, all := range [][]Condition{c.headers, c.query} {
		for _, one := range all {
			fmt.Fprintf(&b, "%d %q %v ", kind, one.Name, one.Value == Any)
		}
	}
	return b.String()
}

// overlaps reports whether one request can fulfil both, which have the same host.
func (c *conditions) overlaps(o *conditions) bool {
	return compatible(c.headers, o.headers) && compatible(c.query, o.query)
}

func compatible(a, b []Condition) bool {
	for _, x := range a {
		for _, y := range b {
			if x.Name == y.Name && x.Value != y.Value && x.Value != Any && y.Value != Any {
				return false
			}
		}
	}
	return true
}
