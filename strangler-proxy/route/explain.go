package route

import (
	"net/http"
	"slices"
	"strings"
)

// A Candidate is a route and how it fares with one request.
type Candidate struct {
	Route   *Route
	Matches bool
	Why     string // what decided: why it matches, lost or does not match
}

// Explain ranks the routes for a request: the winner first, then the others that
// match in the order in which they would take its place, then those whose path
// matches but whose method or conditions do not. Routes with another path are left out.
func (t *Table) Explain(head Head) ([]Candidate, error) {
	method := head.Method
	winner, err := t.Find(head)
	if err != nil {
		return nil, err
	}
	segments, err := reading{}.segments(head.Path)
	if err != nil {
		return nil, err
	}
	var matching, others []*Route
	for _, r := range t.routes {
		switch {
		case !r.Match.matchesPath(segments):
		case r.Match.matchesMethod(method) && r.Match.conditions.match(&head):
			matching = append(matching, r)
		default:
			others = append(others, r)
		}
	}
	order := func(a, b *Route) int { return preference(a, b, method) }
	slices.SortStableFunc(matching, order)
	slices.SortStableFunc(others, order)
	var all []Candidate
	for _, r := range matching {
		all = append(all, Candidate{Route: r, Matches: true, Why: why(r, winner, method)})
	}
	for _, r := range others {
		all = append(all, Candidate{Route: r, Why: whyNot(r, &head)})
	}
	return all, nil
}

// preference is negative when a wins over b for a request that both match.
func preference(a, b *Route, method string) int {
	if c := a.Match.compare(b.Match); c != 0 {
		return c
	}
	if c := methodRank(a, method) - methodRank(b, method); c != 0 {
		return c
	}
	return a.Match.compareConditions(b.Match)
}

func whyNot(r *Route, head *Head) string {
	if !r.Match.matchesMethod(head.Method) {
		return "its path matches, but it takes only " + r.Match.Method
	}
	return "its path matches, but it asks for " + r.Match.conditions.missing(head)
}

func methodRank(r *Route, method string) int {
	switch r.Match.Method {
	case method:
		return 0
	case "":
		return 2
	}
	return 1
}

func why(r, winner *Route, method string) string {
	if r == winner {
		if r.Match.Method == http.MethodGet && method == http.MethodHead {
			return "it is the most specific match (a GET route answers HEAD too)"
		}
		return "it is the most specific match"
	}
	if r.Match.compare(winner.Match) == 0 {
		if methodRank(r, method) != methodRank(winner, method) {
			return "route " + winner.Name + " names the method more exactly"
		}
		return "route " + winner.Name + " " + r.Match.pickier(winner.Match)
	}
	for i, s := range r.Match.segments {
		if i == len(winner.Match.segments) {
			return "route " + winner.Name + " ends where this one goes on with **"
		}
		if w := winner.Match.segments[i]; w.kind != s.kind {
			return "at " + where(r.Match, i) + " route " + winner.Name + " has " + kindWord(w.kind) + ", this one only " + kindWord(s.kind)
		}
	}
	return "route " + winner.Name + " is more specific"
}

// pickier says in what winner asks for more than t.
func (t Template) pickier(winner Template) string {
	a, b := t.conditionsOrNone().rank, winner.conditionsOrNone().rank
	for i, what := range []string{"names the host more exactly", "asks for more headers", "asks for more query parameters"} {
		if a[i] != b[i] {
			return what
		}
	}
	return "asks for values, this one only for their presence"
}

func where(t Template, i int) string {
	return "/" + strings.Join(strings.Split(t.Path()[1:], "/")[:i+1], "/")
}

func kindWord(k segmentKind) string {
	return [...]string{"the literal segment", "a placeholder", "**"}[k]
}

func (t Template) matchesMethod(method string) bool {
	return t.Method == "" || t.Method == method || t.Method == http.MethodGet && method == http.MethodHead
}

func (t Template) matchesPath(path []string) bool {
	for i, s := range t.segments {
		switch {
		case s.kind == rest:
			return true
		case i == len(path):
			return false
		case s.kind == literal && path[i] != s.text:
			return false
		case s.kind == placeholder && path[i] == "":
			return false
		}
	}
	return len(path) == len(t.segments)
}
