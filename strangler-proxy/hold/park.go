package hold

import "time"

// An Outcome is what became of a parked request.
type Outcome int

// The outcomes.
const (
	Released Outcome = iota // the hold ended: find out anew who serves the request
	Full                    // there was no room for it
	Left                    // the client did not wait for it
	Late                    // it waited as long as a request may
)

// A Client is who waits.
type Client interface {
	// Left reports whether nobody waits for the answer any more.
	Left() bool
}

// lookEvery is how often it is looked whether a parked request's client is still there.
const lookEvery = 50 * time.Millisecond

// Park keeps a request until the hold ends, at most for limit. size is what has come of
// it; nothing more of it is read meanwhile. c is asked from this goroutine.
func (k *Keeper) Park(h *Hold, size int64, limit time.Duration, c Client) Outcome {
	if outcome, room := h.enter(size); !room {
		if outcome == Full {
			k.totals.count(Full, 0)
		}
		return outcome
	}
	k.totals.parked.Add(1)
	began := time.Now()
	outcome := h.wait(limit, c)
	h.leave(size)
	k.totals.parked.Add(-1)
	k.totals.count(outcome, time.Since(began))
	return outcome
}

// enter takes a place. Without one, the outcome says why.
func (h *Hold) enter(size int64) (_ Outcome, room bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.ended:
		return Released, false
	case h.parked >= h.order.Requests || h.bytes+size > h.order.Bytes:
		h.refused++
		return Full, false
	}
	h.parked++
	h.bytes += size
	h.most = max(h.most, h.parked)
	return Released, true
}

func (h *Hold) leave(size int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.parked--
	h.bytes -= size
}

func (h *Hold) wait(limit time.Duration, c Client) Outcome {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	until := time.Now().Add(limit)
	for {
		select {
		case <-h.done:
			return h.outcome()
		case now := <-look.C:
			switch {
			case c.Left():
				return Left
			case now.After(until):
				return Late
			}
		}
	}
}

// outcome is what becomes of the requests of a hold that has ended.
func (h *Hold) outcome() Outcome {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.givenUp {
		return Left
	}
	return Released
}

// wake lets everything go on that is parked, or gives it up.
func (h *Hold) wake(giveUp bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.ended {
		h.ended, h.givenUp = true, giveUp
		close(h.done)
	}
}
