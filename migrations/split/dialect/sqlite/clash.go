package sqlite

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/stranglerfig/toolkit/internal/sqlite"
	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/schema"
	"github.com/stranglerfig/toolkit/migrations/split/value"
)

// clash explains why a row could not be inserted. If something unique stands against it,
// it finds the rows that hold it, by the same look-ups as capture.
func (t *Tx) clash(ctx context.Context, s *schema.Shape, row value.Row, at int, err error) error {
	key := value.Key(row[:s.Keys])
	if !sqlite.IsUnique(err) {
		return t.db.explain(err, fmt.Sprintf("table %s, key %s: the target does not take the row", s.Table.Name, key))
	}
	others, ferr := t.inTheWay(ctx, s, row)
	if ferr != nil {
		return t.db.explain(ferr, "table "+s.Table.Name+": look for clashing rows")
	}
	return &dialect.ClashError{Table: s.Table.Name, Row: at, Others: others, Err: err}
}

// inTheWay finds the rows that are equal to row by the key or by something unique. What
// an index computes is computed from the row's values under the columns' names.
func (t *Tx) inTheWay(ctx context.Context, s *schema.Shape, row value.Row) ([]value.Key, error) {
	found, err := t.keysWhere(ctx, s, nil, equalKey(s), arguments(row[:s.Keys]))
	if err != nil {
		return nil, err
	}
	given := "SELECT " + columns(s.Names, ", ", func(n string) string { return "? AS " + n })
	for _, u := range s.Table.Uniques {
		condition, args := "1", []any(nil)
		if u.Where != "" {
			// A row that does not come under the condition clashes with none.
			condition = "(" + u.Where + ") AND (SELECT (" + u.Where + ") FROM (" + given + "))"
			args = arguments(row)
		}
		for i, term := range u.Terms {
			body, collation := splitTerm(term)
			if at := slices.Index(s.Names, u.Columns[i]); at >= 0 {
				condition += " AND " + body + " = ? COLLATE " + collation
				args = append(args, argument(row[at]))
				continue
			}
			condition += " AND " + body + " = (SELECT " + body + " FROM (" + given + ")) COLLATE " + collation
			args = append(args, arguments(row)...)
		}
		if found, err = t.keysWhere(ctx, s, found, condition, args); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// keysWhere adds the keys of rows that meet a condition to those found before.
func (t *Tx) keysWhere(ctx context.Context, s *schema.Shape, found []value.Key, condition string, args []any) ([]value.Key, error) {
	rows, err := t.tx.QueryxContext(ctx, `SELECT `+quoteAll("+", s.Key())+` FROM `+quote(s.Table.Name)+` WHERE `+condition, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	scan := newScanner(s.Keys)
	for rows.Next() {
		if err := rows.Scan(scan.into...); err != nil {
			return nil, err
		}
		row, err := scan.row()
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(found, func(o value.Key) bool { return value.Row(o).Equal(row) }) {
			found = append(found, value.Key(row))
		}
	}
	return found, rows.Err()
}

// splitTerm takes the collation off a term of an index.
func splitTerm(term string) (body, collation string) {
	at := strings.LastIndex(term, " COLLATE ")
	return term[:at], term[at+len(" COLLATE "):]
}
