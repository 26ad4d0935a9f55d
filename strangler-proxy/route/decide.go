package route

import (
	"net/http"
	"net/netip"
)

// Default is the name under which requests that no route matches are reported.
const Default = "default"

// A Route is a named match with a stage.
type Route struct {
	Name     string
	Match    Template
	Service  string // the service the route moves to; may be empty at stage monolith
	Stage    Stage
	Position int // its number in the table, for counters kept beside it
}

// A Head is the part of a request that decides.
type Head struct {
	Method string
	Path   string // the bytes that the client sent, still encoded
	Host   string // with or without a port
	Header http.Header
	Fields Fields     // instead of Header, for heads that were not read by net/http
	Query  string     // the bytes after the question mark
	Peer   netip.Addr // the client; the zero value where nobody knows
}

// Fields finds the fields of a head by their names, in any case.
type Fields interface {
	// Field returns the first value of the field, and how often the field stands there.
	Field(name string) (value string, times int)
}

// Field returns the first value of a field, whose name is canonical, and how often it
// stands there.
func (h *Head) Field(name string) (value string, times int) {
	if h.Fields != nil {
		return h.Fields.Field(name)
	}
	values := h.Header[name]
	if len(values) == 0 {
		return "", 0
	}
	return values[0], len(values)
}

// A Side names who shall answer.
type Side int

// The sides.
const (
	ToMonolith Side = iota
	ToService
)

// A Decision says who shall answer a request, and why.
type Decision struct {
	Route  *Route // nil when no route matches: the monolith answers
	Side   Side
	Reason Reason
}

// A Reason explains a Decision in one word.
type Reason string

// The reasons.
const (
	NoRoute    Reason = "no-route"    // nothing matches, so the monolith answers
	StageLive  Reason = "stage-live"  // the route's stage sends it to the service
	StageStays Reason = "stage-stays" // the route's stage keeps it on the monolith
)

// Name is the route's name, or Default.
func (d Decision) Name() string {
	if d.Route == nil {
		return Default
	}
	return d.Route.Name
}

// Stage is the route's stage; without a route it is Monolith.
func (d Decision) Stage() Stage {
	if d.Route == nil {
		return Monolith
	}
	return d.Route.Stage
}

// Decide chooses the side for head. It fails when the path must not be forwarded:
// the errors are those of this package, and the answer to them is 400.
func Decide(t *Table, head Head) (Decision, error) {
	r, err := t.Find(head)
	if err != nil {
		return Decision{Route: r}, err
	}
	switch {
	case r == nil:
		return Decision{Side: ToMonolith, Reason: NoRoute}, nil
	case r.Stage == Live:
		return Decision{Route: r, Side: ToService, Reason: StageLive}, nil
	}
	return Decision{Route: r, Side: ToMonolith, Reason: StageStays}, nil
}
