package hold

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stranglerfig/toolkit/internal/program"
)

// Options tune a Keeper. The zero value works.
type Options struct {
	// Settle is called before a hold ends that nobody released, so that the caller can
	// look who owns the tables now. The requests wait for it.
	Settle func()
	// Ended is called after a hold ended, with one of the reasons above.
	Ended func(s Status, why string)
}

// A Keeper keeps the holds of a proxy and the requests under way. Goroutines may share
// it. Close ends it.
type Keeper struct {
	opts    Options
	current atomic.Pointer[[]*Hold] // nil: there is none
	flights flights
	totals  totals

	mu     sync.Mutex
	closed bool
	ending sync.WaitGroup // holds that end by themselves
}

// New returns a Keeper without holds.
func New(opts Options) *Keeper {
	if opts.Settle == nil {
		opts.Settle = func() {}
	}
	if opts.Ended == nil {
		opts.Ended = func(Status, string) {}
	}
	k := &Keeper{opts: opts}
	k.flights.init()
	return k
}

// Any reports whether there is a hold at all.
func (k *Keeper) Any() bool { return k.current.Load() != nil }

// For returns the hold that keeps a request of the route, or nil. reads says that the
// request only reads.
func (k *Keeper) For(name string, reads bool) *Hold {
	holds := k.current.Load()
	if holds == nil {
		return nil
	}
	for _, h := range *holds {
		if (h.order.Reads || !reads) && h.has(name) {
			return h
		}
	}
	return nil
}

// Add begins a hold. The same order again renews it, and one with a higher claim takes
// it over, with the requests that are parked. The error is for the holder: an
// *OverlapError when somebody else holds one of the routes, a *ClaimError when somebody
// with a higher claim has the hold.
func (k *Keeper) Add(o Order) (Status, error) {
	if err := o.check(); err != nil {
		return Status{}, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	before := k.find(o.ID)
	switch {
	case before == nil:
	case before.order.Claim > o.Claim:
		return Status{}, before.claimed(o.Claim)
	case before.order.same(&o):
		return k.renew(before, o.TTL), nil
	}
	others := slices.DeleteFunc(slices.Clone(k.all()), func(h *Hold) bool { return h == before })
	for _, h := range others {
		for _, name := range o.Routes {
			if h.has(name) {
				return Status{}, &OverlapError{Route: name, ID: h.order.ID, Holder: h.order.Holder}
			}
		}
	}
	if len(others) >= limitHolds || k.closed {
		return Status{}, program.Fail(program.Refused, "release one first", "there are %d holds already", len(others))
	}
	h := newHold(o)
	h.timer = time.AfterFunc(o.TTL, func() { k.expire(h) })
	k.set(append(others, h))
	if before != nil { // what it parked finds the new one
		before.timer.Stop()
		before.wake(false)
	}
	return h.Status(), nil
}

// all are the holds in force; the slice is never changed.
func (k *Keeper) all() []*Hold {
	if holds := k.current.Load(); holds != nil {
		return *holds
	}
	return nil
}

// set makes holds those in force. The lock is held.
func (k *Keeper) set(holds []*Hold) {
	if len(holds) == 0 {
		k.current.Store(nil)
		return
	}
	k.current.Store(&holds)
}

func (k *Keeper) find(id string) *Hold {
	for _, h := range k.all() {
		if h.order.ID == id {
			return h
		}
	}
	return nil
}

// of returns the hold of the id for somebody with this very claim.
func (k *Keeper) of(id string, claim int64) (*Hold, error) {
	h := k.find(id)
	switch {
	case h == nil, h.order.Claim < claim:
		return nil, ErrUnknown
	case h.order.Claim > claim:
		return nil, h.claimed(claim)
	}
	return h, nil
}

// Renew lets a hold last another ttl from now on, or as long as before with 0. The error
// is ErrUnknown for one that has ended, or a *ClaimError.
func (k *Keeper) Renew(id string, claim int64, ttl time.Duration) (Status, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	h, err := k.of(id, claim)
	if err != nil {
		return Status{}, err
	}
	if ttl != 0 && (ttl < minTTL || ttl > MaxTTL) {
		return Status{}, invalid("from 100ms to 30s", "a hold cannot have a ttl of %s", ttl)
	}
	return k.renew(h, orDefault(ttl, h.order.TTL)), nil
}

// renew is Renew under the lock.
func (k *Keeper) renew(h *Hold, ttl time.Duration) Status {
	h.timer.Reset(h.extend(ttl))
	return h.Status()
}

// Release ends the hold of this claim or a lower one, and lets what it parked go on. The
// error is ErrUnknown for one that has ended already, or a *ClaimError.
func (k *Keeper) Release(id string, claim int64) (Status, error) {
	h := k.find(id)
	switch {
	case h == nil:
		return Status{}, ErrUnknown
	case h.order.Claim > claim:
		return Status{}, h.claimed(claim)
	case !k.end(h, ByHolder):
		return Status{}, ErrUnknown
	}
	return h.Status(), nil
}

// expire ends a hold whose time is over.
func (k *Keeper) expire(h *Hold) {
	k.mu.Lock()
	if k.closed || h.left() > 0 {
		k.mu.Unlock() // it was renewed at the last moment, and its timer set anew
		return
	}
	k.ending.Add(1)
	k.mu.Unlock()
	defer k.ending.Done()
	k.opts.Settle()
	if h.left() > 0 {
		return // a late renewal: the holder is alive
	}
	why := ByTTL
	if time.Until(h.ends) <= 0 {
		why = ByLimit
	}
	k.end(h, why)
}

// end takes a hold out of force and wakes what it parked. It reports false if it was
// out of force already.
func (k *Keeper) end(h *Hold, why string) bool {
	k.mu.Lock()
	holds := k.all()
	at := slices.Index(holds, h)
	if at < 0 {
		k.mu.Unlock()
		return false
	}
	h.timer.Stop()
	k.set(slices.Delete(slices.Clone(holds), at, at+1))
	h.wake(why == ByClosing)
	k.mu.Unlock()
	k.totals.end(why)
	k.opts.Ended(h.Status(), why)
	return true
}

// List describes the holds in force, the oldest first.
func (k *Keeper) List() []Status {
	list := []Status{}
	for _, h := range k.all() {
		list = append(list, h.Status())
	}
	return list
}

// Get describes one hold. The error is ErrUnknown if there is none.
func (k *Keeper) Get(id string) (Status, error) {
	if h := k.find(id); h != nil {
		return h.Status(), nil
	}
	return Status{}, ErrUnknown
}

// Close ends all holds, and none begins any more. What is parked is given up, as if its
// client had left: whoever closes has broken the connections off.
func (k *Keeper) Close() {
	k.mu.Lock()
	k.closed = true
	holds := k.all()
	k.mu.Unlock()
	for _, h := range holds {
		k.end(h, ByClosing)
	}
	k.ending.Wait()
}

// A Hold keeps the requests of some routes.
type Hold struct {
	order Order
	since time.Time
	ends  time.Time
	timer *time.Timer   // the Keeper's lock guards it
	done  chan struct{} // closed at its end

	mu      sync.Mutex // guards what follows
	expires time.Time
	ended   bool
	givenUp bool // at its end
	parked  int
	bytes   int64
	most    int
	refused uint64
}

func newHold(o Order) *Hold {
	now := time.Now()
	return &Hold{order: o, since: now, ends: now.Add(o.Limit), expires: now.Add(o.TTL), done: make(chan struct{})}
}

// extend lets the hold last another ttl, and returns how long that is.
func (h *Hold) extend(ttl time.Duration) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.expires = time.Now().Add(ttl)
	if h.expires.After(h.ends) {
		h.expires = h.ends
	}
	return time.Until(h.expires)
}

// left is how long the hold lasts without a renewal.
func (h *Hold) left() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return time.Until(h.expires)
}

func (h *Hold) has(name string) bool { return slices.Contains(h.order.Routes, name) }

func (h *Hold) claimed(claim int64) error {
	return &ClaimError{ID: h.order.ID, Holder: h.order.Holder, Claim: claim, Have: h.order.Claim}
}
