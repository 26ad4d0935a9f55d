package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/value"
)

const makeProgress = `CREATE TABLE IF NOT EXISTS ` + ckTable + `(
	split TEXT NOT NULL,
	tbl TEXT NOT NULL,
	cursor BLOB, copied INTEGER NOT NULL, rows INTEGER NOT NULL,
	verified BLOB, passes INTEGER NOT NULL, passed_at TEXT NOT NULL, repaired INTEGER NOT NULL,
	PRIMARY KEY (split, tbl)) WITHOUT ROWID`

const makeParked = `CREATE TABLE IF NOT EXISTS ` + parkedTable + `(
	seq INTEGER PRIMARY KEY,
	split TEXT NOT NULL, tbl TEXT NOT NULL, type TEXT NOT NULL, name TEXT NOT NULL, sql TEXT NOT NULL,
	UNIQUE (split, type, name))`

// Prepare makes the engine's tables and records the move.
func (d *Database) Prepare(ctx context.Context, m dialect.Move) error {
	return d.write(ctx, "prepare the split", func(tx *sqlx.Tx) error {
		for _, create := range []string{
			makeProgress,
			makeParked,
			`CREATE TABLE IF NOT EXISTS ` + ctlTable + `(
				split TEXT PRIMARY KEY NOT NULL,
				move TEXT NOT NULL,
				role TEXT NOT NULL,
				claim INTEGER NOT NULL DEFAULT 0,
				holder TEXT NOT NULL DEFAULT '',
				applying INTEGER NOT NULL DEFAULT 0,
				made TEXT NOT NULL DEFAULT '[]',
				captured TEXT NOT NULL DEFAULT '{}')`,
			`CREATE TABLE IF NOT EXISTS ` + ownerTable + `(
				table_name TEXT PRIMARY KEY NOT NULL,
				owner TEXT NOT NULL,
				epoch INTEGER NOT NULL,
				decided_at TEXT NOT NULL)`,
		} {
			if _, err := tx.ExecContext(ctx, create); err != nil {
				return err
			}
		}
		return record(ctx, tx, m)
	})
}

// record takes the move down, and makes log and dirty table as wide as its widest key.
func record(ctx context.Context, tx *sqlx.Tx, m dialect.Move) error {
	var other string
	err := tx.GetContext(ctx, &other, `SELECT move FROM `+ctlTable+` WHERE split = ?`, m.Split)
	switch {
	case err == nil && other != m.ID:
		return fmt.Errorf("split %s: %w (%s)", m.Split, dialect.ErrOtherMove, other)
	case err != nil && !isNone(err):
		return err
	}
	if err := addHolder(ctx, tx); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO `+ctlTable+`(split, move, role, claim, holder) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`, m.Split, m.ID, m.Role, m.Claim, m.Holder)
	if err != nil {
		return err
	}
	if _, err = tx.ExecContext(ctx, makeLog(m)); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, makeDirty(m))
	return err
}

func makeLog(m dialect.Move) string {
	return `CREATE TABLE IF NOT EXISTS ` + quote(logTable(m.Split)) + `(seq INTEGER PRIMARY KEY, tbl TEXT, ` + quoteAll("", logColumns(widest(m))) + `, at REAL DEFAULT (julianday('now')))`
}

func makeDirty(m dialect.Move) string {
	return `CREATE TABLE IF NOT EXISTS ` + quote(dirtyTable(m.Split)) + `(tbl TEXT NOT NULL, key BLOB NOT NULL, PRIMARY KEY (tbl, key)) WITHOUT ROWID`
}

// widest is the number of columns of the widest key.
func widest(m dialect.Move) int {
	n := 1
	for _, s := range m.Shapes {
		n = max(n, s.Keys)
	}
	return n
}

// logColumns names the columns of a log that hold a key of n columns. They have no type,
// so that values stay as they are.
func logColumns(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("k%d", i+1)
	}
	return names
}

// Claim makes claim the current one, unless there is a newer.
func (d *Database) Claim(ctx context.Context, split string, claim int64, holder string) error {
	return d.write(ctx, "claim the split", func(tx *sqlx.Tx) error {
		if err := addHolder(ctx, tx); err != nil {
			return err
		}
		r, err := tx.ExecContext(ctx, `UPDATE `+ctlTable+` SET claim = ?, holder = ? WHERE split = ? AND claim < ?`, claim, holder, split, claim)
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return errors.Join(dialect.ErrClaimLost, err)
		}
		return nil
	})
}

// hasHolder reports whether the table of moves says who claims; an earlier program did not record it.
func hasHolder(ctx context.Context, q queryer) (bool, error) {
	var n int
	err := q.GetContext(ctx, &n, `SELECT count(*) FROM pragma_table_info('`+ctlTable+`') WHERE name = 'holder'`)
	return n > 0, err
}

func addHolder(ctx context.Context, tx *sqlx.Tx) error {
	there, err := hasHolder(ctx, tx)
	if err == nil && !there {
		_, err = tx.ExecContext(ctx, `ALTER TABLE `+ctlTable+` ADD COLUMN holder TEXT NOT NULL DEFAULT ''`)
	}
	return err
}

// State reads what is recorded about a split.
func (d *Database) State(ctx context.Context, split string) (dialect.State, error) {
	s := dialect.State{Record: dialect.Record{Owner: dialect.Source}, Tables: map[string]dialect.Progress{}}
	tx, err := d.guest.Readers.BeginTxx(ctx, nil)
	if err != nil {
		return s, d.explain(err, "read the split's state")
	}
	defer tx.Rollback() //nolint:errcheck // it only read
	if there, err := exists(ctx, tx, ctlTable); err != nil || !there {
		return s, d.explain(err, "read the split's state")
	}
	if s.Others, err = otherSplits(ctx, tx, split); err != nil {
		return s, d.explain(err, "read the splits of the database")
	}
	var ctl struct {
		Move, Role string
		Claim      int64
		Holder     string
		Made       string
		Captured   string
	}
	holder := "'' AS holder"
	if there, err := hasHolder(ctx, tx); err != nil {
		return s, d.explain(err, "read the split's state")
	} else if there {
		holder = "holder"
	}
	switch err := tx.GetContext(ctx, &ctl, `SELECT move, role, claim, `+holder+`, made, captured FROM `+ctlTable+` WHERE split = ?`, split); {
	case isNone(err):
		return s, nil
	case err != nil:
		return s, d.explain(err, "read the split's state")
	}
	s.Move, s.Role, s.Claim, s.Holder = ctl.Move, ctl.Role, ctl.Claim, ctl.Holder
	var set installed
	err = errors.Join(json.Unmarshal([]byte(ctl.Made), &s.Created), json.Unmarshal([]byte(ctl.Captured), &set))
	if err != nil {
		return s, fmt.Errorf("what is recorded in %s about split %s: %w", d.path, split, err)
	}
	s.Installed, s.Leads = set.Tables != nil, set.Leads
	err = errors.Join(readProgress(ctx, tx, split, s.Tables), readRecord(ctx, tx, set, &s.Record), readRefused(ctx, tx, split, &s))
	return s, d.explain(err, "read the split's state")
}

// otherSplits lists the tables of other splits.
func otherSplits(ctx context.Context, q queryer, split string) (map[string]string, error) {
	var rows []struct{ Split, Captured string }
	if err := q.SelectContext(ctx, &rows, `SELECT split, captured FROM `+ctlTable+` WHERE split <> ?`, split); err != nil {
		return nil, err
	}
	others := map[string]string{}
	for _, r := range rows {
		var set installed
		if err := json.Unmarshal([]byte(r.Captured), &set); err != nil {
			return nil, fmt.Errorf("split %s: %w", r.Split, err)
		}
		for table := range set.Tables {
			others[table] = r.Split
		}
	}
	return others, nil
}

// readRecord finds the record of the split's tables. They change owners together.
func readRecord(ctx context.Context, q queryer, set installed, r *dialect.Record) error {
	for _, table := range slices.Sorted(mapsKeys(set.Tables)) {
		err := q.GetContext(ctx, r, `SELECT owner, epoch FROM `+ownerTable+` WHERE table_name = ?`, table)
		if err == nil || !isNone(err) {
			return err
		}
	}
	return nil
}

func readProgress(ctx context.Context, q queryer, split string, into map[string]dialect.Progress) error {
	var rows []struct {
		Tbl              string
		Cursor, Verified []byte
		Copied           bool
		Rows, Passes     int64
		PassedAt         string `db:"passed_at"`
		Repaired         int64
	}
	if there, err := exists(ctx, q, ckTable); err != nil || !there { // who writes it will say so
		return err
	}
	err := q.SelectContext(ctx, &rows, `SELECT tbl, cursor, verified, copied, rows, passes, passed_at, repaired FROM `+ckTable+` WHERE split = ?`, split)
	if err != nil {
		return err
	}
	for _, r := range rows {
		p := dialect.Progress{Copied: r.Copied, Rows: r.Rows, Passes: r.Passes, Repaired: r.Repaired}
		var at error
		if r.PassedAt != "" {
			p.PassedAt, at = time.Parse(time.RFC3339Nano, r.PassedAt)
		}
		var cursor, verified error
		p.Cursor, cursor = value.DecodeKey(r.Cursor)
		p.Verified, verified = value.DecodeKey(r.Verified)
		if err := errors.Join(cursor, verified, at); err != nil {
			return fmt.Errorf("progress of table %s: %w", r.Tbl, err)
		}
		into[r.Tbl] = p
	}
	return nil
}

// Remove takes away every object of the split, triggers first: a trigger whose log is
// gone would make the application's writes fail.
func (d *Database) Remove(ctx context.Context, m dialect.Move, o dialect.RemoveOptions) error {
	err := d.write(ctx, "remove the split's objects", func(tx *sqlx.Tx) error {
		there, err := exists(ctx, tx, ctlTable)
		if err != nil || !there {
			return err
		}
		if err := dropTriggers(ctx, tx, m.Split); err != nil {
			return err
		}
		for _, make := range []string{makeParked, makeProgress} { // somebody may have dropped them
			if _, err := tx.ExecContext(ctx, make); err != nil {
				return err
			}
		}
		var made string
		switch err := tx.GetContext(ctx, &made, `SELECT made FROM `+ctlTable+` WHERE split = ?`, m.Split); {
		case isNone(err):
			made = "[]"
		case err != nil:
			return err
		}
		var tables []string
		if err := json.Unmarshal([]byte(made), &tables); err != nil {
			return fmt.Errorf("which tables were made: %w", err)
		}
		if o.Drop {
			for _, t := range tables {
				if _, err := tx.ExecContext(ctx, `DROP TABLE IF EXISTS main.`+quote(t)); err != nil {
					return err
				}
			}
		}
		return forget(ctx, tx, m, o, tables)
	})
	d.forgetCheck(m.Split)
	return err
}

// forget brings back what was parked and drops the tables that no split needs any more.
func forget(ctx context.Context, tx *sqlx.Tx, m dialect.Move, o dialect.RemoveOptions, dropped []string) error {
	if err := unpark(ctx, tx, m.Split, "index", ""); err != nil {
		return err
	}
	if err := unpark(ctx, tx, m.Split, "trigger", ""); err != nil {
		return err
	}
	if o.Owner {
		for _, s := range m.Shapes {
			if _, err := tx.ExecContext(ctx, `DELETE FROM `+ownerTable+` WHERE table_name = ?`, s.Table.Name); err != nil {
				return err
			}
		}
	}
	if err := makeRefused(ctx, tx, dialect.Move{}); err != nil { // an earlier program made none
		return err
	}
	for _, table := range []string{ctlTable, ckTable, parkedTable, refusedTable} {
		if _, err := tx.ExecContext(ctx, `DELETE FROM `+table+` WHERE split = ?`, m.Split); err != nil {
			return err
		}
	}
	drop := []string{logTable(m.Split), dirtyTable(m.Split), looseTable(m.Split)}
	for _, table := range []string{ctlTable, ckTable, parkedTable, refusedTable, ownerTable} {
		var n int
		if err := tx.GetContext(ctx, &n, `SELECT count(*) FROM `+table); err != nil {
			return err
		}
		if n == 0 {
			drop = append(drop, table)
		}
	}
	for _, table := range drop {
		if _, err := tx.ExecContext(ctx, `DROP TABLE IF EXISTS main.`+quote(table)); err != nil {
			return err
		}
	}
	return nil
}

// write runs f in a write transaction that is not the engine's on rows: it checks no
// claim and mutes nothing.
func (d *Database) write(ctx context.Context, what string, f func(tx *sqlx.Tx) error) error {
	defer d.fuse.Hold()()
	tx, err := d.guest.Writer.BeginTxx(ctx, nil)
	if err != nil {
		return d.explain(err, what)
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
	if err := f(tx); err != nil {
		return d.explain(err, what)
	}
	return d.explain(tx.Commit(), what)
}
