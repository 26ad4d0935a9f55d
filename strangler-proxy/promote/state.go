package promote

import (
	"fmt"
	"strings"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/audit"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// A state is what a Controller remembers of a route between two looks. All of it can
// be lost: the stage is in the file and what must outlive a restart in the audit log.
type state struct {
	stage    route.Stage
	since    time.Time // when the stage was first seen
	checked  time.Time
	passing  time.Time // since when every check has passed; zero when the last did not
	failing  int       // checks in a row that failed
	latest   time.Time // the newest request of the service that a check has seen
	analyses []Analysis

	lease  time.Time // when it runs out; zero without one
	frozen string    // why it is frozen
	held   string    // why nothing may move, freezing included
	// leaseHeld is held, except that automation's own freezing does not stop a lease:
	// it only leads back, and it is for the time when nobody looks.
	leaseHeld string
	moved     string // hash of the configuration in which it was moved last
	problem   string // why a move that is due was not made
}

// meet begins anew when the route has come to another stage.
func (s *state) meet(now time.Time, r Route) {
	if s.stage == r.Stage {
		return
	}
	*s = state{stage: r.Stage, since: now}
	for _, m := range r.Members {
		m.Window.Cut()
	}
}

// consider takes in what is known at this moment.
func (s *state) consider(now time.Time, r Route, h audit.History, held string) {
	s.frozen, s.held, s.leaseHeld = "", held, held
	if why, frozen := h.Frozen(r.Name); frozen {
		s.frozen = fmt.Sprintf("%s by %s at %s", pastOf(why.Action), why.Actor, why.Time.UTC().Format(time.DateTime))
		if why.Reason != "" {
			s.frozen += ": " + why.Reason
		}
		if s.held == "" {
			s.held = "frozen: " + s.frozen
		}
		if s.leaseHeld == "" && !why.Automatic() {
			s.leaseHeld = s.held
		}
	}
	s.lease = time.Time{}
	if r.Expires > 0 && r.Stage.IsCanary() {
		s.lease = leaseStart(now, s.since, r, h).Add(r.Expires)
	}
	if r.Settings == nil {
		return
	}
	if now.Sub(s.checked) >= r.Settings.Check {
		s.check(now, r)
	}
	if s.held != "" || !r.Stage.IsCanary() {
		s.passing, s.failing = time.Time{}, 0 // nothing may fall due the moment it is let go
	}
}

func pastOf(action string) string {
	if action == audit.Pause {
		return "paused"
	}
	return "set back"
}

// leaseStart is when somebody last said that the route shall be where it is.
func leaseStart(now, since time.Time, r Route, h audit.History) time.Time {
	last, known := h.Since(r.Name)
	if !known || last.Action != audit.Confirm && last.To != r.Stage.String() {
		return since // the log does not know how it came here
	}
	if last.Time.After(now) {
		return now // a clock was wrong; a lease does not begin in the future
	}
	return last.Time
}

// check judges the members' figures. All members have to pass; one that fails is enough.
func (s *state) check(now time.Time, r Route) {
	s.checked = now
	s.analyses = s.analyses[:0:0]
	latest := s.latest
	for _, m := range r.Members {
		e := Evidence{Sight: m.Window.Look()}
		if m.Copies != nil {
			e.Copies = m.Copies()
		}
		s.analyses = append(s.analyses, Analyze(*r.Settings, e))
		if e.Service.Until.After(latest) {
			latest = e.Service.Until
		}
	}
	switch verdict, _ := s.verdict(); verdict {
	case Pass:
		s.failing = 0
		if s.passing.IsZero() {
			s.passing = now
		}
	case Fail:
		s.passing = time.Time{}
		if latest.After(s.latest) { // a failure that was counted already is none in a row
			s.failing++
		}
	default:
		s.passing, s.failing = time.Time{}, 0
	}
	s.latest = latest
}

// verdict is that of all members together, and why.
func (s *state) verdict() (v Verdict, why string) {
	v, why = Pass, passes
	for _, a := range s.analyses {
		if a.Verdict == Fail && v != Fail || a.Verdict == Inconclusive && v == Pass {
			v, why = a.Verdict, a.Why
		}
	}
	if len(s.analyses) == 0 {
		return Inconclusive, "not checked yet"
	}
	return v, why
}

// due is the move that the route's time has come for.
func (s *state) due(now time.Time, r Route, h audit.History) (Move, bool) {
	m := Move{Route: r.Name, From: r.Stage, Action: audit.Rollback}
	if !r.Stage.IsCanary() {
		return m, false
	}
	switch next, more := r.next(); {
	case r.Settings != nil && s.held == "" && s.failing >= r.Settings.Threshold:
		m.To, m.Actor = r.back(h), ActorRollback
		m.Reason = fmt.Sprintf("%d checks in a row failed: %s", s.failing, s.words(Fail))
	case !s.lease.IsZero() && s.leaseHeld == "" && !now.Before(s.lease):
		m.To, m.Actor = r.back(h), ActorExpired
		m.Reason = fmt.Sprintf("nobody confirmed it within %s", r.Expires)
	case more && s.held == "" && !s.passing.IsZero() && !s.ripe(*r.Settings).After(now):
		m.To, m.Actor, m.Action = next, ActorPromote, audit.Move
		m.Reason = fmt.Sprintf("every check passed for %s: %s", r.Settings.For, s.words(Pass))
	default:
		return m, false
	}
	return m, true
}

// ripe is when the next step is due if the checks go on passing.
func (s *state) ripe(settings Settings) time.Time {
	passed, stayed := s.passing.Add(settings.For), s.since.Add(settings.Every)
	if passed.After(stayed) {
		return passed
	}
	return stayed
}

// next is the stage after the route's, if its settings have one.
func (r Route) next() (route.Stage, bool) {
	if r.Settings == nil || !r.Stage.IsCanary() {
		return 0, false
	}
	for _, share := range r.Settings.Steps {
		if share > r.Stage.Share() {
			return route.Canary(share), true
		}
	}
	return route.Live, r.Settings.ThenLive
}

// back is the stage that the route came from. Where the log does not know, it is the
// step before, and before the first one the shadow: there the monolith answers everybody.
func (r Route) back(h audit.History) route.Stage {
	order := func(text string) (int, bool) {
		stage, err := route.ParseStage(text)
		return int(stage), err == nil
	}
	if text, known := h.Before(r.Name, r.Stage.String(), order); known {
		if stage, err := route.ParseStage(text); err == nil && stage < r.Stage {
			return stage
		}
	}
	to := route.Shadow
	if r.Settings != nil {
		for _, share := range r.Settings.Steps {
			if share < r.Stage.Share() {
				to = route.Canary(share)
			}
		}
	}
	return to
}

// words are the texts of the checks with a verdict.
func (s *state) words(v Verdict) string {
	var texts []string
	for _, a := range s.analyses {
		for _, c := range a.Checks {
			if c.Verdict == v {
				texts = append(texts, c.Text)
			}
		}
	}
	const limit = 400
	text := strings.Join(texts, "; ")
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "") + " …"
	}
	return text
}
