package differ

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stranglerfig/toolkit/compare/sequence"
)

// array aligns two arrays and compares the pairs.
func (w *walk) array(a, b value) {
	rule := w.rule(w.d.arrays)
	if len(a.kids)+len(b.kids) == 0 {
		w.result.Leaves++
	}
	known, _ := w.noise.at(w.place())
	unordered := rule != nil && rule.array.Unordered
	pairs, moved := []sequence.Pair(nil), false
	paired := false
	if w.pair.Before.Rows && len(w.path) == 0 {
		pairs, paired = w.rows(a.kids, b.kids)
	}
	if !paired {
		pairs, moved = w.align(a, b, rule, unordered || known.unordered)
	}
	w.learn(moved || len(a.kids) != len(b.kids), func(v *variation) {
		v.unordered = v.unordered || moved
		v.elastic = v.elastic || len(a.kids) != len(b.kids)
		v.emptied = v.emptied || len(a.kids)*len(b.kids) == 0
	})
	switch {
	case !moved || w.mode != comparing:
	case unordered:
		w.accept(rule.name + ": any order")
	case known.unordered:
		w.accept("BEFORE returns the same elements in another order, too")
	default:
		w.find(Order, Reordered, &a, &b, "the same elements in another order")
	}
	elastic := known.elastic && (len(b.kids) > 0 || known.emptied)
	for _, p := range pairs {
		switch {
		case p.Before >= 0 && p.After >= 0:
			w.push(step{index: p.Before})
			w.node(a.kids[p.Before].value, b.kids[p.After].value)
			w.pop()
		case w.mode == learning:
		case elastic:
			w.accept("BEFORE's list has another length at times, too")
		case p.After < 0:
			w.absent(step{index: p.Before}, a.kids[p.Before].value, true)
		default:
			w.absent(step{index: p.After}, b.kids[p.After].value, false)
		}
	}
}

// align pairs the elements and reports whether common ones changed their order.
func (w *walk) align(a, b value, rule *rule, unordered bool) (pairs []sequence.Pair, moved bool) {
	head, tail := 0, 0
	for head < len(a.kids) && head < len(b.kids) && equal(a.kids[head].value, b.kids[head].value) {
		head++
	}
	for tail < min(len(a.kids), len(b.kids))-head && equal(a.kids[len(a.kids)-1-tail].value, b.kids[len(b.kids)-1-tail].value) {
		tail++
	}
	for i := range head {
		pairs = append(pairs, sequence.Pair{Before: i, After: i})
	}
	middle, moved := w.alignMiddle(a.kids[head:len(a.kids)-tail], b.kids[head:len(b.kids)-tail], rule, unordered)
	for _, p := range middle {
		if p.Before >= 0 {
			p.Before += head
		}
		if p.After >= 0 {
			p.After += head
		}
		pairs = append(pairs, p)
	}
	for i := tail; i > 0; i-- {
		pairs = append(pairs, sequence.Pair{Before: len(a.kids) - i, After: len(b.kids) - i})
	}
	return pairs, moved
}

func (w *walk) alignMiddle(a, b []member, rule *rule, unordered bool) (pairs []sequence.Pair, moved bool) {
	if len(a) == 0 || len(b) == 0 || len(a) == 1 && len(b) == 1 {
		return sequence.Fill(nil, len(a), len(b)), false
	}
	if pairs, moved, found := w.byKey(a, b, rule, unordered); found {
		return pairs, moved
	}
	before, okA := w.fingerprints(a, false)
	after, okB := w.fingerprints(b, true)
	switch {
	case !okA || !okB:
		return sequence.Fill(nil, len(a), len(b)), false
	case unordered:
		pairs, _, increasing := byText(before, after, true)
		return pairs, !increasing
	case len(a) == len(b) && !slices.Equal(before, after) && slices.Equal(sorted(before), sorted(after)):
		pairs, _, _ = byText(before, after, false)
		return pairs, true
	}
	return inSequence(before, after), false
}

func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}

// preferredKeys are the members that identify an element, the best first.
var preferredKeys = []string{"id", "_id", "uuid", "key", "code", "sku", "slug", "number", "name"}

// byKey pairs objects by a member that identifies them on both sides.
func (w *walk) byKey(a, b []member, rule *rule, unordered bool) (pairs []sequence.Pair, moved, found bool) {
	try := func(name string) bool {
		before, ok := w.keys(a, name, false)
		if !ok {
			return false
		}
		after, ok := w.keys(b, name, true)
		if !ok {
			return false
		}
		list, matched, increasing := byText(before, after, unordered)
		pairs, moved = list, !increasing
		return matched > 0
	}
	if rule != nil && rule.array.Key != "" {
		if try(rule.array.Key) {
			return pairs, moved, true
		}
		w.report(Finding{Kind: Order, Severity: Info, Explanation: fmt.Sprintf("%s: %q identifies no element here, so the array is aligned without it", rule.name, rule.array.Key)})
	}
	for _, name := range w.keyNames(a) {
		if try(name) {
			return pairs, moved, true
		}
	}
	return nil, false, false
}

// keyNames lists the members of the first element that may be keys, the best first.
func (w *walk) keyNames(list []member) []string {
	var preferred, others []string
	first := list[0].value
	if first.kind != objectValue {
		return nil
	}
	for _, name := range preferredKeys {
		if _, ok := memberOf(first, name); ok {
			preferred = append(preferred, name)
		}
	}
	for _, m := range first.kids {
		if strings.HasSuffix(m.name, "_id") && m.name != "_id" || strings.HasSuffix(m.name, "Id") {
			others = append(others, m.name)
		}
	}
	const most = 12 // each costs a look at every element
	all := append(preferred, others...)
	return all[:min(len(all), most)]
}

// keys returns the key of each element as AFTER would call it, or false if the member does
// not tell the elements apart.
func (w *walk) keys(list []member, name string, after bool) ([]string, bool) {
	keys := make([]string, len(list))
	seen := make(map[string]bool, len(list))
	w.push(step{index: 0})
	w.push(step{name, -1})
	defer func() { w.path = w.path[:len(w.path)-2] }()
	if known, _ := w.noise.at(w.place()); known.varied > 0 && w.ids == nil || w.rule(w.d.ignore) != nil {
		return nil, false
	}
	for i, m := range list {
		v, ok := memberOf(m.value, name)
		if !ok || v.kind != stringValue && v.kind != numberValue {
			return nil, false
		}
		text := v.text
		if ns, ok := w.namespaceOf(v); ok && !after {
			text = w.ids.mapped(ns, text)
		}
		keys[i] = v.kind.String() + text
		if seen[keys[i]] {
			return nil, false
		}
		seen[keys[i]] = true
	}
	return keys, true
}

func memberOf(v value, name string) (value, bool) {
	if v.kind != objectValue {
		return value{}, false
	}
	i, found := slices.BinarySearchFunc(v.kids, name, func(m member, name string) int { return strings.Compare(m.name, name) })
	if !found {
		return value{}, false
	}
	return v.kids[i].value, true
}

// fingerprints returns a text for each element; elements that compare as equal have equal
// ones. It gives up beyond the budget.
func (w *walk) fingerprints(list []member, after bool) ([]string, bool) {
	prints := make([]string, len(list))
	for i, m := range list {
		var b strings.Builder
		w.push(step{index: i})
		w.fingerprint(&b, m.value, after)
		w.pop()
		if w.budget -= b.Len(); w.budget < 0 {
			return nil, false
		}
		prints[i] = b.String()
	}
	return prints, true
}

func (w *walk) fingerprint(b *strings.Builder, v value, after bool) {
	if b.Len() > w.budget || w.rule(w.d.ignore) != nil {
		return
	}
	if r := w.rule(w.d.relax); r != nil && r.is(v) {
		b.WriteString("~" + r.kind + ",")
		return
	}
	switch v.kind {
	case arrayValue, objectValue:
		b.WriteByte("[{"[v.kind-arrayValue])
		for i, m := range v.kids {
			s := step{m.name, -1}
			if v.kind == arrayValue {
				s.index = i
			} else {
				fmt.Fprintf(b, "%q:", m.name)
			}
			w.push(s)
			w.fingerprint(b, m.value, after)
			w.pop()
		}
		b.WriteByte("]}"[v.kind-arrayValue])
	default:
		w.printLeaf(b, v, after)
	}
	b.WriteByte(',')
}

func (w *walk) printLeaf(b *strings.Builder, v value, after bool) {
	if w.noise != nil {
		if known, _ := w.noise.at(w.place()); len(known.shapes) > 0 {
			if fits, _ := known.admits(v); fits {
				b.WriteString("~noise")
				return
			}
		}
	}
	if w.mode == learning {
		if s := shapeOf(v); s.base == "timestamp" || s.base == "epoch" || v.kind == stringValue && isOpaque(v.text) {
			b.WriteString("~" + s.base)
			return
		}
	}
	text := v.text
	if w.ids != nil && !after {
		if ns, ok := w.namespaceOf(v); ok {
			text = w.ids.mapped(ns, text)
		}
	}
	if v.kind == numberValue {
		text = decimal(text)
	}
	fmt.Fprintf(b, "%d%q", v.kind, text)
}
