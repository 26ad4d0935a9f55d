package transfer

import (
	"slices"
	"sync"
	"time"
)

// A Meter counts what ways do. It is safe for concurrent use; nil counts nothing.
type Meter struct {
	mu     sync.Mutex
	counts Counts
	lags   []lag // a ring
	next   int
}

// Counts are the figures of a Meter.
type Counts struct {
	Chunks   int64 `json:"chunks"`   // transactions of the copy
	Rows     int64 `json:"rows"`     // that it copied
	Entries  int64 `json:"entries"`  // of the log that were applied
	Keys     int64 `json:"keys"`     // distinct ones among them, within each transaction
	Compared int64 `json:"compared"` // rows that were compared
	Repaired int64 `json:"repaired"` // rows that differed and were enqueued again
}

// Plus returns the sums of both.
func (c Counts) Plus(d Counts) Counts {
	return Counts{
		Chunks: c.Chunks + d.Chunks, Rows: c.Rows + d.Rows, Entries: c.Entries + d.Entries,
		Keys: c.Keys + d.Keys, Compared: c.Compared + d.Compared, Repaired: c.Repaired + d.Repaired,
	}
}

// A lag is how long one change took to the other side.
type lag struct {
	at   time.Time // when it was there
	took time.Duration
}

// lagsKept bounds the changes that a Lag is computed from.
const lagsKept = 10_000

// A Lag says how long changes took from the statement that wrote them to the commit on
// the other side.
type Lag struct {
	Changes int // that were measured
	P50     time.Duration
	P99     time.Duration
	Most    time.Duration
}

// Counts returns the figures so far.
func (m *Meter) Counts() Counts {
	if m == nil {
		return Counts{}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.counts
}

// Lag computes the lag of the changes that arrived within the last d, at most 10,000.
func (m *Meter) Lag(d time.Duration) Lag {
	if m == nil {
		return Lag{}
	}
	since := time.Now().Add(-d)
	var took []time.Duration
	m.mu.Lock()
	for _, l := range m.lags {
		if l.at.After(since) {
			took = append(took, l.took)
		}
	}
	m.mu.Unlock()
	if len(took) == 0 {
		return Lag{}
	}
	slices.Sort(took)
	last := len(took) - 1
	return Lag{Changes: len(took), P50: took[last/2], P99: took[last*99/100], Most: took[last]}
}

func (m *Meter) count(add Counts) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.counts = m.counts.Plus(add)
}

// arrived notes changes that were written at these times and are on the other side now.
func (m *Meter) arrived(written []time.Time) {
	if m == nil || len(written) == 0 {
		return
	}
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, at := range written {
		l := lag{now, max(0, now.Sub(at))}
		if len(m.lags) < lagsKept {
			m.lags = append(m.lags, l)
			continue
		}
		m.lags[m.next] = l
		m.next = (m.next + 1) % lagsKept
	}
}
