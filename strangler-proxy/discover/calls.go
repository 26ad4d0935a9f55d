package discover

import (
	"sync/atomic"
	"time"
)

// A Kind says what somebody was asked for.
type Kind int

// The kinds of calls.
const (
	Request  Kind = iota // the monolith was to answer
	Fallback             // the monolith was asked because the service could not answer
	Copy                 // the monolith got a copy whose answer is only compared
	Service              // the service answered, or nobody
	kindCount
)

// Calls count the calls of one route by kind. They cost a request a few nanoseconds.
// Goroutines may share them.
type Calls struct {
	tallies [kindCount]tally
	urgent  *atomic.Bool // set when what happened must not be forgotten
}

type tally struct {
	n    atomic.Uint64
	last atomic.Int64 // seconds since 1970
}

// rare is the pause after which a call is news: it is written down at once.
const rare = int64(time.Hour / time.Second)

// Note counts a call.
func (c *Calls) Note(k Kind, at time.Time) {
	t, now := &c.tallies[k], at.Unix()
	t.n.Add(1)
	last := t.last.Load()
	for last < now && !t.last.CompareAndSwap(last, now) {
		last = t.last.Load()
	}
	if now-last >= rare {
		c.urgent.Store(true)
	}
}

// A count is a number of calls and when the last one was.
type count struct {
	N    uint64 `json:"n,omitempty"`
	Last int64  `json:"last,omitempty"` // seconds since 1970
}

func (c *count) add(o count) {
	c.N += o.N
	c.Last = max(c.Last, o.Last)
}

// counts are what Calls stand at.
type counts [kindCount]count

func (c *Calls) counts() (all counts) {
	for k := range all {
		t := &c.tallies[k]
		all[k].N = t.n.Load() // before the time, which then is not older
		all[k].Last = t.last.Load()
	}
	return all
}

func (c *counts) add(o counts) {
	for k := range c {
		c[k].add(o[k])
	}
}

// lastMonolith is when the monolith was last called, and how; 0 means never.
func (c *counts) lastMonolith() (at int64, kind Kind) {
	for _, k := range []Kind{Request, Fallback, Copy} {
		if c[k].Last > at {
			at, kind = c[k].Last, k
		}
	}
	return at, kind
}

// lastRequest is when a client last asked.
func (c *counts) lastRequest() int64 {
	return max(c[Request].Last, c[Fallback].Last, c[Service].Last)
}
