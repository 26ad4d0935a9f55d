package shadow

import (
	"slices"
	"sync"
	"sync/atomic"
)

// A lane is the way to one side: copies wait in it for one of its workers. Workers are
// started when there is work and end when there is none.
type lane struct {
	side    string
	budget  budget
	limiter atomic.Pointer[limiter]
	waiting atomic.Int32
	room    atomic.Int32 // how many may wait

	shadow *Shadow

	mu      sync.Mutex
	limits  Limits
	queue   []*Ticket
	workers int
	stopped bool
}

// leastKept is what each copy that waits may take in any case: two heads and short
// bodies, each in a buffer of its own.
const leastKept = 4 * leastBuffer

func (l *lane) configure(limits Limits, maxBody int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if old := l.limits; l.limiter.Load() == nil || old.Rate != limits.Rate {
		l.limiter.Store(newLimiter(limits.Rate, shortBurst))
	}
	l.limits = limits
	l.room.Store(int32(limits.Queue))
	l.budget.limit.Store(int64(limits.Queue) * int64(max(maxBody, leastKept)))
}

// full reports whether a copy of r could not wait now.
func (l *lane) full(r *liveRoute) bool {
	own := r.Settings.Limits.Queue
	return l.waiting.Load() >= l.room.Load() || own > 0 && int(r.stats.waiting.Load()) >= own
}

// push queues a ticket, or says why not.
func (l *lane) push(t *Ticket) (Reason, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.stopped:
		return Stopping, false
	case l.full(t.route):
		return QueueFull, false
	}
	l.queue = append(l.queue, t)
	l.waiting.Add(1)
	t.route.stats.waiting.Add(1)
	if l.workers < l.limits.InFlight {
		l.workers++
		l.shadow.working.Go(l.work)
	}
	return 0, true
}

func (l *lane) work() {
	for t := l.next(); t != nil; t = l.next() {
		t.perform()
		t.free()
		t.route.stats.asking.Add(-1)
	}
}

// next takes the first ticket whose route may ask, or signs the worker off. A ticket
// that stays behind because of its route's limit is taken by the worker that asks for
// that route now.
func (l *lane) next() *Ticket {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.workers <= l.limits.InFlight {
		for i, t := range l.queue {
			own := t.route.Settings.Limits.InFlight
			if own > 0 && int(t.route.stats.asking.Load()) >= own {
				continue
			}
			l.queue = slices.Delete(l.queue, i, i+1)
			l.waiting.Add(-1)
			t.route.stats.waiting.Add(-1)
			t.route.stats.asking.Add(1)
			return t
		}
	}
	l.workers--
	return nil
}

// stop drops what waits and takes nothing more.
func (l *lane) stop() {
	l.mu.Lock()
	queue := l.queue
	l.queue, l.stopped = nil, true
	l.mu.Unlock()
	for _, t := range queue {
		l.waiting.Add(-1)
		t.route.stats.waiting.Add(-1)
		t.mu.Lock()
		t.drop(Stopping)
		t.mu.Unlock()
	}
}
