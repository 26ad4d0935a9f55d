package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
)

// IsGone reports whether an error says that a table of the engine is not there, which its
// state says is.
func IsGone(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == codeNoTable && strings.Contains(e.Message, prefix)
}

// Mend makes anew what somebody dropped.
func (d *DB) Mend(ctx context.Context, m dialect.Move) ([]string, error) {
	layouts, err := d.layoutsOf(ctx, m)
	if err != nil {
		return nil, err
	}
	var missing []string
	var leads bool
	look := func(c *pgx.Conn) error {
		missing = nil
		var there bool
		if err := c.QueryRow(ctx, `SELECT to_regclass('_strangler_move') IS NOT NULL`).Scan(&there); err != nil || !there {
			return err
		}
		err := c.QueryRow(ctx, `SELECT leads FROM _strangler_move WHERE split = $1`, m.Split).Scan(&leads)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		rows, err := c.Query(ctx, `SELECT t FROM unnest($1::text[]) t WHERE to_regclass(t) IS NULL`, mendable(layouts))
		if err != nil {
			return err
		}
		missing, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	}
	if err := d.with(ctx, look); err != nil || len(missing) == 0 {
		return nil, err
	}
	err = d.withLocks(ctx, "mend the engine's tables", func(tx pgx.Tx) error {
		if err := serialize(ctx, tx); err != nil {
			return err
		}
		if err := look(tx.Conn()); err != nil {
			return err
		}
		return execAll(ctx, tx, remakeSQL(layouts, missing, leads, m.Split))
	})
	return missing, err
}

// mendable are the tables that can be made anew. How far a copy is, what was put away and
// who owns a table nobody can know without the tables that said so.
func mendable(layouts []*layout) (tables []string) {
	for _, l := range layouts {
		tables = append(tables, l.captured().log(), dirtyTable(l.name))
	}
	return tables
}

// remakeSQL makes what is missing anew.
func remakeSQL(layouts []*layout, missing []string, leads bool, split string) (all []string) {
	for _, l := range layouts {
		c := l.captured()
		if slices.Contains(missing, c.log()) {
			if leads {
				all = append(all, fmt.Sprintf("DROP TRIGGER IF EXISTS %s ON %s", captureTrigger, c.quoted()), fmt.Sprintf("DROP TRIGGER IF EXISTS %s ON %s", truncateTrigger, c.quoted()))
			}
			all = append(all, c.tableSQL()...)
		}
		if slices.Contains(missing, dirtyTable(l.name)) {
			all = append(append(all, dirtySQL(l)...), fmt.Sprintf("UPDATE _strangler_progress SET verified = NULL, passes = 0, passed_at = NULL WHERE split = %s AND tbl = %s", literal(split), literal(l.Table)))
		}
	}
	return all
}

// thereIs reports whether a table of the engine is there.
func thereIs(ctx context.Context, tx pgx.Tx, table string) (there bool, err error) {
	err = tx.QueryRow(ctx, `SELECT to_regclass($1) IS NOT NULL`, table).Scan(&there)
	return there, err
}
