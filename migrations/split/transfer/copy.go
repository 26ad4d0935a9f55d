package transfer

import (
	"context"
	"errors"
	"time"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/value"
)

// Copied is what Copy did.
type Copied struct {
	Rows int64
	Took time.Duration // how long the side that leads was read
	Done bool          // the table is copied
}

// Copy brings over the next rows of a table, at most limit, and moves its cursor in the
// same transaction. Indexes are parked before the first rows; behind the last ones that of
// the key is made again.
func (w *Way) Copy(ctx context.Context, table, limit int) (Copied, error) {
	switch p := w.Progress(table); {
	case p.Copied && p.Keyless:
		return Copied{Done: true}, w.Unpark(ctx, table)
	case p.Copied:
		return Copied{Done: true}, nil
	case p.Cursor == nil && p.Rows == 0:
		if err := w.park(ctx, table); err != nil {
			return Copied{}, err
		}
	}
	c, err := w.copyChunk(ctx, table, limit)
	if err == nil {
		w.opts.Meter.count(Counts{Chunks: 1, Rows: c.Rows})
	}
	return c, err
}

func (w *Way) copyChunk(ctx context.Context, table, limit int) (Copied, error) {
	var clash *dialect.ClashError
	if w.direct != nil {
		c, err := w.copyDirect(ctx, table, limit)
		if !errors.As(err, &clash) {
			return c, err
		}
		// Something stands in the way. Rows that go through memory can tell what.
	}
	c, err := w.copyRows(ctx, table, limit)
	if !errors.Is(err, errKeyless) {
		return c, err
	}
	if err := w.Unpark(ctx, table); err != nil {
		return Copied{}, err
	}
	return w.copyRows(ctx, table, limit)
}

// errKeyless says that rows have to be found by their key, whose index is parked.
var errKeyless = errors.New("the index of the key is parked")

func (w *Way) copyDirect(ctx context.Context, table, limit int) (Copied, error) {
	if err := w.captured(ctx); err != nil {
		return Copied{}, err
	}
	from, to := w.shapes(table)
	before := w.Progress(table)
	began := time.Now()
	if err := w.step("copy: before the commit"); err != nil {
		return Copied{}, err
	}
	after, err := w.direct.CopyChunk(ctx, w.To.Move, from, to, before, limit)
	w.progress[to.Table.Name] = after
	if err != nil {
		return Copied{}, err
	}
	if err := w.step("copy: after the commit"); err != nil {
		return Copied{}, err
	}
	return Copied{Rows: after.Rows - before.Rows, Took: time.Since(began), Done: after.Copied}, nil
}

// capturedFor is how long a look at the capture is good for, where nothing is applied.
const capturedFor = time.Second

// captured makes sure that nothing has gone by unseen so far. What is lost after that is
// found before anything is applied, so a chunk that was read in between does no harm.
func (w *Way) captured(ctx context.Context) error {
	if time.Since(w.looked) < capturedFor {
		return nil
	}
	snap, err := w.read(ctx)
	if err != nil {
		return err
	}
	w.looked = time.Now()
	return snap.Close()
}

func (w *Way) copyRows(ctx context.Context, table, limit int) (Copied, error) {
	snap, err := w.read(ctx)
	if err != nil {
		return Copied{}, err
	}
	defer snap.Close() //nolint:errcheck // it only read
	began := time.Now()
	from, to := w.shapes(table)
	p := w.Progress(table)
	var rows []value.Row
	var last value.Key
	err = snap.Rows(ctx, from, dialect.Range{After: p.Cursor, Limit: limit, Bytes: w.opts.BatchBytes}, func(row value.Row) error {
		last = append(value.Key(nil), row[:from.Keys]...)
		rows = append(rows, row)
		return w.converted(table, row)
	})
	if err != nil {
		return Copied{}, err
	}
	p.Rows += int64(len(rows))
	if len(rows) == 0 {
		p.Copied = true
	} else {
		p.Cursor = last
	}
	if err := w.step("copy: rows read"); err != nil {
		return Copied{}, err
	}
	err = w.write(ctx, "copy", func(tx dialect.Tx) error {
		if !p.Keyless { // else nothing is there that was not copied
			keys := make([]value.Key, len(rows))
			for i, row := range rows {
				keys[i] = value.Key(row[:to.Keys])
			}
			if err := tx.DeleteKeys(ctx, to, keys); err != nil {
				return err
			}
		}
		in := w.inserter(snap, tx, table, p)
		in.rows = rows
		if err := in.flush(ctx); err != nil {
			return err
		}
		return tx.Progress(ctx, to, p)
	})
	if err != nil {
		return Copied{}, err
	}
	w.progress[to.Table.Name] = p
	return Copied{Rows: int64(len(rows)), Took: time.Since(began), Done: p.Copied}, nil
}

// Reset begins the copy of every table anew: after changes may have gone by unseen.
func (w *Way) Reset(ctx context.Context) error {
	next := map[string]dialect.Progress{}
	err := w.write(ctx, "reset", func(tx dialect.Tx) error {
		for i := range w.Tables() {
			_, to := w.shapes(i)
			p := dialect.Progress{Repaired: w.Progress(i).Repaired, Keyless: w.Progress(i).Keyless}
			if err := tx.DeleteRange(ctx, to, nil, nil); err != nil {
				return err
			}
			if err := tx.Progress(ctx, to, p); err != nil {
				return err
			}
			next[to.Table.Name] = p
		}
		return nil
	})
	if err == nil {
		w.progress = next
	}
	return err
}

// Doubt lets every row be compared anew: after changes may have gone by unseen.
func (w *Way) Doubt(ctx context.Context) error {
	for i := range w.Tables() {
		p := w.Progress(i)
		p.Verified, p.Passes, p.PassedAt = nil, 0, time.Time{}
		if err := w.saveProgress(ctx, i, p, w.write); err != nil {
			return err
		}
	}
	return nil
}

// EndRepair makes rows that differ an error from now on.
func (w *Way) EndRepair() { w.opts.Repair = false }
