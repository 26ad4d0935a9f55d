package split

import (
	"context"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/migrations/split/dialect"
)

// Abort takes everything of the split out of both databases, the source first: from then
// on the application writes as if there had never been a split. Tables that the engine
// made in the target go, too; rows that it copied into tables of the service go, and the
// tables stay.
func (w *Work) Abort(ctx context.Context) error {
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
