package sqlite

import (
	"context"
	"fmt"
	"strings"

	"github.com/stranglerfig/toolkit/migrations/split/schema"
	"github.com/stranglerfig/toolkit/migrations/split/value"
)

// A scanner takes the values of a row as they are stored. Columns are selected as
// expressions (+column), because for a bare column the driver would make times and
// booleans of what stands there.
type scanner struct {
	values []any
	into   []any
}

func newScanner(width int) *scanner {
	s := &scanner{values: make([]any, width), into: make([]any, width)}
	for i := range s.values {
		s.into[i] = &s.values[i]
	}
	return s
}

func (s *scanner) row() (value.Row, error) {
	row := make(value.Row, len(s.values))
	for i, v := range s.values {
		switch v := v.(type) {
		case nil:
		case int64:
			row[i] = value.OfInt(v)
		case float64:
			row[i] = value.OfReal(v)
		case string:
			row[i] = value.OfText(v)
		case []byte:
			row[i] = value.OfBlob(v)
		default:
			return nil, fmt.Errorf("a value came as %T", v)
		}
	}
	return row, nil
}

// arguments are the values of a row or key as the driver takes them.
func arguments[S ~[]value.Value](values S) []any {
	args := make([]any, len(values))
	for i, v := range values {
		args[i] = argument(v)
	}
	return args
}

func argument(v value.Value) any {
	switch v.Kind() {
	case value.Int:
		return v.Int()
	case value.Real:
		return v.Real()
	case value.Blob:
		return []byte(v.Text())
	case value.Text, value.Literal:
		return v.Text()
	}
	return nil
}

// Dirty reads keys that have to be compared.
func (s *Snapshot) Dirty(ctx context.Context, shape *schema.Shape, limit int) ([]value.Key, error) {
	var encoded [][]byte
	err := s.tx.SelectContext(ctx, &encoded, `SELECT key FROM `+quote(dirtyTable(s.move.Split))+` WHERE tbl = ? LIMIT ?`, shape.Table.Name, limit)
	keys := make([]value.Key, len(encoded))
	for i, b := range encoded {
		if keys[i], err = value.DecodeKey(b); err != nil {
			return nil, fmt.Errorf("dirty key of table %s: %w", shape.Table.Name, err)
		}
	}
	return keys, s.db.explain(err, "read the keys to compare")
}

// LogCount counts the entries of the log, up to most.
func (s *Snapshot) LogCount(ctx context.Context, most int64) (int64, error) {
	var n int64
	err := s.tx.GetContext(ctx, &n, `SELECT count(*) FROM (SELECT 1 FROM `+quote(logTable(s.move.Split))+` WHERE tbl IS NOT NULL LIMIT ?)`, most)
	return n, s.db.explain(err, "count the log")
}

// DirtyCount counts them.
func (s *Snapshot) DirtyCount(ctx context.Context) (int64, error) {
	var n int64
	err := s.tx.GetContext(ctx, &n, `SELECT count(*) FROM `+quote(dirtyTable(s.move.Split)))
	return n, s.db.explain(err, "count the keys to compare")
}

// Count counts the rows of a table.
func (s *Snapshot) Count(ctx context.Context, shape *schema.Shape) (int64, error) {
	var n int64
	err := s.tx.GetContext(ctx, &n, `SELECT count(*) FROM `+quote(shape.Table.Name))
	return n, s.db.explain(err, "count table "+shape.Table.Name)
}

// Fraction is exact enough for keys that are one integer; of others it says that it does
// not know.
func (s *Snapshot) Fraction(ctx context.Context, shape *schema.Shape, key value.Key) (float64, error) {
	if key == nil {
		return 0, nil
	}
	if len(key) != 1 || key[0].Kind() != value.Int {
		return -1, nil
	}
	k := quote(shape.Key()[0])
	var least, most value.Value
	for _, end := range []struct {
		order string
		into  *value.Value
	}{{"ASC", &least}, {"DESC", &most}} {
		scan := newScanner(1)
		err := s.tx.QueryRowxContext(ctx, `SELECT +`+k+` FROM `+quote(shape.Table.Name)+` ORDER BY `+k+` `+end.order+` LIMIT 1`).Scan(scan.into...)
		if isNone(err) {
			return 1, nil
		}
		if err != nil {
			return -1, s.db.explain(err, "measure table "+shape.Table.Name)
		}
		row, err := scan.row()
		if err != nil || row[0].Kind() != value.Int {
			return -1, err
		}
		*end.into = row[0]
	}
	span := float64(most.Int()) - float64(least.Int())
	if span <= 0 {
		return 1, nil
	}
	return min(1, max(0, (float64(key[0].Int())-float64(least.Int()))/span)), nil
}

// HighWater is the greatest key that AUTOINCREMENT has handed out, or that stands in the
// table. Without AUTOINCREMENT an integer key has a high-water mark, too: the next key is
// one more than the greatest, and the greatest may have been deleted by then.
func (s *Snapshot) HighWater(ctx context.Context, shape *schema.Shape) (int64, bool, error) {
	var handed, stands int64
	k := quote(shape.Key()[0])
	if shape.Keys > 1 {
		return 0, false, nil
	}
	there, err := exists(ctx, s.tx, "sqlite_sequence")
	if err == nil && there {
		err = s.tx.GetContext(ctx, &handed, `SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = ?`, shape.Table.Name)
	}
	if err == nil {
		err = s.tx.GetContext(ctx, &stands, `SELECT coalesce((SELECT `+k+` FROM `+quote(shape.Table.Name)+` WHERE typeof(`+k+`) = 'integer' ORDER BY `+k+` DESC LIMIT 1), 0)`)
	}
	return max(handed, stands), shape.Table.Sequence != nil, s.db.explain(err, "find the last key of table "+shape.Table.Name)
}

// Orphans finds rows whose foreign keys inside of the split lead nowhere.
func (s *Snapshot) Orphans(ctx context.Context, limit int) ([]string, error) {
	var found []string
	for _, shape := range s.move.Shapes {
		for _, fk := range shape.Table.ForeignKeys {
			parent := s.parent(fk.Parent)
			if parent == "" {
				continue
			}
			var keys []string
			err := s.tx.SelectContext(ctx, &keys, `SELECT `+columns(shape.Key(), ` || ', ' || `, func(k string) string { return "quote(c." + k + ")" })+
				` FROM `+quote(shape.Table.Name)+` c WHERE `+nowhere(fk)+` LIMIT ?`, limit-len(found))
			if err != nil {
				return nil, s.db.explain(err, "check foreign keys of table "+shape.Table.Name)
			}
			for _, key := range keys {
				found = append(found, fmt.Sprintf("table %s, key %s: no row in %s", shape.Table.Name, key, parent))
			}
			if len(found) >= limit {
				return found, nil
			}
		}
	}
	return found, nil
}

// Dangling names references from tables outside of the split that lead nowhere.
func (s *Snapshot) Dangling(ctx context.Context, keys []schema.ForeignKey, limit int) ([]string, error) {
	var all []string
	for _, fk := range keys {
		var texts []string
		for _, c := range fk.Columns {
			texts = append(texts, "quote(c."+quote(c)+")")
		}
		var found []string
		err := s.tx.SelectContext(ctx, &found, fmt.Sprintf("SELECT DISTINCT %s FROM %s c WHERE %s LIMIT ?",
			strings.Join(texts, " || ', ' || "), quote(fk.Table), nowhere(fk)), limit-len(all))
		if err != nil {
			return nil, s.db.explain(err, "check the foreign keys of table "+fk.Table)
		}
		for _, reference := range found {
			all = append(all, fk.From()+" "+reference)
		}
	}
	return all, nil
}

// nowhere is the condition that a row c refers to none by a foreign key.
func nowhere(fk schema.ForeignKey) string {
	var filled, same []string
	for i, c := range fk.Columns {
		filled = append(filled, "c."+quote(c)+" IS NOT NULL")
		same = append(same, "p."+quote(fk.Parents[i])+" = c."+quote(c))
	}
	return strings.Join(filled, " AND ") + " AND NOT EXISTS (SELECT 1 FROM " + quote(fk.Parent) + " p WHERE " + strings.Join(same, " AND ") + ")"
}

// parent is the name of a table of the split, or nothing.
func (s *Snapshot) parent(name string) string {
	for _, shape := range s.move.Shapes {
		if strings.EqualFold(shape.Table.Name, name) {
			return shape.Table.Name
		}
	}
	return ""
}
