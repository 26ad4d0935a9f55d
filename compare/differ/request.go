package differ

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// request goes through path and query of the two requests, which the caller holds to be
// the same: they may differ by bound identifiers only.
func (w *walk) request() {
	w.part, w.path = InRequest, w.path[:0]
	defer func() { w.label = "" }()
	switch w.mode {
	case binding:
		w.bindPath(w.pair.Before.Path, w.pair.After.Path, false)
		w.bindRequestBody()
	default:
		w.comparePath(locate(w.pair.Before.Path), locate(w.pair.After.Path))
	}
}

func (w *walk) comparePath(before, after location) {
	if len(before.segments) != len(after.segments) {
		w.label = "path"
		a, b := textValue(w.pair.Before.Path), textValue(w.pair.After.Path)
		w.find(Value, Breaking, &a, &b, "the requests are not the same")
		return
	}
	for i, x := range before.segments {
		w.label = fmt.Sprintf("path/%d", i)
		w.requestValue(segmentNamespace(before.segments, i), x, after.segments[i])
	}
	for _, name := range slices.Sorted(maps.Keys(before.query)) {
		w.label = "query/" + name
		x, y := strings.Join(before.query[name], ","), strings.Join(after.query[name], ",")
		w.requestValue(numberNamespace([]step{{name, -1}}, w.route), x, y)
	}
	for _, name := range slices.Sorted(maps.Keys(after.query)) {
		if _, ok := before.query[name]; !ok {
			w.label = "query/" + name
			w.requestAdded(strings.Join(after.query[name], ","))
		}
	}
}

func (w *walk) requestAdded(y string) {
	b := textValue(y)
	switch known, _ := w.noise.at(w.place()); {
	case w.mode == learning:
		w.learn(true, func(v *variation) { v.optional = true; v.see(shapeOf(b)) })
	case known.optional:
		w.accept("BEFORE's runs do not always send it")
	default:
		w.find(Added, Breaking, nil, &b, "the requests are not the same")
	}
}

func (w *walk) requestValue(namespace, x, y string) {
	generated := isOpaque(x) || opaques(x, y)
	if generated {
		namespace = ""
	}
	a, b := textValue(x), textValue(y)
	identifies := generated || namespace != "" && isDigits(x)
	v := unknown
	if identifies {
		v = w.ids.check(namespace, x, y)
	}
	if v == unknown {
		v = w.ids.checkChosen(x, y)
	}
	if w.mode == learning {
		w.learn(x != y && v != same && !w.sameText(x, y, nil), func(v *variation) { v.see(shapeOf(a)); v.see(shapeOf(b)) })
		return
	}
	if v == unknown && x != y && w.noisy(a, b) {
		return
	}
	switch {
	case v == violated:
		w.find(Identity, Breaking, &a, &b, "the test was led to something else than with BEFORE")
	case v == same || x == y || w.sameText(x, y, nil):
	case identifies && w.ids != nil:
		w.find(Identity, Breaking, &a, &b, "the identifier differs, and no write was seen to make it")
	default:
		w.find(Value, Breaking, &a, &b, "the requests are not the same")
	}
}

// segmentNamespace derives from the segment before what a number in a path identifies.
func segmentNamespace(segments []string, i int) string {
	for i--; i >= 0; i-- {
		if !isData(segments[i]) {
			return singular(segments[i])
		}
	}
	return ""
}

// bindPath is pass 1 for a path: of the request, whose values the client has from earlier
// answers or chose itself, or of a Location that a write made.
func (w *walk) bindPath(before, after string, minted bool) {
	x, y := locate(w.withoutOrigin(before, w.d.rules.BeforeOrigins)), locate(w.withoutOrigin(after, w.d.rules.AfterOrigins))
	if len(x.segments) == len(y.segments) {
		for i := range x.segments {
			w.bindText(segmentNamespace(x.segments, i), x.segments[i], y.segments[i], minted)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(x.query)) {
		for i, v := range x.query[name] {
			if i < len(y.query[name]) {
				w.bindText(numberNamespace([]step{{name, -1}}, w.route), v, y.query[name][i], minted)
			}
		}
	}
}

func (w *walk) bindText(namespace, x, y string, minted bool) {
	switch {
	case opaques(x, y):
		w.ids.observe("", x, y, minted || x != y)
	case namespace != "" && isDigits(x) && isDigits(y):
		w.ids.observe(namespace, x, y, minted)
	case !minted:
		w.ids.choose(x, y)
	}
}

// bindRequestBody notes the identifiers in the bodies of the requests: none of them is
// minted by this write. Random ones that differ were made by the client.
func (w *walk) bindRequestBody() {
	if w.chosenForm(w.pair.Before.Request, w.pair.After.Request) {
		return
	}
	a, errA := w.members.readJSON(string(w.pair.Before.Request), w.d.limits.Depth)
	b, errB := w.members.readJSON(string(w.pair.After.Request), w.d.limits.Depth)
	if errA == nil && errB == nil {
		w.path = w.path[:0]
		w.bindChosen(a, b)
	}
}

func (w *walk) bindChosen(a, b value) {
	switch {
	case a.kind != b.kind:
	case a.kind == arrayValue:
		for i := range min(len(a.kids), len(b.kids)) {
			w.push(step{index: i})
			w.bindChosen(a.kids[i].value, b.kids[i].value)
			w.pop()
		}
	case a.kind == objectValue:
		for _, m := range a.kids {
			if other, ok := memberOf(b, m.name); ok {
				w.push(step{m.name, -1})
				w.bindChosen(m.value, other)
				w.pop()
			}
		}
	default:
		if ns, ok := w.namespaceOf(a); ok {
			w.bindText(ns, a.text, b.text, false)
		} else if a.kind == stringValue {
			w.ids.choose(a.text, b.text)
		}
	}
}

// withoutOrigin cuts one of the origins off a URL.
func (w *walk) withoutOrigin(url string, origins []string) string {
	for _, origin := range origins {
		if rest, ok := strings.CutPrefix(url, strings.TrimSuffix(origin, "/")); ok {
			return rest
		}
	}
	return url
}

// sameLink compares URLs piece by piece: origins and bound identifiers may differ.
func (w *walk) sameLink(before, after string) bool {
	before, after = w.withoutOrigin(before, w.d.rules.BeforeOrigins), w.withoutOrigin(after, w.d.rules.AfterOrigins)
	x, y := locate(before), locate(after)
	if strings.ContainsAny(before, " ,<>") || len(x.segments) != len(y.segments) { // a list of links, as in Link
		return w.sameText(before, after, nil)
	}
	for i := range x.segments {
		a, b := x.segments[i], y.segments[i]
		ns := segmentNamespace(x.segments, i)
		generated := isOpaque(a) || opaques(a, b)
		if generated {
			ns = ""
		}
		v := unknown
		if generated || ns != "" && isDigits(a) {
			v = w.ids.check(ns, a, b)
		}
		if v == violated || v == unknown && !w.sameText(a, b, nil) {
			return false
		}
	}
	_, a, _ := strings.Cut(before, "?")
	_, b, _ := strings.Cut(after, "?")
	return a == b || w.sameText(a, b, nil)
}

// differsById reports whether URLs differ in nothing but identifiers.
func (w *walk) differsById(before, after string) bool {
	x, y := locate(w.withoutOrigin(before, w.d.rules.BeforeOrigins)), locate(w.withoutOrigin(after, w.d.rules.AfterOrigins))
	return slices.EqualFunc(x.segments, y.segments, func(a, b string) bool { return a == b || isData(a) && isData(b) })
}

func textValue(s string) value { return value{kind: stringValue, text: s} }
