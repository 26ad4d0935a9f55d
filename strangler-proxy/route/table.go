package route

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// A Table holds routes in an index by path segment. It is immutable.
type Table struct {
	routes []*Route
	root   *node
}

// A node stands for the segments that lead to it.
type node struct {
	literals    map[string]*node
	placeholder *node
	here        []*Route // routes that end here: with a method first, without one last
	rest        []*Route // routes that go on with **, in the same order
}

// An AmbiguousError names two routes that match exactly the same requests.
type AmbiguousError struct{ First, Second *Route }

func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("routes %q and %q match the same requests (%s)", e.First.Name, e.Second.Name, e.First.Match)
}

// Build makes a table of routes, whose order does not matter. It fails with an
// *AmbiguousError when two of them match the same requests.
func Build(routes []Route) (*Table, error) {
	t := &Table{root: &node{}}
	seen := map[string]*Route{}
	for i := range routes {
		r := routes[i]
		r.Position = i
		if first := seen[r.Match.Key()]; first != nil {
			return nil, &AmbiguousError{First: first, Second: &r}
		}
		seen[r.Match.Key()] = &r
		t.routes = append(t.routes, &r)
		t.root.add(&r, r.Match.segments)
	}
	return t, nil
}

// Routes returns the routes in the order they were given. The caller must not
// change them.
func (t *Table) Routes() []*Route { return t.routes }

func (n *node) add(r *Route, segments []segment) {
	for _, s := range segments {
		switch s.kind {
		case rest:
			n.rest = insert(n.rest, r)
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
	n.here = insert(n.here, r)
}

func insert(routes []*Route, r *Route) []*Route {
	if r.Match.Method == "" {
		return append(routes, r)
	}
	return slices.Insert(routes, 0, r)
}

// Find returns the most specific route for a request, or nil. The order: the path
// segment by segment from the left, a literal before a placeholder before **; then
// the method, the request's own before GET for HEAD before none.
func (t *Table) Find(method, path string) (*Route, error) {
	if path == "" || path[0] != '/' {
		return nil, ErrNotAbsolute
	}
	if plain(path) {
		return t.root.find(method, path[1:], true), nil
	}
	return t.findInAllReadings(method, path)
}

// findInAllReadings refuses a path whose readings select different routes.
func (t *Table) findInAllReadings(method, path string) (*Route, error) {
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
		r := t.root.findSegments(method, segments)
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
func (n *node) find(method, path string, more bool) *Route {
	if !more {
		if r := pick(n.here, method); r != nil {
			return r
		}
		return pick(n.rest, method)
	}
	segment, after, more := strings.Cut(path, "/")
	if next := n.literals[segment]; next != nil {
		if r := next.find(method, after, more); r != nil {
			return r
		}
	}
	if n.placeholder != nil && segment != "" {
		if r := n.placeholder.find(method, after, more); r != nil {
			return r
		}
	}
	return pick(n.rest, method)
}

// findSegments is find for a path that was split before.
func (n *node) findSegments(method string, segments []string) *Route {
	if len(segments) == 0 {
		if r := pick(n.here, method); r != nil {
			return r
		}
		return pick(n.rest, method)
	}
	if next := n.literals[segments[0]]; next != nil {
		if r := next.findSegments(method, segments[1:]); r != nil {
			return r
		}
	}
	if n.placeholder != nil && segments[0] != "" {
		if r := n.placeholder.findSegments(method, segments[1:]); r != nil {
			return r
		}
	}
	return pick(n.rest, method)
}

// pick chooses among routes of one path by method.
func pick(routes []*Route, method string) *Route {
	var forHead *Route
	for _, r := range routes {
		switch {
		case r.Match.Method == method:
			return r
		case r.Match.Method == http.MethodGet && method == http.MethodHead:
			forHead = r
		case r.Match.Method == "": // the last of them
			if forHead != nil {
				return forHead
			}
			return r
		}
	}
	return forHead
}
