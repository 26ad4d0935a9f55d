package split

import (
	"cmp"
	"context"
	"time"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/migrations/split/dialect"
)

// AbortOptions tune Abort.
type AbortOptions struct {
	Reason string `json:"reason,omitempty"` // why, for the history
	By     string `json:"by,omitempty"`     // who asks for it
}

// An AbortReport says what Abort did.
type AbortReport struct {
	Schema int       `json:"schema"`
	Split  string    `json:"split"`
	Began  time.Time `json:"began"`
	Until  time.Time `json:"until"`
	By     string    `json:"by,omitempty"`
	Reason string    `json:"reason,omitempty"`
}

// Abort takes everything of the split out of both databases, the source first: from then
// on the application writes as if there had never been a split. Tables that the engine
// made in the target go, too; rows that it copied into tables of the service go, and the
// tables stay.
func (w *Work) Abort(ctx context.Context, o AbortOptions) error {
	report := AbortReport{Schema: 1, Split: w.Plan.Split, Began: time.Now().UTC(), By: cmp.Or(o.By, w.opts.Actor), Reason: o.Reason}
	if err := w.remove(ctx); err != nil {
		return err
	}
	report.Until = time.Now().UTC()
	w.note(ctx, "abort", report)
	return nil
}

func (w *Work) remove(ctx context.Context) error {
	source, target, err := w.states(ctx)
	if err != nil {
		return err
	}
	if source.Record.Owner == dialect.Target || target.Record.Owner == dialect.Target {
		return program.Fail(program.Refused, "take them back first: strangler split rollback "+w.Name(),
			"the target owns the tables of split %s: nothing would be left of what was written since", w.Plan.Split)
	}
	if source.Move != "" {
		if err := w.From.Remove(ctx, w.From.Move, dialect.RemoveOptions{Owner: true}); err != nil {
			return err
		}
	}
	if target.Move == "" {
		return nil
	}
	if err := w.empty(ctx, target); err != nil {
		return err
	}
	return w.To.Remove(ctx, w.To.Move, dialect.RemoveOptions{Drop: true, Owner: true})
}

// empty deletes what was copied into tables that the engine did not make.
func (w *Work) empty(ctx context.Context, target dialect.State) error {
	if !target.Installed {
		return nil
	}
	made := map[string]bool{}
	for _, name := range target.Created {
		made[name] = true
	}
	tx, err := w.To.Begin(ctx, w.To.Move)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
	for _, s := range w.To.Move.Shapes {
		if made[s.Table.Name] {
			continue
		}
		if err := tx.DeleteRange(ctx, s, nil, nil); err != nil {
			return err
		}
	}
	return tx.Commit()
}
