package route

import "fmt"

// Data says where the data behind a route is, which decides about the requests that
// may change it: reads move before writes.
type Data int

// Where the data is.
const (
	DataUnsaid Data = iota // nobody says: it counts as the monolith's
	DataNone               // the service has none that could diverge from the monolith's
	DataSplit              // a split moves it; until the split says otherwise, the monolith owns it
	DataMoved              // a split has moved it: the service owns it, the monolith's copy is sealed
)

// splits reports whether a split keeps the data. Then a request that changes something
// never falls back: by the time a route is live, the monolith's copy is sealed.
func (d Data) splits() bool { return d == DataSplit || d == DataMoved }

// held says who answers whatever the stage or a panic says, because only that side can: the
// tables of a split have one owner, and the other side's are closed. A file that says
// otherwise was edited by hand, or is older than the last switch.
func (r *Route) held(reads, panicking bool) (Side, Reason, bool) {
	switch {
	case r.Data == DataSplit && (r.Stage == Done || r.Stage == Live && !panicking):
		return ToMonolith, TablesStay, true
	case r.Data != DataMoved || r.Service == "" || r.Stage == Done:
		return ToMonolith, "", false
	case panicking && r.Stage == Live: // the monolith may have no tables left to read from
		return ToService, TablesMoved, true
	case !reads && (panicking || r.Stage <= Shadow):
		return ToService, WritesMoved, true
	}
	return ToMonolith, "", false
}

// Held says in a sentence what of the route the owner of its tables answers, whatever its
// stage or a panic says; empty: nothing. split is the name of its split.
func (r *Route) Held(split string, panicking bool) string {
	method := r.Match.Method
	_, read, reads := r.held(true, panicking)
	_, wrote, writes := r.held(false, panicking)
	reads, writes = reads && (method == "" || Safe(method)), writes && (method == "" || !Safe(method))
	switch {
	case reads && read == TablesStay, writes && wrote == TablesStay:
		return fmt.Sprintf("the monolith answers, because it owns the tables of split %s; strangler split cutover %s moves them and the route together", split, split)
	case reads && read == TablesMoved, writes && wrote == TablesMoved:
		return fmt.Sprintf("the service answers in spite of the panic, because it owns the tables of split %s; strangler split rollback %s takes them back", split, split)
	case writes:
		return fmt.Sprintf("the service answers what may change data, because it owns the tables of split %s; strangler split rollback %s takes them back", split, split)
	}
	return ""
}
