// Package breaker decides, request by request, whether a service that has been failing
// is asked. It judges by the last results, not by a period of time, so it behaves the
// same at one request a second and at a thousand. It keeps no goroutine and no timer,
// and a service without failures costs an atomic load for each request.
package breaker

import (
	"sync"
	"sync/atomic"
	"time"
)

// Settings say when a Breaker opens and how it comes back.
type Settings struct {
	Failures int           // that open it, among the last Window results
	Window   int           // results that are looked at
	Wait     time.Duration // open, before the service is tried again
	Probes   int           // requests that try it; all have to succeed
	Ramp     time.Duration // how long its share then grows to all requests
}

// Default returns the settings of a service that says nothing else.
func Default() Settings {
	return Settings{Failures: 5, Window: 20, Wait: 5 * time.Second, Probes: 3, Ramp: 30 * time.Second}
}

// A State is where a Breaker stands.
type State uint8

// The states, in the order of their metric's value.
const (
	Closed  State = iota // every request goes to the service
	Ramping              // a growing share does
	Probing              // some try whether it is well again
	Open                 // none does
)

// String returns the word for status, log and metric.
func (s State) String() string {
	return [...]string{"closed", "ramping", "half-open", "open"}[s]
}

// A Change is a step from one state to another.
type Change struct {
	From, To State
	Failures int // in the window, when it opened
}

// A Breaker guards one service. Goroutines may share it. A nil Breaker admits everything.
type Breaker struct {
	settings Settings
	changed  func(Change)

	phase    atomic.Uint64 // number of changes so far, and the state in the lowest two bits
	failures atomic.Int32  // in the window

	mu     sync.Mutex
	window []bool // the last results, true is a failure; next is the oldest
	next   int
	since  time.Time
	opened uint64
	probes int     // admitted in this phase and not given back
	passed int     // probes that succeeded
	credit float64 // of the ramp: a whole one admits a request
}

// New returns a closed Breaker. changed is called after each change of state, not
// always in their order; nil ignores them. It must not call the Breaker.
func New(settings Settings, changed func(Change)) *Breaker {
	if changed == nil {
		changed = func(Change) {}
	}
	return &Breaker{settings: settings, changed: changed, window: make([]bool, settings.Window), since: time.Now()}
}

// Settings returns what the Breaker was made with.
func (b *Breaker) Settings() Settings { return b.settings }

func stateOf(phase uint64) State { return State(phase & 3) }

// limitProbing is how long probes may leave us waiting before another round begins.
const limitProbing = time.Minute

// Admit asks whether a request may go to the service. If so, exactly one of the
// permit's methods has to be called; if not, the state says why. A request that may
// not be asked again tries a doubtful service only if no other came for a while.
func (b *Breaker) Admit(repeatable bool) (Permit, State, bool) {
	if b == nil {
		return Permit{}, Closed, true
	}
	phase := b.phase.Load()
	if stateOf(phase) == Closed {
		return Permit{breaker: b, phase: phase}, Closed, true
	}
	return b.admitWithCare(repeatable)
}

func (b *Breaker) admitWithCare(repeatable bool) (Permit, State, bool) {
	now := time.Now()
	b.mu.Lock()
	notify := b.advance(now)
	phase := b.phase.Load()
	admitted := false
	switch state := stateOf(phase); state {
	case Closed:
		admitted = true
	case Ramping:
		b.credit += float64(now.Sub(b.since)) / float64(b.settings.Ramp)
		if admitted = b.credit >= 1; admitted {
			b.credit--
		}
	case Probing:
		if admitted = b.probes < b.settings.Probes && (repeatable || now.Sub(b.since) >= b.settings.Wait); admitted {
			b.probes++
		}
	case Open:
	}
	b.mu.Unlock()
	b.report(notify)
	if !admitted {
		return Permit{}, stateOf(phase), false
	}
	return Permit{breaker: b, phase: phase}, stateOf(phase), true
}

// advance takes the steps that are due by time.
func (b *Breaker) advance(now time.Time) []Change {
	spent := now.Sub(b.since)
	switch stateOf(b.phase.Load()) {
	case Open:
		if spent >= b.settings.Wait {
			return b.become(Probing, now)
		}
	case Probing:
		if b.probes > 0 && spent >= max(limitProbing, 4*b.settings.Wait) {
			return b.become(Open, now)
		}
	case Ramping:
		if spent >= b.settings.Ramp {
			return b.become(Closed, now)
		}
	case Closed:
	}
	return nil
}

func (b *Breaker) become(state State, now time.Time) []Change {
	phase := b.phase.Load()
	change := Change{From: stateOf(phase), To: state, Failures: int(b.failures.Load())}
	if state == Open {
		b.opened++
	}
	if state == Open || state == Ramping {
		b.forget()
	}
	b.since, b.probes, b.passed, b.credit = now, 0, 0, 0
	b.phase.Store((phase>>2+1)<<2 | uint64(state))
	return []Change{change}
}

// forget empties the window.
func (b *Breaker) forget() {
	clear(b.window)
	b.next = 0
	b.failures.Store(0)
}

func (b *Breaker) report(changes []Change) {
	for _, c := range changes {
		b.changed(c)
	}
}

// A Permit stands for a request that was admitted. Its result counts only if the
// Breaker's state is still the one that admitted it.
type Permit struct {
	breaker *Breaker
	phase   uint64
}

// Succeeded says that the service answered.
func (p Permit) Succeeded() {
	// A success moves nothing in a window that holds no failure.
	if b := p.breaker; b != nil && (stateOf(p.phase) != Closed || b.failures.Load() > 0) {
		b.result(p.phase, false)
	}
}

// Failed says that the service could not answer.
func (p Permit) Failed() {
	if p.breaker != nil {
		p.breaker.result(p.phase, true)
	}
}

// Dropped says that nothing was learned about the service: the client gave up.
func (p Permit) Dropped() {
	b := p.breaker
	if b == nil || stateOf(p.phase) != Probing {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.phase.Load() == p.phase {
		b.probes--
	}
}

func (b *Breaker) result(phase uint64, failed bool) {
	b.mu.Lock()
	var notify []Change
	if b.phase.Load() == phase {
		notify = b.learn(stateOf(phase), failed)
	}
	b.mu.Unlock()
	b.report(notify)
}

func (b *Breaker) learn(state State, failed bool) []Change {
	now := time.Now()
	if state == Probing {
		b.passed++
		switch {
		case failed:
			return b.become(Open, now)
		case b.passed < b.settings.Probes:
			return nil
		case b.settings.Ramp > 0:
			return b.become(Ramping, now)
		}
		return b.become(Closed, now)
	}
	b.push(failed)
	if int(b.failures.Load()) >= b.settings.Failures {
		return b.become(Open, now)
	}
	return nil
}

func (b *Breaker) push(failed bool) {
	if b.window[b.next] {
		b.failures.Add(-1)
	}
	if failed {
		b.failures.Add(1)
	}
	b.window[b.next] = failed
	b.next = (b.next + 1) % len(b.window)
}
