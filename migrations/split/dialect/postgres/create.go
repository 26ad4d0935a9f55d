package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/schema"
)

// CreateTables makes the tables that are not there yet. The tables come first, then
// their indexes, then the foreign keys between them, which may form circles.
func (d *DB) CreateTables(ctx context.Context, m dialect.Move, tables []*schema.Table) error {
	return d.withLocks(ctx, "create tables of split "+m.Split, func(tx pgx.Tx) error {
		if err := serialize(ctx, tx); err != nil {
			return err
		}
		if err := execAll(ctx, tx, shared); err != nil {
			return err
		}
		var keys []string
		for _, t := range tables {
			n := parseName(t.Name)
			switch _, err := n.relation(ctx, tx.Conn()); {
			case err == nil:
				continue
			case !errors.Is(err, errNoTable):
				return err
			}
			before, after, err := d.statementsOf(t, tables)
			if err != nil {
				return fmt.Errorf("create table %s: %w", t.Name, err)
			}
			if n.Schema != "" {
				before = append([]string{"CREATE SCHEMA IF NOT EXISTS " + quote(n.Schema)}, before...)
			}
			if err := execAll(ctx, tx, before); err != nil {
				return missing(t, err)
			}
			if _, err := tx.Exec(ctx, `INSERT INTO _strangler_created (split, tbl) VALUES ($1, $2) ON CONFLICT DO NOTHING`, m.Split, t.Name); err != nil {
				return err
			}
			keys = append(keys, after...)
		}
		return execAll(ctx, tx, keys)
	})
}

// statementsOf is what makes a table, and what makes its foreign keys.
func (d *DB) statementsOf(t *schema.Table, all []*schema.Table) (table, keys []string, err error) {
	statements := strings.Split(t.SQL, scriptNext)
	if statements[0] != scriptHead {
		inside := *t
		inside.ForeignKeys = slices.DeleteFunc(slices.Clone(t.ForeignKeys), func(fk schema.ForeignKey) bool {
			return !slices.ContainsFunc(all, func(other *schema.Table) bool { return other.Name == fk.Parent })
		})
		return d.fromSQLite(&inside)
	}
	at := slices.Index(statements, scriptKeys)
	return statements[1:at], statements[at+1:], nil
}

// missing explains what a table needs that the engine does not make.
func missing(t *schema.Table, err error) error {
	if isCode(err, "42704", "42883", "3F000") { // undefined object, function, schema
		return fmt.Errorf("create table %s: %w: make the types and functions that the table uses in the target first (pg_dump --schema-only prints them)", t.Name, err)
	}
	return fmt.Errorf("create table %s: %w", t.Name, err)
}
