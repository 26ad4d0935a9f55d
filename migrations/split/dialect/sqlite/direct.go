package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

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
	return &direct{db: d, other: other, source: sqlite.FileURI(other.path) + "?mode=ro"}, nil
}

type direct struct {
	db     *Database
	other  *Database // the source, to write there
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
	x.other.ease(ctx)
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
		restore, err := relax(ctx, conn) // what is lost of a copy is copied again, with its cursor
		defer restore()
		if err != nil {
			return x.db.explain(err, "begin a chunk")
		}
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

// chunk copies rows behind the cursor. All looks at the source are in one state, because
// they are one transaction.
func (x *direct) chunk(ctx context.Context, tx *sqlx.Tx, m dialect.Move, from, to *schema.Shape, p dialect.Progress, limit int) (dialect.Progress, error) {
	last, err := x.clear(ctx, tx, from, to, p.Cursor, limit)
	if err != nil {
		return p, err
	}
	source := `source.` + quote(from.Table.Name)
	where, args := between(from, p.Cursor, last)
	var r sql.Result
	err = unguarded(ctx, tx, m, to, func() error {
		r, err = tx.ExecContext(ctx, `INSERT INTO main.`+quote(to.Table.Name)+`(`+quoteAll("", to.Written())+`) SELECT `+quoteAll("", from.Written())+
			` FROM `+source+where+` ORDER BY `+quoteAll("", from.Key())+` LIMIT ?`, append(args, limit)...)
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
	if byRowid(from, to) && n == int64(limit) {
		var id int64
		if id, err = r.LastInsertId(); err != nil {
			return p, err
		}
		last = value.Key{value.OfInt(id)}
	}
	if p.Copied = last == nil; !p.Copied { // else fewer rows are left than a chunk has
		p.Cursor = last
	}
	return p, err
}

// clear deletes what is where a chunk is to go: rows that were applied ahead of it. It
// returns the last key of the chunk, if that has to be known before.
//
// To find it costs as much as to read the chunk. Where rows are stored in the order of
// their key on both sides, the last one that goes in tells it. Then all that is behind the
// cursor is deleted: nothing there has been copied yet, and each row goes only once.
func (x *direct) clear(ctx context.Context, tx *sqlx.Tx, from, to *schema.Shape, after value.Key, limit int) (last value.Key, err error) {
	if !byRowid(from, to) {
		where, args := between(from, after, nil)
		if last, err = keyAt(ctx, tx, from, `source.`+quote(from.Table.Name)+where, args, limit-1); err != nil {
			return nil, x.db.explain(err, "find the end of a chunk")
		}
	}
	gap, args := between(to, after, last)
	_, err = tx.ExecContext(ctx, `DELETE FROM main.`+quote(to.Table.Name)+gap, args...)
	return last, x.db.explain(err, "clear the place of a chunk")
}

func byRowid(from, to *schema.Shape) bool { return from.Table.ByRowid && to.Table.ByRowid }

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
func keyAt(ctx context.Context, q sqlx.QueryerContext, s *schema.Shape, from string, args []any, skip int) (value.Key, error) {
	return keyBy(ctx, q, s, from, args, "", skip)
}

func keyBy(ctx context.Context, q sqlx.QueryerContext, s *schema.Shape, from string, args []any, order string, skip int) (value.Key, error) {
	scan := newScanner(s.Keys)
	by := columns(s.Key(), ", ", func(k string) string { return k + order })
	err := q.QueryRowxContext(ctx, `SELECT `+quoteAll("+", s.Key())+` FROM `+from+` ORDER BY `+by+` LIMIT 1 OFFSET ?`, append(args, skip)...).Scan(scan.into...)
	if isNone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	row, err := scan.row()
	return value.Key(row), err
}

// endOf is the key of the last of at most limit rows, or nil if there is none.
func endOf(ctx context.Context, q sqlx.QueryerContext, s *schema.Shape, from string, args []any, limit int) (value.Key, error) {
	last, err := keyAt(ctx, q, s, from, args, limit-1)
	if err != nil || last != nil {
		return last, err
	}
	return keyBy(ctx, q, s, from, args, " DESC", 0)
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
	rows, greatest := `SELECT * FROM source.`+quote(from.Table.Name), `0`
	if byRowid(from, to) { // the last of the rows tells the end of the range
		key := quote(from.Names[0])
		rows += where + ` ORDER BY ` + key + ` LIMIT ?`
		args, greatest = append(args, limit), `coalesce(max(s.`+key+`), 0)`
	} else {
		var err error
		if c.Last, err = endOf(ctx, q, from, `source.`+quote(from.Table.Name)+where, args, limit); err != nil {
			return c, err
		}
		where, args = between(from, after, c.Last)
		rows += where
	}
	join := `SELECT count(*), coalesce(sum(CASE WHEN ` + equalRows(from, to) + ` THEN 1 ELSE 0 END), 0), ` + greatest + ` FROM (` + rows + `) s LEFT JOIN main.` +
		quote(to.Table.Name) + ` t ON ` + equalKeys(from, to)
	var equal, id, there int64
	if err := q.QueryRowxContext(ctx, join, args...).Scan(&c.Rows, &equal, &id); err != nil {
		return c, fmt.Errorf("%s: %w", join, err)
	}
	if byRowid(from, to) && c.Rows > 0 {
		c.Last = value.Key{value.OfInt(id)}
	}
	where, args = between(to, after, c.Last)
	if err := q.GetContext(ctx, &there, `SELECT count(*) FROM main.`+quote(to.Table.Name)+where, args...); err != nil {
		return c, err
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
	parts := make([]string, len(to.Names))
	for i, c := range to.Columns() {
		parts[i] = equalValues("s."+quote(from.Names[i]), "t."+quote(to.Names[i]), from.Columns()[i], c)
	}
	return strings.Join(parts, " AND ")
}

// equalValues is true for values that are equal in kind and bytes. IS tells all kinds apart
// but integers and reals. To ask for the kinds takes three times as long as all the rest,
// and columns that prefer a kind need it not: there equal numbers are of one kind, but for
// the least integer, which a real can be, too.
func equalValues(a, b string, from, to schema.Column) string {
	equal := a + " IS " + b + " COLLATE BINARY"
	switch kind := affinityOf(to.Type); {
	case kind == noAffinity, kind != affinityOf(from.Type), to.Computed():
		equal += " AND typeof(" + a + ") = typeof(" + b + ")"
		if kind == noAffinity || affinityOf(from.Type) == noAffinity {
			equal += " AND NOT (typeof(" + a + ") = 'real' AND " + a + " = 0)"
		}
	case kind == integerAffinity, kind == numericAffinity:
		equal += " AND " + a + " IS NOT -9223372036854775808"
	}
	return equal
}
