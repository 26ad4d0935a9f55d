package sqlite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/migrations/split/schema"
)

// exactly is up to how many rows are counted; beyond it their number is guessed.
const exactly = 100_000

// table describes one table; what stands against moving it becomes an obstacle.
func table(ctx context.Context, tx *sqlx.Tx, o object, all []object) (*schema.Table, error) {
	t := &schema.Table{Name: o.Name, SQL: o.SQL}
	var listed struct {
		Type   string
		WR     bool
		Strict bool
	}
	err := tx.GetContext(ctx, &listed, `SELECT type, wr, strict FROM pragma_table_list WHERE schema = 'main' AND name = ?`, o.Name)
	if err != nil {
		return nil, err
	}
	if listed.Type != "table" {
		obstruct(t, "leave it out of the plan; move the tables behind it", "it is a %s, not an ordinary table", kindOf(listed.Type))
		return t, nil
	}
	if listed.WR {
		t.Options = append(t.Options, "WITHOUT ROWID")
	}
	if listed.Strict {
		t.Options = append(t.Options, "STRICT")
	}
	primary, err := readColumns(ctx, tx, t)
	if err != nil {
		return nil, err
	}
	if err := readIndexes(ctx, tx, t, all); err != nil {
		return nil, err
	}
	chooseKey(t, primary, listed.WR)
	if !listed.WR && !t.ByRowid {
		t.RowID = rowid(t)
	}
	t.ForeignKeys, err = foreignKeys(ctx, tx, t.Name)
	if err != nil {
		return nil, err
	}
	if strings.Contains(strings.ToUpper(words0(o.SQL)), "AUTOINCREMENT") {
		t.Sequence = &schema.Sequence{Column: t.Key[0], Step: 1}
	}
	if len(t.Key) == 0 {
		return t, nil
	}
	return t, errors.Join(understandable(ctx, tx, t), estimate(ctx, tx, t, listed.WR))
}

func obstruct(t *schema.Table, remedy, format string, args ...any) {
	t.Obstacles = append(t.Obstacles, schema.Obstacle{Reason: fmt.Sprintf(format, args...), Remedy: remedy})
}

func kindOf(listed string) string {
	switch listed {
	case "virtual":
		return "virtual table"
	case "shadow":
		return "table that belongs to a virtual one"
	}
	return listed
}

// readColumns reads the columns and returns the names of those of the primary key.
func readColumns(ctx context.Context, q queryer, t *schema.Table) ([]string, error) {
	var rows []struct {
		Name    string
		Type    string
		NotNull bool `db:"notnull"`
		Default *string
		PK      int
		Hidden  int
	}
	err := q.SelectContext(ctx, &rows, `SELECT name, type, "notnull", dflt_value AS "default", pk, hidden FROM pragma_table_xinfo(?)`, t.Name)
	if err != nil {
		return nil, err
	}
	primary := map[int]string{}
	for _, r := range rows {
		c := schema.Column{Name: r.Name, Type: r.Type, NotNull: r.NotNull}
		if r.Default != nil {
			c.Default = *r.Default
		}
		switch r.Hidden {
		case 2:
			c.Generated = schema.Virtual
		case 3:
			c.Generated = schema.Stored
		}
		if r.PK > 0 {
			primary[r.PK] = r.Name
		}
		t.Columns = append(t.Columns, c)
	}
	var names []string
	for i := 1; i <= len(primary); i++ {
		names = append(names, primary[i])
	}
	return names, nil
}

// readIndexes reads all indexes, those of constraints too.
func readIndexes(ctx context.Context, q queryer, t *schema.Table, all []object) error {
	var list []struct {
		Name    string
		Unique  bool
		Origin  string
		Partial bool
	}
	if err := q.SelectContext(ctx, &list, `SELECT name, "unique", origin, partial FROM pragma_index_list(?) ORDER BY name`, t.Name); err != nil {
		return err
	}
	for _, l := range list {
		index := schema.Index{Name: l.Name}
		if i := slices.IndexFunc(all, func(o object) bool { return o.Type == "index" && o.Name == l.Name }); i >= 0 {
			index.SQL = all[i].SQL
		}
		if l.Partial {
			index.Where = whereOf(index.SQL)
		}
		if err := readTerms(ctx, q, &index); err != nil {
			return err
		}
		if l.Unique {
			t.Uniques = append(t.Uniques, index)
		} else {
			t.Indexes = append(t.Indexes, index)
		}
	}
	return nil
}

func readTerms(ctx context.Context, q queryer, index *schema.Index) error {
	var parts []struct {
		Name *string
		Coll string
	}
	err := q.SelectContext(ctx, &parts, `SELECT name, coll FROM pragma_index_xinfo(?) WHERE key = 1 ORDER BY seqno`, index.Name)
	if err != nil {
		return err
	}
	expressions := expressionsOf(index.SQL)
	for i, p := range parts {
		var term string
		switch {
		case p.Name != nil:
			term = quote(*p.Name)
			index.Columns = append(index.Columns, *p.Name)
		case i < len(expressions):
			term = "(" + expressions[i] + ")"
			index.Columns = append(index.Columns, "")
		default:
			return fmt.Errorf("index %s: cannot tell what it is on: %s", index.Name, index.SQL)
		}
		index.Terms = append(index.Terms, term+" COLLATE "+quote(p.Coll))
	}
	return nil
}

// chooseKey takes the primary key if no part of it can be NULL, else something unique
// that cannot. What was chosen is no longer among the uniques.
func chooseKey(t *schema.Table, primary []string, withoutRowid bool) {
	var nullable []string
	t.ByRowid = !withoutRowid && isRowid(t, primary)
	for _, name := range primary {
		if c := t.Column(name); !c.NotNull && !withoutRowid && !t.ByRowid {
			nullable = append(nullable, name)
		}
	}
	if len(primary) > 0 && len(nullable) == 0 {
		t.Key = primary
		t.Uniques = slices.DeleteFunc(t.Uniques, func(u schema.Index) bool { return isIndexOfKey(u, primary) })
		return
	}
	for _, u := range t.Uniques {
		whole := u.Where == "" && !slices.ContainsFunc(u.Columns, func(name string) bool {
			return name == "" || !t.Column(name).NotNull || t.Column(name).Computed()
		})
		if whole {
			t.Key = u.Columns
			return
		}
	}
	if len(nullable) > 0 {
		obstruct(t, "declare it NOT NULL", "column %s of its primary key can be NULL, so rows cannot be told apart by it", strings.Join(nullable, ", "))
		return
	}
	obstruct(t, "give it a primary key, or a unique index on columns that are NOT NULL", "no key tells its rows apart")
}

// isIndexOfKey reports whether u is nothing but the index of the primary key. One with
// a collation of its own is more: it makes rows equal whose columns are not.
func isIndexOfKey(u schema.Index, primary []string) bool {
	return strings.HasPrefix(u.Name, "sqlite_autoindex_") && slices.Equal(u.Columns, primary) &&
		!slices.ContainsFunc(u.Terms, func(term string) bool { return !strings.HasSuffix(term, ` COLLATE "BINARY"`) })
}

// isRowid reports whether the primary key is the rowid itself. Then no index stands for
// it, and it cannot be NULL.
func isRowid(t *schema.Table, primary []string) bool {
	return len(primary) == 1 && strings.EqualFold(t.Column(primary[0]).Type, "INTEGER") &&
		!slices.ContainsFunc(t.Uniques, func(u schema.Index) bool {
			return strings.HasPrefix(u.Name, "sqlite_autoindex_") && slices.Equal(u.Columns, primary)
		})
}

// rowid is a name by which statements reach the number that SQLite gives each row: one
// that no column has taken.
func rowid(t *schema.Table) string {
	for _, name := range rowids {
		if !slices.ContainsFunc(t.Columns, func(c schema.Column) bool { return strings.EqualFold(c.Name, name) }) {
			return name
		}
	}
	return ""
}

// rowids are the names of the number of a row.
var rowids = []string{"rowid", "oid", "_rowid_"}

// understandable makes sure that this program knows every function and collation that
// the table's indexes and columns use: an application may have brought its own.
func understandable(ctx context.Context, q queryer, t *schema.Table) error {
	var terms []string
	for _, i := range slices.Concat(t.Uniques, t.Indexes) {
		terms = append(terms, i.Terms...)
		if i.Where != "" {
			terms = append(terms, "("+i.Where+")")
		}
	}
	for _, c := range t.Columns {
		terms = append(terms, quote(c.Name))
	}
	for _, term := range terms {
		var none any
		err := q.GetContext(ctx, &none, `SELECT `+term+` FROM `+quote(t.Name)+` WHERE 0 ORDER BY 1`)
		if err != nil && !isNone(err) {
			obstruct(t, "drop or rewrite the index or column", "the engine does not know what %s means: %v", term, err)
		}
	}
	return nil
}

// estimate guesses how many rows there are and how large they are, without reading a
// large table.
func estimate(ctx context.Context, q queryer, t *schema.Table, withoutRowid bool) error {
	name := quote(t.Name)
	err := q.GetContext(ctx, &t.Rows, `SELECT count(*) FROM (SELECT 1 FROM `+name+` LIMIT ?)`, exactly+1)
	if err != nil {
		return err
	}
	t.Counted = t.Rows <= exactly
	if !t.Counted && !withoutRowid {
		if err := q.GetContext(ctx, &t.Rows, `SELECT (SELECT max(rowid) FROM `+name+`) - (SELECT min(rowid) FROM `+name+`) + 1`); err != nil {
			return err
		}
	}
	var names []string
	for _, c := range t.Columns {
		names = append(names, c.Name)
	}
	size := columns(names, " + ", func(c string) string { return "coalesce(octet_length(" + c + "), 0) + 2" })
	var each float64
	err = q.GetContext(ctx, &each, `SELECT coalesce(avg(n), 0) FROM (SELECT `+size+` AS n FROM `+name+` LIMIT 1000)`)
	t.Bytes = int64(float64(t.Rows) * (each + 10) * (1 + 0.3*float64(len(t.Uniques)+len(t.Indexes))))
	return err
}
