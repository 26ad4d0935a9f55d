package differ

import (
	"cmp"
	"slices"
	"strings"
)

type identifier struct{ namespace, id string }

// identities binds identifiers of BEFORE one to one to those of AFTER. Opaque values
// share the namespace "", small numbers have one each ("order"). A nil *identities
// knows nothing.
type identities struct {
	after, before         map[identifier]string // by the identifier of the other side
	seedBefore, seedAfter map[identifier]bool   // seen before a write could have minted them
	namespaces            []string
	racing                bool                // what is bound now is bound by chance
	raced                 map[identifier]bool // of either side, what was bound so
	chosen, chooser       map[string]string   // texts that the client made up, and back
}

func newIdentities() *identities {
	return &identities{
		after: map[identifier]string{}, before: map[identifier]string{},
		seedBefore: map[identifier]bool{}, seedAfter: map[identifier]bool{},
		raced: map[identifier]bool{}, chosen: map[string]string{}, chooser: map[string]string{},
	}
}

type verdict uint8

const (
	unknown verdict = iota
	same
	violated
)

// check says whether x of BEFORE and y of AFTER identify the same thing.
func (t *identities) check(namespace, x, y string) verdict {
	if t == nil {
		return unknown
	}
	xid, yid := identifier{namespace, x}, identifier{namespace, y}
	if x == y && t.seedBefore[xid] && t.seedAfter[yid] {
		return same // two things may share a name of a namespace; this one was there from the start
	}
	if bound, ok := t.after[xid]; ok {
		if bound == y {
			return same
		}
		return violated
	}
	if _, ok := t.before[yid]; ok {
		return violated
	}
	if x != y && namespace != "" && t.anywhere(x, y) {
		return same // buyer_id is an id of user
	}
	return unknown
}

// anywhere reports whether any namespace binds x to y.
func (t *identities) anywhere(x, y string) bool {
	return t != nil && slices.ContainsFunc(t.namespaces, func(ns string) bool {
		bound, ok := t.after[identifier{ns, x}]
		return ok && bound == y
	})
}

// observe is pass 1: it binds x to y if a write minted them, and else notes that they
// were there from the start.
func (t *identities) observe(namespace, x, y string, minted bool) {
	xid, yid := identifier{namespace, x}, identifier{namespace, y}
	_, xBound := t.after[xid]
	_, yBound := t.before[yid]
	switch {
	case xBound || yBound:
	case minted && !t.seedBefore[xid] && !t.seedAfter[yid]:
		x, y = strings.Clone(x), strings.Clone(y) // they outlive the bodies that they are part of
		xid, yid = identifier{namespace, x}, identifier{namespace, y}
		t.after[xid], t.before[yid] = y, x
		if t.racing {
			t.raced[xid], t.raced[yid] = true, true
		}
		if !slices.Contains(t.namespaces, namespace) {
			t.namespaces = append(t.namespaces, namespace)
		}
	default:
		remember(t.seedBefore, xid)
		remember(t.seedAfter, yid)
	}
}

func remember(seeds map[identifier]bool, id identifier) {
	if !seeds[id] {
		id.id = strings.Clone(id.id)
		seeds[id] = true
	}
}

// byChance reports whether x of either side was bound by a race: it might as well have been
// bound to another.
func (t *identities) byChance(namespace, x string) bool {
	return t != nil && t.raced[identifier{namespace, x}]
}

// mapped returns what BEFORE's x is called in AFTER.
func (t *identities) mapped(namespace, x string) string {
	if t == nil {
		return x
	}
	if y, ok := t.after[identifier{namespace, x}]; ok {
		return y
	}
	return x
}

// containers are names of lists that do not say what they hold.
var containers = []string{
	"items", "data", "results", "result", "rows", "list", "content", "contents", "records", "entries", "edges", "node",
	"nodes", "value", "values", "hits", "page", "payload", "response", "body", "attributes",
}

// namespaceOf returns the namespace of the identifier at path, if v looks like one.
func (w *walk) namespaceOf(v value) (string, bool) {
	if r := w.rule(w.d.idRules); r != nil {
		return r.id, r.id != "-" && (v.kind == stringValue || v.kind == numberValue) && v.text != ""
	}
	switch {
	case v.kind == stringValue && isOpaque(v.text):
		return "", true
	case v.kind == numberValue && isInteger(v.text), v.kind == stringValue && len(v.text) <= 18 && isDigits(v.text):
		ns := cmp.Or(w.kindBeside(), numberNamespace(w.path, w.route))
		return ns, ns != ""
	}
	return "", false
}

// enter notes the object whose members are walked through, and returns what leaves it.
func (w *walk) enter(object value) (leave func()) {
	outer := w.within
	w.within = object
	return func() { w.within = outer }
}

// anyKind are names of columns that hold an identifier of whatever the column beside it says.
var anyKind = []string{"entity", "object", "subject", "target", "resource", "record"}

// kindBeside returns what another member says that the current one identifies: entity says it
// of entity_id, owner_type of owner_id.
func (w *walk) kindBeside() string {
	i := len(w.path) - 1
	if i < 0 || w.path[i].index >= 0 {
		return ""
	}
	stem, ok := strings.CutSuffix(w.path[i].name, "_id")
	if !ok {
		return ""
	}
	kind, ok := memberOf(w.within, stem+"_type")
	if !ok && slices.Contains(anyKind, stem) {
		kind, ok = memberOf(w.within, stem)
	}
	if !ok || kind.kind != stringValue || isData(kind.text) {
		return ""
	}
	return singular(kind.text)
}

// numberNamespace derives from its place what a small number identifies: order_id and
// orders/*/id identify an order, id at the top what the route is about.
func numberNamespace(path []step, route string) string {
	i := lastName(path, len(path))
	if i < 0 {
		return ""
	}
	name := path[i].name
	for _, suffix := range [...]string{"_id", "_ids", "-id", "Id", "Ids", "ID", "IDs"} {
		if prefix, ok := strings.CutSuffix(name, suffix); ok && prefix != "" {
			return singular(prefix)
		}
	}
	if name != "id" && name != "ID" && name != "Id" {
		return ""
	}
	for i = lastName(path, i); i >= 0; i = lastName(path, i) {
		if parent := path[i].name; !slices.Contains(containers, parent) && !isData(parent) {
			return singular(parent)
		}
	}
	return singular(lastLiteral(route))
}

// lastName returns the last member step before end, or -1.
func lastName(path []step, end int) int {
	for i := end - 1; i >= 0; i-- {
		if path[i].index < 0 {
			return i
		}
	}
	return -1
}

func singular(name string) string {
	name = strings.ToLower(strings.Trim(name, "_-"))
	for _, ending := range [...][2]string{{"ies", "y"}, {"sses", "ss"}, {"xes", "x"}, {"ches", "ch"}, {"shes", "sh"}, {"ss", "ss"}, {"us", "us"}, {"s", ""}} {
		if stem, ok := strings.CutSuffix(name, ending[0]); ok && stem != "" {
			return stem + ending[1]
		}
	}
	return name
}
