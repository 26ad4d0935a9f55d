package differ

import (
	"fmt"
	"strings"
	"time"

	"github.com/stranglerfig/toolkit/compare/glob"
)

type mode uint8

const (
	comparing mode = iota
	binding        // pass 1: bind identifiers, report nothing
	learning       // note noise, report nothing
)

// A walk goes through one pair of exchanges, both sides in step.
type walk struct {
	d      *Differ
	mode   mode
	noise  *Noise
	ids    *identities
	pair   Pair
	route  string
	part   Part
	path   []step
	within value  // the object around the current path
	label  string // place of what has no path: a header, a query parameter
	result Result
	budget int // bytes of fingerprints left

	members *members // of the values that are read
}

// maxFingerprints bounds the work of aligning arrays within arrays.
const maxFingerprints = 32 << 20

func (d *Differ) walk(m mode, noise *Noise, ids *identities, pair Pair) *walk {
	return &walk{d: d, mode: m, noise: noise, ids: ids, pair: pair, route: pair.Before.route(), budget: maxFingerprints, members: d.lend()}
}

// finish ends the walk; no value that it read may be used any more.
func (w *walk) finish() Result {
	w.d.giveBack(w.members)
	w.members = nil
	return w.result
}

// exchange walks through all parts of the pair.
func (w *walk) exchange() {
	before, after := &w.pair.Before, &w.pair.After
	if w.ids != nil || before.Path != after.Path {
		w.request()
	}
	if before.Status != after.Status {
		w.status()
		if before.Status/100 != after.Status/100 {
			return // an error page says nothing about the body that it replaces
		}
	}
	w.allHeaders()
	w.body()
}

func (w *walk) status() {
	w.part, w.label = InStatus, ""
	at := w.place()
	a, b := value{kind: numberValue, text: fmt.Sprint(w.pair.Before.Status)}, value{kind: numberValue, text: fmt.Sprint(w.pair.After.Status)}
	switch known, _ := w.noise.at(at); {
	case w.mode == learning:
		w.noise.sample(at, true, func(v *variation) { v.see(statusShape(a)); v.see(statusShape(b)) })
	case known.statusSeen(b):
		w.accept("BEFORE answers with " + b.text + ", too")
	default:
		w.find(Status, Breaking, &a, &b, "another status")
	}
}

func statusShape(v value) shape { return shape{"status", v.text} }

func (v variation) statusSeen(x value) bool {
	for _, s := range v.shapes {
		if s == statusShape(x) {
			return true
		}
	}
	return false
}

// rule returns the first of the rules that holds at the current path, and notes all that do.
func (w *walk) rule(rules []*rule) *rule {
	var first *rule
	for _, r := range rules {
		if (r.scope.Route == "" || glob.Match(r.scope.Route, w.route)) && r.path.matches(w.path) {
			if used := &w.d.used[r.number]; !used.Load() {
				used.Store(true)
			}
			if first == nil {
				first = r
			}
		}
	}
	return first
}

func (w *walk) push(s step) { w.path = append(w.path, s) }
func (w *walk) pop()        { w.path = w.path[:len(w.path)-1] }

// node compares the values at the current path.
func (w *walk) node(a, b value) {
	if w.rule(w.d.ignore) != nil {
		return
	}
	if r := w.rule(w.d.relax); r != nil && r.is(a) && w.mode != binding {
		w.result.Leaves++
		switch {
		case w.mode == learning:
		case r.is(b):
			if !equal(a, b) {
				w.accept(r.name + ": any " + r.kind)
			}
		default:
			w.find(Shape, Breaking, &a, &b, fmt.Sprintf("%s wants %s", r.name, r.kind))
		}
		return
	}
	switch {
	case a.kind == objectValue && b.kind == objectValue:
		w.object(a, b)
	case a.kind == arrayValue && b.kind == arrayValue:
		w.array(a, b)
	default:
		w.leaf(a, b)
	}
}

// object compares member by member. Equal names pair up in the order of the text.
func (w *walk) object(a, b value) {
	if len(a.kids)+len(b.kids) == 0 {
		w.result.Leaves++
	}
	defer w.enter(a)()
	var lost, gained []member
	var lostAgain, gainedAgain []member
	for i, j := 0, 0; i < len(a.kids) || j < len(b.kids); {
		switch {
		case j == len(b.kids) || i < len(a.kids) && a.kids[i].name < b.kids[j].name:
			if i > 0 && a.kids[i-1].name == a.kids[i].name {
				lostAgain = append(lostAgain, a.kids[i])
			} else {
				lost = append(lost, a.kids[i])
			}
			i++
		case i == len(a.kids) || b.kids[j].name < a.kids[i].name:
			if j > 0 && b.kids[j-1].name == b.kids[j].name {
				gainedAgain = append(gainedAgain, b.kids[j])
			} else {
				gained = append(gained, b.kids[j])
			}
			j++
		default:
			w.member(a.kids[i].name, a.kids[i].value, b.kids[j].value)
			i++
			j++
		}
	}
	if len(lost) > 0 && len(gained) > 0 {
		lost, gained = w.renamed(lost, gained)
	}
	w.duplicates(lostAgain, gainedAgain)
	for _, m := range lost {
		w.absent(step{m.name, -1}, m.value, true)
	}
	for _, m := range gained {
		w.absent(step{m.name, -1}, m.value, false)
	}
}

func (w *walk) member(name string, a, b value) {
	w.push(step{name, -1})
	w.node(a, b)
	w.pop()
}

// renamed pairs members whose names are identifiers: those bound to each other, and, where
// BEFORE's own names vary, the rest in order. It returns what is left.
func (w *walk) renamed(lost, gained []member) (_, _ []member) {
	taken := make([]bool, len(gained))
	index := make(map[string]int, len(gained))
	for j, g := range gained {
		index[g.name] = j
	}
	next := 0 // of gained: all before it are taken, or are no data
	pair := func(m member, j int) {
		taken[j] = true
		w.member(m.name, m.value, gained[j].value)
	}
	var left []member
	for _, m := range lost {
		w.push(step{m.name, -1})
		known, _ := w.noise.at(w.place())
		w.pop()
		name, found := w.mappedName(m.name)
		j, bound := index[name]
		vary := isData(m.name) && (w.mode == learning || known.optional)
		for vary && next < len(gained) && (taken[next] || !isData(gained[next].name)) {
			next++
		}
		switch {
		case found && bound && !taken[j]:
			pair(m, j)
		case vary && next < len(gained):
			pair(m, next)
			w.push(step{m.name, -1})
			w.learn(true, func(v *variation) { v.optional = true })
			w.pop()
		default:
			left = append(left, m)
		}
	}
	rest := gained[:0:0]
	for j, g := range gained {
		if !taken[j] {
			rest = append(rest, g)
		}
	}
	return left, rest
}

// mappedName returns what AFTER calls a member that is named by an identifier.
func (w *walk) mappedName(name string) (string, bool) {
	ns := ""
	if isDigits(name) {
		w.push(step{"id", -1})
		ns = numberNamespace(w.path, w.route)
		w.pop()
	}
	mapped := w.ids.mapped(ns, name)
	return mapped, mapped != name
}

func (w *walk) duplicates(lost, gained []member) {
	if w.mode != comparing {
		return
	}
	for i, m := range append(lost, gained...) {
		w.push(step{m.name, -1})
		if w.rule(w.d.ignore) == nil {
			if i < len(lost) {
				w.find(Duplicate, Breaking, &m.value, nil, "BEFORE has this name more than once; readers differ in which they take")
			} else {
				w.find(Duplicate, Breaking, nil, &m.value, "AFTER has this name more than once; readers differ in which they take")
			}
		}
		w.pop()
	}
}

// absent handles a member or an element that only one side has.
func (w *walk) absent(s step, v value, missing bool) {
	w.push(s)
	defer w.pop()
	if w.rule(w.d.ignore) != nil {
		return
	}
	w.rule(w.d.relax)
	w.result.Leaves++
	data := s.index < 0 && isData(s.name)
	if w.mode == learning {
		w.learn(true, func(v *variation) { v.optional, v.elastic = true, v.elastic || data })
	}
	if w.mode != comparing {
		return
	}
	known, _ := w.noise.at(w.place())
	switch {
	case s.index < 0 && (known.optional && !data || known.elastic):
		w.accept("BEFORE has it only sometimes")
	case missing:
		w.find(Missing, Breaking, &v, nil, "AFTER lacks it")
	case s.index >= 0 || data:
		w.find(Added, Breaking, nil, &v, "AFTER has one more")
	default:
		w.find(Added, Additive, nil, &v, "only AFTER has it")
	}
}

func (w *walk) learn(varied bool, change func(*variation)) {
	if w.mode == learning {
		w.noise.sample(w.place(), varied, change)
	}
}

// atOnce marks the route of requests that were sent at the same time.
const atOnce = " (at once)"

func (w *walk) place() place {
	c := w.label
	if c == "" {
		c = class(w.path)
	}
	route := w.route
	if w.pair.Raced { // what chance does there must not count as noise elsewhere
		route += atOnce
	}
	return place{route, w.part, c}
}

// accept notes that a difference at the current path is relaxed.
func (w *walk) accept(why string) {
	if w.mode != comparing {
		return
	}
	if len(w.result.Relaxed) >= w.d.limits.Findings {
		w.result.Dropped++
		return
	}
	w.result.Relaxed = append(w.result.Relaxed, Relaxed{Part: w.part, Pointer: w.pointer(), Class: w.place().class, Why: why})
}

func (w *walk) pointer() string {
	if w.label != "" {
		return w.label
	}
	return shorten(pointer(w.path), 1024)
}

// find reports a finding at the current path; a nil value is absent.
func (w *walk) find(kind Kind, severity Severity, before, after *value, explanation string) {
	f := Finding{Kind: kind, Severity: severity, Explanation: explanation}
	if w.mode == comparing && len(w.result.Findings) < w.d.limits.Findings { // spare the work for what is dropped
		f.Before, f.After = w.show(before), w.show(after)
	}
	w.report(f)
}

func (w *walk) report(f Finding) {
	if w.mode != comparing {
		return
	}
	if len(w.result.Findings) >= w.d.limits.Findings {
		w.result.Dropped++
		return
	}
	at := w.place()
	f.Part, f.Pointer, f.Class = w.part, w.pointer(), at.class
	if known, ok := w.noise.at(at); ok {
		f.Samples, f.Varied = known.samples, known.varied+known.crossed
		f.Explanation += fmt.Sprintf("; BEFORE differed from itself here in %d of %d samples", f.Varied, f.Samples)
		if f.Samples < 3 && (f.Kind == Value || f.Kind == Identity) {
			f.Explanation += ", too few to rule out chance"
		}
	}
	w.result.Findings = append(w.result.Findings, f)
}

func (w *walk) show(v *value) string {
	if v == nil {
		return ""
	}
	secret := w.d.redact.Secret(w.label)
	for _, s := range w.path {
		secret = secret || s.index < 0 && w.d.redact.Secret(s.name)
	}
	p := printer{redact: w.d.redact, limit: w.d.limits.ShownText}
	p.value(*v, secret)
	return shorten(string(p.out), w.d.limits.ShownText)
}

// drift returns how much further AFTER's time lies from its exchange than BEFORE's.
func (w *walk) drift(a, b value) (time.Duration, bool) {
	before, after := w.pair.Before.At, w.pair.After.At
	if before.IsZero() || after.IsZero() {
		return 0, false
	}
	x, ok := instant(a)
	if !ok {
		return 0, false
	}
	y, ok := instant(b)
	return y.Sub(after) - x.Sub(before), ok
}

// equal reports whether two values are written alike, but for the order of members.
func equal(a, b value) bool {
	if a.kind != b.kind || a.text != b.text || len(a.kids) != len(b.kids) {
		return false
	}
	for i := range a.kids {
		if a.kids[i].name != b.kids[i].name || !equal(a.kids[i].value, b.kids[i].value) {
			return false
		}
	}
	return true
}

// sameSpelled reports whether two texts are one UUID or one instant in two spellings.
func sameSpelled(a, b string) bool {
	if isUUID(a) && isUUID(b) {
		return strings.EqualFold(a, b)
	}
	x, _, ok := timestamp(a)
	if !ok {
		return false
	}
	y, _, ok := timestamp(b)
	return ok && x.Equal(y)
}
