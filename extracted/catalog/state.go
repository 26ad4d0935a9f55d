package catalog

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stranglerfig/toolkit/internal/instant"
)

// state is what the feed says about itself.
type state struct {
	mu       sync.Mutex
	ready    bool
	caughtUp time.Time // the last time that everything had been read; zero: not since the start
	lastErr  string
	errors   int64
	behind   int64 // changes not read yet
}

func (s *state) setReady(ready bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ready = ready
}

func (s *state) setBehind(changes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.behind = max(0, changes)
}

// polled notes how a poll ended and returns the error text before and after it.
func (s *state) polled(err error, now time.Time) (before, after string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before = s.lastErr
	if err == nil {
		s.lastErr, s.caughtUp = "", now
		return before, ""
	}
	s.lastErr = err.Error()
	s.errors++
	return before, s.lastErr
}

// Status is the state of a Feed. Status.Word is "loading" until the first snapshot
// is complete, "degraded" while the monolith cannot be read, otherwise "ok".
type Status struct {
	Word         string           `json:"status"`
	CaughtUpAt   *instant.Instant `json:"caught_up_at"` // null: not since the start
	LagSeconds   float64          `json:"lag_seconds"`
	BehindByRows int64            `json:"behind_by_changes"`
	LastError    string           `json:"last_error,omitempty"`
}

// Ready reports whether the copy is complete: a first snapshot was taken, now or in
// an earlier run.
func (f *Feed) Ready() bool {
	f.state.mu.Lock()
	defer f.state.mu.Unlock()
	return f.state.ready
}

// Status returns the state of the feed.
func (f *Feed) Status() Status {
	f.state.mu.Lock()
	defer f.state.mu.Unlock()
	st := Status{Word: "ok", BehindByRows: f.state.behind, LastError: f.state.lastErr}
	if !f.state.caughtUp.IsZero() {
		at := instant.From(f.state.caughtUp)
		st.CaughtUpAt = &at
		st.LagSeconds = f.store.now().Sub(f.state.caughtUp).Round(time.Millisecond).Seconds()
	}
	switch {
	case !f.state.ready:
		st.Word = "loading"
	case f.state.lastErr != "":
		st.Word = "degraded"
	}
	return st
}

// Collectors returns the metrics of the feed.
func (f *Feed) Collectors() []prometheus.Collector {
	gauge := func(name, help string, value func(Status) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "catalog_feed_" + name, Help: help},
			func() float64 { return value(f.Status()) })
	}
	return []prometheus.Collector{
		gauge("lag_seconds", "Time since everything the monolith has was read.", func(s Status) float64 { return s.LagSeconds }),
		gauge("behind_changes", "Changes of the monolith that are not read yet.", func(s Status) float64 { return float64(s.BehindByRows) }),
		gauge("ready", "1 once the first snapshot is complete.", func(Status) float64 {
			if f.Ready() {
				return 1
			}
			return 0
		}),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "catalog_feed_errors_total", Help: "Looks at the monolith that went wrong.",
		}, func() float64 {
			f.state.mu.Lock()
			defer f.state.mu.Unlock()
			return float64(f.state.errors)
		}),
	}
}
