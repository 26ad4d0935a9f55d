package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
)

// DecidedAt is when the owner of a table was last decided.
func (d *Database) DecidedAt(ctx context.Context, table string) (time.Time, error) {
	there, err := exists(ctx, d.guest.Readers, ownerTable)
	if err != nil || !there {
		return time.Time{}, d.explain(err, "read who owns the tables")
	}
	var at string
	switch err := d.guest.Readers.GetContext(ctx, &at, `SELECT decided_at FROM `+ownerTable+` WHERE table_name = ?`, table); {
	case isNone(err):
		return time.Time{}, nil
	case err != nil:
		return time.Time{}, d.explain(err, "read who owns the tables")
	}
	t, err := time.Parse(time.RFC3339Nano, at)
	if err != nil {
		return t, fmt.Errorf("table %s: when its owner was decided: %w", table, err)
	}
	return t, nil
}

// Retired is what a table is called when it is retired.
func (d *Database) Retired(table string) string { return dialect.Retired(table) }

// keepMark is the line among what is parked by which it is known that rows are kept.
const keepMark = "keep"

// Keep records whether rows are kept.
func (d *Database) Keep(ctx context.Context, m dialect.Move, keep bool) error {
	return d.retiring(ctx, m, "record whether rows are kept", func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM `+parkedTable+` WHERE split = ? AND type = ?`, m.Split, keepMark)
		if err == nil && keep {
			_, err = tx.ExecContext(ctx, `INSERT INTO `+parkedTable+`(split, tbl, type, name, sql) VALUES (?, '', ?, '', '')`, m.Split, keepMark)
		}
		return err
	})
}

// Kept reports what Keep has recorded.
func (d *Database) Kept(ctx context.Context, split string) (kept bool, err error) {
	if there, err := exists(ctx, d.guest.Readers, parkedTable); err != nil || !there {
		return false, d.explain(err, "read whether rows are kept")
	}
	err = d.guest.Readers.GetContext(ctx, &kept, `SELECT EXISTS (SELECT 1 FROM `+parkedTable+` WHERE split = ? AND type = ?)`, split, keepMark)
	return kept, d.explain(err, "read whether rows are kept")
}

// Retire renames the tables, without the triggers of the split and of the application: a
// retired table is written by nobody but Shrink.
func (d *Database) Retire(ctx context.Context, m dialect.Move, tables []string) error {
	return d.retiring(ctx, m, "retire the tables", func(tx *sqlx.Tx) error {
		if err := dropTriggers(ctx, tx, m.Split); err != nil {
			return err
		}
		for _, table := range tables {
			there, err := exists(ctx, tx, table)
			if err != nil {
				return err
			}
			done, err := exists(ctx, tx, dialect.Retired(table))
			if err != nil {
				return err
			}
			if !there || done {
				continue
			}
			// Its own triggers were put away when it was closed: they must not come back.
			if _, err := tx.ExecContext(ctx, `DELETE FROM `+parkedTable+` WHERE split = ? AND tbl = ?`, m.Split, table); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, `ALTER TABLE `+quote(table)+` RENAME TO `+quote(dialect.Retired(table))); err != nil {
				return fmt.Errorf("table %s: %w", table, err)
			}
		}
		return nil
	})
}

// Shrink deletes some rows. No foreign key is enforced on the engine's connection, and
// none leads there any more.
func (d *Database) Shrink(ctx context.Context, m dialect.Move, table string, limit int) (n int64, err error) {
	err = d.retiring(ctx, m, "shrink table "+table, func(tx *sqlx.Tx) error {
		name := dialect.Retired(table)
		if there, err := exists(ctx, tx, name); err != nil || !there {
			return err
		}
		key := "rowid"
		var names []string
		if err := tx.SelectContext(ctx, &names, `SELECT name FROM pragma_table_xinfo(?) WHERE pk > 0 ORDER BY pk`, name); err != nil {
			return err
		}
		var ready int
		if err := tx.GetContext(ctx, &ready, `SELECT wr FROM pragma_table_list WHERE schema = 'main' AND name = ?`, name); err != nil {
			return err
		}
		if ready == 1 { // WITHOUT ROWID
			key = quoteAll("", names)
		}
		r, err := tx.ExecContext(ctx, `DELETE FROM `+quote(name)+` WHERE (`+key+`) IN (SELECT `+key+` FROM `+quote(name)+` LIMIT ?)`, limit)
		if err != nil {
			return err
		}
		n, err = r.RowsAffected()
		return err
	})
	return n, err
}

// Discard drops a retired table.
func (d *Database) Discard(ctx context.Context, m dialect.Move, table string) error {
	return d.retiring(ctx, m, "drop table "+table, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `DROP TABLE IF EXISTS main.`+quote(dialect.Retired(table)))
		return err
	})
}

// retiring writes as the engine, with its claim checked.
func (d *Database) retiring(ctx context.Context, m dialect.Move, what string, f func(tx *sqlx.Tx) error) error {
	t, err := d.begin(ctx, m, false)
	if err != nil {
		return err
	}
	defer t.Rollback() //nolint:errcheck // after a commit it does nothing
	if err := f(t.tx); err != nil {
		return d.explain(err, what)
	}
	return t.Commit()
}
