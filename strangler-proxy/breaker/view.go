package breaker

import "time"

// A View is what a Breaker looks like from outside.
type View struct {
	State    State
	Since    time.Time
	Failures int     // among the last Settings.Window results
	Opened   uint64  // how often it has opened
	Share    float64 // of the requests that go to the service now, from 0 to 1
}

// View returns how the Breaker stands. It takes a step that is due at the end of the ramp.
func (b *Breaker) View() View {
	now := time.Now()
	b.mu.Lock()
	var notify []Change
	if stateOf(b.phase.Load()) == Ramping {
		notify = b.advance(now)
	}
	v := View{State: stateOf(b.phase.Load()), Since: b.since, Failures: int(b.failures.Load()), Opened: b.opened}
	switch v.State {
	case Closed:
		v.Share = 1
	case Ramping:
		v.Share = float64(now.Sub(b.since)) / float64(b.settings.Ramp)
	case Probing, Open:
	}
	b.mu.Unlock()
	b.report(notify)
	return v
}

// Closed reports whether every request goes to the service. A nil Breaker is closed.
func (b *Breaker) Closed() bool { return b == nil || stateOf(b.phase.Load()) == Closed }

// Resting reports whether the service has been left alone for less than Settings.Wait.
// A nil Breaker never rests.
func (b *Breaker) Resting() bool {
	if b == nil || stateOf(b.phase.Load()) != Open {
		return false
	}
	v := b.View()
	return v.State == Open && time.Since(v.Since) < b.settings.Wait
}
