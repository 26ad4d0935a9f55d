package transfer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/value"
)

// A Finding is one row that is not the same on both sides.
type Finding struct {
	Table   string   `json:"table"`
	Key     string   `json:"key"`
	Kind    string   `json:"kind"`              // missing, extra or differs
	Columns []Column `json:"columns,omitempty"` // of a row that differs
	key     value.Key
	table   int
}

// A Column is a value that is not the same, shortened.
type Column struct {
	Name   string `json:"name"`
	Source string `json:"source"` // on the side that leads
	Target string `json:"target"` // on the side that follows
}

// The kinds of findings.
const (
	Missing = "missing"
	Extra   = "extra"
	Differs = "differs"
)

func (f Finding) String() string {
	switch f.Kind {
	case Missing:
		return fmt.Sprintf("table %s, key %s: missing on the side that follows", f.Table, f.Key)
	case Extra:
		return fmt.Sprintf("table %s, key %s: only on the side that follows", f.Table, f.Key)
	}
	parts := make([]string, len(f.Columns))
	for i, c := range f.Columns {
		parts[i] = fmt.Sprintf("%s is %s, not %s", c.Name, c.Target, c.Source)
	}
	return fmt.Sprintf("table %s, key %s: %s", f.Table, f.Key, strings.Join(parts, "; "))
}

// A DifferError reports rows that are not the same on both sides.
type DifferError struct {
	Findings []Finding
}

func (e *DifferError) Error() string {
	const shown = 3
	lines := make([]string, 0, shown)
	for _, f := range e.Findings[:min(shown, len(e.Findings))] {
		lines = append(lines, f.String())
	}
	if more := len(e.Findings) - len(lines); more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more rows", more))
	}
	return "the two sides differ: " + strings.Join(lines, "; ")
}

// Verified is what Verify did.
type Verified struct {
	Rows   int64
	Took   time.Duration // how long the side that leads was read
	Passed bool          // this was the end of a pass over the table, and all of it is equal
	Behind bool          // nothing was compared: there is too much to be applied or carried over first
}

// Verify compares the next rows of a table, at most limit, in one state of each side: it
// applies what is in the log first, from the same snapshot, so there are no rows that
// may differ. At the end of a table it compares the number of rows, too. With the option
// Repair it copies what differs again, and the pass does not count.
func (w *Way) Verify(ctx context.Context, table, limit int) (Verified, error) {
	p := w.Progress(table)
	if w.direct != nil {
		v, last, err := w.verifyDirect(ctx, table, limit)
		if err != nil {
			return v, err
		}
		if last != nil {
			w.opts.Meter.count(Counts{Compared: v.Rows})
			return v, w.saveVerified(ctx, table, last)
		}
		// The end, or something differs: a row may have changed a moment ago. Rows that
		// go through memory can tell.
	}
	var v Verified
	var last value.Key
	var found []Finding
	err := w.compare(ctx, &v, func(source, target dialect.Snapshot) error {
		var err error
		last, v.Rows, found, err = w.compareRange(ctx, source, target, table, p.Verified, limit)
		if err == nil && last == nil && len(found) == 0 {
			found, err = w.compareCounts(ctx, source, target, table)
		}
		return err
	})
	if err != nil || v.Behind {
		return v, err
	}
	w.opts.Meter.count(Counts{Compared: v.Rows})
	if len(found) > 0 {
		return v, w.differ(ctx, table, found)
	}
	v.Passed = last == nil
	return v, w.saveVerified(ctx, table, last)
}

// verifyDirect lets the databases compare by themselves; last is nil unless all rows of
// the range are equal and there are more behind it.
func (w *Way) verifyDirect(ctx context.Context, table, limit int) (Verified, value.Key, error) {
	var v Verified
	if err := w.captured(ctx); err != nil {
		return v, nil, err
	}
	from, to := w.shapes(table)
	began := time.Now()
	c, err := w.direct.Same(ctx, w.To.Move, from, to, w.Progress(table).Verified, limit)
	v.Rows, v.Took = c.Rows, time.Since(began)
	if err != nil || !c.Same {
		return Verified{}, nil, err
	}
	return v, c.Last, nil
}

// compare calls f with one state of each side in which they have to be equal.
func (w *Way) compare(ctx context.Context, v *Verified, f func(source, target dialect.Snapshot) error) error {
	if w.keyless() {
		v.Behind = true
		return nil
	}
	source, err := w.read(ctx)
	if err != nil {
		return err
	}
	closed := false
	defer func() {
		if !closed {
			source.Close() //nolint:errcheck // it only read
		}
	}()
	began := time.Now()
	log, err := source.Log(ctx, w.opts.BatchKeys)
	if err != nil {
		return err
	}
	if log.More {
		v.Behind = true
		return nil
	}
	if len(log.Entries) > 0 {
		if _, err := w.bring(ctx, source, log); err != nil {
			return err
		}
	}
	target, err := w.To.Snapshot(ctx, w.To.Move)
	if err != nil {
		return err
	}
	defer target.Close() //nolint:errcheck // it only read
	if err := target.Captured(ctx); err != nil {
		return fmt.Errorf("the side that follows: %w", err)
	}
	if gone, err := unsettled(ctx, w.To, target, 1); err != nil || gone.Acted || gone.Unwatched {
		v.Behind = true
		return err
	}
	if err := f(source, target); err != nil {
		return err
	}
	closed = true
	if err := source.Close(); err != nil {
		return err
	}
	v.Took = time.Since(began)
	if len(log.Entries) == 0 {
		return nil
	}
	return w.prune(ctx, log)
}

// saveVerified moves the cursor of the comparison; nil ends the pass.
func (w *Way) saveVerified(ctx context.Context, table int, last value.Key) error {
	p := w.Progress(table)
	p.Verified = last
	if last == nil {
		p.Passes++
		p.PassedAt = time.Now()
	}
	return w.saveProgress(ctx, table, p, w.writeLazily) // what is lost is compared again
}

func (w *Way) saveProgress(ctx context.Context, table int, p dialect.Progress, write func(context.Context, string, func(dialect.Tx) error) error) error {
	_, to := w.shapes(table)
	err := write(ctx, "verify", func(tx dialect.Tx) error { return tx.Progress(ctx, to, p) })
	if err == nil {
		w.progress[to.Table.Name] = p
	}
	return err
}

// differ reports findings. With Repair it puts their keys into the log instead, so that
// the rows are copied again, and begins the pass anew.
func (w *Way) differ(ctx context.Context, table int, found []Finding) error {
	p := w.Progress(table)
	p.Verified, p.Passes, p.PassedAt = nil, 0, time.Time{}
	if w.opts.Repair {
		if err := w.repair(ctx, found); err != nil {
			return err
		}
		p.Repaired += int64(len(found))
		w.opts.Meter.count(Counts{Repaired: int64(len(found))})
	}
	if err := w.saveProgress(ctx, table, p, w.write); err != nil {
		return err
	}
	if w.opts.Repair {
		return nil
	}
	return &DifferError{Findings: found}
}

func (w *Way) repair(ctx context.Context, found []Finding) error {
	tx, err := w.From.Begin(ctx, w.From.Move)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
	for _, f := range found {
		from, _ := w.shapes(f.table)
		if err := tx.Enqueue(ctx, from, []value.Key{f.key}); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// VerifyDirty compares rows that have changed since they were last compared, at most
// limit of each table. It returns how many there are still.
func (w *Way) VerifyDirty(ctx context.Context, limit int) (int64, error) {
	var v Verified
	var left int64
	var found []Finding
	equal := make([][]value.Key, w.Tables())
	err := w.compare(ctx, &v, func(source, target dialect.Snapshot) error {
		var err error
		if left, err = target.DirtyCount(ctx); err != nil || left == 0 {
			return err
		}
		for table := range w.Tables() {
			differ, keys, err := w.compareDirty(ctx, source, target, table, limit)
			if err != nil {
				return err
			}
			equal[table], found = keys, append(found, differ...)
		}
		return nil
	})
	if err != nil {
		return left, err
	}
	if v.Behind {
		return -1, nil
	}
	if err := w.clearDirty(ctx, equal); err != nil {
		return left, err
	}
	for _, keys := range equal {
		left -= int64(len(keys))
	}
	if len(found) > 0 {
		return left, w.differ(ctx, found[0].table, found)
	}
	return left, nil
}

// VerifyFenced is VerifyDirty while the side that leads is fenced and its log is empty:
// nothing needs to be applied or pruned.
func (w *Way) VerifyFenced(ctx context.Context) error {
	for {
		source, err := w.read(ctx)
		if err != nil {
			return err
		}
		left, err := w.verifyFenced(ctx, source)
		source.Close() //nolint:errcheck // it only read
		if err != nil || left == 0 {
			return err
		}
	}
}

func (w *Way) verifyFenced(ctx context.Context, source dialect.Snapshot) (int64, error) {
	target, err := w.To.Snapshot(ctx, w.To.Move)
	if err != nil {
		return 0, err
	}
	const most = 100 // rows that are gone; what is left of them is settled as the side opens
	gone, err := unsettled(ctx, w.To, target, most)
	replaced := func(e dialect.LooseEntry) bool { return !e.Gone } // what referred to it has to come back
	if err != nil || gone.Unwatched || gone.Acted && (len(gone.Entries) == most || slices.ContainsFunc(gone.Entries, replaced)) {
		return 0, errors.Join(cmp.Or(err, ErrUnsettled), target.Close())
	}
	var found []Finding
	equal := make([][]value.Key, w.Tables())
	left, err := target.DirtyCount(ctx)
	for table := 0; table < w.Tables() && err == nil && left > 0; table++ {
		var differ []Finding
		differ, equal[table], err = w.compareDirty(ctx, source, target, table, w.opts.BatchKeys)
		found = append(found, differ...)
	}
	target.Close() //nolint:errcheck // it only read
	if err != nil {
		return left, err
	}
	switch {
	case len(found) > 0 && gone.Acted:
		return left, ErrUnsettled
	case len(found) > 0:
		return left, &DifferError{Findings: found}
	}
	for _, keys := range equal {
		left -= int64(len(keys))
	}
	return left, w.clearDirty(ctx, equal)
}

func (w *Way) clearDirty(ctx context.Context, equal [][]value.Key) error {
	if !slices.ContainsFunc(equal, func(keys []value.Key) bool { return len(keys) > 0 }) {
		return nil
	}
	return w.write(ctx, "verify", func(tx dialect.Tx) error {
		for table, keys := range equal {
			_, to := w.shapes(table)
			if err := tx.ClearDirty(ctx, to, keys); err != nil {
				return err
			}
		}
		return nil
	})
}
