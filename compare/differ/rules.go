package differ

import (
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Rules say what may differ. The zero value is strict and fit for use.
type Rules struct {
	Ignore     []Ignore    `json:"ignore,omitempty"`
	Relax      []Relax     `json:"relax,omitempty"`
	Arrays     []Array     `json:"arrays,omitempty"`
	Tolerances []Tolerance `json:"tolerances,omitempty"`
	IDs        []ID        `json:"ids,omitempty"`
	// Derived are templates of values made from identifiers, as "ORD-{order}"; the word
	// in braces is a namespace (see ID). A value that fits one must carry the right identifier.
	Derived []string `json:"derived,omitempty"`
	// Headers overrides the policy of single headers; OtherHeaders is the policy of those
	// that neither Headers nor [DefaultHeaders] names, HeaderIgnore by default.
	Headers      map[string]HeaderMode `json:"headers,omitempty"`
	OtherHeaders HeaderMode            `json:"otherHeaders,omitempty"`
	// BeforeOrigins and AfterOrigins are the base URLs of each side; text that differs
	// only by them is equal.
	BeforeOrigins []string `json:"beforeOrigins,omitempty"`
	AfterOrigins  []string `json:"afterOrigins,omitempty"`
	// TimeSkew bounds how far a relaxed timestamp may move against the time of its
	// exchange; 0 means 5 minutes. It needs Exchange.At on both sides.
	TimeSkew time.Duration `json:"timeSkew,omitempty"`
	// Secrets are further names whose values are never shown; see [Redactor].
	Secrets []string `json:"secrets,omitempty"`
	// Salt makes equal secrets recognisable within one comparison; without it they are
	// shown as "(secret)".
	Salt   []byte `json:"-"`
	Limits Limits `json:"limits,omitzero"`
}

// A Scope is where a rule holds.
type Scope struct {
	Path   string `json:"path"`             // JSON path or pointer into the body
	Route  string `json:"route,omitempty"`  // a route, * for any text; empty is every route
	Reason string `json:"reason,omitempty"` // for reports
}

// Ignore leaves a value and all below it out of the comparison, also when it is absent.
type Ignore struct{ Scope }

// Relax lets a value differ that is still there, on both sides of the named kind.
type Relax struct {
	Scope
	Kind string `json:"kind"` // any, uuid, ulid, timestamp, integer, number, boolean, hash, token or text
}

// Array says how an array is aligned.
type Array struct {
	Scope
	Key       string `json:"key,omitempty"`       // the member that identifies an element
	Unordered bool   `json:"unordered,omitempty"` // order does not matter
}

// Tolerance lets numbers lie apart by an absolute amount, or by a share of the greater
// magnitude; both are decimal text, as "0.01".
type Tolerance struct {
	Scope
	Absolute string `json:"absolute,omitempty"`
	Relative string `json:"relative,omitempty"`
}

// ID says that a value identifies something of a namespace ("order"); "-" says that it is
// no identifier whatever it looks like.
type ID struct {
	Scope
	Namespace string `json:"namespace"`
}

// Limits bound the work for one pair; 0 means the number named.
type Limits struct {
	BodyBytes int `json:"bodyBytes,omitempty"` // larger bodies are compared as bytes; 8 MiB
	Depth     int `json:"depth,omitempty"`     // of nested JSON; 200
	Findings  int `json:"findings,omitempty"`  // of one pair; 100
	ShownText int `json:"shownText,omitempty"` // bytes of a value in a finding; 200
}

func (l Limits) orDefault() Limits {
	for _, f := range [...]struct {
		limit *int
		value int
	}{{&l.BodyBytes, 8 << 20}, {&l.Depth, 200}, {&l.Findings, 100}, {&l.ShownText, 200}} {
		if *f.limit == 0 {
			*f.limit = f.value
		}
	}
	return l
}

// relaxKinds are the kinds a Relax rule may name.
var relaxKinds = map[string]func(value) bool{
	"any":       func(value) bool { return true },
	"uuid":      func(v value) bool { return v.kind == stringValue && isUUID(v.text) },
	"ulid":      func(v value) bool { return v.kind == stringValue && isULID(v.text) },
	"timestamp": func(v value) bool { _, ok := instant(v); return ok },
	"integer":   func(v value) bool { return v.kind == numberValue && isInteger(v.text) },
	"number":    func(v value) bool { return v.kind == numberValue },
	"boolean":   func(v value) bool { return v.kind == boolValue },
	"hash":      func(v value) bool { return v.kind == stringValue && len(v.text) >= 16 && hexDigits(v.text) },
	"token":     func(v value) bool { return v.kind == stringValue && len(v.text) >= 8 && tokenBytes(v.text) },
	"text":      func(v value) bool { return v.kind == stringValue && v.text != "" },
}

// A rule is a compiled Ignore, Relax, Array, Tolerance or ID.
type rule struct {
	name     string // relax[2]
	scope    Scope
	path     pattern
	kind     string           // Relax
	is       func(value) bool // Relax
	array    Array
	absolute *big.Rat
	relative *big.Rat
	id       string
	number   int // among all rules, for the note that it was used
}

// A compiler turns Rules into rules and gathers every problem.
type compiler struct {
	rules    []*rule
	problems []error
}

func (c *compiler) add(list string, i int, s Scope) *rule {
	r := &rule{name: fmt.Sprintf("%s[%d]", list, i), scope: s, number: len(c.rules)}
	path, err := parsePath(s.Path)
	if err != nil {
		c.problem("%s.path: %w", r.name, err)
	}
	r.path = path
	c.rules = append(c.rules, r)
	return r
}

func (c *compiler) problem(format string, args ...any) {
	c.problems = append(c.problems, fmt.Errorf(format, args...))
}

// compile fills the rule lists of d, or reports all that is wrong with the rules.
func (c *compiler) compile(d *Differ, rules Rules) error {
	for i, r := range rules.Ignore {
		d.ignore = append(d.ignore, c.add("ignore", i, r.Scope))
	}
	for i, r := range rules.Relax {
		compiled := c.add("relax", i, r.Scope)
		compiled.kind, compiled.is = r.Kind, relaxKinds[r.Kind]
		if compiled.is == nil {
			c.problem("relax[%d].kind: unknown kind %q; use one of %s", i, r.Kind, names(relaxKinds))
		}
		d.relax = append(d.relax, compiled)
	}
	for i, r := range rules.Arrays {
		compiled := c.add("arrays", i, r.Scope)
		compiled.array = r
		if r.Key == "" && !r.Unordered {
			c.problem("arrays[%d]: says nothing; give a key, or unordered: true", i)
		}
		d.arrays = append(d.arrays, compiled)
	}
	for i, r := range rules.Tolerances {
		compiled := c.add("tolerances", i, r.Scope)
		compiled.absolute = c.amount(fmt.Sprintf("tolerances[%d].absolute", i), r.Absolute)
		compiled.relative = c.amount(fmt.Sprintf("tolerances[%d].relative", i), r.Relative)
		if r.Absolute == "" && r.Relative == "" {
			c.problem("tolerances[%d]: says nothing; give absolute or relative, as \"0.01\"", i)
		}
		d.tolerances = append(d.tolerances, compiled)
	}
	for i, r := range rules.IDs {
		compiled := c.add("ids", i, r.Scope)
		if compiled.id = r.Namespace; r.Namespace == "" {
			c.problem(`ids[%d].namespace: empty; name what the value identifies, as order, or "-" for no identifier`, i)
		}
		d.idRules = append(d.idRules, compiled)
	}
	c.rest(d, rules)
	return errors.Join(c.problems...)
}

func (c *compiler) rest(d *Differ, rules Rules) {
	for i, text := range rules.Derived {
		t, err := parseTemplate(text)
		if err != nil {
			c.problem("derived[%d]: %w", i, err)
		}
		d.derived = append(d.derived, t)
	}
	d.headers = DefaultHeaders()
	for name, mode := range rules.Headers {
		if !slices.Contains(headerModes, mode) {
			c.problem("headers[%s]: unknown mode %q; use one of %q", name, mode, headerModes)
		}
		d.headers[http.CanonicalHeaderKey(name)] = mode
	}
	if rules.OtherHeaders != "" && !slices.Contains(headerModes, rules.OtherHeaders) {
		c.problem("otherHeaders: unknown mode %q; use one of %q", rules.OtherHeaders, headerModes)
	}
	if rules.TimeSkew < 0 {
		c.problem("timeSkew: %s is negative", rules.TimeSkew)
	}
	l := rules.Limits
	if min(l.BodyBytes, l.Depth, l.Findings, l.ShownText) < 0 {
		c.problem("limits: a limit is negative; 0 means the default")
	}
	if l.Depth > 10_000 {
		c.problem("limits.depth: %d is more than 10000", l.Depth)
	}
}

func (c *compiler) amount(name, text string) *big.Rat {
	if text == "" {
		return nil
	}
	if v, err := readJSON(text, 0); err == nil && v.kind == numberValue && text[0] != '-' {
		if amount, ok := rational(text); ok {
			return amount
		}
	}
	c.problem("%s: %q is no decimal number of zero or more", name, text)
	return nil
}

func names[V any](m map[string]V) string {
	list := make([]string, 0, len(m))
	for name := range m {
		list = append(list, name)
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}
