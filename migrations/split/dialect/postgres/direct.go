package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/schema"
	"github.com/stranglerfig/toolkit/migrations/split/value"
)

// direct moves rows between two PostgreSQL databases without looking into them: COPY to
// COPY, and digests that the servers compute.
type direct struct{ source, target *DB }

var _ dialect.Directly = (*DB)(nil)

// Direct returns the fast way from source, or nil if it is of another kind.
func (d *DB) Direct(_ context.Context, source dialect.Database) (dialect.Direct, error) {
	from, ok := source.(*DB)
	if !ok {
		return nil, nil //nolint:nilnil // the interface says so
	}
	return &direct{source: from, target: d}, nil
}

// CopyChunk copies the next rows behind p.Cursor. A table whose key has no index is copied
// in two halves at a time, by two sessions of each side, if no other index is unique: the
// first half could wait for a value of the second one, which waits for its commit. Of tables
// whose key is there rows may have come ahead, which are replaced.
func (d *direct) CopyChunk(ctx context.Context, m dialect.Move, from, to *schema.Shape, p dialect.Progress, limit int) (dialect.Progress, error) {
	c := &chunk{d: d, m: m, from: from, to: to}
	if !p.Keyless || len(to.Table.Uniques) > 0 || limit < 2 {
		return c.copy(ctx, p, limit, nil, nil)
	}
	ahead, done := make(chan dialect.Progress, 1), make(chan dialect.Progress, 1)
	var second dialect.Progress
	var secondErr error
	var group sync.WaitGroup
	group.Go(func() {
		begin, ok := <-ahead
		if !ok || begin.Copied {
			return
		}
		second, secondErr = c.copy(ctx, begin, limit/2, nil, done)
	})
	first, err := c.copy(ctx, p, limit-limit/2, ahead, nil)
	if close(ahead); err == nil {
		done <- first
	}
	close(done)
	group.Wait()
	switch {
	case err != nil: // of what is committed it is the one that counts
		return p, err
	case secondErr != nil || first.Copied:
		return first, secondErr
	}
	return second, nil
}

// chunk is what the halves of a chunk have in common.
type chunk struct {
	d        *direct
	m        dialect.Move
	from, to *schema.Shape
}

// errHalf ends a half whose first half was not committed.
var errHalf = errors.New("the rows before these were not copied")

// copy copies rows behind p.Cursor in one transaction. It tells ahead where they end as soon
// as that is known, and commits only after what comes before is done, if that is given. After
// an error nothing is done, and p is what it was.
func (c *chunk) copy(ctx context.Context, p dialect.Progress, limit int, ahead chan<- dialect.Progress, before <-chan dialect.Progress) (dialect.Progress, error) {
	source, err := c.d.source.snapshot(ctx, c.from)
	if err != nil {
		return p, err
	}
	defer source.Close() //nolint:errcheck // it only read
	next, upto := p, value.Key(nil)
	last, more, err := source.end(ctx, c.from, p.Cursor, limit)
	if err != nil {
		return p, err
	}
	if next.Copied = !more; more {
		upto = last
	}
	if last != nil {
		next.Cursor = last
	}
	if ahead != nil {
		ahead <- next
	}
	w, err := c.d.target.begin(ctx, c.m)
	if err != nil {
		return p, err
	}
	defer w.Rollback() //nolint:errcheck // after a commit it does nothing
	rows, err := c.move(ctx, source, w, p, upto)
	if err != nil {
		return p, err
	}
	if before != nil {
		done, ok := <-before
		if !ok {
			return p, errHalf
		}
		next.Rows = done.Rows
	}
	next.Rows += rows
	if err := w.isAt(ctx, c.to, p.Cursor); err != nil {
		return p, err
	}
	if err := w.Progress(ctx, c.to, next); err != nil {
		return p, err
	}
	if err := w.Commit(); err != nil {
		return p, err
	}
	return next, nil
}

// move replaces the target's rows of a range by the source's. Of a table whose key has no
// index there are none: the copy alone writes it, and records how far it is together with
// the rows.
func (c *chunk) move(ctx context.Context, source *snapshot, w *writer, p dialect.Progress, upto value.Key) (int64, error) {
	// What a crash of the server takes back, it takes back as a whole: rows and cursor, which
	// isAt finds out. The next transaction that applies changes makes it last.
	if _, err := w.tx.Exec(ctx, lazily); err != nil {
		return 0, explain(err)
	}
	if !p.Keyless {
		if err := w.DeleteRange(ctx, c.to, p.Cursor, upto); err != nil {
			return 0, err
		}
	}
	from, err := source.layout(ctx, c.from)
	if err != nil {
		return 0, err
	}
	to, err := w.layout(ctx, c.to)
	if err != nil {
		return 0, err
	}
	// Each row by way of the index costs more than to sort the places of all of them.
	if _, err := source.tx.Exec(ctx, "SET LOCAL enable_indexscan = off"); err != nil {
		return 0, explain(err)
	}
	read := fmt.Sprintf("COPY (SELECT %s FROM %s t WHERE %s) TO STDOUT",
		from.list("t.", 0, from.written), from.quoted(), from.within(p.Cursor, upto, inline))
	rows, err := transfer(ctx, source.tx.Conn(), read, w.tx.Conn(), to.copyFrom())
	switch {
	case isCode(err, codeUnique):
		return 0, &dialect.ClashError{Table: c.to.Table.Name, Err: plain(err)}
	case err != nil:
		return 0, fmt.Errorf("table %s: copy rows behind %s: %w", c.to.Table.Name, p.Cursor, explain(plain(err)))
	}
	return rows, nil
}

// snapshot is Snapshot of one table.
func (d *DB) snapshot(ctx context.Context, s *schema.Shape) (*snapshot, error) {
	snap, err := d.Snapshot(ctx, dialect.Move{Shapes: []*schema.Shape{s}})
	if err != nil {
		return nil, err
	}
	return snap.(*snapshot), nil
}

// end finds the key of the row that is limit rows behind after, and whether there are
// rows behind that one. Without that many rows it is the last key; nil: there are none.
func (s *snapshot) end(ctx context.Context, shape *schema.Shape, after value.Key, limit int) (last value.Key, more bool, err error) {
	l, err := s.layout(ctx, shape)
	if err != nil {
		return nil, false, err
	}
	var a args
	condition := l.within(after, nil, a.bind)
	pick := func(order string, offset, limit int) (keys []value.Key, err error) {
		query := fmt.Sprintf("SELECT %s FROM %s t WHERE %s ORDER BY %s OFFSET %d LIMIT %d",
			l.list("t.", 0, l.keys), l.quoted(), condition, order, offset, limit)
		return keys, s.each(ctx, l.columns[:l.keys], query, a, func(r value.Row) error {
			keys = append(keys, value.Key(r))
			return nil
		})
	}
	keys, err := pick(l.order("t.", ""), limit-1, 2)
	if err == nil && len(keys) == 0 {
		keys, err = pick(l.order("t.", " DESC"), 0, 1)
		if len(keys) > 0 {
			return keys[0], false, err
		}
	}
	if err != nil || len(keys) == 0 {
		return nil, false, wrapTable(shape, err)
	}
	return keys[0], len(keys) == 2, nil
}

// Same compares the rows behind after, up to the limit-th of the source. Where the source has
// no more than that, all that the target has there is compared with them, so the last key is
// the end only if there was no row.
func (d *direct) Same(ctx context.Context, _ dialect.Move, from, to *schema.Shape, after value.Key, limit int) (dialect.Compared, error) {
	source, err := d.source.snapshot(ctx, from)
	if err != nil {
		return dialect.Compared{}, err
	}
	defer source.Close() //nolint:errcheck // it only read
	target, err := d.target.snapshot(ctx, to)
	if err != nil {
		return dialect.Compared{}, err
	}
	defer target.Close() //nolint:errcheck // it only read
	last, more, err := source.end(ctx, from, after, limit)
	if err != nil {
		return dialect.Compared{}, err
	}
	upto := value.Key(nil)
	if more {
		upto = last
	}
	var ours, theirs digest
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) { ours, err = source.digest(gctx, from, after, upto); return err })
	group.Go(func() (err error) { theirs, err = target.digest(gctx, to, after, upto); return err })
	if err := group.Wait(); err != nil {
		return dialect.Compared{}, err
	}
	return dialect.Compared{Rows: ours.rows, Last: last, Same: ours == theirs}, nil
}
