package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/schema"
	"github.com/stranglerfig/toolkit/migrations/split/value"
)

// Insert brings rows in by COPY. When the server refuses one, halving finds it: what it
// says of the place is for people, and in their language.
func (w *writer) Insert(ctx context.Context, s *schema.Shape, rows []value.Row) error {
	if len(rows) == 0 {
		return nil
	}
	l, err := w.layout(ctx, s)
	if err != nil {
		return err
	}
	refused := w.tryCopy(ctx, l, rows)
	if refused == nil || !isRefusal(refused) {
		return wrapTable(s, explain(refused))
	}
	low, high := 0, len(rows) // rows[:low] are in; one of rows[low:high] is refused
	for high-low > 1 {
		middle := (low + high) / 2
		switch err := w.tryCopy(ctx, l, rows[low:middle]); {
		case err == nil:
			low = middle
		case isRefusal(err):
			high, refused = middle, err
		default:
			return wrapTable(s, explain(err))
		}
	}
	if high-low == 1 && high < len(rows) || low > 0 {
		// The last error may be that of a longer run: ask about this row alone.
		if refused = w.tryCopy(ctx, l, rows[low:low+1]); refused == nil {
			return fmt.Errorf("table %s: row %s was refused among others and taken alone", s.Table.Name, keyOf(rows[low], l))
		}
	}
	key := keyOf(rows[low], l)
	if !isCode(refused, codeUnique) {
		return fmt.Errorf("table %s: row %s: the target refuses what the source holds: %w", s.Table.Name, key, plain(refused))
	}
	others, err := w.inTheWay(ctx, l, rows[low], refused)
	if err != nil {
		return fmt.Errorf("table %s: row %s: find what stands in its way: %w", s.Table.Name, key, err)
	}
	return &dialect.ClashError{Table: s.Table.Name, Row: low, Others: others, Err: plain(refused)}
}

func keyOf(row value.Row, l *layout) value.Key { return value.Key(row[:l.keys]) }

// isRefusal reports whether the server took offence at the data itself.
func isRefusal(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && (strings.HasPrefix(e.Code, "22") || strings.HasPrefix(e.Code, "23"))
}

// plain leaves the detail out of the server's error, which holds whole rows.
func plain(err error) error {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return err
	}
	return &pgconn.PgError{Severity: e.Severity, Code: e.Code, Message: e.Message, ConstraintName: e.ConstraintName, ColumnName: e.ColumnName}
}

// tryCopy brings all rows in, or none.
func (w *writer) tryCopy(ctx context.Context, l *layout, rows []value.Row) error {
	if _, err := w.tx.Exec(ctx, "SAVEPOINT _strangler_rows"); err != nil {
		return err
	}
	var lines []byte
	for _, r := range rows {
		lines = appendLine(lines, r[:l.written])
	}
	_, err := w.tx.Conn().PgConn().CopyFrom(ctx, bytes.NewReader(lines), l.copyFrom())
	if err != nil {
		if !isRefusal(err) {
			return err // the transaction is lost
		}
		if _, undo := w.tx.Exec(ctx, "ROLLBACK TO SAVEPOINT _strangler_rows"); undo != nil {
			return errors.Join(undo, err)
		}
	}
	_, release := w.tx.Exec(ctx, "RELEASE SAVEPOINT _strangler_rows")
	return errors.Join(err, release)
}

// copyFrom is the statement that takes rows of a layout.
func (l *layout) copyFrom() string {
	return fmt.Sprintf("COPY %s (%s) FROM STDIN", l.quoted(), l.list("", 0, l.written))
}

// inTheWay finds the rows that have what a new row wants to have. The new row goes into
// a copy of the table without its constraints, so that the index's own expressions can
// be asked about both.
func (w *writer) inTheWay(ctx context.Context, l *layout, row value.Row, refused error) ([]value.Key, error) {
	var e *pgconn.PgError
	errors.As(refused, &e)
	index := name{Schema: l.Schema, Table: e.ConstraintName}.quoted()
	var terms []string
	var where string
	err := w.tx.QueryRow(ctx, `
		SELECT ARRAY(SELECT pg_get_indexdef(i.indexrelid, n, true) FROM generate_series(1, i.indnkeyatts) n), coalesce(pg_get_expr(i.indpred, i.indrelid), 'true')
		FROM pg_index i
		WHERE i.indexrelid = to_regclass($1)`, index).Scan(&terms, &where)
	if err != nil {
		return nil, err
	}
	const fresh = "_strangler_fresh"
	if _, err := w.tx.Exec(ctx, fmt.Sprintf("CREATE TEMPORARY TABLE %s (LIKE %s INCLUDING GENERATED)", fresh, l.quoted())); err != nil {
		return nil, err
	}
	copyFresh := fmt.Sprintf("COPY %s (%s) FROM STDIN", fresh, l.list("", 0, l.written))
	if _, err := w.tx.Conn().PgConn().CopyFrom(ctx, bytes.NewReader(appendLine(nil, row[:l.written])), copyFresh); err != nil {
		return nil, err
	}
	same := make([]string, len(terms))
	selected := make([]string, len(terms))
	for i, term := range terms {
		selected[i] = fmt.Sprintf("%s AS u%d", term, i+1)
		same[i] = fmt.Sprintf("o.u%d IS NOT DISTINCT FROM n.u%d", i+1, i+1)
	}
	list := strings.Join(selected, ", ")
	query := fmt.Sprintf(`
		SELECT %s
		FROM (SELECT *, %s FROM %s WHERE %s) o, (SELECT %s FROM %s WHERE %s) n
		WHERE %s`, l.list("o.", 0, l.keys), list, l.quoted(), where, list, fresh, where, strings.Join(same, " AND "))
	var others []value.Key
	err = w.each(ctx, l.columns[:l.keys], query, nil, func(r value.Row) error {
		others = append(others, value.Key(r))
		return nil
	})
	if err != nil {
		return nil, err
	}
	_, err = w.tx.Exec(ctx, "DROP TABLE "+fresh)
	return others, err
}
