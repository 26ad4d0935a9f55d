package discover

import (
	"maps"
	"slices"
)

// add takes over what o knows; o stays as it is.
func (t *tree) add(o *tree) {
	t.Other += o.Other
	t.Unknown += o.Unknown
	copied := o.Root.clone()
	nodes, endpoints := copied.size()
	t.nodes += nodes - 1
	t.endpoints += endpoints
	t.merge(t.Root, copied)
	t.bound()
}

func (n *node) clone() *node {
	c := &node{Kinds: n.Kinds, Here: cloneFigures(n.Here), Rest: cloneFigures(n.Rest)}
	for text, next := range n.Literals {
		c.put(text, next.clone())
	}
	if n.Placeholder != nil {
		c.Placeholder = n.Placeholder.clone()
	}
	return c
}

func cloneFigures(all map[string]*figures) map[string]*figures {
	if all == nil {
		return nil
	}
	copied := make(map[string]*figures, len(all))
	for method, f := range all {
		c := *f
		c.Durations = slices.Clone(f.Durations)
		copied[method] = &c
	}
	return copied
}

// bound drops what came in fewest requests until the limits hold again: two trees that
// are added up may exceed them.
func (t *tree) bound() {
	for t.nodes > limitNodes || t.endpoints > limitEndpoints || len(t.Root.Literals) > limitRoots+limitSlugs {
		counts := t.Root.counts(nil)
		slices.Sort(counts)
		least := max(len(counts)-limitEndpoints, len(counts)/10, 1)
		if len(counts) == 0 {
			*t = tree{Root: &node{}, Other: t.Other, Unknown: t.Unknown}
		} else {
			t.Other += t.Root.drop(counts[least-1])
		}
		t.nodes, t.endpoints = t.Root.size()
		t.nodes--
	}
}

func (n *node) counts(all []uint64) []uint64 {
	for _, figures := range []map[string]*figures{n.Here, n.Rest} {
		for _, f := range figures {
			all = append(all, f.Requests)
		}
	}
	for _, next := range n.below() {
		all = next.counts(all)
	}
	return all
}

// drop removes figures of at most so many requests, and the nodes that lead nowhere
// then. It returns how many requests they had.
func (n *node) drop(most uint64) (dropped uint64) {
	for _, figures := range []map[string]*figures{n.Here, n.Rest} {
		for method, f := range figures {
			if f.Requests <= most {
				dropped += f.Requests
				delete(figures, method)
			}
		}
	}
	for text, next := range n.Literals {
		dropped += next.drop(most)
		if next.empty() {
			delete(n.Literals, text)
		}
	}
	if n.Placeholder != nil {
		dropped += n.Placeholder.drop(most)
		if n.Placeholder.empty() {
			n.Placeholder = nil
		}
	}
	return dropped
}

func (n *node) empty() bool {
	return len(n.Literals) == 0 && n.Placeholder == nil && len(n.Here) == 0 && len(n.Rest) == 0
}

// below are the nodes one segment further.
func (n *node) below() []*node {
	all := slices.Collect(maps.Values(n.Literals))
	if n.Placeholder != nil {
		all = append(all, n.Placeholder)
	}
	return all
}

// size counts n and all below it.
func (n *node) size() (nodes, endpoints int) {
	nodes, endpoints = 1, len(n.Here)+len(n.Rest)
	for _, next := range n.below() {
		a, b := next.size()
		nodes, endpoints = nodes+a, endpoints+b
	}
	return nodes, endpoints
}
