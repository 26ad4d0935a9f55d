package postgres

import (
	"context"
	"fmt"

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

// CopyChunk copies the next rows behind p.Cursor.
func (d *direct) CopyChunk(ctx context.Context, m dialect.Move, from, to *schema.Shape, p dialect.Progress, limit int) (dialect.Progress, error) {
	source, err := d.source.snapshot(ctx, from)
	if err != nil {
		return p, err
	}
	defer source.Close() //nolint:errcheck // it only read
	w, err := d.target.begin(ctx, m)
	if err != nil {
		return p, err
	}
	defer w.Rollback() //nolint:errcheck // after a commit it does nothing
	// What a crash of the server takes back, it takes back as a whole: rows and cursor. The
	// next transaction that applies changes makes it last.
	if _, err := w.tx.Exec(ctx, "SET LOCAL synchronous_commit = off"); err != nil {
		return p, explain(err)
	}
	last, more, err := source.end(ctx, from, p.Cursor, limit)
	if err != nil {
		return p, err
	}
	upto := last
	if !more {
		upto = nil
	}
	rows, err := d.move(ctx, source, w, from, to, p.Cursor, upto)
	if err != nil {
		return p, err
	}
	p.Rows, p.Copied = p.Rows+rows, !more
	if last != nil {
		p.Cursor = last
	}
	if err := w.Progress(ctx, to, p); err != nil {
		return p, err
	}
	return p, w.Commit()
}

// move replaces the target's rows of a range by the source's.
func (d *direct) move(ctx context.Context, source *snapshot, w *writer, from, to *schema.Shape, after, upto value.Key) (int64, error) {
	if err := w.DeleteRange(ctx, to, after, upto); err != nil {
		return 0, err
	}
	fromLayout, err := source.layout(ctx, from)
	if err != nil {
		return 0, err
	}
	toLayout, err := w.layout(ctx, to)
	if err != nil {
		return 0, err
	}
	read := fmt.Sprintf("COPY (SELECT %s FROM %s t WHERE %s) TO STDOUT",
		fromLayout.list("t.", 0, fromLayout.written), fromLayout.quoted(), fromLayout.within(after, upto, inline))
	rows, err := transfer(ctx, source.tx.Conn(), read, w.tx.Conn(), toLayout.copyFrom())
	switch {
	case isCode(err, codeUnique):
		return 0, &dialect.ClashError{Table: to.Table.Name, Err: plain(err)}
	case err != nil:
		return 0, fmt.Errorf("table %s: copy rows behind %s: %w", to.Table.Name, after, explain(plain(err)))
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

// Same compares the rows behind after, up to the limit-th of the source.
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
	if !more {
		last = nil
	}
	var ours, theirs digest
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) { ours, err = source.digest(gctx, from, after, last); return err })
	group.Go(func() (err error) { theirs, err = target.digest(gctx, to, after, last); return err })
	if err := group.Wait(); err != nil {
		return dialect.Compared{}, err
	}
	return dialect.Compared{Rows: ours.rows, Last: last, Same: ours == theirs}, nil
}
