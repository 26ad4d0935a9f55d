package route

import (
	"cmp"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// A Difference is a kind of request that another side or service answers by the new
// table than by the old one.
type Difference struct {
	Old, New Decision
	Example  Head // one such request, the smallest that was found
}

// ErrTooManyShapes says that two tables cannot be compared in full.
var ErrTooManyShapes = errors.New("the routes of the two tables overlap in too many ways to compare them")

const limitShapes = 1 << 20

// Match is the narrower of the matches by which the request is decided.
func (d Difference) Match() Template {
	switch a, b := d.Old.Route, d.New.Route; {
	case a == nil:
		return b.Match
	case b != nil && cmp.Or(a.Match.compare(b.Match), a.Match.compareConditions(b.Match)) > 0:
		return b.Match
	default:
		return a.Match
	}
}

// Compare finds the routes between which requests change their owner from old to now,
// each pair with an example. It walks the index of both tables at once, so it looks at
// every kind of plain path that they can tell apart, not at samples.
func Compare(old, now *Table) ([]Difference, error) {
	w := walk{old: old, now: now, found: map[[2]string]Difference{}}
	w.fresh = freshWord(old, now)
	if err := w.step([]*node{old.root}, []*node{now.root}, nil, nil, nil); err != nil {
		return nil, err
	}
	all := slices.Collect(maps.Values(w.found))
	slices.SortFunc(all, func(a, b Difference) int {
		return cmp.Or(strings.Compare(a.Example.Path, b.Example.Path), strings.Compare(a.Example.Method, b.Example.Method),
			strings.Compare(a.Old.Name(), b.Old.Name()), strings.Compare(a.New.Name(), b.New.Name()))
	})
	return all, nil
}

type walk struct {
	old, now *Table
	fresh    string // a segment that no template holds as a literal
	shapes   int
	found    map[[2]string]Difference
}

// step looks at the paths that lead to the given nodes. The rests are the routes with
// ** that were met on the way there.
func (w *walk) step(old, now []*node, oldRest, nowRest []*Route, path []string) error {
	oldRest, nowRest = slices.Concat(oldRest, restOf(old)), slices.Concat(nowRest, restOf(now))
	if err := w.decide(slices.Concat(oldRest, hereOf(old)), slices.Concat(nowRest, hereOf(now)), path); err != nil {
		return err
	}
	words, placeholder := map[string]bool{}, false
	for _, n := range slices.Concat(old, now) {
		for word := range n.literals {
			words[word] = true
		}
		placeholder = placeholder || n.placeholder != nil
	}
	delete(words, "")
	for _, word := range slices.Sorted(maps.Keys(words)) {
		if err := w.step(follow(old, word), follow(now, word), oldRest, nowRest, append(slices.Clone(path), url.PathEscape(word))); err != nil {
			return err
		}
	}
	// A path may end in a slash, whose segment is empty and no placeholder's.
	err := w.decide(slices.Concat(oldRest, hereOf(follow(old, ""))), slices.Concat(nowRest, hereOf(follow(now, ""))), append(slices.Clone(path), ""))
	if err != nil {
		return err
	}
	other := append(slices.Clone(path), w.fresh)
	if placeholder {
		return w.step(follow(old, w.fresh), follow(now, w.fresh), oldRest, nowRest, other)
	}
	return w.decide(oldRest, nowRest, other) // whatever follows, only ** can match
}

// follow gives the nodes that one more segment leads to.
func follow(nodes []*node, word string) []*node {
	var next []*node
	for _, n := range nodes {
		if l := n.literals[word]; l != nil {
			next = append(next, l)
		}
		if n.placeholder != nil && word != "" {
			next = append(next, n.placeholder)
		}
	}
	return next
}

func restOf(nodes []*node) (routes []*Route) {
	for _, n := range nodes {
		routes = append(routes, n.rest...)
	}
	return routes
}

func hereOf(nodes []*node) (routes []*Route) {
	for _, n := range nodes {
		routes = append(routes, n.here...)
	}
	return routes
}

// decide tries, on one path, each method that matters with each pair of conditions.
// If a request exists on which an old route wins here and a new one there, then so
// does the request that fulfils the conditions of both and no others.
func (w *walk) decide(old, now []*Route, path []string) error {
	if len(old) == 0 && len(now) == 0 || len(path) == 0 {
		return nil
	}
	methods := methodsOf(slices.Concat(old, now))
	oldAsks, nowAsks := asksOf(old), asksOf(now)
	if w.shapes += len(methods) * len(oldAsks) * len(nowAsks); w.shapes > limitShapes {
		return ErrTooManyShapes
	}
	for _, method := range methods {
		for _, a := range oldAsks {
			for _, b := range nowAsks {
				head := Head{Method: method, Path: "/" + strings.Join(path, "/"), Header: http.Header{}}
				if head.fulfil(w.fresh, a.conditions, b.conditions) {
					head.Peer = a.peer
					if !head.Peer.IsValid() {
						head.Peer = b.peer
					}
					w.note(head)
				}
			}
		}
	}
	return nil
}

// usualMethods are tried as examples in this order.
var usualMethods = []string{ //nolint:gochecknoglobals // a constant that Go cannot spell
	http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions,
}

// methodsOf lists the methods that routes name, and two that stand for all others: one
// that reads and one that does not.
func methodsOf(routes []*Route) []string {
	named := map[string]bool{}
	for _, r := range routes {
		named[r.Match.Method] = true
		if r.Match.Method == http.MethodGet {
			named[http.MethodHead] = true
		}
	}
	delete(named, "")
	others := map[bool]string{false: "OTHER"}
	for _, m := range slices.Backward(append(usualMethods, http.MethodHead)) {
		if !named[m] {
			others[Safe(m)] = m
		}
	}
	for _, m := range others {
		named[m] = true
	}
	return slices.Sorted(maps.Keys(named))
}

func (w *walk) note(head Head) {
	a, errA := Decide(w.old, head)
	b, errB := Decide(w.now, head)
	if errA != nil || errB != nil || sameOwner(a, b) {
		return
	}
	key := [2]string{a.Name(), b.Name()}
	if known, found := w.found[key]; !found || simpler(head, known.Example) {
		w.found[key] = Difference{Old: a, New: b, Example: head}
	}
}

// sameOwner reports whether every client gets the same answerer by both decisions.
func sameOwner(a, b Decision) bool {
	share := a.Share()
	switch {
	case share != b.Share():
		return false
	case share == 0:
		return true
	case a.Route.Service != b.Route.Service:
		return false
	}
	return share == Everyone || SameClients(a.Route, b.Route)
}

// SameClients reports whether canaries of one share take the same clients.
func SameClients(a, b *Route) bool {
	auto := func(s Sticky) Sticky {
		if len(s) == 0 {
			return Sticky{{}}
		}
		return s
	}
	return a.Salt() == b.Salt() && slices.Equal(auto(a.Sticky), auto(b.Sticky))
}

// simpler prefers the shorter path and, on the same, a method that people use.
func simpler(a, b Head) bool {
	rank := func(h Head) []int {
		method := slices.Index(usualMethods, h.Method)
		if method < 0 {
			method = len(usualMethods)
		}
		return []int{strings.Count(h.Path, "/"), len(h.Header) + strings.Count(h.Query, "=") + min(1, len(h.Host)), method, len(h.Path)}
	}
	return slices.Compare(rank(a), rank(b)) < 0
}

// freshWord is a word that stands nowhere in the templates.
func freshWord(tables ...*Table) string {
	word := "x"
	for used := true; used; {
		used = false
		for _, t := range tables {
			for _, r := range t.routes {
				used = used || strings.Contains(r.Match.String(), word)
				for _, s := range r.Match.segments {
					used = used || s.text == word
				}
			}
		}
		if used {
			word += "x"
		}
	}
	return word
}
