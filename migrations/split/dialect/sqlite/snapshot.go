package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/schema"
	"github.com/stranglerfig/toolkit/migrations/split/value"
)

// A Snapshot reads one state of the file.
type Snapshot struct {
	db   *Database
	tx   *sqlx.Tx
	end  func() // of the fuse
	move dialect.Move
}

// Snapshot begins to read. The first read inside fixes the state, so there is one here.
func (d *Database) Snapshot(ctx context.Context, m dialect.Move) (dialect.Snapshot, error) {
	tx, err := d.guest.Readers.BeginTxx(ctx, nil)
	if err != nil {
		return nil, d.explain(err, "begin to read")
	}
	var n int
	var mode string
	end := func() {}
	err = tx.GetContext(ctx, &mode, `PRAGMA journal_mode`)
	if err == nil && mode != "wal" { // then who reads keeps others from writing
		end = d.fuse.Hold()
	}
	if err == nil {
		err = tx.GetContext(ctx, &n, `SELECT count(*) FROM (SELECT 1 FROM sqlite_master LIMIT 1)`)
	}
	if err != nil {
		defer end()
		return nil, errors.Join(d.explain(err, "begin to read"), tx.Rollback())
	}
	return &Snapshot{db: d, tx: tx, end: end, move: m}, nil
}

// Close ends the snapshot.
func (s *Snapshot) Close() error {
	defer s.end()
	return s.tx.Rollback()
}

// Captured compares what is installed with what should be. It looks closely only when
// the schema of the file has changed since it last found everything in order.
func (s *Snapshot) Captured(ctx context.Context) error {
	var version int64
	if err := s.tx.GetContext(ctx, &version, `PRAGMA schema_version`); err != nil {
		return s.db.explain(err, "read the schema's version")
	}
	s.db.mu.Lock()
	checked, ok := s.db.checked[s.move.Split]
	s.db.mu.Unlock()
	if ok && checked == version {
		return nil
	}
	if err := s.look(ctx); err != nil {
		return err
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	s.db.checked[s.move.Split] = version
	return nil
}

func (s *Snapshot) look(ctx context.Context) error {
	lost := func(table, format string, args ...any) error {
		return &dialect.LostError{Table: table, Reason: fmt.Sprintf(format, args...)}
	}
	var move, captured string
	if there, err := exists(ctx, s.tx, ctlTable); err != nil || !there {
		return errors.Join(s.db.explain(err, "look for the split's state"), lost("", "the engine's own tables are gone from %s", s.db.path))
	}
	switch err := s.tx.QueryRowxContext(ctx, `SELECT move, captured FROM `+ctlTable+` WHERE split = ?`, s.move.Split).Scan(&move, &captured); {
	case isNone(err):
		return lost("", "the split is not recorded in %s any more", s.db.path)
	case err != nil:
		return s.db.explain(err, "read the split's state")
	case move != s.move.ID:
		return fmt.Errorf("split %s in %s: %w (%s)", s.move.Split, s.db.path, dialect.ErrOtherMove, move)
	}
	var set installed
	if err := json.Unmarshal([]byte(captured), &set); err != nil {
		return fmt.Errorf("what was installed in %s: %w", s.db.path, err)
	}
	now, err := present(ctx, s.tx, s.move)
	if err != nil {
		return s.db.explain(err, "look at the split's triggers")
	}
	for table, columns := range set.Tables {
		if !stillHolds(s.move.Role, columns, now.Tables[table]) {
			return lost(table, "its columns were (%s) and are (%s)", columns, now.Tables[table])
		}
	}
	if now.Triggers != set.Triggers {
		return lost(s.withoutTriggers(ctx), "triggers of the engine are gone or changed")
	}
	return nil
}

// stillHolds reports whether a table has the columns that it had. A service may add
// columns to its table: the source knows nothing of them. One that the source adds would
// be missing in the target.
func stillHolds(role, had, has string) bool {
	if had == has || role != dialect.Target {
		return had == has
	}
	now := strings.Split(has, ", ")
	for _, c := range strings.Split(had, ", ") {
		if !slices.Contains(now, c) {
			return false
		}
	}
	return true
}

// withoutTriggers names the first table that lacks one of its triggers.
func (s *Snapshot) withoutTriggers(ctx context.Context) string {
	triggers, err := ownTriggers(ctx, s.tx, s.move.Split)
	if err != nil {
		return ""
	}
	for _, shape := range s.move.Shapes {
		n := 0
		for _, o := range triggers {
			if strings.HasPrefix(o.Name, triggerName(s.move.Split, shape.Table.Name, "")) {
				n++
			}
		}
		if n != len(captureTriggers(s.move.Split, shape)) && n != len(guardTriggers(s.move, shape, dialect.Record{})) {
			return shape.Table.Name
		}
	}
	return ""
}

// Log reads the oldest entries.
func (s *Snapshot) Log(ctx context.Context, limit int) (dialect.Log, error) {
	keys := logColumns(widest(s.move))
	at, err := s.writtenAt(ctx)
	if err != nil {
		return dialect.Log{}, s.db.explain(err, "read the change log")
	}
	rows, err := s.tx.QueryxContext(ctx, `SELECT seq, tbl, `+quoteAll("", keys)+`, `+at+` FROM `+quote(logTable(s.move.Split))+` WHERE tbl IS NOT NULL ORDER BY seq LIMIT ?`, limit+1)
	if err != nil {
		return dialect.Log{}, s.db.explain(err, "read the change log")
	}
	defer rows.Close()
	var log dialect.Log
	var last int64
	scan := newScanner(3 + len(keys))
	for rows.Next() {
		if err := rows.Scan(scan.into...); err != nil {
			return log, s.db.explain(err, "read the change log")
		}
		if len(log.Entries) == limit {
			log.More = true
			continue
		}
		row, err := scan.row()
		if err != nil {
			return log, fmt.Errorf("change log of split %s: %w", s.move.Split, err)
		}
		last = row[0].Int()
		table := row[1].Text()
		shape := s.move.Shape(table)
		if shape == nil {
			return log, fmt.Errorf("change log of split %s names table %q, which is not part of it", s.move.Split, table)
		}
		e := dialect.Entry{Table: table, Key: value.Key(slices.Clone(row[2 : 2+shape.Keys]))}
		if day := row[2+len(keys)]; day.Kind() == value.Real {
			e.At = dayTime(day.Real())
		}
		log.Entries = append(log.Entries, e)
	}
	log.Handle = last
	return log, s.db.explain(rows.Err(), "read the change log")
}

// writtenAt is the column that says when an entry was written, or NULL: an earlier program
// made none. Days are what every SQLite can count in, also an old one in the application.
func (s *Snapshot) writtenAt(ctx context.Context) (string, error) {
	var n int
	err := s.tx.GetContext(ctx, &n, `SELECT count(*) FROM pragma_table_info(?) WHERE name = 'at'`, logTable(s.move.Split))
	if n == 0 {
		return "NULL", err
	}
	return "at", err
}

// dayTime is the time of a Julian day, which SQLite counts to the millisecond.
func dayTime(day float64) time.Time {
	const unixEpoch = 2440587.5
	return time.UnixMilli(int64(math.Round((day - unixEpoch) * 86_400_000)))
}

// Pending reports whether key is in the log.
func (s *Snapshot) Pending(ctx context.Context, shape *schema.Shape, key value.Key) (bool, error) {
	var n int
	err := s.tx.GetContext(ctx, &n, `SELECT count(*) FROM (SELECT 1 FROM `+quote(logTable(s.move.Split))+` WHERE tbl = ? AND `+
		columns(logColumns(shape.Keys), " AND ", func(k string) string { return k + " IS ?" })+` LIMIT 1)`,
		append([]any{shape.Table.Name}, arguments(key)...)...)
	return n > 0, s.db.explain(err, "look into the change log")
}

// Beyond compares by the order of the table's key: the collations of its columns.
func (s *Snapshot) Beyond(ctx context.Context, shape *schema.Shape, key, cursor value.Key) (bool, error) {
	if cursor == nil {
		return true, nil
	}
	// A table of no rows gives the compared values the columns' collations.
	left := columns(shape.Key(), ", ", func(k string) string { return k })
	query := `SELECT (` + left + `) > (` + marks(shape.Keys) + `) FROM (SELECT ` + left + ` FROM ` + quote(shape.Table.Name) + ` WHERE 0 UNION ALL SELECT ` + marks(shape.Keys) + `)`
	var beyond bool
	err := s.tx.GetContext(ctx, &beyond, query, append(arguments(cursor), arguments(key)...)...)
	return beyond, s.db.explain(err, "compare keys of table "+shape.Table.Name)
}

// Rows reads a range in the order of the key.
func (s *Snapshot) Rows(ctx context.Context, shape *schema.Shape, r dialect.Range, yield func(value.Row) error) error {
	query, args := `SELECT `+quoteAll("+", shape.Names)+` FROM `+quote(shape.Table.Name), []any(nil)
	where, bounds := between(shape, r.After, r.Upto)
	query += where + ` ORDER BY ` + quoteAll("", shape.Key())
	args = append(args, bounds...)
	if r.Limit > 0 {
		query += ` LIMIT ?`
		args = append(args, r.Limit)
	}
	rows, err := s.tx.QueryxContext(ctx, query, args...)
	if err != nil {
		return s.db.explain(err, "read table "+shape.Table.Name)
	}
	return s.each(rows, shape, r.Bytes, yield)
}

// each hands rows out until bytes of them have been read.
func (s *Snapshot) each(rows *sqlx.Rows, shape *schema.Shape, bytes int, yield func(value.Row) error) error {
	defer rows.Close()
	scan, size := newScanner(len(shape.Names)), 0
	for rows.Next() {
		if err := rows.Scan(scan.into...); err != nil {
			return s.db.explain(err, "read table "+shape.Table.Name)
		}
		row, err := scan.row()
		if err != nil {
			return fmt.Errorf("table %s: %w", shape.Table.Name, err)
		}
		if err := yield(row); err != nil {
			return err
		}
		if size += row.Size(); bytes > 0 && size >= bytes {
			return nil
		}
	}
	return s.db.explain(rows.Err(), "read table "+shape.Table.Name)
}

// between is the condition of a range, by the order of the key.
func between(shape *schema.Shape, after, upto value.Key) (string, []any) {
	key, mark := "("+quoteAll("", shape.Key())+")", "("+marks(shape.Keys)+")"
	var parts []string
	var args []any
	if after != nil {
		parts, args = append(parts, key+" > "+mark), append(args, arguments(after)...)
	}
	if upto != nil {
		parts, args = append(parts, key+" <= "+mark), append(args, arguments(upto)...)
	}
	if parts == nil {
		return "", nil
	}
	return " WHERE " + strings.Join(parts, " AND "), args
}

// Lookup reads the rows of keys one by one: each is a look-up in the key's index.
func (s *Snapshot) Lookup(ctx context.Context, shape *schema.Shape, keys []value.Key, yield func(value.Row) error) error {
	stmt, err := s.tx.PreparexContext(ctx, `SELECT `+quoteAll("+", shape.Names)+` FROM `+quote(shape.Table.Name)+` WHERE `+equalKey(shape))
	if err != nil {
		return s.db.explain(err, "read table "+shape.Table.Name)
	}
	defer stmt.Close()
	for _, key := range keys {
		rows, err := stmt.QueryxContext(ctx, arguments(key)...)
		if err != nil {
			return s.db.explain(err, "read table "+shape.Table.Name)
		}
		if err := s.each(rows, shape, 0, yield); err != nil {
			return err
		}
	}
	return nil
}

func equalKey(shape *schema.Shape) string {
	return columns(shape.Key(), " AND ", func(k string) string { return k + " = ?" })
}
