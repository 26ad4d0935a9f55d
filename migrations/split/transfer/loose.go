package transfer

import (
	"context"
	"errors"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
)

// Loose carries over that rows are gone which the tables refer to: from the side that
// follows, where they were, to the one that leads, where the tables are written now. It
// returns how many there were.
func (w *Way) Loose(ctx context.Context) (int, error) {
	snap, err := w.To.Snapshot(ctx, w.To.Move)
	if err != nil {
		return 0, err
	}
	loose, ok := snap.(dialect.LooseSnapshot)
	if !ok {
		return 0, snap.Close()
	}
	log, err := loose.Loose(ctx, w.opts.BatchKeys)
	if err := errors.Join(err, snap.Close()); err != nil || log.Handle == nil {
		return 0, err
	}
	if err := w.step("loose: log read"); err != nil {
		return 0, err
	}
	err = inLooseTx(ctx, w.From, func(tx dialect.LooseTx) error {
		for _, e := range log.Entries {
			if err := tx.Cascade(ctx, e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	if err := w.step("loose: carried over"); err != nil {
		return 0, err
	}
	return len(log.Entries), inLooseTx(ctx, w.To, func(tx dialect.LooseTx) error { return tx.PruneLoose(ctx, log) })
}

func inLooseTx(ctx context.Context, side Side, f func(tx dialect.LooseTx) error) error {
	tx, err := side.Begin(ctx, side.Move)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
	loose, ok := tx.(dialect.LooseTx)
	if !ok {
		return errors.New("loose keys are not carried over to " + side.Info().Name)
	}
	if err := f(loose); err != nil {
		return err
	}
	return tx.Commit()
}
