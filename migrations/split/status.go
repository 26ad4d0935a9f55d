package split

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/stranglerfig/toolkit/migrations/split/control"
	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/plan"
	"github.com/stranglerfig/toolkit/migrations/split/state"
)

// mostCounted bounds counting the entries of a log: who looks needs to know no more.
const mostCounted = 100_000

// A Status is where a split is: what the two databases say, and what a running engine
// adds to it.
type Status struct {
	Schema  int             `json:"schema"`
	Split   string          `json:"split"`
	Move    string          `json:"move,omitempty"`
	Phase   string          `json:"phase"`
	Owner   string          `json:"owner"` // source or target
	Epoch   int64           `json:"epoch"`
	Source  dialect.Info    `json:"source"`
	Target  dialect.Info    `json:"target"`
	Tables  []TableStatus   `json:"tables"`
	Pending int64           `json:"pending"` // entries of the log that were not applied, at most 100,000
	Dirty   int64           `json:"dirty"`   // rows that have changed since they were compared
	Lost    string          `json:"lost,omitempty"`
	Refused Refused         `json:"refused_writes,omitzero"`
	Running *control.Holder `json:"running,omitempty"`
	Live    *Live           `json:"live,omitempty"`
	Next    []string        `json:"next_steps"`

	SourceState dialect.State `json:"-"`
	TargetState dialect.State `json:"-"`
}

// Refused are writes that were refused because the other side owns the tables.
type Refused struct {
	Writes  int64     `json:"writes"`
	AtLeast bool      `json:"at_least,omitempty"` // the database forgets those of transactions that are rolled back
	Last    time.Time `json:"last,omitzero"`
}

// RefusedOnSides are the writes that each side refused while it followed.
type RefusedOnSides struct {
	Source Refused `json:"source"`
	Target Refused `json:"target"`
}

// A TableStatus is how far one table is.
type TableStatus struct {
	Name     string    `json:"name"`
	Rows     int64     `json:"rows"` // copied
	Copied   bool      `json:"copied"`
	Passes   int64     `json:"passes"` // comparisons of the whole table
	PassedAt time.Time `json:"passed_at,omitzero"`
	Repaired int64     `json:"repaired"`
}

// Status reads where the split is and changes nothing.
func (e *Engine) Status(ctx context.Context) (*Status, error) {
	s := &Status{Schema: 1, Split: e.Plan.Split, Source: e.Source.Info(), Target: e.Target.Info(), Next: []string{}}
	w := &Work{Engine: e}
	var err error
	if s.SourceState, s.TargetState, err = w.states(ctx); err != nil {
		return nil, err
	}
	s.place(e.Name())
	s.Tables = e.tables(s.TargetState)
	if s.SourceState.Installed && s.TargetState.Installed && s.SourceState.Move == s.TargetState.Move {
		if err := e.measure(ctx, w, s); err != nil {
			return nil, err
		}
	}
	if err := e.running(ctx, s); err != nil {
		return nil, err
	}
	if s.Running == nil && state.State(s.Phase) == state.Window {
		s.Next = slices.Insert(s.Next, 0, "strangler split run "+e.Name()) // else the way back grows long
	}
	return s, nil
}

// tables is how far each table is, as the target records it.
func (e *Engine) tables(target dialect.State) []TableStatus {
	list := []TableStatus{}
	for _, t := range e.Plan.Tables {
		p := target.Tables[t.Name]
		list = append(list, TableStatus{Name: t.Name, Rows: p.Rows, Copied: p.Copied, Passes: p.Passes, PassedAt: p.PassedAt, Repaired: p.Repaired})
	}
	return list
}

// refused is what both sides have counted since the move began.
func (e *Engine) refused(source, target dialect.State) RefusedOnSides {
	return RefusedOnSides{Source: refusedIn(source, e.Source.Info()), Target: refusedIn(target, e.Target.Info())}
}

func refusedIn(s dialect.State, info dialect.Info) Refused {
	if s.Refused == 0 {
		return Refused{}
	}
	return Refused{Writes: s.Refused, AtLeast: info.Driver == plan.SQLite, Last: s.RefusedAt}
}

// measure looks into the log of the side that owns, and whether anything was lost.
func (e *Engine) measure(ctx context.Context, w *Work, s *Status) error {
	survey, err := e.Survey(ctx)
	if err != nil {
		return err
	}
	w.Survey = survey
	w.sides(s.SourceState.Move, 0)
	leads, follows := w.From, w.To
	if s.Owner == dialect.Target {
		leads, follows = w.To, w.From
	}
	snap, err := leads.Snapshot(ctx, leads.Move)
	if err != nil {
		return err
	}
	defer snap.Close() //nolint:errcheck // it only read
	var lost *dialect.LostError
	if err := snap.Captured(ctx); errors.As(err, &lost) {
		s.Lost = lost.Error()
		return nil
	} else if err != nil {
		return err
	}
	if s.Pending, err = snap.LogCount(ctx, mostCounted); isGone(err) {
		s.Lost = err.Error()
		return nil
	} else if err != nil {
		return err
	}
	other, err := follows.Snapshot(ctx, follows.Move)
	if err != nil {
		return err
	}
	defer other.Close() //nolint:errcheck // it only read
	s.Dirty, err = other.DirtyCount(ctx)
	return err
}

// running asks whoever works on the split.
func (e *Engine) running(ctx context.Context, s *Status) error {
	if e.opts.Store == nil {
		return nil
	}
	h, ok, err := e.opts.Store.Holder(ctx, e.Plan.Split)
	if err != nil || !ok {
		return err
	}
	s.Running = &h
	if h.Doing != "run" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if live, err := e.Ask(ctx, AskStatus, nil); err == nil {
		s.Live = &live
	}
	return nil //nolint:nilerr // an engine that does not answer is busy, which is no error
}

// place says where the split is by what both databases have recorded.
func (s *Status) place(split string) {
	source, target := s.SourceState, s.TargetState
	s.Move = max(source.Move, target.Move)
	record := source.Record
	if target.Record.Epoch > record.Epoch {
		record = target.Record
	}
	s.Owner, s.Epoch = record.Owner, record.Epoch
	follows, info := target, s.Target
	if s.Owner == dialect.Target {
		follows, info = source, s.Source
	}
	s.Refused = refusedIn(follows, info)
	at := state.Of(source, target)
	s.Phase = string(at)
	if next := state.Next(at, split); next != "" {
		s.Next = []string{next}
	}
}
