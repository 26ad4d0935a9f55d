package postgres_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/internal/pgtest"
	"github.com/stranglerfig/toolkit/internal/postgres"
)

// dumped is what Dump gave, a line a row.
func dumped(t *testing.T, dsn string) map[string][]string {
	t.Helper()
	all, name := map[string][]string{}, ""
	err := postgres.Dump(t.Context(), dsn, func(table string, _ []string) error {
		name, all[table] = table, []string{}
		return nil
	}, func(values []any) error {
		text, err := json.Marshal(values)
		all[name] = append(all[name], string(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestDumpReadsEveryTableInTheOrderOfItsKey(t *testing.T) {
	dsn := pgtest.Database(t)
	pgtest.Exec(t, dsn,
		`CREATE TABLE words (word text, part int, PRIMARY KEY (word, part))`,
		`INSERT INTO words VALUES ('b', 1), ('B', 1), ('a', 10), ('a', 9), ('ä', 1)`,
		`CREATE TABLE "no key" (n int)`,
		`INSERT INTO "no key" VALUES (2), (1), (1)`,
		`CREATE TABLE parts (id int, PRIMARY KEY (id)) PARTITION BY RANGE (id)`,
		`CREATE TABLE parts_low PARTITION OF parts FOR VALUES FROM (0) TO (10)`,
		`CREATE TABLE parts_high PARTITION OF parts FOR VALUES FROM (10) TO (20)`,
		`INSERT INTO parts VALUES (11), (1)`,
		`CREATE TABLE parent (id int)`, `CREATE TABLE child () INHERITS (parent)`,
		`INSERT INTO parent VALUES (1)`, `INSERT INTO child VALUES (2)`,
		`CREATE SCHEMA other`, `CREATE TABLE other.words (id int)`,
		`CREATE VIEW seen AS SELECT * FROM words`,
	)
	want := map[string][]string{
		"words":  {`["B",1]`, `["a",9]`, `["a",10]`, `["b",1]`, `["ä",1]`}, // by bytes, as SQLite
		"no key": {`[1]`, `[1]`, `[2]`},
		"parts":  {`[1]`, `[11]`},
		"parent": {`[1]`}, "child": {`[2]`},
		"other.words": {},
	}
	if got := dumped(t, dsn); !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

// The settings of a role and a database do not change what is read.
func TestDumpReadsEveryTypeTheSameWay(t *testing.T) {
	dsn := pgtest.Database(t)
	pgtest.Exec(t, dsn,
		`CREATE TYPE mood AS ENUM ('glad')`,
		`DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET TimeZone = ''Asia/Tokyo''', current_database());
			EXECUTE format('ALTER DATABASE %I SET DateStyle = ''German''', current_database());
			EXECUTE format('ALTER DATABASE %I SET bytea_output = ''escape''', current_database()); END $$`,
	)
	var columns, values []string
	list := []struct{ kind, value, want string }{
		{"boolean", `true`, `true`},
		{"bigint", `9223372036854775807`, `9223372036854775807`},
		{"numeric(30,4)", `12345678901234567890.1200`, `12345678901234567890.1200`},
		{"numeric", `'NaN'`, `"NaN"`},
		{"double precision", `0.1::float8`, `0.1`},
		{"double precision", `'-Infinity'`, `"-Infinity"`},
		{"text", `E'a\tb''c'`, `"a\tb'c"`},
		{"char(5)", `'ab'`, `"ab"`},
		{"timestamptz", `'2026-11-25 10:00:00.5+01'`, `"2026-11-25T09:00:00.5Z"`},
		{"timestamp", `'2026-11-25 10:00:00'`, `"2026-11-25T10:00:00Z"`},
		{"timestamptz", `'infinity'`, `"infinity"`},
		{"date", `'2026-11-25'`, `"2026-11-25"`},
		{"interval", `'1 day 2 hours'`, `"P1DT2H"`},
		{"uuid", `'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'`, `"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"`},
		{"json", `'{"a": [1.50, null]}'`, `{"a":[1.50,null]}`},
		{"jsonb", `'null'`, `null`},
		{"bytea", `'\x00ff'`, `"AP8="`}, // json.Marshal's way to write bytes
		{"int[]", `'{1,NULL}'`, `"{1,NULL}"`},
		{"mood", `'glad'`, `"glad"`},
		{"text", `NULL`, `null`},
	}
	for i, c := range list {
		columns, values = append(columns, fmt.Sprintf("c%d %s", i, c.kind)), append(values, c.value)
	}
	pgtest.Exec(t, dsn, `CREATE TABLE one (`+strings.Join(columns, ", ")+`)`, `INSERT INTO one VALUES (`+strings.Join(values, ", ")+`)`)
	var got []json.RawMessage
	if err := json.Unmarshal([]byte(dumped(t, dsn)["one"][0]), &got); err != nil {
		t.Fatal(err)
	}
	for i, c := range list {
		if string(got[i]) != c.want {
			t.Errorf("%s of %s is read as %s, want %s", c.kind, c.value, got[i], c.want)
		}
	}
}

// A reader who may not see all rows learns that, and does not compare what is left.
func TestDumpRefusesToReadAPart(t *testing.T) {
	dsn := pgtest.Database(t)
	role := fmt.Sprintf("part_%d", time.Now().UnixNano())
	pgtest.Exec(t, dsn, `CREATE TABLE secret (id int)`, `ALTER TABLE secret ENABLE ROW LEVEL SECURITY`, `INSERT INTO secret VALUES (1)`,
		`CREATE ROLE `+role+` LOGIN`, `GRANT SELECT ON secret TO `+role)
	as := dsn + "&user=" + role
	if !strings.Contains(dsn, "?") {
		as = dsn + "?user=" + role
	}
	nothing := func([]any) error { return nil }
	err := postgres.Dump(t.Context(), as, func(string, []string) error { return nil }, nothing)
	if err == nil || !strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "row") {
		t.Errorf("a table with hidden rows: %v", err)
	}
}

// Dump waits for a transaction that still writes, and then reads what it wrote.
func TestDumpWaitsForWriters(t *testing.T) {
	dsn := pgtest.Database(t)
	pgtest.Exec(t, dsn, `CREATE TABLE late (id int)`)
	written := make(chan struct{})
	go func() {
		defer close(written)
		pgtest.Exec(t, dsn, `DO $$ BEGIN INSERT INTO late VALUES (1); PERFORM pg_sleep(1.2); END $$`)
	}()
	for !writing(t, dsn) {
		time.Sleep(time.Millisecond)
	}
	if got := dumped(t, dsn)["late"]; len(got) != 1 {
		t.Errorf("read %q: it did not wait for the writer", got)
	}
	<-written
}

func writing(t *testing.T, dsn string) bool {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var n int
	if err := db.QueryRowContext(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND datname = current_database()`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n > 0
}

// A table of 40 MB passes without being held; an error of who takes the rows ends it at once.
func TestDumpHoldsOneRowAtATime(t *testing.T) {
	dsn := pgtest.Database(t)
	pgtest.Exec(t, dsn, `CREATE TABLE big (id int PRIMARY KEY, text text)`, `INSERT INTO big SELECT n, repeat(md5(n::text), 64) FROM generate_series(1, 20000) n`)
	var rows int
	var most uint64
	err := postgres.Dump(t.Context(), dsn, func(string, []string) error { return nil }, func([]any) error {
		if rows++; rows%4000 == 0 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
		return nil
	})
	if err != nil || rows != 20_000 || most > 15<<20 {
		t.Errorf("%d rows with %d MB in use: %v", rows, most>>20, err)
	}
	enough := errors.New("enough")
	if err := postgres.Dump(t.Context(), dsn, func(string, []string) error { return nil }, func([]any) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("the error of the taker became %v", err)
	}
}

// What cannot be reached is an error without the password.
func TestDumpNamesWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dsn := range []string{"postgres://ann:hunter22@127.0.0.1:1/shop", "postgres://ann:hunter22@[", "host=" + dir + " password=hunter22"} {
		err := postgres.Dump(context.Background(), dsn, func(string, []string) error { return nil }, func([]any) error { return nil })
		if err == nil || strings.Contains(err.Error(), "hunter22") {
			t.Errorf("%s: %v", dsn, err)
		}
	}
}
