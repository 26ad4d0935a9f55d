package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/internal/sqlite"
	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/schema"
	"github.com/stranglerfig/toolkit/migrations/split/value"
)

// A Tx writes as the engine.
type Tx struct {
	db   *Database
	tx   *sqlx.Tx
	end  func() // of the fuse and the connection
	move dialect.Move
	ctx  context.Context //nolint:containedctx // of Begin: Commit has none of its own
}

// Begin begins to write as the engine. SQLite has one writer, so nobody sees that the
// engine is marked as writing: Commit takes the mark away.
func (d *Database) Begin(ctx context.Context, m dialect.Move) (dialect.Tx, error) {
	return d.begin(ctx, m, false)
}

func (d *Database) begin(ctx context.Context, m dialect.Move, lazily bool) (*Tx, error) {
	end := d.fuse.Hold()
	var tx *sqlx.Tx
	var err error
	if lazily {
		var back func()
		release := end
		tx, back, err = d.lazyTx(ctx)
		end = func() { back(); release() }
	} else {
		tx, err = d.guest.Writer.BeginTxx(ctx, nil)
	}
	if err != nil {
		end()
		return nil, d.explain(err, "begin to write")
	}
	r, err := tx.ExecContext(ctx, `UPDATE `+ctlTable+` SET applying = 1 WHERE split = ? AND move = ? AND claim = ?`, m.Split, m.ID, m.Claim)
	var n int64
	if err == nil {
		n, err = r.RowsAffected()
	}
	if err == nil && n == 0 {
		err = d.whyNot(ctx, tx, m)
	}
	if err != nil {
		defer end()
		return nil, errors.Join(d.explain(err, "begin to write"), tx.Rollback())
	}
	return &Tx{db: d, tx: tx, end: end, move: m, ctx: ctx}, nil
}

// whyNot says why the move may not write.
func (d *Database) whyNot(ctx context.Context, q queryer, m dialect.Move) error {
	var other string
	switch err := q.GetContext(ctx, &other, `SELECT move FROM `+ctlTable+` WHERE split = ?`, m.Split); {
	case isNone(err):
		return &dialect.LostError{Reason: "the split is not recorded in " + d.path + " any more"}
	case err != nil:
		return err
	case other != m.ID:
		return fmt.Errorf("split %s: %w (%s)", m.Split, dialect.ErrOtherMove, other)
	}
	return fmt.Errorf("split %s: %w", m.Split, dialect.ErrClaimLost)
}

// Fence is Begin: the writer of a SQLite file keeps all others from writing.
func (d *Database) Fence(ctx context.Context, m dialect.Move) (dialect.Tx, error) {
	return d.begin(ctx, m, false)
}

// Commit commits.
func (t *Tx) Commit() error {
	if _, err := t.tx.ExecContext(t.ctx, `UPDATE `+ctlTable+` SET applying = 0 WHERE split = ?`, t.move.Split); err != nil {
		return t.db.explain(err, "commit")
	}
	err := t.tx.Commit()
	if err == nil {
		t.end()
	}
	return t.db.explain(err, "commit")
}

// Rollback ends the transaction; after Commit it does nothing.
func (t *Tx) Rollback() error {
	err := t.tx.Rollback()
	t.end()
	t.db.forgetCheck(t.move.Split) // what was seen inside may have been undone
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}

// DeleteRange deletes the rows of a range.
func (t *Tx) DeleteRange(ctx context.Context, s *schema.Shape, after, upto value.Key) error {
	where, args := between(s, after, upto)
	_, err := t.tx.ExecContext(ctx, `DELETE FROM `+quote(s.Table.Name)+where, args...)
	return t.db.explain(err, "delete from table "+s.Table.Name)
}

// DeleteKeys deletes rows by their keys.
func (t *Tx) DeleteKeys(ctx context.Context, s *schema.Shape, keys []value.Key) error {
	return t.forKeys(ctx, s, keys, `DELETE FROM `+quote(s.Table.Name)+` WHERE `+equalKey(s), arguments[value.Key])
}

// forKeys executes a statement once for each key.
func (t *Tx) forKeys(ctx context.Context, s *schema.Shape, keys []value.Key, statement string, args func(value.Key) []any) error {
	if len(keys) == 0 {
		return nil
	}
	stmt, err := t.tx.PreparexContext(ctx, statement)
	if err != nil {
		return t.db.explain(err, "table "+s.Table.Name)
	}
	defer stmt.Close()
	for _, key := range keys {
		if _, err := stmt.ExecContext(ctx, args(key)...); err != nil {
			return t.db.explain(err, "table "+s.Table.Name+", key "+key.String())
		}
	}
	return nil
}

// insertRows is how many rows one statement inserts.
const insertRows = 50

// Insert inserts rows, many in one statement. A statement that fails has inserted none
// of its rows, so these are then inserted one by one, up to the one that cannot be.
func (t *Tx) Insert(ctx context.Context, s *schema.Shape, rows []value.Row) error {
	width := len(s.Written())
	size := max(1, min(insertRows, 900/width))
	for begin := 0; begin < len(rows); begin += size {
		part := rows[begin:min(begin+size, len(rows))]
		err := t.insert(ctx, s, part)
		if err != nil && len(part) > 1 && sqlite.IsConstraint(err) {
			for i := range part {
				if err = t.insert(ctx, s, part[i:i+1]); err != nil {
					return t.clash(ctx, s, part[i], begin+i, err)
				}
			}
			continue
		}
		if err != nil {
			return t.clash(ctx, s, part[0], begin, err)
		}
	}
	return nil
}

func (t *Tx) insert(ctx context.Context, s *schema.Shape, rows []value.Row) error {
	names := s.Written()
	query, args := make([]byte, 0, 256), make([]any, 0, len(rows)*len(names))
	query = append(query, `INSERT INTO `+quote(s.Table.Name)+`(`+quoteAll("", names)+`) VALUES `...)
	for i, row := range rows {
		if i > 0 {
			query = append(query, ", "...)
		}
		query = append(query, "("+marks(len(names))+")"...)
		args = append(args, arguments(row[:len(names)])...)
	}
	_, err := t.tx.ExecContext(ctx, string(query), args...)
	return err
}

// Prune deletes entries of the log. The last one stays as a row that names no table, so
// that the numbers of entries only grow.
func (t *Tx) Prune(ctx context.Context, l dialect.Log) error {
	last, ok := l.Handle.(int64)
	if !ok || len(l.Entries) == 0 {
		return nil
	}
	log := quote(logTable(t.move.Split))
	_, err := t.tx.ExecContext(ctx, `DELETE FROM `+log+` WHERE seq < ?`, last)
	if err == nil {
		_, err = t.tx.ExecContext(ctx, `UPDATE `+log+` SET tbl = NULL, `+columns(logColumns(widest(t.move)), ", ", func(k string) string { return k + " = NULL" })+` WHERE seq = ?`, last)
	}
	return t.db.explain(err, "prune the change log")
}

// Pending counts the entries of the log.
func (t *Tx) Pending(ctx context.Context) (int64, error) {
	var n int64
	err := t.tx.GetContext(ctx, &n, `SELECT count(*) FROM `+quote(logTable(t.move.Split))+` WHERE tbl IS NOT NULL`)
	return n, t.db.explain(err, "count the change log")
}

// Enqueue logs keys.
func (t *Tx) Enqueue(ctx context.Context, s *schema.Shape, keys []value.Key) error {
	return t.forKeys(ctx, s, keys, `INSERT INTO `+quote(logTable(t.move.Split))+`(tbl, `+quoteAll("", logColumns(s.Keys))+`) VALUES (?, `+marks(s.Keys)+`)`,
		func(k value.Key) []any { return append([]any{s.Table.Name}, arguments(k)...) })
}

// MarkDirty remembers keys to compare.
func (t *Tx) MarkDirty(ctx context.Context, s *schema.Shape, keys []value.Key) error {
	return t.forKeys(ctx, s, keys, `INSERT INTO `+quote(dirtyTable(t.move.Split))+`(tbl, key) VALUES (?, ?) ON CONFLICT DO NOTHING`, dirtyArguments(s))
}

// ClearDirty forgets them.
func (t *Tx) ClearDirty(ctx context.Context, s *schema.Shape, keys []value.Key) error {
	return t.forKeys(ctx, s, keys, `DELETE FROM `+quote(dirtyTable(t.move.Split))+` WHERE tbl = ? AND key = ?`, dirtyArguments(s))
}

func dirtyArguments(s *schema.Shape) func(value.Key) []any {
	return func(k value.Key) []any { return []any{s.Table.Name, []byte(k.Encode())} }
}

// Progress records how far the table is.
func (t *Tx) Progress(ctx context.Context, s *schema.Shape, p dialect.Progress) error {
	return t.db.explain(saveProgress(ctx, t.tx, t.move.Split, s.Table.Name, p), "record the progress of table "+s.Table.Name)
}

func saveProgress(ctx context.Context, tx *sqlx.Tx, split, table string, p dialect.Progress) error {
	at := ""
	if !p.PassedAt.IsZero() {
		at = p.PassedAt.UTC().Format(time.RFC3339Nano)
	}
	_, err := tx.ExecContext(ctx, `
		INSERT OR REPLACE INTO `+ckTable+`(split, tbl, cursor, copied, rows, verified, passes, passed_at, repaired)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		split, table, []byte(p.Cursor.Encode()), p.Copied, p.Rows, []byte(p.Verified.Encode()), p.Passes, at, p.Repaired)
	return err
}

// RaiseSequence makes the next key of an AUTOINCREMENT table lie beyond high.
func (t *Tx) RaiseSequence(ctx context.Context, s *schema.Shape, high int64) error {
	if s.Table.Sequence == nil {
		return nil
	}
	_, err := t.tx.ExecContext(ctx, `UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?`, high, s.Table.Name)
	if err == nil {
		_, err = t.tx.ExecContext(ctx, `INSERT INTO sqlite_sequence(name, seq) SELECT ?, ? WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = ?)`, s.Table.Name, high, s.Table.Name)
	}
	return t.db.explain(err, "raise the sequence of table "+s.Table.Name)
}
