package shadow

import (
	"sync/atomic"
	"time"
)

// A limiter admits so many a second, and some of them at once. The zero value admits
// everything.
type limiter struct {
	interval time.Duration // between two
	burst    time.Duration // by how much the schedule may run ahead of the clock
	next     atomic.Int64  // when the next one is due, by the clock of now
}

// newLimiter admits at once what may come within together.
func newLimiter(rate float64, together time.Duration) *limiter {
	l := &limiter{}
	if rate > 0 {
		l.interval = max(1, time.Duration(float64(time.Second)/rate))
		l.burst = max(0, together-l.interval)
	}
	return l
}

// admit takes one if there is one at now, a time since any fixed point.
func (l *limiter) admit(now time.Duration) bool {
	if l.interval == 0 {
		return true
	}
	for {
		due := l.next.Load()
		if time.Duration(due) > now+l.burst {
			return false
		}
		if l.next.CompareAndSwap(due, int64(max(now, time.Duration(due))+l.interval)) {
			return true
		}
	}
}
