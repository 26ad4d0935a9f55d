package promote

import (
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// A Status is how the automation of a route or group stands, for people and programs.
type Status struct {
	Name       string     `json:"name"`     // of the route, or of the group that it moves with
	Promotes   bool       `json:"promotes"` // it has settings for promotion
	Verdict    Verdict    `json:"verdict,omitempty"`
	Why        string     `json:"why,omitempty"`
	Checks     []Checks   `json:"checks,omitempty"`
	Failing    int        `json:"failing,omitempty"`   // checks in a row that failed
	Threshold  int        `json:"threshold,omitempty"` // at so many it goes back
	Next       string     `json:"next,omitempty"`      // the stage after this one
	NextAt     *time.Time `json:"next_at,omitempty"`   // if the checks go on passing
	NextIn     string     `json:"next_in,omitempty"`   // the time until then
	Frozen     string     `json:"frozen,omitempty"`    // why, if somebody has to act first
	Held       string     `json:"held,omitempty"`      // why nothing moves now, freezing included
	Problem    string     `json:"problem,omitempty"`   // why a move that is due was not made
	LeaseUntil *time.Time `json:"lease_until,omitempty"`
	LeaseLeft  string     `json:"lease_left,omitempty"`
}

// Checks are those of one route, with the figures that they rest on.
type Checks struct {
	Route string `json:"route"`
	Analysis
}

// status is what the state shows of r.
func (s *state) status(r Route) Status {
	st := Status{Name: r.Name, Promotes: r.Settings != nil, Frozen: s.frozen, Held: s.held, Problem: s.problem}
	if !s.lease.IsZero() {
		lease := s.lease
		st.LeaseUntil = &lease
	}
	if r.Settings == nil {
		return st
	}
	st.Failing, st.Threshold = s.failing, r.Settings.Threshold
	st.Verdict, st.Why = s.verdict()
	for i, a := range s.analyses {
		st.Checks = append(st.Checks, Checks{Route: r.Members[i].Name, Analysis: a})
	}
	next, more := r.next()
	switch {
	case r.Stage < route.Canary(0):
		st.Why = "it is promoted from a canary on: " + st.Why
	case more:
		st.Next = next.String()
		if !s.passing.IsZero() && s.held == "" {
			at := s.ripe(*r.Settings)
			st.NextAt = &at
		}
	}
	return st
}
