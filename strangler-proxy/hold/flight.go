package hold

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// A Flight is where a request under way is known, from the moment it may reach an
// upstream to the end of its answer. It belongs to a connection or a stream, which uses
// it for one request after the other. The zero value is not known to a Keeper.
//
// Who enters first and then asks for holds cannot be missed: either the request sees the
// hold, or a drain, which begins after the hold, sees the request.
type Flight struct {
	before, after *Flight // among those of the Keeper, under its lock

	route atomic.Pointer[route.Route] // nil: nothing is under way
	mark  atomic.Int64                // since when, in milliseconds, above the two marks
}

// The marks of a request.
const (
	reads    = 1 << iota // it only reads
	upgraded             // it is a connection of another protocol now
	markBits = iota
)

// noRoute stands for requests without a route.
var noRoute = &route.Route{Name: route.Default}

// Enter says that a request is under way, since started.
func (f *Flight) Enter(r *route.Route, started time.Time, safe bool) {
	mark := started.UnixMilli() << markBits
	if safe {
		mark |= reads
	}
	f.mark.Store(mark)
	if r == nil {
		r = noRoute
	}
	f.route.Store(r)
}

// Leave says that nothing is under way.
func (f *Flight) Leave() { f.route.Store(nil) }

// Upgrade says that the request became a connection of another protocol, which may last
// for days: a drain tells of it and does not wait for it.
func (f *Flight) Upgrade() { f.mark.Or(upgraded) }

// flights are all that a Keeper knows: a ring, so that taking part costs no memory.
type flights struct {
	mu   sync.Mutex
	ring Flight
}

func (f *flights) init() { f.ring.before, f.ring.after = &f.ring, &f.ring }

// Join makes a flight known. Part has to follow.
func (k *Keeper) Join(f *Flight) {
	k.flights.mu.Lock()
	defer k.flights.mu.Unlock()
	last := k.flights.ring.before
	f.before, f.after = last, &k.flights.ring
	last.after, k.flights.ring.before = f, f
}

// Part ends what Join began.
func (k *Keeper) Part(f *Flight) {
	k.flights.mu.Lock()
	defer k.flights.mu.Unlock()
	f.before.after, f.after.before = f.after, f.before
	f.before, f.after = nil, nil
}

// A Drain says what is still under way on the routes of a hold.
type Drain struct {
	Drained  bool      `json:"drained"` // nothing is
	Left     int       `json:"left"`
	Requests []Request `json:"requests,omitempty"` // the oldest of them, at most 20
	Upgraded int       `json:"upgraded,omitempty"` // connections of other protocols, which are not waited for
}

// A Request is one under way.
type Request struct {
	Route string `json:"route"`
	AgeMS int64  `json:"age_ms"`
}

// limitNamed is how many requests a Drain names.
const limitNamed = 20

// drainEvery is how often a drain looks.
const drainEvery = time.Millisecond

// Drain waits until nothing is under way that the hold would keep now, or until ctx ends.
// That is no error: the result says what is left. The error is ErrUnknown if the hold
// ended meanwhile, for then new requests pass.
func (k *Keeper) Drain(ctx context.Context, id string, claim int64) (Drain, error) {
	h, err := k.of(id, claim)
	if err != nil {
		return Drain{}, err
	}
	look := time.NewTicker(drainEvery)
	defer look.Stop()
	for {
		d := k.underWay(h)
		if d.Drained {
			return d, nil
		}
		select {
		case <-ctx.Done():
			return d, nil
		case <-h.done:
			return Drain{}, ErrUnknown
		case <-look.C:
		}
	}
}

// underWay looks at all flights once.
func (k *Keeper) underWay(h *Hold) Drain {
	var d Drain
	now := time.Now().UnixMilli()
	k.flights.mu.Lock()
	defer k.flights.mu.Unlock()
	for f := k.flights.ring.after; f != &k.flights.ring; f = f.after {
		r, mark := f.route.Load(), f.mark.Load()
		switch {
		case r == nil, !h.has(r.Name), mark&upgraded == 0 && mark&reads != 0 && !h.order.Reads:
		case mark&upgraded != 0:
			d.Upgraded++
		default:
			d.Left++
			d.Requests = append(d.Requests, Request{r.Name, max(0, now-mark>>markBits)})
		}
	}
	slices.SortFunc(d.Requests, func(a, b Request) int { return cmp.Compare(b.AgeMS, a.AgeMS) })
	d.Requests = d.Requests[:min(len(d.Requests), limitNamed)]
	d.Drained = d.Left == 0
	return d
}

// Status is what others are told about the hold.
func (h *Hold) Status() Status {
	h.mu.Lock()
	defer h.mu.Unlock()
	return Status{
		ID: h.order.ID, Claim: h.order.Claim, Holder: h.order.Holder, Split: h.order.Split, Routes: h.order.Routes, Reads: h.order.Reads,
		Since: h.since, Expires: h.expires, Ends: h.ends,
		Parked: h.parked, Bytes: h.bytes, Most: h.most, Refused: h.refused,
	}
}
