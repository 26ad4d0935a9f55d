package sqlite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/schema"
)

// An object is a row of sqlite_master.
type object struct {
	Type  string
	Name  string
	Table string `db:"tbl_name"`
	SQL   string
}

// Catalog describes the tables named and what hangs on them.
func (d *Database) Catalog(ctx context.Context, tables []string) (*schema.Catalog, error) {
	tx, err := d.guest.Readers.BeginTxx(ctx, nil)
	if err != nil {
		return nil, d.explain(err, "read the schema")
	}
	defer tx.Rollback() //nolint:errcheck // it only read
	c, err := catalog(ctx, tx, tables)
	return c, d.explain(err, "read the schema")
}

func catalog(ctx context.Context, tx *sqlx.Tx, tables []string) (*schema.Catalog, error) {
	var all []object
	if err := tx.SelectContext(ctx, &all, `SELECT type, name, tbl_name, coalesce(sql, '') AS sql FROM sqlite_master`); err != nil {
		return nil, err
	}
	c := &schema.Catalog{}
	for _, name := range tables {
		i := slices.IndexFunc(all, func(o object) bool {
			return (o.Type == "table" || o.Type == "view") && strings.EqualFold(o.Name, name)
		})
		if i < 0 {
			c.Missing = append(c.Missing, name)
			continue
		}
		t, err := table(ctx, tx, all[i], all)
		if err != nil {
			return nil, fmt.Errorf("table %s: %w", name, err)
		}
		c.Tables = append(c.Tables, t)
	}
	return c, errors.Join(incoming(ctx, tx, c, all), readers(c, all), notes(ctx, tx, c))
}

// incoming finds foreign keys from other tables to those of the catalog.
func incoming(ctx context.Context, tx *sqlx.Tx, c *schema.Catalog, all []object) error {
	for _, o := range all {
		if o.Type != "table" || find(c, o.Name) != nil {
			continue
		}
		keys, err := foreignKeys(ctx, tx, o.Name)
		if err != nil {
			return err
		}
		for _, fk := range keys {
			if parent := find(c, fk.Parent); parent != nil {
				fk.Parent = parent.Name
				c.Incoming = append(c.Incoming, fk)
			}
		}
	}
	return nil
}

// readers finds the views and the triggers of other tables that mention the tables, and
// what the tables' own triggers mention.
func readers(c *schema.Catalog, all []object) error {
	var names []string
	for _, o := range all {
		if o.Type == "table" && !strings.HasPrefix(o.Name, "sqlite_") {
			names = append(names, o.Name)
		}
	}
	for _, o := range all {
		if o.Type != "view" && o.Type != "trigger" || strings.HasPrefix(o.Name, dialect.Prefix) {
			continue
		}
		mentioned := words(o.SQL)
		own := find(c, o.Table)
		switch {
		case o.Type == "trigger" && own != nil:
			t := schema.Trigger{Name: o.Name, Table: own.Name, SQL: o.SQL}
			for _, name := range names {
				if mentioned[strings.ToLower(name)] && find(c, name) == nil {
					t.Others = append(t.Others, name)
				}
			}
			own.Triggers = append(own.Triggers, t)
		case !mentionsAny(c, mentioned):
		case o.Type == "trigger":
			c.Triggers = append(c.Triggers, schema.Trigger{Name: o.Name, Table: o.Table, SQL: o.SQL})
		default:
			v := schema.View{Name: o.Name, SQL: o.SQL}
			for _, t := range c.Tables {
				if mentioned[strings.ToLower(t.Name)] {
					v.Tables = append(v.Tables, t.Name)
				}
			}
			c.Views = append(c.Views, v)
		}
	}
	return nil
}

func mentionsAny(c *schema.Catalog, mentioned map[string]bool) bool {
	return slices.ContainsFunc(c.Tables, func(t *schema.Table) bool { return mentioned[strings.ToLower(t.Name)] })
}

// find looks a table up as SQLite does: in capitals or not.
func find(c *schema.Catalog, name string) *schema.Table {
	for _, t := range c.Tables {
		if strings.EqualFold(t.Name, name) {
			return t
		}
	}
	return nil
}

// notes tells what the owner of the file should know.
func notes(ctx context.Context, tx *sqlx.Tx, c *schema.Catalog) error {
	var mode string
	if err := tx.GetContext(ctx, &mode, `PRAGMA journal_mode`); err != nil {
		return err
	}
	if !strings.EqualFold(mode, "wal") {
		c.Notes = append(c.Notes, "the journal mode is "+mode+", not WAL: while a chunk is read, writers wait; PRAGMA journal_mode = WAL avoids that")
	}
	return nil
}

func foreignKeys(ctx context.Context, q queryer, name string) ([]schema.ForeignKey, error) {
	var rows []struct {
		ID       int
		Seq      int
		Table    string
		From     string
		To       *string
		OnUpdate string `db:"on_update"`
		OnDelete string `db:"on_delete"`
	}
	err := q.SelectContext(ctx, &rows, `SELECT id, seq, "table", "from", "to", on_update, on_delete FROM pragma_foreign_key_list(?) ORDER BY id, seq`, name)
	if err != nil {
		return nil, err
	}
	var keys []schema.ForeignKey
	for _, r := range rows {
		if r.Seq == 0 {
			keys = append(keys, schema.ForeignKey{Table: name, Parent: r.Table, OnDelete: r.OnDelete, OnUpdate: r.OnUpdate})
		}
		fk := &keys[len(keys)-1]
		fk.Columns = append(fk.Columns, r.From)
		if r.To != nil {
			fk.Parents = append(fk.Parents, *r.To)
		}
	}
	for i := range keys {
		if len(keys[i].Parents) > 0 {
			continue
		}
		// A reference that names no columns means the primary key of its parent.
		err := q.SelectContext(ctx, &keys[i].Parents, `SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk`, keys[i].Parent)
		if err != nil {
			return nil, err
		}
	}
	return keys, nil
}
