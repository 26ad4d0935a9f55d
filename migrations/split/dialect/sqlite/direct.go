package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/internal/sqlite"
	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/schema"
	"github.com/stranglerfig/toolkit/migrations/split/value"
)

// Direct returns the fast way from another SQLite file: the target's connection attaches
// it and one statement reads and writes. It is attached mode=ro: otherwise the target's
// write transaction would take the source's write lock as well and hold up its
// application with every chunk.
func (d *Database) Direct(ctx context.Context, source dialect.Database) (dialect.Direct, error) {
	other, ok := source.(*Database)
	if !ok {
		return nil, nil //nolint:nilnil // there is no fast way, and that is no error
	}
	return &direct{db: d, source: sqlite.FileURI(other.path) + "?mode=ro"}, nil
}

type direct struct {
	db     *Database
	source string
}

// with runs f on the writer with the source attached as "source".
func (x *direct) with(ctx context.Context, f func(conn *sqlx.Conn) error) error {
	conn, err := x.db.guest.Writer.Connx(ctx)
	if err != nil {
		return x.db.explain(err, "attach the source")
	}
	defer conn.Close()
	var attached int
	if err := conn.GetContext(ctx, &attached, `SELECT count(*) FROM pragma_database_list WHERE name = 'source'`); err != nil {
		return x.db.explain(err, "attach the source")
	}
	if attached == 0 {
		if _, err := conn.ExecContext(ctx, `ATTACH ? AS source`, x.source); err != nil {
			return x.db.explain(err, "attach the source")
		}
	}
	err = f(conn)
	if ctx.Err() == nil && err == nil {
		return nil
	}
	_, derr := conn.ExecContext(context.WithoutCancel(ctx), `DETACH source`)
	return errors.Join(err, x.db.explain(derr, "detach the source"))
}

// CopyChunk copies rows and records the progress in one transaction.
func (x *direct) CopyChunk(ctx context.Context, m dialect.Move, from, to *schema.Shape, p dialect.Progress, limit int) (dialect.Progress, error) {
	err := x.with(ctx, func(conn *sqlx.Conn) error {
		defer x.db.fuse.Hold()()
		tx, err := conn.BeginTxx(ctx, nil)
		if err != nil {
			return x.db.explain(err, "begin a chunk")
		}
		defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
		if err := x.claim(ctx, tx, m); err != nil {
			return err
		}
		next, err := x.chunk(ctx, tx, m, from, to, p, limit)
		if err != nil {
			return err
		}
		err = saveProgress(ctx, tx, m.Split, to.Table.Name, next)
		if err == nil {
			_, err = tx.ExecContext(ctx, `UPDATE main.`+ctlTable+` SET applying = 0 WHERE split = ?`, m.Split)
		}
		if err == nil {
			err = tx.Commit()
		}
		if err == nil {
			p = next
		}
		return x.db.explain(err, "copy a chunk of table "+to.Table.Name)
	})
	return p, err
}

func (x *direct) claim(ctx context.Context, tx *sqlx.Tx, m dialect.Move) error {
	r, err := tx.ExecContext(ctx, `UPDATE main.`+ctlTable+` SET applying = 1 WHERE split = ? AND move = ? AND claim = ?`, m.Split, m.ID, m.Claim)
	if err != nil {
		return x.db.explain(err, "begin a chunk")
	}
	if n, err := r.RowsAffected(); err != nil || n == 0 {
		return errors.Join(x.db.whyNot(ctx, tx, m), err)
	}
	return nil
}

// chunk finds the end of the chunk first: the delete needs it, too. Both look at the
// source in one state, because they are one transaction.
func (x *direct) chunk(ctx context.Context, tx *sqlx.Tx, m dialect.Move, from, to *schema.Shape, p dialect.Progress, limit int) (dialect.Progress, error) {
	where, args := between(from, p.Cursor, nil)
	source := `source.` + quote(from.Table.Name)
	last, err := keyAt(ctx, tx, from, source+where, args, limit-1)
	if err != nil {
		return p, x.db.explain(err, "find the end of a chunk")
	}
	if last == nil {
		p.Copied = true // fewer rows are left than a chunk has
	}
	gap, gapArgs := between(to, p.Cursor, last)
	if _, err := tx.ExecContext(ctx, `DELETE FROM main.`+quote(to.Table.Name)+gap, gapArgs...); err != nil {
		return p, x.db.explain(err, "clear the place of a chunk")
	}
	where, args = between(from, p.Cursor, last)
	var r sql.Result
	err = unguarded(ctx, tx, m, to, func() error {
		r, err = tx.ExecContext(ctx, `INSERT INTO main.`+quote(to.Table.Name)+`(`+quoteAll("", to.Written())+`) SELECT `+quoteAll("", from.Written())+
			` FROM `+source+where+` ORDER BY `+quoteAll("", from.Key()), args...)
		return err
	})
	switch {
	case sqlite.IsConstraint(err):
		return p, &dialect.ClashError{Table: to.Table.Name, Err: err}
	case err != nil:
		return p, x.db.explain(err, "copy a chunk of table "+to.Table.Name)
	}
	n, err := r.RowsAffected()
	p.Rows += n
	if last != nil {
		p.Cursor = last
	}
	return p, err
}

// unguarded calls f while the table has no guard against inserts, and puts it back as it
// was. Nobody else sees the table without it, because all of that is one transaction. The
// guard would let each row of the engine pass, but it costs as much as the rest of the
// insert, and more where it makes SQLite keep all rows of the SELECT before the first
// goes in. A guard that is not there is not made anew: who looks for it must miss it.
func unguarded(ctx context.Context, tx *sqlx.Tx, m dialect.Move, s *schema.Shape, f func() error) error {
	name := triggerName(m.Split, s.Table.Name, "gI")
	var guard string
	err := tx.GetContext(ctx, &guard, `SELECT sql FROM main.sqlite_master WHERE type = 'trigger' AND name = ?`, name)
	switch {
	case isNone(err):
		return f()
	case err != nil:
		return err
	}
	if _, err := tx.ExecContext(ctx, `DROP TRIGGER main.`+quote(name)); err != nil {
		return err
	}
	if err := f(); err != nil {
		return err // the transaction is over
	}
	_, err = tx.ExecContext(ctx, guard)
	return err
}

// keyAt is the key of the row that stands behind skip others, or nil.
func keyAt(ctx context.Context, tx *sqlx.Tx, s *schema.Shape, from string, args []any, skip int) (value.Key, error) {
	scan := newScanner(s.Keys)
	err := tx.QueryRowxContext(ctx, `SELECT `+quoteAll("+", s.Key())+` FROM `+from+` ORDER BY `+quoteAll("", s.Key())+` LIMIT 1 OFFSET ?`, append(args, skip)...).Scan(scan.into...)
	if isNone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	row, err := scan.row()
	return value.Key(row), err
}

// Same counts rows that are equal in kind and bytes, and compares the count with those of
// both sides. It may call rows different that are equal, never the opposite: -0.0 and 0.0
// are one number to SQLite, so rows with such a value in a column that can hold -0.0 do
// not count.
func (x *direct) Same(ctx context.Context, m dialect.Move, from, to *schema.Shape, after value.Key, limit int) (dialect.Compared, error) {
	var c dialect.Compared
	err := x.with(ctx, func(conn *sqlx.Conn) error {
		// Deferred: the writer's transactions are immediate, and this one only reads.
		if _, err := conn.ExecContext(ctx, `BEGIN DEFERRED`); err != nil {
			return x.db.explain(err, "begin to compare")
		}
		defer conn.ExecContext(context.WithoutCancel(ctx), `ROLLBACK`) //nolint:errcheck // it only read
		var err error
		c, err = x.same(ctx, conn, from, to, after, limit)
		return x.db.explain(err, "compare table "+to.Table.Name)
	})
	return c, err
}

func (x *direct) same(ctx context.Context, q *sqlx.Conn, from, to *schema.Shape, after value.Key, limit int) (dialect.Compared, error) {
	var c dialect.Compared
	where, args := between(from, after, nil)
	scan := newScanner(from.Keys)
	err := q.QueryRowxContext(ctx, `SELECT `+quoteAll("+", from.Key())+` FROM source.`+quote(from.Table.Name)+where+
		` ORDER BY `+quoteAll("", from.Key())+` LIMIT 1 OFFSET ?`, append(args, limit-1)...).Scan(scan.into...)
	switch {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return c, err
	default:
		row, err := scan.row()
		if err != nil {
			return c, err
		}
		c.Last = value.Key(row)
	}
	var there int64
	where, args = between(to, after, c.Last)
	if err := q.GetContext(ctx, &there, `SELECT count(*) FROM main.`+quote(to.Table.Name)+where, args...); err != nil {
		return c, err
	}
	where, args = between(from, after, c.Last)
	join := `SELECT count(*), coalesce(sum(CASE WHEN ` + equalRows(from, to) + ` THEN 1 ELSE 0 END), 0) FROM (SELECT * FROM source.` + quote(from.Table.Name) + where + `) s LEFT JOIN main.` +
		quote(to.Table.Name) + ` t ON ` + equalKeys(from, to)
	var equal int64
	if err := q.QueryRowxContext(ctx, join, args...).Scan(&c.Rows, &equal); err != nil {
		return c, fmt.Errorf("%s: %w", join, err)
	}
	c.Same = c.Rows == there && equal == there
	return c, nil
}

func equalKeys(from, to *schema.Shape) string {
	out := ""
	for i := range from.Keys {
		if i > 0 {
			out += " AND "
		}
		out += "t." + quote(to.Names[i]) + " = s." + quote(from.Names[i])
	}
	return out
}

// equalRows is true for rows that are equal in kind and bytes.
func equalRows(from, to *schema.Shape) string {
	out := ""
	for i, c := range to.Columns() {
		a, b := "s."+quote(from.Names[i]), "t."+quote(to.Names[i])
		if i > 0 {
			out += " AND "
		}
		out += "typeof(" + a + ") = typeof(" + b + ") AND " + a + " IS " + b + " COLLATE BINARY"
		if keepsNegativeZero(c.Type) || keepsNegativeZero(from.Columns()[i].Type) {
			out += " AND NOT (typeof(" + a + ") = 'real' AND " + a + " = 0)"
		}
	}
	return out
}
