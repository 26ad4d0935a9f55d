// Package retry bounds how often services are asked again: a share of the requests
// that they get anyway, so that retries never turn a weak service into a dead one.
package retry

import (
	"sync"
	"time"
)

// Window is how far back requests and retries count.
const Window = 10 * time.Second

// Floor is how many retries within a Window are allowed whatever the share: where
// little happens, a share of it would be none.
const Floor = 3

const slots = 10

// A Budget counts the requests and retries of one service. The zero value is ready,
// and goroutines may share it.
type Budget struct {
	mu    sync.Mutex
	began time.Time // the first slot of all did
	now   int64     // number of the present slot
	slots [slots]slot
	sum   slot
}

type slot struct{ requests, retries int64 }

// Asked counts a request that came for the service, its retries not.
func (b *Budget) Asked() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.add(slot{requests: 1})
}

// Take asks for one retry while percent of the requests may be tried again. It counts
// the retry if that is granted.
func (b *Budget) Take(percent int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.advance()
	if b.sum.retries >= max(Floor, b.sum.requests*int64(percent)/100) {
		return false
	}
	b.add(slot{retries: 1})
	return true
}

func (b *Budget) add(s slot) {
	b.advance()
	at := &b.slots[b.now%slots]
	at.requests += s.requests
	at.retries += s.retries
	b.sum.requests += s.requests
	b.sum.retries += s.retries
}

// advance empties the slots that the window has left behind.
func (b *Budget) advance() {
	if b.began.IsZero() {
		b.began = time.Now()
	}
	now := int64(time.Since(b.began) / (Window / slots))
	for range min(now-b.now, slots) {
		b.now++
		old := &b.slots[b.now%slots]
		b.sum.requests -= old.requests
		b.sum.retries -= old.retries
		*old = slot{}
	}
	b.now = now
}
