package transfer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/schema"
	"github.com/stranglerfig/toolkit/migrations/split/value"
)

// Applied is what Apply did.
type Applied struct {
	Entries int  // of the log
	Keys    int  // that they were about
	More    bool // there is more in the log
}

// Apply takes the oldest entries of the log, brings the rows that they name over as they
// are now, and prunes those entries. While the index of a key is parked they wait: without
// it a row is found by reading all, and one that came ahead of its chunk would come twice.
func (w *Way) Apply(ctx context.Context) (Applied, error) {
	if w.keyless() {
		return Applied{}, w.captured(ctx)
	}
	snap, err := w.read(ctx)
	if err != nil {
		return Applied{}, err
	}
	defer func() {
		if snap != nil {
			snap.Close() //nolint:errcheck // it only read
		}
	}()
	log, err := snap.Log(ctx, w.opts.BatchKeys)
	if err != nil || len(log.Entries) == 0 {
		return Applied{}, err
	}
	if err := w.step("apply: log read"); err != nil {
		return Applied{}, err
	}
	keys, err := w.bring(ctx, snap, log)
	if err != nil {
		return Applied{}, err
	}
	err = snap.Close() // before the prune: where the source is not in WAL mode a reader keeps it waiting
	snap = nil
	if err != nil {
		return Applied{}, err
	}
	return Applied{Entries: len(log.Entries), Keys: keys, More: log.More}, w.prune(ctx, log)
}

// Backlog counts the entries of the log that Apply has left, up to most.
func (w *Way) Backlog(ctx context.Context, most int64) (int64, error) {
	snap, err := w.read(ctx)
	if err != nil {
		return 0, err
	}
	defer snap.Close() //nolint:errcheck // it only read
	return snap.LogCount(ctx, most)
}

// ApplyFenced is Apply while fence keeps everybody from writing the side that leads: the
// entries are pruned in its transaction.
func (w *Way) ApplyFenced(ctx context.Context, fence dialect.Tx) (Applied, error) {
	snap, err := w.read(ctx)
	if err != nil {
		return Applied{}, err
	}
	defer snap.Close() //nolint:errcheck // it only read
	log, err := snap.Log(ctx, w.opts.BatchKeys)
	if err != nil || len(log.Entries) == 0 {
		return Applied{}, err
	}
	keys, err := w.bring(ctx, snap, log)
	if err != nil {
		return Applied{}, err
	}
	return Applied{Entries: len(log.Entries), Keys: keys, More: log.More}, fence.Prune(ctx, log)
}

// prune deletes entries that were applied. If that is undone they are applied again, so
// the application that waits for the lock need not wait for the disk, too.
func (w *Way) prune(ctx context.Context, log dialect.Log) error {
	tx, err := beginLazily(ctx, w.From)
	if err != nil {
		return err
	}
	return w.commit("prune", tx, func(tx dialect.Tx) error { return tx.Prune(ctx, log) })
}

// bring makes the rows that log names equal on both sides, in one transaction, as they
// are in snap. It returns how many keys that were.
func (w *Way) bring(ctx context.Context, snap dialect.Snapshot, log dialect.Log) (int, error) {
	batches, err := w.sort(log)
	if err != nil {
		return 0, err
	}
	next := map[string]dialect.Progress{}
	count := 0
	err = w.write(ctx, "apply", func(tx dialect.Tx) error {
		for table, b := range batches {
			if b == nil {
				continue
			}
			count += len(b.keys)
			p, err := w.bringTable(ctx, snap, tx, table, b)
			if err != nil {
				return err
			}
			next[w.To.Move.Shapes[table].Table.Name] = p
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	for name, p := range next {
		w.progress[name] = p
	}
	w.opts.Meter.count(Counts{Entries: int64(len(log.Entries)), Keys: int64(count)})
	if w.Copied() {
		var written []time.Time
		for _, e := range log.Entries {
			if !e.At.IsZero() {
				written = append(written, e.At)
			}
		}
		w.opts.Meter.arrived(written)
	}
	return count, nil
}

// A batch is what a part of a log says about one table.
type batch struct {
	keys  []value.Key // distinct
	whole bool        // everything may have changed
}

// sort takes entries apart by table.
func (w *Way) sort(log dialect.Log) ([]*batch, error) {
	batches := make([]*batch, w.Tables())
	seen := make([]map[string]bool, w.Tables())
	for _, e := range log.Entries {
		table, err := w.index(e.Table)
		if err != nil {
			return nil, err
		}
		if batches[table] == nil {
			batches[table], seen[table] = &batch{}, map[string]bool{}
		}
		if e.Key == nil {
			batches[table].whole = true
			continue
		}
		if code := e.Key.Encode(); !seen[table][code] {
			seen[table][code] = true
			batches[table].keys = append(batches[table].keys, e.Key)
		}
	}
	return batches, nil
}

// bringTable deletes all rows of the batch before it inserts any: two rows may have
// swapped a unique value.
func (w *Way) bringTable(ctx context.Context, snap dialect.Snapshot, tx dialect.Tx, table int, b *batch) (dialect.Progress, error) {
	from, to := w.shapes(table)
	p := w.Progress(table)
	if b.whole { // begin this table anew
		if err := tx.DeleteRange(ctx, to, nil, nil); err != nil {
			return p, err
		}
		p.Cursor, p.Copied, p.Verified, p.Rows = nil, false, nil, 0
		if err := tx.Progress(ctx, to, p); err != nil {
			return p, err
		}
	}
	toKeys, err := w.convertKeys(table, b.keys)
	if err != nil {
		return p, err
	}
	if err := tx.DeleteKeys(ctx, to, toKeys); err != nil {
		return p, err
	}
	in := w.inserter(snap, tx, table, p)
	if err := snap.Lookup(ctx, from, b.keys, func(row value.Row) error { return in.add(ctx, row) }); err != nil {
		return p, err
	}
	if err := in.flush(ctx); err != nil {
		return p, err
	}
	if !p.Copied {
		return p, nil
	}
	return p, tx.MarkDirty(ctx, to, toKeys)
}

// convertKeys makes keys of the side that follows of those of the one that leads.
func (w *Way) convertKeys(table int, keys []value.Key) ([]value.Key, error) {
	if w.convert[table] == nil {
		return keys, nil
	}
	from, _ := w.shapes(table)
	out := make([]value.Key, len(keys))
	for i, k := range keys {
		row := make(value.Row, len(from.Names))
		copy(row, k)
		if err := w.converted(table, row); err != nil {
			return nil, err
		}
		out[i] = value.Key(row[:from.Keys])
	}
	return out, nil
}

// An inserter collects rows and inserts them, and decides what may be displaced.
type inserter struct {
	way      *Way
	snap     dialect.Snapshot
	tx       dialect.Tx
	table    int
	progress dialect.Progress // as it will be at the commit

	rows     []value.Row
	size     int
	inserted map[string]bool // keys inserted in this transaction
	seen     map[string]bool // keys taken in: two that the database takes for equal lead to one row
}

func (w *Way) inserter(snap dialect.Snapshot, tx dialect.Tx, table int, p dialect.Progress) *inserter {
	return &inserter{way: w, snap: snap, tx: tx, table: table, progress: p, inserted: map[string]bool{}, seen: map[string]bool{}}
}

func (in *inserter) add(ctx context.Context, row value.Row) error {
	if err := in.way.converted(in.table, row); err != nil {
		return err
	}
	_, to := in.way.shapes(in.table)
	code := value.Key(row[:to.Keys]).Encode()
	if in.seen[code] {
		return nil
	}
	in.seen[code] = true
	in.rows = append(in.rows, row)
	if in.size += row.Size(); in.size < in.way.opts.BatchBytes {
		return nil
	}
	return in.flush(ctx)
}

func (in *inserter) flush(ctx context.Context) error {
	_, to := in.way.shapes(in.table)
	for len(in.rows) > 0 {
		err := in.tx.Insert(ctx, to, in.rows)
		var clash *dialect.ClashError
		done := len(in.rows)
		if errors.As(err, &clash) {
			done = clash.Row
		} else if err != nil {
			return err
		}
		for _, row := range in.rows[:done] {
			in.inserted[value.Key(row[:to.Keys]).Encode()] = true
		}
		if in.rows = in.rows[done:]; clash == nil {
			break
		}
		if err := in.displace(ctx, to, clash, in.rows[0]); err != nil {
			return err
		}
	}
	in.rows, in.size = nil, 0
	return nil
}

// displace removes the rows that stand in the way of row, if it is sure that they will
// come back: their keys are in the log, or the copy has not come to them yet. Any other
// row in the way proves that a change has gone by unlogged, or that the side that follows
// is stricter, and is not touched.
func (in *inserter) displace(ctx context.Context, to *schema.Shape, clash *dialect.ClashError, row value.Row) error {
	key := value.Key(row[:to.Keys])
	if len(clash.Others) == 0 {
		return &StricterError{Table: to.Table.Name, Key: key, Err: clash.Err}
	}
	if in.progress.Keyless {
		return errKeyless
	}
	from, _ := in.way.shapes(in.table)
	for _, other := range clash.Others {
		stricter := &StricterError{Table: to.Table.Name, Key: key, Other: other, Err: clash.Err}
		if in.inserted[other.Encode()] {
			return stricter
		}
		pending, err := in.snap.Pending(ctx, from, other)
		if err == nil && !pending && !in.progress.Copied {
			pending, err = in.snap.Beyond(ctx, from, other, in.progress.Cursor)
		}
		if err != nil {
			return fmt.Errorf("table %s: may key %s make room: %w", to.Table.Name, other, err)
		}
		if !pending {
			return stricter
		}
	}
	return in.tx.DeleteKeys(ctx, to, clash.Others)
}

// A StricterError reports a row that the side that follows does not take, because another
// one stands in its way that has every right to.
type StricterError struct {
	Table string
	Key   value.Key
	Other value.Key // nil: not known
	Err   error
}

func (e *StricterError) Error() string {
	other := "another row"
	if e.Other != nil {
		other = "the row with key " + e.Other.String()
	}
	return fmt.Sprintf("table %s: the row with key %s clashes with %s: the target is stricter than the source, or a change was not captured (%v)",
		e.Table, e.Key, other, e.Err)
}

// Unwrap lets errors.Is see the cause.
func (e *StricterError) Unwrap() error { return e.Err }
