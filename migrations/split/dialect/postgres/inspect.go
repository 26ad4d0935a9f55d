package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/stranglerfig/toolkit/migrations/split/schema"
)

// Catalog describes tables and what hangs on them. What cannot be moved is an obstacle
// of its table.
func (d *DB) Catalog(ctx context.Context, tables []string) (*schema.Catalog, error) {
	var cat *schema.Catalog
	err := d.with(ctx, func(c *pgx.Conn) error {
		return inTx(ctx, c, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(pgx.Tx) error {
			var err error
			cat, err = (&inspector{d: d, c: c, names: map[string]string{}}).catalog(ctx, tables)
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read the schema of %s: %w", d.info.Name, err)
	}
	return cat, nil
}

// inspector reads one catalog.
type inspector struct {
	d     *DB
	c     *pgx.Conn
	names map[string]string // as the plan calls a table, by SCHEMA.TABLE
	notes []string
}

func (in *inspector) catalog(ctx context.Context, tables []string) (*schema.Catalog, error) {
	cat := &schema.Catalog{}
	found := map[string]relation{}
	for _, t := range tables {
		if o, err := in.hidden(ctx, parseName(t)); err != nil {
			return nil, err
		} else if o != nil {
			cat.Tables = append(cat.Tables, &schema.Table{Name: t, Obstacles: []schema.Obstacle{*o}})
			continue
		}
		switch r, err := parseName(t).relation(ctx, in.c); {
		case errors.Is(err, errNoTable):
			cat.Missing = append(cat.Missing, t)
		case err != nil:
			return nil, err
		default:
			found[t] = r
			in.names[r.Schema+"."+r.Table] = t
		}
	}
	for _, t := range tables {
		if r, ok := found[t]; ok {
			if err := in.table(ctx, cat, t, r); err != nil {
				return nil, fmt.Errorf("table %s: %w", t, err)
			}
		}
	}
	cat.Notes = in.notes
	return cat, nil
}

// called is how a plan calls a table.
func (in *inspector) called(full string) string {
	if n, ok := in.names[full]; ok {
		return n
	}
	return strings.TrimPrefix(full, in.d.schema+".")
}

// table reads one table into cat.
func (in *inspector) table(ctx context.Context, cat *schema.Catalog, called string, r relation) error {
	t := &schema.Table{Name: called, Rows: max(0, int64(r.Rows)), Bytes: r.Bytes}
	cat.Tables = append(cat.Tables, t)
	if stop := kindObstacle(r); stop != nil {
		t.Obstacles = append(t.Obstacles, *stop)
		return nil // what follows means nothing for a view
	}
	t.Obstacles = append(t.Obstacles, relationObstacles(r)...)
	for _, read := range []func(context.Context, *schema.Table, relation) error{in.columns, in.indexes, in.triggers, in.sequence, in.inspectRights} {
		if err := read(ctx, t, r); err != nil {
			return err
		}
	}
	if err := in.foreignKeys(ctx, cat, t, r); err != nil {
		return err
	}
	if err := in.count(ctx, t, r); err != nil {
		return err
	}
	var err error
	if t.SQL, err = script(ctx, in.c, r, t, in.isInside); err != nil {
		return err
	}
	views, err := r.readers(ctx, in.c)
	for _, v := range views {
		cat.Views = addReader(cat.Views, in.called(v), called)
	}
	return err
}

// exactly is up to how many rows are counted; of more the planner's estimate is told.
const exactly = 100_000

// count counts the rows of a table that is not large, as far as the planner knows.
func (in *inspector) count(ctx context.Context, t *schema.Table, r relation) error {
	if r.Rows > 2*exactly {
		return nil
	}
	var may bool
	if err := in.c.QueryRow(ctx, `SELECT has_table_privilege($1::oid, 'SELECT')`, r.OID).Scan(&may); err != nil || !may {
		return err
	}
	var n int64
	err := in.c.QueryRow(ctx, `SELECT count(*) FROM (SELECT FROM `+r.name().quoted()+` LIMIT $1) x`, exactly+1).Scan(&n)
	if t.Counted = n <= exactly; t.Counted || t.Rows < n {
		t.Rows = n
	}
	return err
}

// isInside reports whether a table, as the plan calls it, is one of the split.
func (in *inspector) isInside(called string) bool {
	for _, n := range in.names {
		if n == called {
			return true
		}
	}
	return false
}

func addReader(views []schema.View, name, table string) []schema.View {
	if i := slices.IndexFunc(views, func(v schema.View) bool { return v.Name == name }); i >= 0 {
		views[i].Tables = append(views[i].Tables, table)
		return views
	}
	return append(views, schema.View{Name: name, Tables: []string{table}})
}

func (in *inspector) columns(ctx context.Context, t *schema.Table, r relation) error {
	columns, err := r.columns(ctx, in.c)
	if err != nil {
		return err
	}
	for _, c := range columns {
		col := schema.Column{Name: c.Name, Type: c.Type, NotNull: c.NotNull, Default: c.Default, Collation: c.Collation}
		switch {
		case c.Generated:
			col.Generated = schema.Stored
		case c.Identity != "":
			col.Generated = schema.Identity
		}
		t.Columns = append(t.Columns, col)
		if o := columnObstacle(c); o != nil {
			t.Obstacles = append(t.Obstacles, *o)
		}
	}
	return nil
}

func (in *inspector) indexes(ctx context.Context, t *schema.Table, r relation) error {
	indexes, err := r.indexes(ctx, in.c)
	if err != nil {
		return err
	}
	for _, i := range indexes {
		if strings.HasPrefix(i.Name, prefix) {
			continue
		}
		t.Obstacles = append(t.Obstacles, indexObstacles(i)...)
		if t.Key == nil && usableKey(i, t) {
			t.Key = i.Columns
			continue
		}
		index := schema.Index{Name: i.Name, Columns: i.Columns, SQL: i.Definition}
		if i.Partial {
			index.Where = i.Where
		}
		index.Terms = i.Terms
		if i.Unique {
			t.Uniques = append(t.Uniques, index)
		} else {
			t.Indexes = append(t.Indexes, index)
		}
	}
	if t.Key == nil {
		t.Obstacles = append(t.Obstacles, schema.Obstacle{
			Reason: "it has neither a primary key nor a unique index over columns that are NOT NULL",
			Remedy: "add a primary key: ALTER TABLE … ADD PRIMARY KEY (…)",
		})
	}
	t.Obstacles = append(t.Obstacles, keyObstacles(t)...)
	return nil
}

// usableKey reports whether rows can be known by the columns of i. Indexes come with
// the primary key first.
func usableKey(i index, t *schema.Table) bool {
	if !i.Unique || !i.Valid || i.Partial || i.Expression || i.Deferrable || len(i.Columns) == 0 {
		return false
	}
	for _, name := range i.Columns {
		if c := t.Column(name); c == nil || !c.NotNull {
			return false
		}
	}
	return true
}

func (in *inspector) triggers(ctx context.Context, t *schema.Table, r relation) error {
	triggers, err := r.triggers(ctx, in.c)
	if err != nil {
		return err
	}
	for _, tr := range triggers {
		if strings.HasPrefix(tr.Name, prefix) {
			continue
		}
		t.Triggers = append(t.Triggers, schema.Trigger{Name: tr.Name, Table: t.Name, SQL: tr.Definition})
		if tr.Enabled == "A" || tr.Enabled == "R" {
			t.Obstacles = append(t.Obstacles, schema.Obstacle{
				Reason: fmt.Sprintf("its trigger %s fires for replicas, so it would answer the engine's writes", tr.Name),
				Remedy: fmt.Sprintf("ALTER TABLE %s ENABLE TRIGGER %s", t.Name, quote(tr.Name)),
			})
		}
	}
	return nil
}

// actions are the words for what pg_constraint abbreviates.
var actions = map[string]string{"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}

func (in *inspector) foreignKeys(ctx context.Context, cat *schema.Catalog, t *schema.Table, r relation) error {
	keys, err := r.foreignKeys(ctx, in.c)
	if err != nil {
		return err
	}
	full := r.Schema + "." + r.Table
	for _, k := range keys {
		fk := schema.ForeignKey{
			Name: k.Name, Table: in.called(k.From), Columns: k.FromCols, Parent: in.called(k.To), Parents: k.ToCols,
			OnDelete: actions[k.OnDelete], OnUpdate: actions[k.OnUpdate], SetNull: k.SetNull,
		}
		_, inside := in.names[k.From]
		switch {
		case k.From == full:
			t.ForeignKeys = append(t.ForeignKeys, fk)
		case !inside:
			cat.Incoming = append(cat.Incoming, fk)
		}
	}
	return nil
}
