package wire

import (
	"sync"
	"sync/atomic"
	"time"
)

// An Alarm calls a function when a time is over, unless it was put off before. Its
// owner sets and clears it for every single wait, which costs an atomic store each: a
// timer that runs already is left alone, and looks when it fires whether there is more
// to wait for. One goroutine owns it.
type Alarm struct {
	ring  func() (again Instant)
	at    atomic.Int64 // when; 0: never; rung: it went off
	armed atomic.Int64 // when the timer fires; 0: it does not run
	mu    sync.Mutex   // guards the timer
	timer *time.Timer
	rings sync.Mutex // held while the function runs
}

// rung marks an alarm that went off.
const rung = -1

// Init gives the function, which another goroutine calls. If it returns an Instant, the
// alarm is set for that, unless its owner has meanwhile cleared it or set it anew.
func (a *Alarm) Init(ring func() (again Instant)) { a.ring = ring }

// Set puts the alarm on, or off to a later time.
func (a *Alarm) Set(at Instant) {
	a.at.Store(int64(at))
	if armed := a.armed.Load(); armed == 0 || armed > int64(at) {
		a.arm()
	}
}

// Clear puts the alarm off. It reports whether it went off before; the function may
// then still be running, or even be about to: see Await.
func (a *Alarm) Clear() (wentOff bool) { return a.at.Swap(0) == rung }

// Await waits until the function of an alarm that went off has done its work. Its caller
// must hold nothing that the function waits for.
func (a *Alarm) Await() {
	a.rings.Lock()
	a.rings.Unlock() //nolint:staticcheck // this is all there is to wait for
}

// Stop clears the alarm and its timer, for good. It waits for the function as Await
// does: what that uses may be gone from then on.
func (a *Alarm) Stop() {
	a.at.Store(0)
	a.mu.Lock()
	if a.timer != nil {
		a.timer.Stop()
		a.armed.Store(0)
	}
	a.mu.Unlock()
	a.Await()
}

// arm lets the timer run for what the alarm is set for by now.
func (a *Alarm) arm() {
	a.mu.Lock()
	defer a.mu.Unlock()
	at := a.at.Load()
	if at <= 0 {
		return
	}
	a.armed.Store(at)
	wait := time.Duration(Instant(at) - Now())
	if a.timer == nil {
		a.timer = time.AfterFunc(wait, a.look)
		return
	}
	a.timer.Reset(wait)
}

// look is what the timer calls. It says first that no timer runs and then looks what
// is due; Set does it the other way round, so that one of the two sees the other.
func (a *Alarm) look() {
	a.armed.Store(0)
	at := a.at.Load()
	switch {
	case at <= 0:
		return
	case at > int64(Now()):
		a.arm()
		return
	}
	a.rings.Lock()
	defer a.rings.Unlock()
	if !a.at.CompareAndSwap(at, rung) {
		a.arm() // for what it was set to meanwhile
		return
	}
	if again := a.ring(); again != 0 && a.at.CompareAndSwap(rung, int64(again)) {
		a.arm()
	}
}
