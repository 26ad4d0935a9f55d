// Package balance chooses among the instances of a service: in turn, leaving out those
// that their health checks or their own failures speak against, and easing those in
// that come back. If all are left out, all are asked: that is the breaker's matter.
package balance

import (
	"net/url"
	"sync/atomic"
	"time"
)

// Limits after which an instance is left out or taken back. They are constants because
// the breaker, which can be tuned, judges the service as a whole.
const (
	ejectAfter = 3                // failures in a row
	ejectFor   = 10 * time.Second // once; longer each time in a row, up to limitEject times
	limitEject = 6
	fall       = 3 // failed checks in a row
	rise       = 2 // passed checks in a row
)

// Options tune a Pool. The zero value is fit for production.
type Options struct {
	SlowStart time.Duration                    // how long an instance that comes back gets less than its share; 0 means not at all
	Changed   func(instance string, now State) // called when an instance is left out or taken back; must not call the Pool
}

// A Pool holds the instances of one service. Goroutines may share it.
type Pool struct {
	instances []*Instance
	turn      atomic.Uint32
}

// New returns a Pool of at least one url. Instances that old, which may be nil, has
// with the same slow start keep their state.
func New(urls []*url.URL, opts Options, old *Pool) *Pool {
	if opts.Changed == nil {
		opts.Changed = func(string, State) {}
	}
	known := map[string]*Instance{}
	if old != nil {
		for _, i := range old.instances {
			known[i.URL.String()] = i
		}
	}
	p := &Pool{}
	for _, u := range urls {
		i := known[u.String()]
		if i == nil || i.slowStart != opts.SlowStart {
			i = &Instance{URL: u, slowStart: opts.SlowStart, changed: opts.Changed}
		}
		p.instances = append(p.instances, i)
	}
	return p
}

// Instances returns the instances in the order of their urls.
func (p *Pool) Instances() []*Instance { return p.instances }

// Turn begins the search for an instance for one request.
func (p *Pool) Turn() Turn { return Turn{pool: p, turn: p.turn.Add(1) - 1} }

// A Turn hands out one instance after the other until one takes the request.
type Turn struct {
	pool  *Pool
	turn  uint32
	first int
	given int  // instances that were looked at, counted from first
	begun bool // first is chosen
	all   bool // none is available, so all are asked
}

// Next returns an instance that was not returned before, or nil.
func (t *Turn) Next() *Instance {
	instances := t.pool.instances
	if !t.begun {
		t.begin()
	}
	for t.given < len(instances) {
		i := instances[(t.first+t.given)%len(instances)]
		t.given++
		if t.all || t.given == 1 || i.available() {
			return i
		}
	}
	return nil
}

// At is the number of the instance that Next returned last.
func (t *Turn) At() int { return (t.first + t.given - 1) % len(t.pool.instances) }

// begin chooses the first: of n available instances each gets every n-th request,
// wherever those that are left out stand.
func (t *Turn) begin() {
	t.begun = true
	instances := t.pool.instances
	t.first = int(t.turn % uint32(len(instances)))
	well := 0
	for _, i := range instances {
		if !i.ailing.Load() {
			well++
		}
	}
	if well == len(instances) {
		return
	}
	// One that is being eased in takes its turn if its share admits it.
	if i := instances[t.first]; i.ailing.Load() && i.available() {
		return
	}
	if well == 0 {
		t.firstAvailable()
		return
	}
	number := int(t.turn) % well
	for at, i := range instances {
		if i.ailing.Load() {
			continue
		}
		if number == 0 {
			t.first = at
			return
		}
		number--
	}
}

// firstAvailable looks for one that is being eased in, or lets all be asked.
func (t *Turn) firstAvailable() {
	instances := t.pool.instances
	for k := range instances {
		if at := (t.first + k) % len(instances); instances[at].easing() {
			t.first = at
			return
		}
	}
	t.all = true
}
