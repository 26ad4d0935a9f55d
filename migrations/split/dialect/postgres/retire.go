package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
)

var _ dialect.Retirer = (*DB)(nil)

// codeDependents is what DROP says when others depend on the table.
const codeDependents = "2BP01"

// retired is the place of a table whose rows nobody needs any more.
func (n name) retired() name { return name{n.Schema, objectOf("old", n.Table)} }

// Retired is what a table is called when it is retired.
func (d *DB) Retired(table string) string {
	n := parseName(table).retired()
	if n.Schema == "" {
		return n.Table
	}
	return n.Schema + "." + n.Table
}

// DecidedAt is when the owner of a table was last decided.
func (d *DB) DecidedAt(ctx context.Context, table string) (at time.Time, err error) {
	err = d.with(ctx, func(c *pgx.Conn) error {
		err := c.QueryRow(ctx, `SELECT decided_at FROM _strangler_owner WHERE table_name = $1`, table).Scan(&at)
		if errors.Is(err, pgx.ErrNoRows) || isCode(err, codeNoTable) {
			return nil
		}
		return err
	})
	if err != nil {
		return at, fmt.Errorf("read when the owner of table %s was decided: %w", table, err)
	}
	return at, nil
}

// keepMark is the line of _strangler_parked by which it is known that rows are kept.
const keepMark = prefix + "keep"

// Keep records whether rows are kept.
func (d *DB) Keep(ctx context.Context, m dialect.Move, keep bool) error {
	return d.retiring(ctx, m, "record whether rows are kept", func(w *writer) error {
		_, err := w.tx.Exec(ctx, `DELETE FROM _strangler_parked WHERE split = $1 AND name = $2`, m.Split, keepMark)
		if err == nil && keep {
			_, err = w.tx.Exec(ctx, `INSERT INTO _strangler_parked (split, tbl, name, sql) VALUES ($1, '', $2, '')`, m.Split, keepMark)
		}
		return err
	})
}

// Kept reports what Keep has recorded.
func (d *DB) Kept(ctx context.Context, split string) (kept bool, err error) {
	err = d.with(ctx, func(c *pgx.Conn) error {
		var there bool
		if err := c.QueryRow(ctx, `SELECT to_regclass('_strangler_parked') IS NOT NULL`).Scan(&there); err != nil || !there {
			return err
		}
		return c.QueryRow(ctx, `SELECT EXISTS (SELECT FROM _strangler_parked WHERE split = $1 AND name = $2)`, split, keepMark).Scan(&kept)
	})
	if err != nil {
		return false, fmt.Errorf("read whether rows are kept: %w", explain(err))
	}
	return kept, nil
}

// Retire renames the tables and takes away what could still act on them or through them:
// the triggers of the split and then what these write, the application's own, and foreign
// keys, which would let forgotten rows stop the deletion of others.
func (d *DB) Retire(ctx context.Context, m dialect.Move, tables []string) error {
	return d.retiring(ctx, m, "retire the tables", func(w *writer) error {
		inside := map[uint32]bool{}
		var found []relation
		for _, table := range tables {
			switch r, err := parseName(table).relation(ctx, w.conn.Conn()); {
			case errors.Is(err, errNoTable): // renamed by an attempt that was interrupted
			case err != nil:
				return fmt.Errorf("table %s: %w", table, err)
			default:
				found, inside[r.OID] = append(found, r), true
			}
		}
		var all []string
		for _, r := range found {
			statements, err := d.retireSQL(ctx, w.conn.Conn(), r, inside)
			if err != nil {
				return fmt.Errorf("table %s: %w", r.Table, err)
			}
			all = append(all, statements...)
		}
		for _, r := range found { // foreign keys between them are gone by now
			all = append(all, fmt.Sprintf("ALTER TABLE %s RENAME TO %s", r.name().quoted(), quote(r.name().retired().Table)))
		}
		return w.patiently(ctx, all)
	})
}

// retireSQL frees one table of what hangs on it. A trigger goes before what it writes.
func (d *DB) retireSQL(ctx context.Context, c *pgx.Conn, r relation, inside map[uint32]bool) ([]string, error) {
	keys, err := r.foreignKeysOutside(ctx, c, inside)
	if err != nil {
		return nil, err
	}
	if len(keys) > 0 {
		return nil, fmt.Errorf("%s still refers to it: take that foreign key away with a migration of the application, then give the command again", keys[0])
	}
	triggers, err := r.triggers(ctx, c)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, t := range triggers {
		all = append(all, fmt.Sprintf("DROP TRIGGER %s ON %s", quote(t.Name), r.name().quoted()))
	}
	all = append(all, "DROP INDEX IF EXISTS "+r.name().sibling(objectOf("order", r.Table)))
	all = append(all, dropBesideSQL(r.name())...)
	own, err := r.foreignKeys(ctx, c)
	if err != nil {
		return nil, err
	}
	for _, k := range own {
		if k.From == r.Schema+"."+r.Table {
			all = append(all, fmt.Sprintf("ALTER TABLE %s DROP CONSTRAINT %s", r.name().quoted(), quote(k.Name)))
		}
	}
	shared, err := r.sharedSequences(ctx, c, inside)
	if err != nil {
		return nil, err
	}
	for _, s := range shared {
		all = append(all, "ALTER SEQUENCE "+s+" OWNED BY NONE")
	}
	return all, nil
}

// foreignKeysOutside names the foreign keys of other tables that lead to r.
func (r relation) foreignKeysOutside(ctx context.Context, c *pgx.Conn, inside map[uint32]bool) ([]string, error) {
	rows, err := c.Query(ctx, `
		SELECT format('foreign key %s of table %s', k.conname, k.conrelid::regclass)
		FROM pg_constraint k
		WHERE k.contype = 'f' AND k.confrelid = $1 AND NOT k.conrelid = ANY($2::oid[])
		ORDER BY 1`, r.OID, oidsOf(inside))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// sharedSequences names the sequences that would go with r although tables that stay draw
// from them.
func (r relation) sharedSequences(ctx context.Context, c *pgx.Conn, inside map[uint32]bool) ([]string, error) {
	rows, err := c.Query(ctx, `
		SELECT DISTINCT s.oid::regclass::text
		FROM pg_depend own
		JOIN pg_class s ON s.oid = own.objid AND s.relkind = 'S'
		JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = s.oid AND d.classid = 'pg_attrdef'::regclass
		JOIN pg_attrdef a ON a.oid = d.objid
		WHERE own.classid = 'pg_class'::regclass AND own.refclassid = 'pg_class'::regclass AND own.refobjid = $1 AND own.deptype = 'a'
			AND NOT a.adrelid = ANY($2::oid[])
		ORDER BY 1`, r.OID, oidsOf(inside))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

func oidsOf(set map[uint32]bool) []uint32 {
	all := make([]uint32, 0, len(set))
	for oid := range set {
		all = append(all, oid)
	}
	return all
}

// Shrink deletes some rows: standbys and subscribers take many small transactions more
// easily than one that is large. Nobody writes a retired table, so it goes on where it was:
// looking from the beginning would read the place of every deleted row again each time.
func (d *DB) Shrink(ctx context.Context, m dialect.Move, table string, limit int) (n int64, err error) {
	err = d.retiring(ctx, m, "shrink table "+table, func(w *writer) error {
		r, err := parseName(table).retired().relation(ctx, w.conn.Conn())
		if errors.Is(err, errNoTable) {
			return nil
		} else if err != nil {
			return err
		}
		from := d.shrunkTo(r.OID)
		// A scan that joins another one begins in the middle.
		if _, err := w.tx.Exec(ctx, "SET LOCAL synchronize_seqscans = off"); err != nil {
			return err
		}
		err = w.tx.QueryRow(ctx, fmt.Sprintf(`
			WITH gone AS (
				DELETE FROM %[1]s WHERE ctid = ANY(ARRAY(SELECT ctid FROM %[1]s WHERE ctid >= $1::text::tid LIMIT $2::bigint)) RETURNING ctid AS place
			)
			SELECT count(*), coalesce(max(place)::text, $1::text)
			FROM gone`, r.name().quoted()), from, limit).Scan(&n, &from)
		if err == nil {
			d.shrinkFrom(r.OID, from)
		}
		return err
	})
	return n, err
}

// shrunkTo is the place in a table before which there is no row any more.
func (d *DB) shrunkTo(oid uint32) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if at, ok := d.shrunk[oid]; ok {
		return at
	}
	return "(0,0)"
}

func (d *DB) shrinkFrom(oid uint32, place string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.shrunk == nil {
		d.shrunk = map[uint32]string{}
	}
	d.shrunk[oid] = place
}

// Discard drops a retired table, with the sequences of its own.
func (d *DB) Discard(ctx context.Context, m dialect.Move, table string) error {
	return d.retiring(ctx, m, "drop table "+d.Retired(table), func(w *writer) error {
		_, err := w.tx.Exec(ctx, "DROP TABLE IF EXISTS "+parseName(table).retired().quoted())
		var e *pgconn.PgError
		if errors.As(err, &e) && e.Code == codeDependents {
			return fmt.Errorf("%s: take that away with a migration of the application, then give the command again: %w", strings.ReplaceAll(e.Detail, "\n", "; "), err)
		}
		return err
	})
}

// retiring writes as the engine, with its claim checked.
func (d *DB) retiring(ctx context.Context, m dialect.Move, what string, do func(*writer) error) error {
	w, err := d.begin(ctx, m)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	defer w.Rollback() //nolint:errcheck // never fails
	if err := do(w); err != nil {
		return fmt.Errorf("%s: %w", what, explain(err))
	}
	return w.Commit()
}
