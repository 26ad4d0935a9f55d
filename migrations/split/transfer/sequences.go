package transfer

import (
	"context"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
)

// Sequences raises every sequence of the side that follows beyond all keys that the side
// that leads has ever handed out, so that no key is handed out twice. It is meant for the
// moment in which nobody writes.
func (w *Way) Sequences(ctx context.Context) error {
	snap, err := w.From.Snapshot(ctx, w.From.Move)
	if err != nil {
		return err
	}
	defer snap.Close() //nolint:errcheck // it only read
	high := map[int]int64{}
	for table := range w.Tables() {
		from, to := w.shapes(table)
		if from.Table.Sequence == nil || to.Table.Sequence == nil {
			continue
		}
		n, ok, err := snap.HighWater(ctx, from)
		if err != nil {
			return err
		}
		if ok {
			high[table] = n
		}
	}
	if len(high) == 0 {
		return nil
	}
	return w.write(ctx, "sequences", func(tx dialect.Tx) error {
		for table, n := range high {
			_, to := w.shapes(table)
			if err := tx.RaiseSequence(ctx, to, n); err != nil {
				return err
			}
		}
		return nil
	})
}
