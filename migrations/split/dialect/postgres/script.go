package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/stranglerfig/toolkit/migrations/split/schema"
)

// The script of a table is the SQL that makes it again in another PostgreSQL database
// under the name that the plan has for it: the table, a line that separates, and the
// foreign keys, which wait until all tables are there.
const (
	scriptHead = "-- PostgreSQL"
	scriptKeys = "-- foreign keys"
	scriptNext = ";\x00\n" // between statements: no text of PostgreSQL holds a NUL
)

// script writes the script of a table, with foreign keys only to tables that inside
// knows.
func script(ctx context.Context, c *pgx.Conn, r relation, t *schema.Table, inside func(table string) bool) (string, error) {
	columns, err := r.columns(ctx, c)
	if err != nil {
		return "", err
	}
	constraints, err := r.constraints(ctx, c)
	if err != nil {
		return "", err
	}
	indexes, err := r.indexes(ctx, c)
	if err != nil {
		return "", err
	}
	n := parseName(t.Name)
	var parts []string
	for _, col := range columns {
		parts = append(parts, columnSQL(col, t.Sequence))
	}
	var keys []string
	for _, k := range constraints {
		clause := fmt.Sprintf("CONSTRAINT %s %s", quote(k.Name), k.Definition)
		switch {
		case k.Type != "f":
			parts = append(parts, clause)
		case slices.ContainsFunc(t.ForeignKeys, func(fk schema.ForeignKey) bool { return fk.Name == k.Name && inside(fk.Parent) }):
			keys = append(keys, fmt.Sprintf("ALTER TABLE %s ADD %s", n.quoted(), clause))
		}
	}
	statements := []string{scriptHead, fmt.Sprintf("CREATE TABLE %s (%s)", n.quoted(), strings.Join(parts, ", "))}
	for _, i := range indexes {
		if _, using, ok := strings.Cut(i.Definition, " USING "); ok && i.Constraint == "" && !strings.HasPrefix(i.Name, prefix) {
			unique := ""
			if i.Unique {
				unique = "UNIQUE "
			}
			statements = append(statements, fmt.Sprintf("CREATE %sINDEX %s ON %s USING %s", unique, quote(i.Name), n.quoted(), using))
		}
	}
	return strings.Join(append(append(statements, scriptKeys), keys...), scriptNext), nil
}

// columnSQL describes one column. A default that calls a sequence of the source becomes
// an identity, whose sequence is the new table's own.
func columnSQL(c column, seq *schema.Sequence) string {
	s := quote(c.Name) + " " + c.Type
	if c.Collation != "" {
		s += " COLLATE " + c.Collation
	}
	switch {
	case c.Generated:
		s += " GENERATED ALWAYS AS (" + c.Default + ") STORED"
	case seq != nil && seq.Column == c.Name:
		kind := "BY DEFAULT"
		if c.Identity == "a" {
			kind = "ALWAYS"
		}
		least, most := within(seq, c.Type)
		s += fmt.Sprintf(" GENERATED %s AS IDENTITY (INCREMENT BY %d MINVALUE %d MAXVALUE %d)", kind, seq.Step, least, most)
	case c.Default != "":
		s += " DEFAULT " + c.Default
	}
	if c.NotNull {
		s += " NOT NULL"
	}
	return s
}

// constraint is a primary key, a unique, check or foreign key constraint.
type constraint struct {
	Name       string
	Type       string
	Definition string
}

// constraints lists the constraints that make up a table's own rules.
func (r relation) constraints(ctx context.Context, c *pgx.Conn) ([]constraint, error) {
	rows, err := c.Query(ctx, `
		SELECT conname AS name, contype::text AS type, pg_get_constraintdef(oid) AS definition
		FROM pg_constraint
		WHERE conrelid = $1 AND contype IN ('p', 'u', 'c', 'f')
		ORDER BY contype = 'p' DESC, conname`, r.OID)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[constraint])
}
