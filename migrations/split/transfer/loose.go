package transfer

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/stranglerfig/toolkit/internal/pause"
	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/schema"
	"github.com/stranglerfig/toolkit/migrations/split/value"
)

// ErrUnsettled reports that rows are gone which the tables refer to, and that this has not
// been carried over yet.
var ErrUnsettled = errors.New("rows are gone that others refer to, and these are not settled yet")

// Loose carries over that rows are gone which the tables refer to: from the side that
// follows, where they were, to the one that leads, where the tables are written now. It
// returns how many there were. Where the source leads, its own foreign keys answer, and
// what it has logged is forgotten.
func (w *Way) Loose(ctx context.Context) (int, error) {
	knows := w.To
	if w.From.Move.Role == dialect.Source {
		knows = w.From
	}
	log, err := looseLog(ctx, knows, w.opts.BatchKeys)
	if err != nil {
		return 0, err
	}
	if log.Unwatched {
		return 1, inLooseTx(ctx, knows, func(tx dialect.LooseTx) error { return tx.Watch(ctx) })
	}
	if log.Handle == nil {
		return 0, nil
	}
	if err := w.step("loose: log read"); err != nil {
		return 0, err
	}
	if w.From.Move.Role == dialect.Target {
		if err := w.cascade(ctx, log.Entries); err != nil {
			return 0, err
		}
	}
	return len(log.Entries), inLooseTx(ctx, knows, func(tx dialect.LooseTx) error { return tx.PruneLoose(ctx, log) })
}

// Sweep has the source look for rows that refer to others in vain, and carries that over:
// a service that asks nobody may have written such.
func (w *Way) Sweep(ctx context.Context) error {
	if w.To.Move.Role != dialect.Source || len(w.To.Move.Carried()) == 0 {
		return nil
	}
	return inLooseTx(ctx, w.To, func(tx dialect.LooseTx) error { return tx.Watch(ctx) })
}

// cascade changes the rows of the side that leads, so many in a transaction that nobody
// waits long for one. Where the application uses such rows it steps aside and asks for fewer.
func (w *Way) cascade(ctx context.Context, entries []dialect.LooseEntry) error {
	const tries = 50
	most := w.opts.BatchKeys
	for at, busy := 0, 0; at < len(entries); {
		next, err := w.cascadeSome(ctx, entries, at, most)
		if errors.Is(err, dialect.ErrBusy) && busy < tries {
			most, busy = max(1, most/4), busy+1
			err = pause.For(ctx, 10*time.Millisecond+rand.N(90*time.Millisecond))
		} else {
			at, busy = next, 0
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// cascadeSome carries entries over from the one at, until most rows are changed, and returns
// which one is next.
func (w *Way) cascadeSome(ctx context.Context, entries []dialect.LooseEntry, at, most int) (int, error) {
	err := inLooseTx(ctx, w.From, func(tx dialect.LooseTx) error {
		for left := most; at < len(entries) && left > 0; {
			e, err := w.seen(entries[at])
			if err != nil {
				return err
			}
			n, err := tx.Cascade(ctx, e, left)
			if err != nil {
				return err
			}
			if n < left {
				at++
			}
			left -= n
		}
		return w.step("loose: before the commit")
	})
	if err != nil {
		return at, err
	}
	return at, w.step("loose: carried over")
}

// seen is an entry of the side that follows as the one that leads sees it: its columns may
// have other names and types.
func (w *Way) seen(e dialect.LooseEntry) (dialect.LooseEntry, error) {
	table := slices.IndexFunc(w.To.Move.Shapes, func(s *schema.Shape) bool { return s.Table.Name == e.Key.Table })
	if table < 0 {
		return e, fmt.Errorf("table %s is not part of split %s", e.Key.Table, w.To.Move.Split)
	}
	from, to := w.shapes(table)
	e.Key.Table = from.Table.Name
	row := make(value.Row, len(from.Names))
	places := make([]int, len(e.Key.Columns))
	for i, c := range e.Key.Columns {
		places[i] = slices.Index(to.Names, c)
		row[places[i]] = e.Parent[i]
	}
	if c, ok := w.From.Database.(dialect.Converter); ok {
		convert, obstacles := c.Convert(w.To.Info().Driver, to, from)
		if convert != nil && len(obstacles) == 0 {
			if err := convert(row); err != nil {
				return e, fmt.Errorf("table %s: %w", e.Key.Table, err)
			}
		}
	}
	e.Key.Columns, e.Key.SetNull = from.Renamed(to, e.Key.Columns), from.Renamed(to, e.Key.SetNull)
	e.Parent = make(value.Key, len(places))
	for i, at := range places {
		e.Parent[i] = row[at]
	}
	return e, nil
}

// looseLog reads what a side has logged of rows that are gone.
func looseLog(ctx context.Context, side Side, limit int) (log dialect.LooseLog, err error) {
	if len(side.Move.Carried()) == 0 {
		return log, nil
	}
	snap, err := side.Snapshot(ctx, side.Move)
	if err != nil {
		return log, err
	}
	if loose, ok := snap.(dialect.LooseReader); ok {
		log, err = loose.Loose(ctx, limit)
	}
	return log, errors.Join(err, snap.Close())
}

// unsettled says whether, in a state of the side that follows, rows are gone without the
// other side having been told: its log, up to a number of entries.
func unsettled(ctx context.Context, side Side, snap dialect.Snapshot, limit int) (log dialect.LooseLog, err error) {
	loose, ok := snap.(dialect.LooseReader)
	if !ok || side.Move.Role != dialect.Source || len(side.Move.Carried()) == 0 {
		return log, nil
	}
	return loose.Loose(ctx, limit)
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
