package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// How long Dump waits for writers to come to rest, and how long at most.
const (
	quiet   = 500 * time.Millisecond
	patient = 15 * time.Second
)

// Dump reads every table of the file at path in one snapshot, tables by name and rows by
// primary key, once nobody has written for half a second (or after 15 seconds). It writes
// nothing. It calls table before the rows of each; values are as the driver gives them, but for
// days of DATE columns, which are text.
func Dump(ctx context.Context, path string, table func(name string, columns []string) error, row func(values []any) error) error {
	if err := checkPath(path); err != nil {
		return err
	}
	db, err := sql.Open("sqlite3", "file:"+(&url.URL{Path: path}).EscapedPath()+"?mode=ro&_busy_timeout=5000&_query_only=on")
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1) // data_version is about one connection
	if err := settle(ctx, db); err != nil {
		return Explain(path, err)
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return Explain(path, err)
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	names, err := tableNames(ctx, tx)
	if err != nil {
		return Explain(path, err)
	}
	for _, name := range names {
		if err := dumpTable(ctx, tx, name, table, row); err != nil {
			return fmt.Errorf("read table %s: %w", name, err)
		}
	}
	return nil
}

// settle waits until no other connection has written for a while.
func settle(ctx context.Context, db *sql.DB) error {
	var last int64 = -1
	for end := time.Now().Add(patient); time.Now().Before(end); {
		var version int64
		if err := db.QueryRowContext(ctx, `PRAGMA data_version`).Scan(&version); err != nil {
			return err
		}
		if version == last {
			return nil
		}
		last = version
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(quiet):
		}
	}
	return nil
}

func tableNames(ctx context.Context, tx *sql.Tx) ([]string, error) {
	return texts(ctx, tx, `
		SELECT name
		FROM sqlite_master
		WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\' AND sql NOT LIKE 'CREATE VIRTUAL%'
		ORDER BY name`)
}

func texts(ctx context.Context, tx *sql.Tx, query string, args ...any) ([]string, error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, rows.Err()
}

func dumpTable(ctx context.Context, tx *sql.Tx, name string, table func(string, []string) error, row func([]any) error) error {
	key, err := texts(ctx, tx, `SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk`, name)
	if err != nil {
		return err
	}
	for i, k := range key {
		key[i] = quoteName(k)
	}
	if len(key) == 0 {
		key = []string{"rowid"}
	}
	rows, err := tx.QueryContext(ctx, "SELECT * FROM "+quoteName(name)+" ORDER BY "+strings.Join(key, ", "))
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	types, err := rows.ColumnTypes()
	if err != nil {
		return err
	}
	if err := table(name, columns); err != nil {
		return err
	}
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		asDays(types, values)
		if err := row(values); err != nil {
			return err
		}
	}
	return rows.Err()
}

// asDays takes back what the driver makes of a DATE column: it has no time of day.
func asDays(types []*sql.ColumnType, values []any) {
	for i, v := range values {
		at, ok := v.(time.Time)
		if ok && strings.EqualFold(types[i].DatabaseTypeName(), "DATE") && at.Equal(at.Truncate(24*time.Hour)) {
			values[i] = at.UTC().Format(time.DateOnly)
		}
	}
}

func quoteName(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
