package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/stranglerfig/toolkit/migrations/split/schema"
	"github.com/stranglerfig/toolkit/migrations/split/value"
)

// layout is a shape with what SQL needs to know of its columns.
type layout struct {
	name
	oid     uint32
	columns []field
	keys    int
	written int
}

// field is one column of a layout.
type field struct {
	Name   string
	Type   string // as DDL says it
	Base   string // below domains, without a length
	kind   value.Kind
	byText bool // ordered by the bytes of its text rather than as its type says
}

// layout describes a shape. It is read once: a table whose columns change is lost to
// capture anyway.
func (d *DB) layout(ctx context.Context, c *pgx.Conn, s *schema.Shape) (*layout, error) {
	id := s.Table.Name + "\x00" + strings.Join(s.Names, "\x00")
	d.mu.Lock()
	l := d.layouts[id]
	d.mu.Unlock()
	if l != nil {
		return l, nil
	}
	l, err := d.readLayout(ctx, c, s)
	if err != nil {
		return nil, fmt.Errorf("table %s: %w", s.Table.Name, err)
	}
	d.mu.Lock()
	d.layouts[id] = l
	d.mu.Unlock()
	return l, nil
}

// forgetLayouts makes the next use of each table look at it again.
func (d *DB) forgetLayouts() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.layouts)
}

func (d *DB) readLayout(ctx context.Context, c *pgx.Conn, s *schema.Shape) (*layout, error) {
	rel, err := parseName(s.Table.Name).relation(ctx, c)
	if err != nil {
		return nil, err
	}
	columns, err := rel.columns(ctx, c)
	if err != nil {
		return nil, err
	}
	l := &layout{name: rel.name(), oid: rel.OID, keys: s.Keys, written: len(s.Names) - s.Computed}
	for i, n := range s.Names {
		at := slices.IndexFunc(columns, func(c column) bool { return c.Name == n })
		if at < 0 {
			return nil, fmt.Errorf("no column %s", n)
		}
		col := columns[at]
		l.columns = append(l.columns, field{
			Name: n, Type: col.Type, Base: col.Base, kind: kindOf(col.Base),
			byText: i < s.Keys && kindOf(col.Base) == value.Text && !d.ordersByBytes(col),
		})
	}
	return l, nil
}

// ordersByBytes reports whether the column's own order is that of its bytes.
func (d *DB) ordersByBytes(c column) bool {
	switch c.Base {
	case "citext", "character", "bpchar":
		return false // neither compares all bytes
	case "name":
		return c.Collation == ""
	}
	switch c.Collation {
	case "":
		return d.byBytes
	case `pg_catalog."C"`, `pg_catalog."POSIX"`:
		return true
	}
	return false
}

// kindOf says as what values of a type come and go.
func kindOf(base string) value.Kind {
	switch base {
	case "smallint", "integer", "bigint":
		return value.Int
	case "real", "double precision":
		return value.Real
	case "text", "character varying", "character", "bpchar", "name", "citext":
		return value.Text
	case "bytea":
		return value.Blob
	}
	return value.Literal
}

// list names columns from up to to, each behind prefix.
func (l *layout) list(prefix string, from, to int) string {
	all := make([]string, 0, to-from)
	for _, f := range l.columns[from:to] {
		all = append(all, prefix+quote(f.Name))
	}
	return strings.Join(all, ", ")
}

// order is the key as rows are ordered by it, each part behind prefix and followed by
// suffix. SQL of the index that serves it must be the same.
func (l *layout) order(prefix, suffix string) string {
	all := make([]string, l.keys)
	for i, f := range l.columns[:l.keys] {
		all[i] = f.ordered(prefix+quote(f.Name)) + suffix
	}
	return strings.Join(all, ", ")
}

// bound is the same for a key whose values bind turns into SQL.
func (l *layout) bound(key value.Key, bind func(value.Value) string) string {
	all := make([]string, l.keys)
	for i, f := range l.columns[:l.keys] {
		all[i] = f.ordered(bind(key[i]) + "::" + f.Type)
	}
	return strings.Join(all, ", ")
}

// args collects the parameters of a statement.
type args [][]byte

func (a *args) bind(v value.Value) string {
	*a = append(*a, text(v))
	return fmt.Sprintf("$%d", len(*a))
}

// inline is for statements that take no parameters.
func inline(v value.Value) string { return literal(string(text(v))) }

func (f field) ordered(expression string) string {
	switch {
	case !f.byText:
		return expression
	case f.Base == "text" && f.Type == "text":
		return "(" + expression + `) COLLATE "C"`
	}
	return "((" + expression + `)::text) COLLATE "C"`
}

// needsIndex reports whether no index of the table itself has the order of the keys.
func (l *layout) needsIndex() bool {
	return slices.ContainsFunc(l.columns[:l.keys], func(f field) bool { return f.byText })
}

// within is the condition for rows behind after and up to upto; nil stands for no bound.
func (l *layout) within(after, upto value.Key, bind func(value.Value) string) string {
	var conditions []string
	if after != nil {
		conditions = append(conditions, fmt.Sprintf("(%s) > (%s)", l.order("t.", ""), l.bound(after, bind)))
	}
	if upto != nil {
		conditions = append(conditions, fmt.Sprintf("(%s) <= (%s)", l.order("t.", ""), l.bound(upto, bind)))
	}
	if conditions == nil {
		return "true"
	}
	return strings.Join(conditions, " AND ")
}

// keyList is keys as one array per column, for unnest.
func (l *layout) keyList(keys []value.Key) [][]byte {
	arrays := make([][]byte, l.keys)
	for i := range arrays {
		arrays[i] = array(keys, i)
	}
	return arrays
}

// unnest makes a relation k(k1, …) of the arrays at parameter n and following.
func (l *layout) unnest(n int) string {
	arrays, names := make([]string, l.keys), make([]string, l.keys)
	for i, f := range l.columns[:l.keys] {
		arrays[i] = fmt.Sprintf("$%d::%s[]", n+i, f.Type)
		names[i] = fmt.Sprintf("k%d", i+1)
	}
	return fmt.Sprintf("unnest(%s) AS k(%s)", strings.Join(arrays, ", "), strings.Join(names, ", "))
}

// joined is the condition that rows t have the keys k, by the type's own equality: it
// is the one that the key is unique by, and that its index serves.
func (l *layout) joined() string {
	all := make([]string, l.keys)
	for i, f := range l.columns[:l.keys] {
		all[i] = fmt.Sprintf("t.%s = k.k%d", quote(f.Name), i+1)
	}
	return strings.Join(all, " AND ")
}

// captured is the table as its capture knows it.
func (l *layout) captured() captured {
	c := captured{name: l.name}
	for _, f := range l.columns[:l.keys] {
		c.Key, c.Types = append(c.Key, f.Name), append(c.Types, f.Type)
	}
	return c
}
