package differ

import (
	"fmt"
	"time"
)

// leaf compares two values of which at least one is a scalar, or whose types differ.
func (w *walk) leaf(a, b value) {
	w.result.Leaves++
	switch w.mode {
	case binding:
		w.bind(a, b)
		return
	case learning:
		bound := !equal(a, b) && w.bound(a, b)
		w.learn(!equal(a, b) && !bound, func(v *variation) { v.see(shapeOf(a)); v.see(shapeOf(b)) })
		switch {
		case bound:
			w.noise.renames(w.place())
		case equal(a, b) && w.crossed(a, b):
			w.noise.crosses(w.place())
		}
		return
	}
	var identifies bool
	if w.ids != nil && a.kind == b.kind {
		var v verdict
		if v, identifies = w.identity(a, b); v == same {
			w.sameForm(a, b)
			return
		} else if v == violated {
			ns, _ := w.namespaceOf(a)
			chance := w.ids.byChance(ns, a.text) || w.ids.byChance(ns, b.text)
			w.report(Finding{Kind: Identity, Severity: Breaking, Before: w.show(&a), After: w.show(&b), Explanation: "AFTER identifies something else than BEFORE", Chance: chance})
			return
		}
	}
	if equal(a, b) || w.noisy(a, b) {
		return
	}
	switch {
	case a.kind != b.kind:
		w.find(Type, Breaking, &a, &b, fmt.Sprintf("%s became %s", a.kind, b.kind))
	case a.kind == numberValue && w.number(a, b):
	case a.kind == stringValue && w.sameText(a.text, b.text, nil):
	case a.kind == stringValue && w.byClock(a.text, b.text):
		w.accept("the time moved with the clock")
	case a.kind == stringValue && sameSpelled(a.text, b.text):
		w.find(Format, Spelling, &a, &b, "the same value in another format")
	case identifies:
		w.find(Identity, Breaking, &a, &b, "the identifier differs, and no write was seen to make it")
	default:
		w.find(Value, Breaking, &a, &b, "another value")
	}
}

// bound reports whether two runs of BEFORE only call the same thing by another name.
func (w *walk) bound(a, b value) bool {
	if w.ids == nil || a.kind != b.kind {
		return false
	}
	v, _ := w.identity(a, b)
	return v == same || v == unknown && a.kind == stringValue && w.sameText(a.text, b.text, nil)
}

// crossed reports whether two runs of BEFORE call different things by the same name.
func (w *walk) crossed(a, b value) bool {
	if w.ids == nil {
		return false
	}
	v, _ := w.identity(a, b)
	return v == violated
}

// sameForm checks that identifiers of the same thing look alike on both sides.
func (w *walk) sameForm(a, b value) {
	x, y := shapeOf(a), shapeOf(b)
	switch {
	case a.kind != stringValue || x == y || x.admits(b):
	case x.base == y.base:
		w.find(Format, Spelling, &a, &b, fmt.Sprintf("the same identifier, but %s became %s", x, y))
	default:
		w.find(Shape, Breaking, &a, &b, fmt.Sprintf("the same identifier, but %s became %s", x, y))
	}
}

// identity checks values that identify something against what pass 1 bound.
func (w *walk) identity(a, b value) (v verdict, identifies bool) {
	if a.kind == stringValue {
		if v = w.checkDerived(a.text, b.text); v != unknown {
			return v, true
		}
	}
	if a.kind == stringValue && a.text != b.text {
		if v = w.ids.checkChosen(a.text, b.text); v != unknown {
			return v, true
		}
	}
	ns, ok := w.namespaceOf(a)
	if w.generated(a, b) {
		ns, ok = "", true
	}
	if !ok {
		return unknown, false
	}
	return w.ids.check(ns, a.text, b.text), true
}

// generated reports whether two texts are identifiers by their looks, or by what BEFORE
// was seen to have at their place, and no rule says what they are.
func (w *walk) generated(a, b value) bool {
	switch {
	case a.kind != stringValue || b.kind != stringValue || w.rule(w.d.idRules) != nil:
		return false
	case opaques(a.text, b.text):
		return true
	case a.text == b.text || !sameBuild(a.text, b.text):
		return false
	}
	known, _ := w.noise.at(w.place())
	return known.renamed
}

// bind is pass 1 for one leaf.
func (w *walk) bind(a, b value) {
	if a.kind != b.kind {
		return
	}
	ns, ok := w.namespaceOf(a)
	other, okOther := ns, ok
	if a.text != b.text {
		other, okOther = w.namespaceOf(b)
	}
	switch {
	case w.generated(a, b):
		ns = ""
	case !ok || !okOther || other != ns:
		return
	}
	minted := w.pair.Before.writes()
	if ns == "" && a.text != b.text && !minted {
		known, _ := w.noise.at(w.place())
		minted = known.varied > 0 // a read that makes something up, as a CSRF token
	}
	w.ids.observe(ns, a.text, b.text, minted)
}

// noisy handles a place where BEFORE differs from itself: AFTER must keep to what BEFORE
// was seen to do. It reports whether the place is dealt with.
func (w *walk) noisy(a, b value) bool {
	known, ok := w.noise.at(w.place())
	if !ok || len(known.shapes) == 0 {
		return false
	}
	fits, kind := known.admits(b)
	drift, timed := w.drift(a, b)
	switch {
	case !fits && !kind && a.kind != b.kind:
		w.find(Type, Breaking, &a, &b, fmt.Sprintf("%s became %s, which BEFORE never was", a.kind, b.kind))
	case !fits && !kind:
		w.find(Shape, Breaking, &a, &b, fmt.Sprintf("the value varies, but BEFORE was always %s and AFTER is %s", shapesOf(known), shapeOf(b)))
	case !fits:
		w.find(Format, Spelling, &a, &b, fmt.Sprintf("the value varies, but BEFORE was always %s and AFTER is %s", shapesOf(known), shapeOf(b)))
	case timed && drift.Abs() > w.d.rules.TimeSkew:
		w.find(Value, Breaking, &a, &b, fmt.Sprintf("the time lies %s further from its exchange than BEFORE's", drift.Round(time.Second)))
	default:
		w.accept(fmt.Sprintf("BEFORE differed from itself here in %d of %d samples", known.varied, known.samples))
	}
	return true
}

func shapesOf(v variation) string {
	text := ""
	for i, s := range v.shapes {
		if i > 0 {
			text += " or "
		}
		text += s.String()
	}
	return text
}

// number compares numbers that are written differently; it reports whether that is all.
func (w *walk) number(a, b value) bool {
	if decimal(a.text) == decimal(b.text) {
		w.find(Format, Spelling, &a, &b, "the same number, written differently")
		return true
	}
	r := w.rule(w.d.tolerances)
	if r == nil || !within(a.text, b.text, r.absolute, r.relative) {
		return false
	}
	w.accept(r.name + ": within the tolerance")
	return true
}
