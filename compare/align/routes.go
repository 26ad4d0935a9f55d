package align

import (
	"maps"
	"slices"
	"strings"

	"github.com/stranglerfig/toolkit/compare/differ"
)

// Routes infers the routes of a run's requests from their paths: a segment that looks
// generated is a parameter ({}), and so is one that some runs of BEFORE have and others have not,
// such as a name that a test makes up. The zero value knows no paths.
type Routes struct {
	methods map[string]*node
	runs    int
}

type node struct {
	runs uint64 // a bit for each run that has it
	kids map[string]*node
}

const (
	parameter = "{}"
	maxRuns   = 64
	maxKids   = 10_000 // of one segment; more than that are generated
)

// Learn takes in the requests of one run of BEFORE.
func (r *Routes) Learn(requests func(yield func(method, path string) bool)) {
	if r.methods == nil {
		r.methods = map[string]*node{}
	}
	bit := uint64(1) << min(r.runs, maxRuns-1)
	r.runs++
	for method, path := range requests {
		at := child(r.methods, method, bit)
		for _, s := range segments(method, path) {
			if at.kids == nil {
				at.kids = map[string]*node{}
			}
			if len(at.kids) >= maxKids && at.kids[s] == nil {
				s = parameter
			}
			at = child(at.kids, s, bit)
		}
	}
}

func child(kids map[string]*node, name string, bit uint64) *node {
	n := kids[name]
	if n == nil {
		n = &node{}
		kids[name] = n
	}
	n.runs |= bit
	return n
}

// segments splits a path with what looks generated as parameters.
func segments(method, path string) []string {
	route := differ.InferRoute(method, path)
	_, route, _ = strings.Cut(route, " ")
	return strings.Split(route, "/")
}

// Settle decides what is a parameter. It is called once, after the last Learn.
func (r *Routes) Settle() {
	for _, n := range r.methods {
		for _, kid := range n.kids { // the name of a service, or nothing: never a parameter
			kid.settle(kid.runs)
		}
	}
}

// settle merges the kids that not every run has; all are the runs that come here.
func (n *node) settle(all uint64) {
	for _, name := range slices.Sorted(maps.Keys(n.kids)) {
		kid := n.kids[name]
		if name == parameter || name == "" || kid.runs == all {
			continue
		}
		delete(n.kids, name)
		if n.kids[parameter] == nil {
			n.kids[parameter] = &node{}
		}
		n.kids[parameter].merge(kid)
	}
	for _, kid := range n.kids {
		kid.settle(kid.runs)
	}
}

func (n *node) merge(other *node) {
	n.runs |= other.runs
	for name, kid := range other.kids {
		if n.kids == nil {
			n.kids = map[string]*node{}
		}
		if n.kids[name] == nil {
			n.kids[name] = &node{}
		}
		n.kids[name].merge(kid)
	}
}

// Route returns the route of a request, as "GET /orders/{}".
func (r *Routes) Route(method, path string) string {
	at := r.methods[method]
	parts := segments(method, path)
	for i, s := range parts {
		var next *node
		if at != nil {
			if next = at.kids[s]; next == nil && s != "" {
				if next = at.kids[parameter]; next != nil {
					parts[i] = parameter
				}
			}
		}
		at = next
	}
	return strings.TrimSpace(method + " " + strings.Join(parts, "/"))
}
