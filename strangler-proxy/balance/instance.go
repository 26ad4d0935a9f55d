package balance

import (
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// A State says whether an instance is asked.
type State string

// The states of an Instance.
const (
	Well    State = "well"    // it gets its share
	Easing  State = "easing"  // it has come back and gets a growing part of its share
	Ejected State = "ejected" // it has failed too often in a row and is left out for a while
	Down    State = "down"    // its health checks fail, so it is left out until they pass
)

// An Instance is one address of a service. Goroutines may share it.
type Instance struct {
	URL *url.URL

	slowStart time.Duration
	changed   func(string, State)

	ailing  atomic.Bool  // anything but Well
	streak  atomic.Int32 // failures in a row
	mu      sync.Mutex
	down    bool
	checks  int       // results in a row that speak against the present state
	ejected int       // times in a row
	out     time.Time // the end of the ejection; zero when it is not ejected
	back    time.Time // when it came back
	credit  float64   // of the slow start: a whole one admits a request
}

// Succeeded says that the instance has answered.
func (i *Instance) Succeeded() {
	if i.streak.Load() != 0 {
		i.streak.Store(0)
	}
}

// Failed says that it could not answer.
func (i *Instance) Failed() {
	if i.streak.Add(1) < ejectAfter {
		return
	}
	i.mu.Lock()
	now := time.Now()
	again := i.state(now) == Ejected || i.down
	if !again {
		i.ejected = min(i.ejected+1, limitEject)
		i.out = now.Add(time.Duration(i.ejected) * ejectFor)
		i.back = time.Time{}
		i.ailing.Store(true)
		i.streak.Store(ejectAfter - 1) // one failure after its return is enough
	}
	i.mu.Unlock()
	if !again {
		i.changed(i.URL.String(), Ejected)
	}
}

// Checked notes the result of a health check.
func (i *Instance) Checked(passed bool) {
	i.mu.Lock()
	before := i.down
	switch {
	case passed != i.down:
		i.checks = 0
	case passed:
		if i.checks++; i.checks >= rise {
			i.down, i.checks, i.out = false, 0, time.Time{}
			i.comeBack(time.Now())
		}
	default:
		if i.checks++; i.checks >= fall {
			i.down, i.checks = true, 0
			i.ailing.Store(true)
		}
	}
	after := i.down
	state := i.state(time.Now())
	i.mu.Unlock()
	if before != after {
		i.changed(i.URL.String(), state)
	}
}

// State says whether the instance is asked.
func (i *Instance) State() State {
	if !i.ailing.Load() {
		return Well
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.state(time.Now())
}

// state takes the steps that are due by time.
func (i *Instance) state(now time.Time) State {
	switch {
	case i.down:
		return Down
	case !i.out.IsZero() && now.Before(i.out):
		return Ejected
	case !i.out.IsZero():
		i.comeBack(i.out)
		i.out = time.Time{}
	}
	if i.ailing.Load() && now.Sub(i.back) >= i.slowStart {
		i.ailing.Store(false)
		i.ejected = 0
	}
	if i.ailing.Load() {
		return Easing
	}
	return Well
}

func (i *Instance) comeBack(at time.Time) { i.back, i.credit = at, 0 }

// leastShare is what an instance that has just come back gets of its share.
const leastShare = 0.1

// available asks for a place in the present turn.
func (i *Instance) available() bool {
	if !i.ailing.Load() {
		return true
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	at := time.Now()
	switch i.state(at) {
	case Well:
		return true
	case Easing:
		i.credit += max(leastShare, float64(at.Sub(i.back))/float64(i.slowStart))
		if i.credit >= 1 {
			i.credit--
			return true
		}
	case Ejected, Down:
	}
	return false
}

// easing reports whether the instance could be asked if there is no better one.
func (i *Instance) easing() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	state := i.state(time.Now())
	return state == Easing || state == Well
}
