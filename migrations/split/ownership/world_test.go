package ownership_test

import (
	"errors"
	"slices"

	"github.com/stranglerfig/toolkit/migrations/split/ownership"
)

// The model explores every interleaving of a switch with what can happen around it. The
// coordinators in it run the steps of this package itself, against databases and a
// proxy that are a few numbers, so the model cannot drift away from the code.

const (
	source = ownership.Source
	target = ownership.Target
)

// A base is one database: a record, the claim that may write, whose fence lies on it,
// and how many accepted writes the other side has not got.
type base struct {
	record ownership.Record
	claim  int8
	fence  int8 // coordinator + 1
	log    int8
}

func (b *base) open(self ownership.Owner) bool { return b.record.Owner == self }

// A worker is one coordinator: what it runs and how far it is.
type worker struct {
	doing string // "", "claim", "decide", "settle", "switch", "dead"
	at    int8
	claim int8
	goal  int8
	sw    ownership.Record // of its switch or settling
	half  bool
}

// A world is one state of everything. It is comparable: that is how the exploration
// knows that it has been there.
type world struct {
	s, t    base
	held    int8 // claim of the hold, 0 without one
	route   ownership.Record
	parked  bool
	flying  ownership.Owner // where a request is on its way, "" without one
	bad     bool            // a hold or a fence was lost, or the proxy restarted: clients may see errors
	opened  ownership.Record
	workers [2]worker
	crashes int8
	faults  int8
	begun   bool // the second coordinator has had its turn
}

func (w *world) base(o ownership.Owner) *base {
	if o == source {
		return &w.s
	}
	return &w.t
}

// letGo sends a parked request on its way. The model follows one at a time; where
// another is on its way already, that one stands for both.
func (w *world) letGo() {
	if w.parked && w.flying == "" {
		w.flying = w.route.Owner
	}
	w.held, w.parked = 0, false
}

// canonical replaces claims and epochs by their ranks. Only their order counts, so worlds
// that differ in nothing else are the same, and there are finitely many.
func (w *world) canonical() {
	rank(&w.s.claim, &w.t.claim, &w.held, &w.workers[0].claim, &w.workers[1].claim)
	rank(&w.s.record.Epoch, &w.t.record.Epoch, &w.route.Epoch, &w.opened.Epoch, &w.workers[0].sw.Epoch, &w.workers[1].sw.Epoch)
}

func rank[N int8 | int64](numbers ...*N) {
	var seen [8]N // the first is 0, which means "never"
	n := 1
	for _, p := range numbers {
		if !slices.Contains(seen[:n], *p) {
			seen[n] = *p
			n++
		}
	}
	slices.Sort(seen[:n])
	for _, p := range numbers {
		*p = N(slices.Index(seen[:n], *p))
	}
}

// settled reports whether nothing is under way and everything agrees.
func (w *world) settled() bool {
	for _, c := range w.workers {
		if c.doing != "" {
			return false
		}
	}
	owner := w.s.record.Owner
	return owner == w.t.record.Owner && w.held == 0 && w.route.Owner == owner && !w.parked
}

// limits bound an exploration, and switch protections off for mutations.
type limits struct {
	goals           []ownership.Owner
	crashes, faults int8
	second          bool // a second coordinator starts at some time
	forward         bool
	steps           []ownership.Step

	noLock, noPending, noClaim bool // mutations of what the steps rely on
}

// errFault is an injected failure; the operation may have happened all the same.
var errFault = errors.New("injected fault")
