package differ

import (
	"strings"

	"github.com/stranglerfig/toolkit/compare/sequence"
)

// The rows of a table pair by what they say. Their keys alone do not: each run makes up its
// own, and of many that no answer shows nobody knows what they are called in the other run.

// A row is what tells it from others, as AFTER would write it.
type row struct {
	key   string // "" if no column is one
	known bool   // the key means the same in both runs
	exact string // all columns but the key
	whole string // the same without identifiers that say nothing, for a race decided what they name
	ids   string // the columns that identify something
	rest  string // the others
}

// rows pairs the rows of two tables; false means that there is too much of them.
func (w *walk) rows(a, b []member) ([]sequence.Pair, bool) {
	key := ""
	for _, name := range w.rowKeys(a, b) {
		_, okA := w.keys(a, name, false)
		_, okB := w.keys(b, name, true)
		if okA && okB {
			key = name
			break
		}
	}
	before, okA := w.rowsOf(a, key, false)
	after, okB := w.rowsOf(b, key, true)
	if !okA || !okB {
		return nil, false
	}
	p := newPairing(before, after)
	p.by(func(r row) string { return only(r.known, r.key) })
	p.by(func(r row) string { return only(r.key != "", r.key+"\x00"+r.exact) })
	p.by(func(r row) string { return r.exact })
	p.by(func(r row) string { return r.whole })
	p.by(func(r row) string { return r.ids })
	p.by(func(r row) string { return r.rest })
	p.by(func(r row) string { return r.key })
	p.by(func(row) string { return "any" })
	return p.pairs(), true
}

func only(is bool, text string) string {
	if is {
		return text
	}
	return ""
}

func (w *walk) rowKeys(a, b []member) []string {
	if len(a) == 0 || len(b) == 0 {
		return nil
	}
	return w.keyNames(a)
}

func (w *walk) rowsOf(list []member, key string, after bool) ([]row, bool) {
	rows := make([]row, len(list))
	for i, m := range list {
		w.push(step{index: i})
		rows[i] = w.row(m.value, key, after)
		w.pop()
		if w.budget -= 3 * len(rows[i].exact); w.budget < 0 {
			return nil, false
		}
	}
	return rows, true
}

func (w *walk) row(v value, key string, after bool) row {
	var r row
	var exact, whole, ids, rest strings.Builder
	defer w.enter(v)()
	for _, m := range v.kids {
		w.push(step{m.name, -1})
		switch text, says := w.cell(m.value, after); {
		case w.rule(w.d.ignore) != nil:
		case m.name == key:
			r.key, r.known = w.keyOf(m.value, after)
		default:
			column := m.name + "=" + text + "\x00"
			exact.WriteString(column)
			if says != raced {
				whole.WriteString(column)
			}
			switch says {
			case which:
				ids.WriteString(column)
			case what:
				rest.WriteString(column)
			}
		}
		w.pop()
	}
	r.exact, r.whole, r.ids, r.rest = exact.String(), whole.String(), ids.String(), rest.String()
	return r
}

// keyOf returns a key as AFTER would write it, and whether it is an identifier that was seen
// in both runs and not by chance, or none that was generated.
func (w *walk) keyOf(v value, after bool) (key string, known bool) {
	ns, generated := w.boundNamespace(v, after)
	if !generated {
		return "=" + w.rewritten(v.text, after), true
	}
	known = w.ids.knows(ns, v.text, after) && !w.ids.byChance(ns, v.text)
	if after {
		return "=" + v.text, known
	}
	return "=" + w.ids.mapped(ns, v.text), known
}

// What a column says of its row.
type saying uint8

const (
	what  saying = iota // something about it
	which               // which thing it is about
	raced               // which of those that a race named
)

// cell returns a column as AFTER would write it, without what differs in each run.
func (w *walk) cell(v value, after bool) (text string, says saying) {
	if v.kind == arrayValue || v.kind == objectValue {
		var b strings.Builder
		w.fingerprint(&b, v, after)
		return b.String(), what
	}
	if r := w.rule(w.d.relax); r != nil && r.is(v) {
		return "~" + r.kind, what
	}
	ns, ok := w.boundNamespace(v, after)
	bound := ok && w.ids.knows(ns, v.text, after)
	if ok {
		says = which
	}
	if bound && w.ids.byChance(ns, v.text) {
		says = raced
	}
	switch known, _ := w.noise.at(w.place()); {
	case bound && !after:
		return w.ids.mapped(ns, v.text), says
	case bound:
		return v.text, says
	case ok && ns == "":
		return "~generated", what // it is what makes the two a pair
	case isTime(v):
		return "~time", what
	case len(known.shapes) > 0:
		if fits, _ := known.admits(v); fits {
			return "~noise", what
		}
	case !ok && v.kind == stringValue && !isDigits(v.text):
		return w.rewritten(v.text, after), what
	}
	return v.text, says
}

// boundNamespace returns the namespace of an identifier, also of one that looks like none but
// was bound to one that did: one random text of many has no digit.
func (w *walk) boundNamespace(v value, after bool) (string, bool) {
	if ns, ok := w.namespaceOf(v); ok {
		return ns, true
	}
	return "", v.kind == stringValue && w.ids.knows("", v.text, after)
}

func isTime(v value) bool {
	base := shapeOf(v).base
	return base == "timestamp" || base == "epoch"
}

// rewritten returns a text of BEFORE with the words that AFTER calls otherwise.
func (w *walk) rewritten(text string, after bool) string {
	for _, t := range w.d.derived {
		if id, ok := t.id(text); ok && !after {
			return t.prefix + w.ids.mapped(t.namespace, id) + t.suffix
		} else if ok {
			return t.prefix + id + t.suffix
		}
	}
	if w.ids == nil || len(text) > maxToken {
		return text
	}
	if y := w.ids.chosen[text]; y != "" && !after {
		return y
	}
	var b strings.Builder
	for text != "" {
		word := nextWord(text)
		text = text[len(word):]
		switch {
		case isDigits(word) && len(word) >= 3:
			word = "#" // of what it is the number nobody says
		case after:
		case w.ids.chosen[word] != "":
			word = w.ids.chosen[word]
		case len(word) >= leastOpaque:
			word = w.ids.mapped("", word)
		}
		b.WriteString(word)
	}
	return b.String()
}

// knows reports whether an identifier was bound, or was there from the start.
func (t *identities) knows(namespace, x string, after bool) bool {
	if t == nil {
		return false
	}
	id := identifier{namespace, x}
	bound, seed := t.after, t.seedBefore
	if after {
		bound, seed = t.before, t.seedAfter
	}
	_, ok := bound[id]
	return ok || seed[id]
}

// A pairing pairs rows in steps, the surest first.
type pairing struct {
	before, after  []row
	partner, owner []int // of the rows of BEFORE and AFTER, or -1
}

func newPairing(before, after []row) *pairing {
	p := &pairing{before, after, make([]int, len(before)), make([]int, len(after))}
	for i := range p.partner {
		p.partner[i] = -1
	}
	for j := range p.owner {
		p.owner[j] = -1
	}
	return p
}

// by pairs what has no pair yet and the same text, the k-th with the k-th; "" pairs nothing.
func (p *pairing) by(text func(row) string) {
	places := map[string][]int{}
	for j, i := range p.owner {
		if i < 0 {
			s := text(p.after[j])
			places[s] = append(places[s], j)
		}
	}
	for i, j := range p.partner {
		if j >= 0 {
			continue
		}
		if s := text(p.before[i]); s != "" && len(places[s]) > 0 {
			p.partner[i], p.owner[places[s][0]] = places[s][0], i
			places[s] = places[s][1:]
		}
	}
}

func (p *pairing) pairs() []sequence.Pair {
	var list []sequence.Pair
	for i, j := range p.partner {
		list = append(list, sequence.Pair{Before: i, After: j})
	}
	for j, i := range p.owner {
		if i < 0 {
			list = append(list, sequence.Pair{Before: -1, After: j})
		}
	}
	return list
}
