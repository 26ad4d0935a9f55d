// Package follow keeps a service's copy of the monolith's data equal to it, through the
// monolith's read API for services. It also says how far the copy is: in the service's
// health, its metrics and its refusals until there is one.
package follow

import (
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stranglerfig/toolkit/internal/instant"
)

// A State is how a copy stands to what it follows. It is safe for concurrent use.
type State struct {
	name string
	now  func() time.Time

	mu       sync.Mutex
	ready    bool
	caughtUp time.Time // the last time that everything had been read; zero: not since the start
	lastErr  string
	errors   int64
	behind   int64 // changes not read yet
}

// New returns the state of the copy of the service name, which is not ready yet.
func New(name string, now func() time.Time) *State { return &State{name: name, now: now} }

// SetReady notes whether the copy is complete.
func (s *State) SetReady(ready bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ready = ready
}

// SetBehind notes how many changes are known and not read yet.
func (s *State) SetBehind(changes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.behind = max(0, changes)
}

// Polled notes how a look at the monolith ended, and logs it where that is new.
func (s *State) Polled(err error, log *slog.Logger) {
	before, after := s.polled(err)
	switch {
	case after != "" && before != after:
		log.Warn("the monolith cannot be read", "error", after)
	case before != "" && after == "":
		log.Info("the monolith can be read again")
	}
}

func (s *State) polled(err error) (before, after string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before = s.lastErr
	if err == nil {
		s.lastErr, s.caughtUp = "", s.now()
		return before, ""
	}
	s.lastErr = err.Error()
	s.errors++
	return before, s.lastErr
}

// Status is a State at one moment. Status.Word is "loading" until the first snapshot
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
func (s *State) Ready() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ready
}

// Status returns the state as it is now.
func (s *State) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Status{Word: "ok", BehindByRows: s.behind, LastError: s.lastErr}
	if !s.caughtUp.IsZero() {
		at := instant.From(s.caughtUp)
		st.CaughtUpAt = &at
		st.LagSeconds = s.now().Sub(s.caughtUp).Round(time.Millisecond).Seconds()
	}
	switch {
	case !s.ready:
		st.Word = "loading"
	case s.lastErr != "":
		st.Word = "degraded"
	}
	return st
}

// Collectors returns the metrics, NAME_feed_….
func (s *State) Collectors() []prometheus.Collector {
	gauge := func(name, help string, value func(Status) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: s.name + "_feed_" + name, Help: help},
			func() float64 { return value(s.Status()) })
	}
	return []prometheus.Collector{
		gauge("lag_seconds", "Time since everything the monolith has was read.", func(st Status) float64 { return st.LagSeconds }),
		gauge("behind_changes", "Changes of the monolith that are not read yet.", func(st Status) float64 { return float64(st.BehindByRows) }),
		gauge("ready", "1 once the first snapshot is complete.", func(Status) float64 {
			if s.Ready() {
				return 1
			}
			return 0
		}),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: s.name + "_feed_errors_total", Help: "Looks at the monolith that went wrong.",
		}, func() float64 {
			s.mu.Lock()
			defer s.mu.Unlock()
			return float64(s.errors)
		}),
	}
}
