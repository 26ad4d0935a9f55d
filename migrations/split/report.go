package split

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/migrations/split/control"
	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/ownership"
	"github.com/stranglerfig/toolkit/migrations/split/state"
	"github.com/stranglerfig/toolkit/migrations/split/transfer"
)

// Aborted is the last phase of a move in a Report that was taken back.
const Aborted = "aborted"

// A Report is what happened in one move of a split, for whoever has to answer for it: what
// the control file remembers of it, and what the two databases say now.
type Report struct {
	Schema   int              `json:"schema"`
	Split    string           `json:"split"`
	Move     string           `json:"move"`
	At       time.Time        `json:"at"` // when it was made
	Source   dialect.Info     `json:"source"`
	Target   dialect.Info     `json:"target"`
	Phase    string           `json:"phase"` // now; done or aborted: the move has ended so
	Owner    string           `json:"owner"`
	Epoch    int64            `json:"epoch"`
	Phases   []PhaseSpan      `json:"phases"`
	Totals   RunTotals        `json:"totals"`
	Tables   []TableStatus    `json:"tables"` // as the target records them; of a move that is done as it did at the end
	Runs     []RunReport      `json:"runs"`
	Switches []SwitchEvent    `json:"switches"` // cut-overs and rollbacks, those that failed, too
	Complete []CompleteReport `json:"complete,omitempty"`
	Abort    []AbortReport    `json:"abort,omitempty"`
	Refused  RefusedOnSides   `json:"refused_writes"`
	Earlier  []string         `json:"earlier_moves"`
	Missing  []string         `json:"missing"` // what is known to be absent from the history
	Next     []string         `json:"next_steps"`
}

// A PhaseSpan is a phase that the move was in.
type PhaseSpan struct {
	Phase string        `json:"phase"`
	From  time.Time     `json:"from"`
	Until time.Time     `json:"until,omitzero"` // zero: it lasts, or is the end
	Took  time.Duration `json:"took,omitempty"`
}

// RunTotals add up what all runs did.
type RunTotals struct {
	transfer.Counts
	Waits  int64 `json:"waits"`
	Passes int64 `json:"passes"`
}

// A SwitchEvent is a cut-over or a rollback.
type SwitchEvent struct {
	Command string `json:"command"`
	SwitchReport
}

// Report tells what happened in a move; empty means the last one. It changes nothing.
func (e *Engine) Report(ctx context.Context, move string) (*Report, error) {
	status, err := e.Status(ctx)
	if err != nil {
		return nil, err
	}
	var events []control.Event
	if e.opts.Store != nil {
		if events, err = e.opts.Store.Events(ctx, e.Plan.Split, ""); err != nil {
			return nil, err
		}
	}
	moves := []string{}
	for _, event := range events {
		if !slices.Contains(moves, event.Move) {
			moves = append(moves, event.Move)
		}
	}
	if status.Move != "" && !slices.Contains(moves, status.Move) {
		moves = append(moves, status.Move)
	}
	switch {
	case len(moves) == 0:
		return nil, program.Fail(program.Refused, "begin it with: strangler split run "+e.Name(), "there is nothing to report: of split %s neither the databases nor the control file hold anything", e.Plan.Split)
	case move == "":
		move = moves[len(moves)-1]
	case !slices.Contains(moves, move):
		return nil, program.Fail(program.Usage, fmt.Sprintf("these are known: %v", moves), "split %s has no move %s", e.Plan.Split, move)
	}
	r := &Report{
		Schema: 1, Split: e.Plan.Split, Move: move, At: time.Now().UTC(), Source: status.Source, Target: status.Target,
		Phases: []PhaseSpan{}, Tables: []TableStatus{}, Runs: []RunReport{}, Switches: []SwitchEvent{},
		Earlier: moves[:slices.Index(moves, move)], Missing: []string{}, Next: []string{},
	}
	if err := r.remember(events); err != nil {
		return nil, err
	}
	r.now(e, status)
	return r, nil
}

// remember takes in what the history has of the move.
func (r *Report) remember(events []control.Event) error {
	for _, event := range events {
		if event.Move != r.Move {
			continue
		}
		var err error
		switch event.Kind {
		case RunEvent:
			r.Runs, err = appended(r.Runs, event)
		case command(ownership.Target), command(ownership.Source):
			if r.Switches, err = appended(r.Switches, event); err == nil {
				r.Switches[len(r.Switches)-1].Command = event.Kind
			}
		case "complete":
			r.Complete, err = appended(r.Complete, event)
		case "abort":
			r.Abort, err = appended(r.Abort, event)
		}
		if err != nil {
			return fmt.Errorf("the history of split %s: an event %q of %s: %w", r.Split, event.Kind, event.At.Format(time.RFC3339), err)
		}
	}
	r.Totals = totals(r.Runs)
	r.Phases = phases(r)
	return nil
}

func appended[T any](list []T, event control.Event) ([]T, error) {
	var one T
	err := json.Unmarshal(event.Data, &one)
	return append(list, one), err
}

func totals(runs []RunReport) RunTotals {
	var t RunTotals
	for _, r := range runs {
		t.Counts = t.Plus(r.Counts)
		t.Waits, t.Passes = t.Waits+r.Waits, t.Passes+r.Passes
	}
	return t
}

// phases puts together when the move was where: runs see the copy, commands make the rest.
func phases(r *Report) []PhaseSpan {
	var seen []PhaseTime
	for _, run := range r.Runs {
		seen = append(seen, run.Phases...)
	}
	for _, s := range r.Switches {
		if s.Failed != "" {
			continue
		}
		phase := state.Verified
		if s.To == ownership.Target {
			phase = state.Window
		}
		seen = append(seen, PhaseTime{string(phase), s.Until})
	}
	for _, c := range r.Complete {
		seen = append(seen, PhaseTime{string(state.Completing), c.Began}, PhaseTime{string(state.Done), c.Until})
	}
	for _, a := range r.Abort {
		seen = append(seen, PhaseTime{string(state.Aborting), a.Began}, PhaseTime{Aborted, a.Until})
	}
	slices.SortStableFunc(seen, func(a, b PhaseTime) int { return a.From.Compare(b.From) })
	spans := []PhaseSpan{}
	for _, p := range seen {
		last := len(spans) - 1
		if last >= 0 && spans[last].Phase == p.Phase {
			continue
		}
		if last >= 0 {
			spans[last].Until, spans[last].Took = p.From, p.From.Sub(spans[last].From)
		}
		spans = append(spans, PhaseSpan{Phase: p.Phase, From: p.From})
	}
	return spans
}

// now takes in what the databases say, and names what the history should have and has not.
func (r *Report) now(e *Engine, s *Status) {
	r.Phase, r.Owner, r.Epoch = s.Phase, s.Owner, s.Epoch
	epoch := int64(0)
	for _, event := range r.Switches {
		epoch = max(epoch, event.Epoch)
	}
	switch {
	case s.Move == r.Move:
		r.Tables, r.Next, r.Refused = s.Tables, s.Next, e.refused(s.SourceState, s.TargetState)
		if epoch < s.Epoch {
			r.Missing = append(r.Missing, fmt.Sprintf("how the %s came to own the tables (epoch %d): that command was killed before it could write it down, or was given elsewhere", s.Owner, s.Epoch))
		}
	case len(r.Complete) > 0:
		last := r.Complete[len(r.Complete)-1]
		r.Phase, r.Owner, r.Epoch, r.Refused = string(state.Done), dialect.Target, epoch, last.Refused
		for _, c := range r.Complete {
			if len(c.Last) > 0 {
				r.Tables = c.Last
			}
		}
	case len(r.Abort) > 0:
		r.Phase, r.Owner, r.Epoch = Aborted, dialect.Source, epoch
	default:
		r.Missing = append(r.Missing, "how the move ended: it is in neither database any more")
	}
	switch {
	case e.opts.Store == nil:
		r.Missing = append(r.Missing, "all that happened: there is no control file, or it cannot be read")
	case len(r.Runs) == 0:
		r.Missing = append(r.Missing, "who copied the rows, and when: the control file was moved away, or that was done elsewhere")
	}
}
