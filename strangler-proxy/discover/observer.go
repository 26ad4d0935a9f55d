package discover

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// An Observer learns from requests which endpoints there are. Goroutines may share it.
type Observer struct {
	ring     *ring
	asleep   atomic.Bool // the goroutine of Run waits for wake
	wake     chan struct{}
	dropped  atomic.Uint64 // did not fit into the ring
	unsorted atomic.Uint64 // too long, or of a method that endpoints do not have

	mu    sync.Mutex
	known *tree // what was there before, maybe from other proxies
	fresh *tree // what came since it was last added to known
	now   func() time.Time
}

// NewObserver returns an Observer that knows nothing. now is the clock; nil means time.Now.
func NewObserver(now func() time.Time) *Observer {
	if now == nil {
		now = time.Now
	}
	return &Observer{ring: newRing(), wake: make(chan struct{}, 1), known: newTree(), fresh: newTree(), now: now}
}

// Observe notes a request that ended: its method, its path as it was sent and without
// the query, its status and how long it took, negative when that says nothing. It never waits and keeps nothing of its
// arguments; when too many requests come at a time it counts them as dropped.
func (o *Observer) Observe(method, path string, status int, took time.Duration) {
	m := methodIndex(method)
	if m < 0 || len(path) > pathBytes {
		o.unsorted.Add(1)
		return
	}
	ok, wake := o.ring.put(m, path, status, took)
	if !ok {
		o.dropped.Add(1)
	}
	if wake || o.asleep.Load() && o.asleep.CompareAndSwap(true, false) {
		select {
		case o.wake <- struct{}{}:
		default:
		}
	}
}

// gather is how long Run lets requests gather, so that a busy proxy does not wake it
// for each.
const gather = 20 * time.Millisecond

// Run sorts what is observed until ctx ends.
func (o *Observer) Run(ctx context.Context) {
	pause := time.NewTimer(gather)
	defer pause.Stop()
	for {
		if !o.sort() {
			o.asleep.Store(true)
			if !o.sort() { // what came before the flag was up
				select {
				case <-ctx.Done():
					return
				case <-o.wake:
				}
			}
			o.asleep.Store(false)
		}
		pause.Reset(gather)
		select {
		case <-ctx.Done():
			o.sort()
			return
		case <-pause.C:
		case <-o.wake: // the ring fills
		}
	}
}

// sort moves what is in the ring into the tree and reports whether there was anything.
func (o *Observer) sort() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.drain()
}

// drain is sort for whoever holds the lock. It ends after one round of the ring, so
// that a flood cannot hold it.
func (o *Observer) drain() bool {
	now, any := o.now().Unix(), false
	for range ringSlots {
		if !o.ring.take(func(method int, path []byte, status int, took time.Duration) {
			f := o.fresh.observe(method, string(path), proves(status), o.known)
			if f != nil {
				f.record(status, took, now)
			}
		}) {
			break
		}
		any = true
	}
	o.fresh.Other += o.unsorted.Swap(0)
	return any
}

// proves reports whether an answer shows that the application has such an endpoint. A
// scanner that tries ten thousand paths gets 404 for them, and none becomes an endpoint.
func proves(status int) bool {
	switch status {
	case 400, 404, 405, 408, 414, 431, 499:
		return false
	}
	return status >= 101 && status <= 500
}

// all returns everything that is known.
func (o *Observer) all() *tree {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.drain()
	sum := newTree()
	sum.add(o.known)
	sum.add(o.fresh)
	return sum
}

// takeFresh returns what came since the last time, and adds it to what is known.
func (o *Observer) takeFresh() *tree {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.drain()
	fresh := o.fresh
	o.known.add(fresh)
	o.fresh = newTree()
	return fresh
}

// copyKnown returns what was known when takeFresh was last called.
func (o *Observer) copyKnown() *tree {
	o.mu.Lock()
	defer o.mu.Unlock()
	sum := newTree()
	sum.add(o.known)
	return sum
}

// setKnown replaces what is known.
func (o *Observer) setKnown(t *tree) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.known = t
}

// Dropped counts the requests that came too fast to be looked at.
func (o *Observer) Dropped() uint64 { return o.dropped.Load() }
