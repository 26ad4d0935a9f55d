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
	Group    string   // the routes with which it agrees about clients; may be empty
	Sticky   Sticky   // by what a canary recognises clients
	Cohorts  []Cohort // whom a canary sends to the service in any case
	Data     Data
	Position int // its number in the table, for counters kept beside it
}

// Salt is the salt of the route's buckets: its group's name, or its own.
func (r *Route) Salt() string {
	if r.Group != "" {
		return r.Group
	}
	return r.Name
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
	Drawn  string     // a fresh key for the client, in case it has none; see Decision.NeedsKey
}

// Fields finds the fields of a head by their names, in any case.
type Fields interface {
	// Field returns the first value of the field, and how often the field stands there.
	Field(name string) (value string, times int)
	// Value returns the i-th value of the field; it is false beyond the last.
	Value(name string, i int) (value string, found bool)
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

// value returns the i-th value of a field, whose name is canonical.
func (h *Head) value(name string, i int) (value string, found bool) {
	if h.Fields != nil {
		return h.Fields.Value(name, i)
	}
	if values := h.Header[name]; i < len(values) {
		return values[i], true
	}
	return "", false
}

// A Side names who shall answer.
type Side int

// The sides.
const (
	ToMonolith Side = iota
	ToService
)

// A Decision says who shall answer a request, why, and what else is due.
type Decision struct {
	Route    *Route // nil when no route matches: the monolith answers
	Side     Side
	Reason   Reason
	Copy     Copy // who else is due a copy to be compared
	Fallback bool // the monolith may answer if the service cannot
	// NeedsKey asks for another decision with Head.Drawn, because the side depends on
	// the key of a client that has none. Until then the side is the monolith.
	NeedsKey bool
	NewKey   string // Head.Drawn, if it decided: the client is to keep it as KeyCookie
}

// A Copy says to whom a copy of the request is due. What may be copied, and how many,
// is not decided here: that depends on the method's safety and the settings of the shadow.
type Copy int

// The copies.
const (
	NoCopy         Copy = iota
	CopyToService       // the monolith answers, the service is compared with it
	CopyToMonolith      // the reverse; only for methods that read
)

// A Reason explains a Decision in one word.
type Reason string

// The reasons.
const (
	NoRoute        Reason = "no-route"      // nothing matches, so the monolith answers
	StageLive      Reason = "stage-live"    // the route's stage sends it to the service
	StageDone      Reason = "stage-done"    // … and the monolith is never asked
	StageStays     Reason = "stage-stays"   // the route's stage keeps it on the monolith
	Panic          Reason = "panic"         // every route is on the monolith, whatever its stage
	InCanary       Reason = "canary"        // the client is in the canary's share
	OutsideCanary  Reason = "canary-rest"   // … or not
	InCohort       Reason = "cohort"        // the client is in a cohort of the canary
	NoKey          Reason = "no-key"        // the client has no key, so the canary leaves it on the monolith
	WritesStay     Reason = "writes-stay"   // the monolith owns the data that the request may change
	WritesMoved    Reason = "writes-moved"  // the service owns it
	TablesStay     Reason = "tables-stay"   // the stage leads to the service, but the monolith owns the tables of the split
	TablesMoved    Reason = "tables-moved"  // a panic leads to the monolith, but the service owns the tables of the split
	ForcedByHeader Reason = "forced-header" // a trusted client asked for the side
	ForcedByCookie Reason = "forced-cookie"
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

// Share is for how many of the clients that send such a request the service answers,
// in hundredths of a percent. Only a canary decides by the client.
func (d Decision) Share() int {
	switch d.Reason {
	case InCanary, OutsideCanary, NoKey:
		return d.Route.Stage.Share()
	}
	if d.Side == ToService {
		return Everyone
	}
	return 0
}

// Decide chooses the side for head. It fails when the path must not be forwarded:
// the errors are those of this package, and the answer to them is 400. It takes no
// memory for a path that can be read in one way only.
func Decide(t *Table, head Head) (Decision, error) { return t.decide(&head) }

// Draw is Decide for a proxy: it takes from key, once, for a client that needs a key and
// has none.
func (t *Table) Draw(head *Head, key func() string) (Decision, error) {
	d, err := t.decide(head)
	if err != nil || !d.NeedsKey {
		return d, err
	}
	head.Drawn = key()
	return t.decide(head)
}

// decide chooses the side for head. It fails when the path must not be forwarded.
func (t *Table) decide(head *Head) (Decision, error) {
	r, err := t.find(head)
	if err != nil {
		return Decision{Route: r}, err
	}
	d := Decision{Route: r}
	if r == nil {
		d.Reason = NoRoute
		return d, nil
	}
	reads := Safe(head.Method)
	side, why, held := r.held(reads, t.policy.Panic)
	switch {
	case held:
		d.Side, d.Reason = side, why
		d.Fallback = side == ToService && reads
	case r.Stage == Done: // there may be no monolith left that knows the answer
		d.Side, d.Reason = ToService, StageDone
	case t.policy.Panic:
		d.Reason = Panic
	case r.Stage <= Monolith:
		d.Reason = StageStays
	default:
		d.choose(&t.policy.Force, head)
	}
	return d, nil
}

// choose decides for a stage at which both sides may answer.
func (d *Decision) choose(force *Force, head *Head) {
	r := d.Route
	reads := Safe(head.Method)
	side, by, forced := force.asks(head)
	switch {
	case forced && (reads || r.Data == DataNone):
		d.Side, d.Reason = side, by
	case r.Stage == Shadow:
		d.Reason = StageStays
	case r.Stage == Live:
		d.Side, d.Reason = ToService, StageLive
	case !reads && r.Data == DataMoved:
		d.Side, d.Reason = ToService, WritesMoved // the monolith's copy is sealed
	case !reads && r.Data != DataNone:
		d.Reason = WritesStay
	default:
		d.canary(head)
	}
	switch {
	case d.Side == ToService:
		d.Fallback = reads || !r.Data.splits()
		if r.Stage == Live && reads {
			d.Copy = CopyToMonolith
		}
	case r.Stage < Live:
		d.Copy = CopyToService
	}
}

// canary decides by cohort and share.
func (d *Decision) canary(head *Head) {
	r := d.Route
	share := r.Stage.Share()
	switch {
	case r.HasMember(head):
		d.Side, d.Reason = ToService, InCohort
		return
	case share == 0:
		d.Reason = OutsideCanary
		return
	case share == Everyone:
		d.Side, d.Reason = ToService, InCanary
		return
	}
	key, _, found := r.Sticky.Key(head)
	switch {
	case found:
	case !r.Sticky.Draws():
		d.Reason = NoKey
		return
	case head.Drawn == "":
		d.Reason, d.NeedsKey = NoKey, true
		return
	default:
		key, d.NewKey = head.Drawn, head.Drawn
	}
	d.Reason = OutsideCanary
	if Bucket(r.Salt(), key) < share {
		d.Side, d.Reason = ToService, InCanary
	}
}

// Safe reports whether a method only reads.
func Safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}
