package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/schema"
	"github.com/stranglerfig/toolkit/migrations/split/value"
)

// reader is what snapshots and transactions that write have in common.
type reader struct {
	d  *DB
	tx pgx.Tx
}

func (r reader) layout(ctx context.Context, s *schema.Shape) (*layout, error) {
	return r.d.layout(ctx, r.tx.Conn(), s)
}

// each runs a query in the text form of the protocol, which is exact, and calls yield
// with each row. Parameters are texts, too; nil is NULL.
func (r reader) each(ctx context.Context, fields []field, query string, args [][]byte, yield func(value.Row) error) error {
	result := r.tx.Conn().PgConn().ExecParams(ctx, query, args, nil, nil, nil)
	for result.NextRow() {
		row, err := parseAll(fields, result.Values())
		if err == nil {
			err = yield(row)
		}
		if err != nil {
			_, _ = result.Close() // reads on to the end, or the session is of no more use
			return err
		}
	}
	_, err := result.Close()
	return explain(err)
}

// truth asks a question.
func (r reader) truth(ctx context.Context, query string, args [][]byte) (bool, error) {
	var answer bool
	err := r.each(ctx, []field{{Name: "answer", kind: value.Literal}}, query, args, func(row value.Row) error {
		answer = row[0].Text() == "t"
		return nil
	})
	return answer, err
}

// sum counts the lines of a table that each table of the move has.
func (r reader) sum(ctx context.Context, table func(*layout) string, m dialect.Move) (int64, error) {
	var total int64
	for _, s := range m.Shapes {
		l, err := r.layout(ctx, s)
		if err != nil {
			return 0, err
		}
		var n int64
		if err := r.tx.QueryRow(ctx, "SELECT count(*) FROM "+table(l)).Scan(&n); err != nil {
			return 0, explain(err)
		}
		total += n
	}
	return total, nil
}

// planned is how many rows the planner expects of a query.
func (r reader) planned(ctx context.Context, query string, args [][]byte) (float64, error) {
	var plan string
	err := r.each(ctx, []field{{kind: value.Literal}}, "EXPLAIN (FORMAT JSON) "+query, args, func(row value.Row) error {
		plan = row[0].Text()
		return nil
	})
	if err != nil {
		return 0, err
	}
	var parsed []struct {
		Plan struct {
			Rows float64 `json:"Plan Rows"`
		}
	}
	if err := json.Unmarshal([]byte(plan), &parsed); err != nil || len(parsed) == 0 {
		return 0, fmt.Errorf("read a plan: %w", err)
	}
	return parsed[0].Plan.Rows, nil
}

// Beyond asks the database, whose order it is.
func (r reader) Beyond(ctx context.Context, s *schema.Shape, key, cursor value.Key) (bool, error) {
	if cursor == nil {
		return true, nil
	}
	l, err := r.layout(ctx, s)
	if err != nil {
		return false, err
	}
	var a args
	question := fmt.Sprintf("SELECT (%s) > (%s)", l.bound(key, a.bind), l.bound(cursor, a.bind))
	return r.truth(ctx, question, a)
}

// Rows reads a range in the order of the key.
func (r reader) Rows(ctx context.Context, s *schema.Shape, rng dialect.Range, yield func(value.Row) error) error {
	l, err := r.layout(ctx, s)
	if err != nil {
		return err
	}
	var a args
	condition := l.within(rng.After, rng.Upto, a.bind)
	query := fmt.Sprintf("SELECT %s FROM %s t WHERE %s ORDER BY %s", l.list("t.", 0, len(l.columns)), l.quoted(), condition, l.order("t.", ""))
	if rng.Limit > 0 {
		query += fmt.Sprintf(" LIMIT %d", rng.Limit)
	}
	if rng.Bytes == 0 {
		return wrapTable(s, r.each(ctx, l.columns, query, a, yield))
	}
	return wrapTable(s, r.portions(ctx, l.columns, query, a, rng.Bytes, yield))
}

// portions reads through a cursor until about so many bytes have come: a limit of rows
// says nothing of wide ones, and what the server has begun to send must be read.
func (r reader) portions(ctx context.Context, fields []field, query string, args [][]byte, limit int, yield func(value.Row) error) error {
	if err := r.each(ctx, nil, "DECLARE _strangler_rows NO SCROLL CURSOR FOR "+query, args, nil); err != nil {
		return err
	}
	size, count, portion := 0, 0, 16
	for {
		got := 0
		err := r.each(ctx, fields, fmt.Sprintf("FETCH %d FROM _strangler_rows", portion), nil, func(row value.Row) error {
			if size >= limit {
				return errStop
			}
			got++
			size += row.Size()
			return yield(row)
		})
		if err != nil && !errors.Is(err, errStop) {
			return err
		}
		count += got
		if got < portion || size >= limit {
			return r.each(ctx, nil, "CLOSE _strangler_rows", nil, nil)
		}
		portion = min(max(16, (limit-size)*count/size), 8*portion)
	}
}

// Lookup reads the rows of some keys.
func (r reader) Lookup(ctx context.Context, s *schema.Shape, keys []value.Key, yield func(value.Row) error) error {
	if len(keys) == 0 {
		return nil
	}
	l, err := r.layout(ctx, s)
	if err != nil {
		return err
	}
	query := fmt.Sprintf("SELECT %s FROM (SELECT DISTINCT * FROM %s) k JOIN %s t ON %s", l.list("t.", 0, len(l.columns)), l.unnest(1), l.quoted(), l.joined())
	return wrapTable(s, r.each(ctx, l.columns, query, l.keyList(keys), yield))
}

func wrapTable(s *schema.Shape, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("table %s: %w", s.Table.Name, err)
}

// Orphans names rows whose foreign keys inside of the split lead nowhere: the engine's
// writes are not checked when they come.
func (s *snapshot) Orphans(ctx context.Context, limit int) ([]string, error) {
	var all []string
	for _, shape := range s.m.Shapes {
		l, err := s.layout(ctx, shape)
		if err != nil {
			return nil, err
		}
		for _, fk := range shape.Table.ForeignKeys {
			if s.m.Shape(fk.Parent) == nil || len(all) >= limit {
				continue
			}
			query := orphanQuery(l, fk, limit-len(all))
			err := s.each(ctx, l.columns[:l.keys], query, nil, func(row value.Row) error {
				all = append(all, fmt.Sprintf("%s %s: %s refers to no row of %s", shape.Table.Name, value.Key(row), strings.Join(fk.Columns, ", "), fk.Parent))
				return nil
			})
			if err != nil {
				return nil, wrapTable(shape, err)
			}
		}
	}
	return all, nil
}

// Dangling names references from tables outside of the split that lead nowhere.
func (s *snapshot) Dangling(ctx context.Context, keys []schema.ForeignKey, limit int) ([]string, error) {
	var all []string
	for _, fk := range keys {
		var texts []string
		for _, c := range fk.Columns {
			texts = append(texts, "t."+quote(c)+"::text")
		}
		rows, err := s.tx.Query(ctx, fmt.Sprintf("SELECT DISTINCT concat_ws(', ', %s) FROM %s t WHERE %s LIMIT %d",
			strings.Join(texts, ", "), parseName(fk.Table).quoted(), nowhere(fk), limit-len(all)))
		if err != nil {
			return nil, explain(err)
		}
		found, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return nil, explain(err)
		}
		for _, reference := range found {
			all = append(all, fk.From()+" "+reference)
		}
	}
	return all, nil
}

func orphanQuery(l *layout, fk schema.ForeignKey, limit int) string {
	return fmt.Sprintf("SELECT %s FROM %s t WHERE %s LIMIT %d", l.list("t.", 0, l.keys), l.quoted(), nowhere(fk), limit)
}

// nowhere is the condition that a row t refers to none by a foreign key.
func nowhere(fk schema.ForeignKey) string {
	var filled, same []string
	for i, c := range fk.Columns {
		filled = append(filled, "t."+quote(c)+" IS NOT NULL")
		same = append(same, "p."+quote(fk.Parents[i])+" = t."+quote(c))
	}
	return fmt.Sprintf("%s AND NOT EXISTS (SELECT FROM %s p WHERE %s)", strings.Join(filled, " AND "), parseName(fk.Parent).quoted(), strings.Join(same, " AND "))
}
