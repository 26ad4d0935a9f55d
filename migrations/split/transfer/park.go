package transfer

import (
	"context"
	"errors"
	"fmt"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/value"
)

// park takes indexes away before the first rows of a table come. Where nothing but the copy
// writes the table, the index of its key can go, too: chunks do not overlap, so no two rows
// have one key, and chunk and cursor are committed together, so there is never a row that the
// cursor does not know.
func (w *Way) park(ctx context.Context, table int) error {
	if w.To.Move.Role != dialect.Target {
		return nil
	}
	_, to := w.shapes(table)
	p := w.Progress(table)
	err := w.write(ctx, "park", func(tx dialect.Tx) (err error) {
		p.Keyless, err = tx.Park(ctx, to)
		return err
	})
	if err == nil {
		w.progress[to.Table.Name] = p
	}
	return err
}

// Unpark makes the indexes of a table again that were parked. Where they are there already
// it does nothing.
func (w *Way) Unpark(ctx context.Context, table int) error {
	if w.To.Move.Role != dialect.Target {
		return nil
	}
	_, to := w.shapes(table)
	err := w.write(ctx, "unpark", func(tx dialect.Tx) error { return tx.Unpark(ctx, to) })
	var clash *dialect.ClashError
	if errors.As(err, &clash) && len(clash.Others) > 0 {
		return &TwiceError{Table: to.Table.Name, Key: clash.Others[0], Err: clash.Err}
	}
	if err == nil {
		p := w.Progress(table)
		p.Keyless = false
		w.progress[to.Table.Name] = p
	}
	return err
}

// UnparkKeys makes the indexes of all keys again, so that the log can be applied also while
// a table is being copied.
func (w *Way) UnparkKeys(ctx context.Context) error {
	for table := range w.Tables() {
		if !w.Progress(table).Keyless {
			continue
		}
		if err := w.Unpark(ctx, table); err != nil {
			return err
		}
	}
	return nil
}

// A TwiceError reports a key that several rows of a table have which nobody but the copy
// should have written.
type TwiceError struct {
	Table string
	Key   value.Key
	Err   error
}

func (e *TwiceError) Error() string {
	return fmt.Sprintf("table %s: several rows have the key %s: somebody else wrote the table while it was copied (%v)", e.Table, e.Key, e.Err)
}

// Unwrap lets errors.Is see the cause.
func (e *TwiceError) Unwrap() error { return e.Err }
