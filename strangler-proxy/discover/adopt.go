package discover

import "errors"

// errTree reports a tree that this package did not write.
var errTree = errors.New("the tree of endpoints is damaged")

// adopt makes a tree that was read from a file usable, or says that it is none.
func (t *tree) adopt() error {
	if t.Root == nil {
		return errTree
	}
	if err := t.Root.check(0); err != nil {
		return err
	}
	t.nodes, t.endpoints = t.Root.size()
	t.nodes--
	t.refold(t.Root)
	t.bound()
	return nil
}

func (n *node) check(depth int) error {
	if n == nil || depth > limitDepth {
		return errTree
	}
	for _, all := range []map[string]*figures{n.Here, n.Rest} {
		for method, f := range all {
			if f == nil || len(f.Durations) > durationBuckets {
				return errTree
			}
			if methodIndex(method) < 0 {
				delete(all, method) // of a later version
			}
		}
	}
	for text, next := range n.Literals {
		if steps, ok := split(nil, "/"+text); text != "" && (!ok || len(steps) != 1) {
			return errTree
		}
		if err := next.check(depth + 1); err != nil {
			return err
		}
	}
	if n.Placeholder != nil {
		return n.Placeholder.check(depth + 1)
	}
	return nil
}

// refold brings a tree that was written under other limits under those of today.
func (t *tree) refold(n *node) {
	for text := range n.Literals {
		if k := literalKind(text); k == ident || k == date {
			n.Kinds |= 1 << k
		}
	}
	t.fold(n)
	for _, next := range n.below() {
		t.refold(next)
	}
}
