package route

import (
	"net/http"
	"slices"
	"strings"
)

// A Table holds routes in an index by path segment. It is immutable.
type Table struct {
	routes []*Route
	root   *node
	policy Policy
}

// A Policy is what holds for all routes of a table. The zero value lets the routes
// decide alone.
type Policy struct {
	Panic bool  // every route is on the monolith, but those that are done
	Force Force // who may choose the side of their requests
}

// With returns the table with another policy; t itself stays.
func (t *Table) With(p Policy) *Table {
	other := *t
	other.policy = p
	return &other
}

// A node stands for the segments that lead to it.
type node struct {
	literals    map[string]*node
	placeholder *node
	here        []*Route // routes that end here: with a method first, without one last; then the pickier first
	rest        []*Route // routes that go on with **, in the same order
}

// Build makes a table of routes, whose order does not matter. It fails with an
// *AmbiguousError when a request could be taken by two of them equally.
func Build(routes []Route) (*Table, error) {
	if all := Ambiguities(routes); len(all) > 0 {
		return nil, all[0]
	}
	t := &Table{root: &node{}}
	for i := range routes {
		r := routes[i]
		r.Position = i
		t.routes = append(t.routes, &r)
		t.root.add(&r, r.Match.segments)
	}
	t.root.sort()
	return t, nil
}

// Routes returns the routes in the order they were given. The caller must not
// change them.
func (t *Table) Routes() []*Route { return t.routes }

func (n *node) add(r *Route, segments []segment) {
	for _, s := range segments {
		switch s.kind {
		case rest:
			n.rest = append(n.rest, r)
			return
		case placeholder:
			if n.placeholder == nil {
				n.placeholder = &node{}
			}
			n = n.placeholder
		case literal:
			if n.literals == nil {
				n.literals = map[string]*node{}
			}
			next := n.literals[s.text]
			if next == nil {
				next = &node{}
				n.literals[s.text] = next
			}
			n = next
		}
	}
	n.here = append(n.here, r)
}

// sort puts the routes below n into the order in which pick tries them.
func (n *node) sort() {
	order := func(a, b *Route) int {
		if open := a.Match.Method == ""; open != (b.Match.Method == "") {
			if open {
				return 1
			}
			return -1
		}
		return a.Match.compareConditions(b.Match)
	}
	slices.SortStableFunc(n.here, order)
	slices.SortStableFunc(n.rest, order)
	for _, next := range n.literals {
		next.sort()
	}
	if n.placeholder != nil {
		n.placeholder.sort()
	}
}

// Find returns the most specific route for a request, or nil. The order: the path
// segment by segment from the left, a literal before a placeholder before **; then
// the method, the request's own before GET for HEAD before none; then the conditions,
// an exact host before *.x before none, more headers, more query parameters, more
// values.
func (t *Table) Find(head Head) (*Route, error) { return t.find(&head) }

func (t *Table) find(head *Head) (*Route, error) {
	path := head.Path
	if path == "" || path[0] != '/' {
		return nil, ErrNotAbsolute
	}
	if plain(path) {
		return t.root.find(head, path[1:], true), nil
	}
	return t.findInAllReadings(head, path)
}

// findInAllReadings refuses a path whose readings select different routes.
func (t *Table) findInAllReadings(head *Head, path string) (*Route, error) {
	decoded, err := decode(path)
	if err != nil {
		return nil, err
	}
	if countSegments(decoded) > limitReadSegments {
		return nil, ErrTooDeep
	}
	var found *Route
	for i, reading := range readings(path) {
		segments, err := reading.segments(path)
		if err != nil {
			return nil, err
		}
		r := t.root.findSegments(head, segments)
		if i == 0 {
			found = r
		} else if r != found {
			return nil, ErrAmbiguousPath
		}
	}
	return found, nil
}

// find walks the index along path, which has no leading slash; more says whether a
// segment (maybe an empty one) is left.
func (n *node) find(head *Head, path string, more bool) *Route {
	if !more {
		if r := pick(n.here, head); r != nil {
			return r
		}
		return pick(n.rest, head)
	}
	segment, after, more := strings.Cut(path, "/")
	if next := n.literals[segment]; next != nil {
		if r := next.find(head, after, more); r != nil {
			return r
		}
	}
	if n.placeholder != nil && segment != "" {
		if r := n.placeholder.find(head, after, more); r != nil {
			return r
		}
	}
	return pick(n.rest, head)
}

// findSegments is find for a path that was split before.
func (n *node) findSegments(head *Head, segments []string) *Route {
	if len(segments) == 0 {
		if r := pick(n.here, head); r != nil {
			return r
		}
		return pick(n.rest, head)
	}
	if next := n.literals[segments[0]]; next != nil {
		if r := next.findSegments(head, segments[1:]); r != nil {
			return r
		}
	}
	if n.placeholder != nil && segments[0] != "" {
		if r := n.placeholder.findSegments(head, segments[1:]); r != nil {
			return r
		}
	}
	return pick(n.rest, head)
}

// pick chooses among routes of one path by method and conditions.
func pick(routes []*Route, head *Head) *Route {
	var forHead *Route
	for _, r := range routes {
		switch {
		case r.Match.Method == "": // from here on none has a method
			if forHead != nil {
				return forHead
			}
			if r.Match.conditions.match(head) {
				return r
			}
		case r.Match.Method == head.Method:
			if r.Match.conditions.match(head) {
				return r
			}
		case forHead == nil && r.Match.Method == http.MethodGet && head.Method == http.MethodHead:
			if r.Match.conditions.match(head) {
				forHead = r
			}
		}
	}
	return forHead
}
