package transfer_test

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/migrations/split/dialect/sqlite"
	"github.com/stranglerfig/toolkit/migrations/split/testkit"
	"github.com/stranglerfig/toolkit/migrations/split/transfer"
)

// torture are values that engines elsewhere have lost or changed.
func torture(large int) []any {
	return []any{
		nil, "", "NULL",
		[]byte{},
		"a\x00b", "\xff\xfe", "é", "e\u0301", "a ", "\ufeff",
		int64(0), 1, 1.0, "1", "1.0", []byte("1"), int64(1)<<53 - 1, int64(1) << 53, int64(1)<<53 + 1, int64(math.MaxInt64), int64(math.MinInt64),
		math.Copysign(0, -1), 0.0, math.Inf(1), math.Inf(-1), 5e-324, math.MaxFloat64, 0.1, 1e15, float64(1 << 62),
		2, -1, "not a date", "2024-01-01T00:00:00Z", "2024-01-01 00:00:00", int64(1700000000000), true, "true",
		bytes.Repeat([]byte{0, 1, 0xff}, large), strings.Repeat("x", large), "'; DROP TABLE v; --", `"`,
	}
}

// shapes are tables of every make that can be moved.
var shapes = []struct{ name, sql, insert string }{
	{"plain", `CREATE TABLE v (id INTEGER PRIMARY KEY, v)`, `INSERT INTO v(id, v) VALUES (?1, ?2)`},
	{
		"typed", `CREATE TABLE v (id INTEGER PRIMARY KEY, v BLOB, t TEXT, r REAL, n NUMERIC, i INT, b BOOLEAN, d DATETIME, ts TIMESTAMP, "a ""q"" name" DATE)`,
		`INSERT INTO v(id, v, t, r, n, i, b, d, ts, "a ""q"" name") VALUES (?1, ?2, ?2, ?2, ?2, ?2, ?2, ?2, ?2, ?2)`,
	},
	{"text key", `CREATE TABLE v (id TEXT NOT NULL PRIMARY KEY, v)`, `INSERT INTO v(id, v) VALUES ('k' || ?1, ?2)`},
	{"nocase key", `CREATE TABLE v (id TEXT COLLATE NOCASE NOT NULL PRIMARY KEY, v)`, `INSERT INTO v(id, v) VALUES (char(65 + ?1 % 2 * 32 + ?1 / 8 % 26) || ?1, ?2)`},
	{"blob key", `CREATE TABLE v (id BLOB NOT NULL PRIMARY KEY, v) WITHOUT ROWID`, `INSERT INTO v(id, v) VALUES (randomblob(8), ?2)`},
	{
		"mixed key", `CREATE TABLE v (id NOT NULL PRIMARY KEY, v)`,
		`INSERT INTO v(id, v) VALUES (CASE ?1 % 5 WHEN 0 THEN ?1 WHEN 1 THEN ?1 + 0.5 WHEN 2 THEN '' || ?1 WHEN 3 THEN CAST(?1 AS BLOB) ELSE -?1 END, ?2)`,
	},
	{"composite", `CREATE TABLE v (a TEXT NOT NULL, b INT NOT NULL, v, PRIMARY KEY (b, a)) WITHOUT ROWID`, `INSERT INTO v(a, b, v) VALUES ('k' || ?1, ?1 % 3, ?2)`},
	{"unique not null", `CREATE TABLE v (v, u TEXT NOT NULL UNIQUE)`, `INSERT INTO v(u, v) VALUES ('k' || ?1, ?2)`},
	{"strict", `CREATE TABLE v (id INTEGER PRIMARY KEY, v ANY, t TEXT) STRICT`, `INSERT INTO v(id, v, t) VALUES (?1, ?2, 'k' || ?1)`},
	{"generated", `CREATE TABLE v (id INTEGER PRIMARY KEY, g TEXT AS (typeof(v) || id) VIRTUAL UNIQUE, v, s INT AS (length(v)) STORED, z AS (id * 2))`, `INSERT INTO v(id, v) VALUES (?1, ?2)`},
	{"self reference", `CREATE TABLE v (id INTEGER PRIMARY KEY, v, up INT REFERENCES v(id))`, `INSERT INTO v(id, v, up) VALUES (?1, ?2, ?1)`},
}

// TestValuesArriveAsTheyAre copies every value into every make of table, on both ways,
// and lets SQLite say what has arrived.
func TestValuesArriveAsTheyAre(t *testing.T) {
	for _, shape := range shapes {
		for _, generic := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, generic %t", shape.name, generic), func(t *testing.T) {
				t.Parallel()
				large := 3000
				if shape.name == "plain" {
					large = 1 << 20
				}
				p := newPair(t, shape.sql, transfer.Options{Generic: generic})
				for i, v := range torture(large) {
					p.write(shape.insert, i+1, v)
				}
				testkit.Check(t, testkit.Finish(t.Context(), p.way))
				for i, v := range torture(large) { // the same values through the log
					p.write(`DELETE FROM v WHERE rowid IN (SELECT rowid FROM v WHERE typeof(v) = 'null')`, nil, nil)
					p.write(shape.insert, i+1001, v)
				}
				testkit.Check(t, testkit.Finish(t.Context(), p.way))
				p.equal()
				p.verified()
			})
		}
	}
}

// A pair is a source that an application writes, and a target.
type pair struct {
	t      *testing.T
	app    *sql.DB
	rogue  *sql.DB // somebody who writes the target
	way    *transfer.Way
	source *sqlite.Database
	target *sqlite.Database
}

func newPair(t *testing.T, schema string, o transfer.Options) *pair {
	t.Helper()
	p := &pair{t: t}
	dir := t.TempDir()
	p.app = openApp(t, filepath.Join(dir, "source.db"))
	p.write(schema)
	var err error
	p.source, err = sqlite.Open(t.Context(), filepath.Join(dir, "source.db"), sqlite.Options{})
	testkit.Check(t, err)
	t.Cleanup(func() { p.source.Close() })
	p.target, err = sqlite.Open(t.Context(), filepath.Join(dir, "target.db"), sqlite.Options{Create: true})
	testkit.Check(t, err)
	t.Cleanup(func() { p.target.Close() })
	from, to := testkit.Expand(t.Context(), t, p.source, p.target, []string{"v"}, true)
	p.way, err = transfer.New(t.Context(), from, to, o)
	testkit.Check(t, err)
	p.rogue = openApp(t, filepath.Join(dir, "target.db"))
	return p
}

func openApp(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+path+"?_journal_mode=WAL&_foreign_keys=on&_synchronous=off&_busy_timeout=5000")
	testkit.Check(t, err)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	return db
}

// write is a write of the application; one that SQLite refuses is refused.
func (p *pair) write(statement string, args ...any) {
	p.t.Helper()
	if strings.HasPrefix(statement, "DELETE") {
		args = nil
	}
	if _, err := p.app.ExecContext(p.t.Context(), statement, args...); err != nil && !strings.Contains(err.Error(), "constraint") && !strings.Contains(err.Error(), "no such column: rowid") {
		p.t.Fatalf("%s: %v", statement, err)
	}
}

// dump is every row with the kinds and bytes of its values, as SQLite prints them.
func (p *pair) dump(db *sql.DB) string {
	p.t.Helper()
	var columns []string
	for _, name := range lines(p.t, db, `SELECT name FROM pragma_table_xinfo('v')`) {
		q := `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
		// hex() is of the bytes for texts and blobs; a real's sign and digits are in printf.
		columns = append(columns, `typeof(`+q+`) || ':' || CASE typeof(`+q+`) WHEN 'real' THEN printf('%!.20g', `+q+`) ELSE coalesce(hex(`+q+`), '') END`)
	}
	return strings.Join(lines(p.t, db, `SELECT `+strings.Join(columns, ` || '|' || `)+` AS line FROM v ORDER BY line`), "\n")
}

func (p *pair) equal() {
	p.t.Helper()
	want, have := p.dump(p.app), p.dump(p.rogue)
	if want != have {
		p.t.Fatalf("the sides differ; the source has %d bytes, the target %d", len(want), len(have))
	}
	if strings.Count(want, "\n") < 10 {
		p.t.Fatalf("only these rows were compared: %.300s", want)
	}
	// -0.0 cannot be told from 0.0 by SQL.
	negative := func(db *sql.DB) (n int) {
		rows, err := db.Query(`SELECT +v FROM v WHERE typeof(v) = 'real'`)
		testkit.Check(p.t, err)
		defer rows.Close()
		for rows.Next() {
			var f float64
			testkit.Check(p.t, rows.Scan(&f))
			if f == 0 && math.Signbit(f) {
				n++
			}
		}
		testkit.Check(p.t, rows.Err())
		return n
	}
	if a, b := negative(p.app), negative(p.rogue); a != b || a == 0 && !strings.Contains(want, "STRICT") {
		p.t.Errorf("-0.0 stands %d times in the source and %d times in the target", a, b)
	}
}

// verified compares all of it with the engine.
func (p *pair) verified() {
	p.t.Helper()
	if err := p.verify(); err != nil {
		p.t.Fatal(err)
	}
}

func (p *pair) verify() error {
	for {
		v, err := p.way.Verify(p.t.Context(), 0, 25)
		if err != nil || v.Passed {
			return err
		}
	}
}

// TestEveryCorruptionIsFound changes one thing in the target that the guard would have
// refused, a hundred times in a row, and looks whether it is named.
func TestEveryCorruptionIsFound(t *testing.T) {
	const zero, least = "negative zero", "least integer to real" // to SQLite these are the same numbers as before
	corruptions := []struct{ name, statement string }{
		{"one byte", `UPDATE v SET v = CAST(substr(v, 1, length(v) - 1) || CASE substr(v, -1) WHEN x'07' THEN x'08' ELSE x'07' END AS BLOB) WHERE id = ?1`},
		{"kind", `UPDATE v SET n = CAST(n AS TEXT) WHERE id = ?1`},
		{"integer to real", `UPDATE v SET n = n + 0.0 WHERE id = ?1`},
		{"null to empty", `UPDATE v SET e = '' WHERE id = ?1`},
		{"trailing blank", `UPDATE v SET s = s || ' ' WHERE id = ?1`},
		{zero, `UPDATE v SET z = ?2 WHERE id = ?1`},
		{"row removed", `DELETE FROM v WHERE id = ?1`},
		{"row added", `INSERT INTO v(id, v, n, s) VALUES (?1 + 100000, x'00', 1, '')`},
		{"text to bytes", `UPDATE v SET t = CAST(t AS BLOB) WHERE id = ?1`},
		{"integer to text", `UPDATE v SET i = 'x' || i WHERE id = ?1`},
		{least, `UPDATE v SET i = i + 0.0 WHERE id = ?1`},
		{"key changed", `UPDATE v SET id = id + 100000 WHERE id = ?1`},
		{"values swapped", `UPDATE v SET s = (SELECT s FROM v o WHERE o.id = CASE v.id WHEN ?1 THEN ?1 + 1 ELSE ?1 END) WHERE id IN (?1, ?1 + 1)`},
	}
	for _, c := range corruptions {
		for _, generic := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, generic %t", c.name, generic), func(t *testing.T) {
				t.Parallel()
				p := newPair(t, `CREATE TABLE v (id INTEGER PRIMARY KEY, v BLOB, n, e, s TEXT, z, t TEXT, i INT)`, transfer.Options{Generic: generic})
				for id := range 60 {
					z, i := 1.5, id
					switch c.name { // such values are always compared in memory
					case zero:
						z = 0
					case least:
						i = math.MinInt64
					}
					p.write(`INSERT INTO v VALUES (?1, randomblob(9), ?1, NULL, ?2, ?3, ?2, ?4)`, id, "text "+strconv.Itoa(id), z, i)
				}
				testkit.Check(t, testkit.Finish(t.Context(), p.way))
				p.verified()
				p.corrupt(`UPDATE _strangler_ctl SET applying = 1`) // as the engine, past the guard
				for n := range 10 {
					before := p.dump(p.rogue)
					p.corrupt(`SAVEPOINT s`)
					p.corrupt(c.statement, 3+5*n, math.Copysign(0, -1))
					p.corrupt(`RELEASE s`)
					err := p.verify()
					var differ *transfer.DifferError
					if !errors.As(err, &differ) || len(differ.Findings) == 0 {
						t.Fatalf("%s of row %d was not found: %v", c.name, 3+5*n, err)
					}
					if f := differ.Findings[0]; f.Table != "v" || f.Key == "" || f.Kind == transfer.Differs && len(f.Columns) == 0 {
						t.Errorf("found, but not named: %+v", f)
					}
					p.mend()
					if after := p.dump(p.rogue); after != before && c.name != zero {
						t.Fatal("the row was not brought back")
					}
				}
			})
		}
	}
}

func (p *pair) corrupt(statement string, args ...any) {
	p.t.Helper()
	if !strings.Contains(statement, "?2") && len(args) > 1 {
		args = args[:1]
	}
	if _, err := p.rogue.ExecContext(p.t.Context(), statement, args...); err != nil {
		p.t.Fatalf("%s: %v", statement, err)
	}
}

// mend lets the engine repair what it finds, and compare once more.
func (p *pair) mend() {
	p.t.Helper()
	ctx := p.t.Context()
	way, err := transfer.New(ctx, p.way.From, p.way.To, transfer.Options{Repair: true})
	testkit.Check(p.t, err)
	p.way = way
	for passes := 0; passes == 0 || p.way.Progress(0).Passes == 0; passes++ {
		if passes == 20 {
			p.t.Fatal("the repair comes to no end")
		}
		testkit.Check(p.t, p.verify())
		testkit.Check(p.t, testkit.Finish(ctx, p.way))
	}
	repaired := p.way.Progress(0).Repaired
	if repaired == 0 {
		p.t.Error("nothing was counted as repaired")
	}
	p.way, err = transfer.New(ctx, p.way.From, p.way.To, transfer.Options{})
	testkit.Check(p.t, err)
	p.corrupt(`UPDATE _strangler_ctl SET applying = 1`)
}
