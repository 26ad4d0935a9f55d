package postgres_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/internal/pgtest"
	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/dialect/postgres"
	"github.com/stranglerfig/toolkit/migrations/split/dialect/sqlite"
	"github.com/stranglerfig/toolkit/migrations/split/schema"
	"github.com/stranglerfig/toolkit/migrations/split/testkit"
	"github.com/stranglerfig/toolkit/migrations/split/transfer"
)

// mixed is a move from a SQLite file to PostgreSQL.
type mixed struct {
	app      *sql.DB // the file, as an application sees it
	dsn      string  // of the target
	from, to transfer.Side
}

func newMixed(t *testing.T, tables []string, target []string, statements ...string) *mixed {
	t.Helper()
	m := &mixed{dsn: pgtest.Database(t)}
	path := filepath.Join(t.TempDir(), "source.db")
	var err error
	m.app, err = sql.Open("sqlite3", "file:"+path+"?_journal_mode=WAL&_foreign_keys=on&_busy_timeout=5000")
	testkit.Check(t, err)
	t.Cleanup(func() { m.app.Close() })
	for _, s := range statements {
		m.exec(t, s)
	}
	pgtest.Exec(t, m.dsn, target...)
	source, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	testkit.Check(t, err)
	t.Cleanup(func() { source.Close() })
	db, err := postgres.Open(t.Context(), m.dsn)
	testkit.Check(t, err)
	t.Cleanup(func() { db.Close() })
	m.from, m.to = testkit.Expand(t.Context(), t, source, db, tables, target == nil)
	return m
}

func (m *mixed) exec(t *testing.T, statement string) {
	t.Helper()
	if _, err := m.app.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// finish copies, applies and verifies everything on the way from one side to the other, so
// many rows at a time.
func finish(ctx context.Context, t *testing.T, from, to transfer.Side, rows int) {
	t.Helper()
	way, err := transfer.New(ctx, from, to, transfer.Options{})
	testkit.Check(t, err)
	testkit.Check(t, testkit.Finish(ctx, way))
	for table := range way.Tables() {
		for passed := false; !passed; {
			v, err := way.Verify(ctx, table, rows)
			testkit.Check(t, err)
			passed = v.Passed
		}
	}
}

// dump prints the rows of a SQLite table with the kinds and bytes of their values.
func (m *mixed) dump(t *testing.T, columns string) string {
	t.Helper()
	parts := strings.Split(columns, ", ")
	for i, c := range parts {
		parts[i] = fmt.Sprintf("typeof(%s) || ':' || coalesce(hex(%s), '')", c, c)
	}
	rows, err := m.app.QueryContext(t.Context(), `SELECT `+strings.Join(parts, " || ' ' || ")+` FROM t ORDER BY id`)
	testkit.Check(t, err)
	defer rows.Close()
	var all []string
	for rows.Next() {
		var line string
		testkit.Check(t, rows.Scan(&line))
		all = append(all, line)
	}
	testkit.Check(t, rows.Err())
	return strings.Join(all, "\n")
}

// TestSQLiteRowsGoToPostgreSQLAndBack moves what SQLite can hold and PostgreSQL can, too,
// then lets the target lead and brings the rows back: they must be what they were, with
// what the service wrote in between.
func TestSQLiteRowsGoToPostgreSQLAndBack(t *testing.T) {
	t.Parallel()
	const columns = "id, n, r, s, b, o, at, price"
	m := newMixed(t, []string{"t"}, nil,
		`CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, n INT, r REAL, s TEXT UNIQUE, b BLOB, o BOOLEAN, at DATETIME, price DECIMAL(10,2))`,
		`CREATE INDEX t_n ON t (n)`,
		`INSERT INTO t (id, n, r, s, b, o, at, price) VALUES
			(1, 9223372036854775807, 5e-324, '', X'', 0, '2024-01-01T00:00:00Z', 1),
			(2, -9223372036854775808, 1e308, 'NULL', X'00FF5C0A', 1, 'not a date', 1.5),
			(3, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
			(4, 9007199254740993, 0.1, 'tab	quote'' back\ newline
x', X'27', 1, '', -0.01),
			(5, 0, 9e999, '😀é', zeroblob(1048576), 0, '2024-01-01 00:00:00', 9007199254740992)`)
	before := m.dump(t, columns)
	finish(t.Context(), t, m.from, m.to, 10)
	m.exec(t, `UPDATE t SET s = 'swap' WHERE id = 1`)
	m.exec(t, `INSERT OR REPLACE INTO t (id, s) VALUES (9, 'NULL')`)
	m.exec(t, `INSERT INTO t (id, s) VALUES (2, 'back')`)
	m.exec(t, `DELETE FROM t WHERE id = 9`)
	finish(t.Context(), t, m.from, m.to, 10)
	m.exec(t, `DELETE FROM t WHERE id = 2`)
	service := connect(t, m.dsn)
	if got := ask(t, service, `SELECT s FROM t WHERE id = 1`) + ask(t, service, `SELECT s FROM t WHERE id = 2`); got != "swapback" {
		t.Errorf("the target holds %q", got)
	}
	finish(t.Context(), t, m.from, m.to, 10)

	// The roles are exchanged, the service writes, and everything goes back.
	record := dialect.Record{Owner: dialect.Target, Epoch: 1}
	for _, s := range []transfer.Side{m.from, m.to} {
		tx, err := s.Begin(t.Context(), s.Move)
		testkit.Check(t, err)
		if s.Database == m.from.Database {
			err = tx.Follow(t.Context(), record)
		} else {
			err = tx.Lead(t.Context(), record)
		}
		testkit.Check(t, err)
		testkit.Check(t, tx.Commit())
	}
	do(t, service, `UPDATE t SET s = '' WHERE id = 1`,
		`INSERT INTO t VALUES (2, -9223372036854775808, 1e308, 'NULL', '\x00FF5C0A', true, 'not a date', 1.5)`)
	finish(t.Context(), t, m.to, m.from, 10)
	if after := m.dump(t, columns); after != before {
		t.Errorf("before:\n%.2000s\nafter:\n%.2000s", before, after)
	}
}

func TestSQLiteValuesThatDoNotFitAreNamed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ insert, want string }{
		"text in an integer":    {`INSERT INTO t (id, n) VALUES (7, 'x')`, "table t, key 7: column n"},
		"integer in a blob":     {`INSERT INTO t (id, b) VALUES (7, 1)`, "table t, key 7: column b"},
		"blob in a text":        {`INSERT INTO t (id, s) VALUES (7, X'41')`, "table t, key 7: column s"},
		"NUL in a text":         {`INSERT INTO t (id, s) VALUES (7, 'a' || char(0) || 'b')`, "table t, key 7: column s"},
		"not UTF-8":             {`INSERT INTO t (id, s) VALUES (7, CAST(X'ff41' AS TEXT))`, "table t, key 7: column s"},
		"boolean 2":             {`INSERT INTO t (id, o) VALUES (7, 2)`, "table t, key 7: column o"},
		"boolean -1":            {`INSERT INTO t (id, o) VALUES (7, -1)`, "table t, key 7: column o"},
		"epoch as a date":       {`INSERT INTO t (id, at) VALUES (7, 1700000000000)`, "table t, key 7: column at"},
		"2^53 + 1 as a decimal": {`INSERT INTO t (id, p) VALUES (7, 9007199254740993)`, "table t, key 7: column p"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMixed(t, []string{"t"}, nil, `CREATE TABLE t (id INTEGER PRIMARY KEY, n INT, s TEXT, b BLOB, o BOOLEAN, at DATETIME, p NUMERIC)`, test.insert)
			way, err := transfer.New(t.Context(), m.from, m.to, transfer.Options{})
			testkit.Check(t, err)
			if err = testkit.Finish(t.Context(), way); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
			if n := ask(t, connect(t, m.dsn), `SELECT count(*) FROM t`); n != "0" {
				t.Errorf("%s rows arrived", n)
			}
		})
	}
}

// TestSQLiteTypesAreMappedOrRefused walks the table of conversions by the types.
func TestSQLiteTypesAreMappedOrRefused(t *testing.T) {
	t.Parallel()
	shape := func(typ string) *schema.Shape {
		table := &schema.Table{Name: "t", Key: []string{"id"}, Columns: []schema.Column{{Name: "id", Type: "bigint"}, {Name: "c", Type: typ}}}
		s, _, _ := schema.Match(table, table, nil)
		return s
	}
	fits := map[string][]string{
		"INTEGER":  {"bigint", "integer", "smallint", "double precision", "numeric", "boolean"},
		"TEXT":     {"text", "character varying(9)", "json", "uuid", "date", "timestamp without time zone"},
		"REAL":     {"double precision"},
		"BLOB":     {"bytea"},
		"DATETIME": {"text", "timestamp without time zone", "double precision"},
		"BOOLEAN":  {"boolean", "smallint"},
	}
	refused := map[string][]string{
		"INTEGER": {"timestamp with time zone", "real", "numeric(10,2)", "money"},
		"TEXT":    {"character(9)", "jsonb", "timestamp with time zone", "double precision", "mood", "timestamp(3) without time zone", "inet"},
		"REAL":    {"numeric", "real"},
		"BLOB":    {"double precision"},
	}
	for want, all := range map[bool]map[string][]string{true: fits, false: refused} {
		for declared, types := range all {
			for _, typ := range types {
				_, obstacles := (&postgres.DB{}).Convert("sqlite3", shape(declared), shape(typ))
				// The key of these shapes is bigint on both sides and always fits.
				if (len(obstacles) == 0) != want {
					t.Errorf("%s to %s: %v", declared, typ, obstacles)
				}
				if slices.ContainsFunc(obstacles, func(o schema.Obstacle) bool { return o.Remedy == "" || !strings.Contains(o.Reason, "column c") }) {
					t.Errorf("%s to %s: %v does not name the column and a remedy", declared, typ, obstacles)
				}
			}
		}
	}
}
