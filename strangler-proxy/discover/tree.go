package discover

import (
	"maps"
	"slices"
)

// Limits of a tree, which hold whatever is sent. Up to them the order of requests
// makes no difference; beyond them, what was there first stays.
const (
	limitNodes     = 8192 // segments that the tree knows
	limitEndpoints = 1000 // with figures of their own
	limitDepth     = 12   // deeper segments become **
	limitSlugs     = 20   // at one place; more of them become a placeholder
	limitWords     = 100  // the same for names
	limitRoots     = 256  // names that a path may begin with: these never become a placeholder
)

// The methods that endpoints have. HEAD counts as GET, whose routes answer it too.
var methods = [...]string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"}

func methodIndex(method string) int {
	if method == "HEAD" {
		return 0
	}
	return slices.Index(methods[:], method)
}

// A tree holds the paths that were asked for, segment by segment. What looks like an
// id is a placeholder at once; what stands at one place in too many forms becomes one.
// The result depends on which paths came, not on their order.
type tree struct {
	Root    *node  `json:"root"`
	Other   uint64 `json:"other"`   // requests that found no place
	Unknown uint64 `json:"unknown"` // requests whose answer does not prove an endpoint, such as 404, at unknown paths

	nodes     int // below the root
	endpoints int
	steps     []step // of the path in hand
}

// A node stands for the segments that lead to it.
type node struct {
	Literals    map[string]*node    `json:"in,omitempty"`
	Placeholder *node               `json:"any,omitempty"`
	Kinds       kinds               `json:"kinds,omitempty"` // what Placeholder stands for
	Here        map[string]*figures `json:"at,omitempty"`    // of requests that end here, by method
	Rest        map[string]*figures `json:"rest,omitempty"`  // of requests that go on with **
}

// kinds is a set of the kinds that a placeholder stands for. Words and slugs in it
// mean that all further ones belong to the placeholder too.
type kinds uint8

func (s kinds) has(k kind) bool { return s&(1<<k) != 0 }

func newTree() *tree { return &tree{Root: &node{}} }

// observe counts a request for path, which begins with a slash. A request whose answer
// does not prove that there is an endpoint counts only where one is known, here or in
// known.
func (t *tree) observe(m int, path string, proven bool, known *tree) *figures {
	steps, ok := split(t.steps[:0], path)
	t.steps = steps
	if !ok {
		t.Other++
		return nil
	}
	if !proven && !t.knows(methods[m], steps) && !known.knows(methods[m], steps) {
		t.Unknown++
		return nil
	}
	f := t.place(methods[m], steps)
	if f == nil {
		t.Other++
	}
	return f
}

// place finds or makes the figures for a path; nil at a limit.
func (t *tree) place(method string, steps []step) *figures {
	n := t.Root
	for i, s := range steps {
		if isRest(steps, i) {
			return t.figuresIn(&n.Rest, method)
		}
		if n = t.enter(n, s); n == nil {
			return nil
		}
	}
	return t.figuresIn(&n.Here, method)
}

// isRest reports whether the path from step i on is not told apart: a file of a page
// in a folder of its own, or what is too deep.
func isRest(steps []step, i int) bool {
	if i >= limitDepth {
		return true
	}
	return i > 0 && i == len(steps)-1 && steps[i].kind == asset &&
		!slices.ContainsFunc(steps[:i], func(s step) bool { return s.kind == ident || s.kind == date })
}

// enter returns the node below n that s belongs to, made if need be.
func (t *tree) enter(n *node, s step) *node {
	k := s.kind
	if k == asset {
		k = slug
	}
	if k == ident || k == date || s.text != "" && n.Kinds.has(k) {
		if n.Placeholder == nil && !t.grow(&n.Placeholder) {
			return nil
		}
		n.Kinds |= 1 << k
		return n.Placeholder
	}
	if next := n.Literals[s.text]; next != nil {
		return next
	}
	if n == t.Root && k == word && len(n.Literals) >= limitRoots {
		return nil
	}
	var next *node
	if !t.grow(&next) {
		return nil
	}
	n.put(s.text, next)
	if t.fold(n) {
		return t.enter(n, s)
	}
	return next
}

func (n *node) put(text string, next *node) {
	if n.Literals == nil {
		n.Literals = map[string]*node{}
	}
	n.Literals[text] = next
}

func (t *tree) grow(place **node) bool {
	if t.nodes >= limitNodes {
		return false
	}
	t.nodes++
	*place = &node{}
	return true
}

func (t *tree) figuresIn(all *map[string]*figures, method string) *figures {
	if f := (*all)[method]; f != nil {
		return f
	}
	if t.endpoints >= limitEndpoints {
		return nil
	}
	t.endpoints++
	if *all == nil {
		*all = map[string]*figures{}
	}
	f := &figures{}
	(*all)[method] = f
	return f
}

// fold turns literals of n into its placeholder when there are too many of a kind, and
// those that belong to it already. It reports whether it did.
func (t *tree) fold(n *node) bool {
	var count [date + 1]int
	for text := range n.Literals {
		if text != "" {
			count[literalKind(text)]++
		}
	}
	if count[slug] > limitSlugs {
		n.Kinds |= 1 << slug
	}
	if count[word] > limitWords && n != t.Root {
		n.Kinds |= 1 << word
	}
	folded := false
	for _, text := range slices.Sorted(maps.Keys(n.Literals)) {
		if text == "" || !n.Kinds.has(literalKind(text)) {
			continue
		}
		folded = true
		next := n.Literals[text]
		delete(n.Literals, text)
		if n.Placeholder == nil {
			n.Placeholder = next
			continue
		}
		t.nodes--
		t.merge(n.Placeholder, next)
	}
	return folded
}

// literalKind is the kind of a segment that is kept as it is.
func literalKind(text string) kind {
	if k := classify(text); k != asset {
		return k
	}
	return slug
}

// merge adds what is below other to n. Other's nodes were counted already.
func (t *tree) merge(n, other *node) {
	n.Kinds |= other.Kinds
	t.mergeFigures(&n.Here, other.Here)
	t.mergeFigures(&n.Rest, other.Rest)
	for text, next := range other.Literals {
		if mine := n.Literals[text]; mine != nil {
			t.nodes--
			t.merge(mine, next)
			continue
		}
		n.put(text, next)
	}
	switch {
	case other.Placeholder == nil:
	case n.Placeholder == nil:
		n.Placeholder = other.Placeholder
	default:
		t.nodes--
		t.merge(n.Placeholder, other.Placeholder)
	}
	t.fold(n)
}

func (t *tree) mergeFigures(all *map[string]*figures, other map[string]*figures) {
	for method, f := range other {
		if mine := (*all)[method]; mine != nil {
			t.endpoints--
			mine.add(f)
			continue
		}
		if *all == nil {
			*all = map[string]*figures{}
		}
		(*all)[method] = f
	}
}

// knows reports whether there are figures for a path.
func (t *tree) knows(method string, steps []step) bool {
	n := t.Root
	for i, s := range steps {
		if isRest(steps, i) {
			return n.Rest[method] != nil
		}
		k := s.kind
		if k == asset {
			k = slug
		}
		next := n.Literals[s.text]
		if next == nil && s.text != "" && (n.Kinds.has(k) || k == ident || k == date) {
			next = n.Placeholder
		}
		if next == nil {
			return false
		}
		n = next
	}
	return n.Here[method] != nil
}
