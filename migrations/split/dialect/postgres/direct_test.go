package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/value"
)

// copyDirect copies a table chunk by chunk on the fast way, and returns the chunks.
func copyDirect(t *testing.T, source, target *side, table string, limit int) int {
	t.Helper()
	d, err := target.Direct(t.Context(), source.DB)
	must(t, err)
	var p dialect.Progress
	target.write(t, func(tx dialect.Tx) error { return tx.Progress(t.Context(), target.move.Shape(table), p) }) // begin anew
	chunks := 0
	for !p.Copied {
		p, err = d.CopyChunk(t.Context(), target.move, source.move.Shape(table), target.move.Shape(table), p, limit)
		must(t, err)
		chunks++
	}
	return chunks
}

// copyTyped copies a table through rows in memory, as the engine does between databases of two kinds.
func copyTyped(t *testing.T, source, target *side, table string) {
	t.Helper()
	rows := source.rows(t, table)
	target.write(t, func(tx dialect.Tx) error {
		if err := tx.DeleteRange(t.Context(), target.move.Shape(table), nil, nil); err != nil {
			return err
		}
		return tx.Insert(t.Context(), target.move.Shape(table), rows)
	})
}

// rows reads a whole table.
func (s *side) rows(t *testing.T, table string) []value.Row {
	t.Helper()
	var all []value.Row
	s.read(t, func(snap dialect.Snapshot) error {
		return snap.Rows(t.Context(), s.move.Shape(table), dialect.Range{}, func(r value.Row) error {
			all = append(all, slices.Clone(r))
			return nil
		})
	})
	return all
}

func same(t *testing.T, source, target *side, table string) bool {
	t.Helper()
	d, err := target.Direct(t.Context(), source.DB)
	must(t, err)
	var after value.Key
	for {
		c, err := d.Same(t.Context(), target.move, source.move.Shape(table), target.move.Shape(table), after, 3)
		must(t, err)
		if !c.Same || c.Last == nil {
			return c.Same
		}
		after = c.Last
	}
}

// torture is a table whose columns have the types that go wrong elsewhere.
var torture = []string{
	`CREATE TYPE mood AS ENUM ('sad', 'ok, "fine"', 'b\s')`,
	`CREATE DOMAIN pos AS int CHECK (value > 0)`,
	`CREATE EXTENSION IF NOT EXISTS citext`,
	`CREATE TABLE t (
		id bigint PRIMARY KEY, i2 smallint, d pos, f4 real, f8 double precision, n numeric, n2 numeric(10, 2), s text, c char(5), v varchar(20), ci citext,
		b bytea, o boolean, u uuid, j json, jb jsonb, ts timestamp, tz timestamptz, dt date, ti time, iv interval, a int[], ta text[], m mood,
		r int4range, ip inet, x bit(3), xs xml, g numeric GENERATED ALWAYS AS (n * 2) STORED)`,
}

// tortured are its rows; each is a list of column = value.
var tortured = []string{
	``,
	`s = '', c = '', v = '', ci = '', b = '', a = '{}', ta = '{}', jb = '{}'`,
	`s = 'NULL', ta = '{NULL,"NULL",""}', a = '{NULL,1}'`,
	`f8 = 'NaN', f4 = 'NaN', n = 'NaN'`,
	`f8 = '-0', f4 = '-0'`, `f8 = '0', f4 = '0'`,
	`f8 = 'Infinity', f4 = '-Infinity'`, `f8 = 5e-324, f4 = 1e-45`, `f8 = 0.1, f4 = 0.1`, `f8 = 1.7976931348623157e308`, `f8 = 0.30000000000000004`,
	`n = 1.0`, `n = 1.00`, `n = 12345678901234567890123456789.123456789`, `n = 1e-50`, `n2 = -0.01`,
	`i2 = -32768, d = 2147483647`,
	`s = E'tab\tnew\nline\rback\\slash\\N \\. ''quote'' "double"'`, `s = E'\\N'`, `s = E'\\.'`, `s = ' trailing '`, `s = E'\u00e9'`, `s = E'e\u0301'`, `s = '😀'`,
	`c = 'ab   ', v = 'ab   '`, `ci = 'MiXed'`,
	`b = '\x00ff5c0a'`, `b = decode(repeat('00', 1048576), 'hex')`,
	`o = true`, `o = false`, `u = '00000000-0000-0000-0000-00000000000A'`,
	`j = '{"a":  1, "a": 2}', jb = '{"a": 1.00, "b": [null, ""]}'`,
	`ts = 'infinity', tz = '-infinity', dt = 'infinity'`, `ts = '4713-01-01 BC', dt = '0001-01-01 BC'`, `tz = '2024-03-31 02:30:00.123456+02'`, `ti = '24:00:00'`,
	`iv = '1 year -2 mons +3 days -04:05:06.789'`,
	`ta = ARRAY['a,b', '{}', E'\\', '"', NULL]`, `a = '[0:1]={5,6}'`, `m = 'ok, "fine"'`, `m = E'b\\s'`,
	`r = 'empty'`, `r = '[1,5)'`, `ip = '::1/64'`, `x = '101'`, `xs = '<a b="c">&amp;</a>'`,
}

func tortureRows() []string {
	statements := slices.Clone(torture)
	for i, row := range tortured {
		statements = append(statements, fmt.Sprintf(`INSERT INTO t (id) VALUES (%d)`, i+1))
		if row != "" {
			statements = append(statements, fmt.Sprintf(`UPDATE t SET %s WHERE id = %d`, row, i+1))
		}
	}
	return statements
}

// independent compares all rows of t in the binary form of the protocol, which the
// engine never uses.
func independent(t *testing.T, source, target *side) {
	t.Helper()
	binary := func(s *side) [][][]byte {
		result := connect(t, s.dsn).PgConn().ExecParams(t.Context(), `SELECT * FROM t ORDER BY id`, nil, nil, nil, []int16{1}).Read()
		must(t, result.Err)
		return result.Rows
	}
	before, after := binary(source), binary(target)
	if len(before) != len(tortured) || len(after) != len(before) {
		t.Fatalf("%d rows in the source, %d in the target", len(before), len(after))
	}
	for i := range before {
		for c := range before[i] {
			if !bytes.Equal(before[i][c], after[i][c]) || (before[i][c] == nil) != (after[i][c] == nil) {
				t.Errorf("row %d (%s), column %d: %.60x in the source, %.60x in the target", i+1, tortured[i], c, before[i][c], after[i][c])
			}
		}
	}
}

// pairTorture is pair, with the types made in the target first.
func pairTorture(t *testing.T) (source, target *side) {
	t.Helper()
	return pairWith(t, []string{"t"}, torture[:3], tortureRows()...)
}

func TestEveryValueArrives(t *testing.T) {
	t.Parallel()
	for way, move := range map[string]func(*testing.T, *side, *side){
		"direct": func(t *testing.T, source, target *side) {
			if n := copyDirect(t, source, target, "t", 7); n != (len(tortured)+6)/7 {
				t.Errorf("%d chunks of 7 rows for %d rows", n, len(tortured))
			}
		},
		"typed": func(t *testing.T, source, target *side) { copyTyped(t, source, target, "t") },
	} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			source, target := pairTorture(t)
			move(t, source, target)
			independent(t, source, target)
			if !same(t, source, target, "t") {
				t.Error("Same finds a difference")
			}
			before, after := source.rows(t, "t"), target.rows(t, "t")
			if !slices.EqualFunc(before, after, value.Row.Equal) {
				t.Error("the typed rows differ")
			}
		})
	}
}

// TestEveryChangeIsFound changes one cell at a time on the target, as far as PostgreSQL
// itself can tell the two values apart, and asks both ways of comparing.
func TestEveryChangeIsFound(t *testing.T) {
	t.Parallel()
	source, target := pairTorture(t)
	copyDirect(t, source, target, "t", 100)
	before := source.rows(t, "t")
	rogue := connect(t, target.dsn)
	do(t, rogue, `SET strangler.applying = '1'`) // a rogue that knows our secrets
	for _, change := range []string{
		`SET s = NULL WHERE s = ''`, `SET s = '' WHERE id = 1`, `SET s = NULL WHERE s = 'NULL'`, `SET f8 = '0', f4 = '0' WHERE id = 5`, `SET n = 1.00 WHERE id = 12`,
		`SET s = rtrim(s) WHERE s = ' trailing '`, `SET s = normalize(s, NFC) WHERE id = 23`, `SET c = 'x' WHERE id = 1`, `SET ci = 'mixed' WHERE ci = 'mixed'`,
		`SET b = set_byte(b, 1048575, 1) WHERE length(b) > 1000`, `SET f8 = 0.3 WHERE f8 = 0.30000000000000004`, `SET j = '{"a": 1, "a": 2}' WHERE j IS NOT NULL`,
		`SET tz = tz + '1 microsecond' WHERE id = 35`, `SET iv = iv + '0.000001 s' WHERE iv IS NOT NULL`, `SET ta = '{}' WHERE id = 1`, `SET a = '{5,6}' WHERE a[0] = 5`,
		`SET n = NULL WHERE n = 'NaN'`, `SET id = 1000 WHERE id = 44`, `SET o = NULL WHERE o = false`, `SET i2 = i2 + 1 WHERE i2 IS NOT NULL`,
	} {
		do(t, rogue, `BEGIN`)
		tag, err := rogue.Exec(t.Context(), `UPDATE t `+change)
		must(t, err)
		if tag.RowsAffected() != 1 {
			t.Errorf("%s changed %d rows, want 1", change, tag.RowsAffected())
		}
		do(t, rogue, `COMMIT`)
		after := target.rows(t, "t")
		if same(t, source, target, "t") {
			t.Errorf("%s: Same finds no difference", change)
		}
		if slices.EqualFunc(before, after, value.Row.Equal) {
			t.Errorf("%s: the typed rows are equal", change)
		}
		copyDirect(t, source, target, "t", 100)
	}
	for _, change := range []string{`DELETE FROM t WHERE id = 9`, `INSERT INTO t (id) VALUES (999)`, `INSERT INTO t (id) VALUES (-5)`} {
		do(t, rogue, change)
		if same(t, source, target, "t") {
			t.Errorf("%s: Same finds no difference", change)
		}
		copyDirect(t, source, target, "t", 100)
		if !same(t, source, target, "t") {
			t.Errorf("%s: a second copy does not repair it", change)
		}
	}
}

// TestTheLastRowsAreComparedByTheServers: told that rows differ or that there are none, the
// engine takes them through its memory, which costs several times as much.
func TestTheLastRowsAreComparedByTheServers(t *testing.T) {
	t.Parallel()
	source, target := pairWith(t, []string{"t"}, nil, `CREATE TABLE t (id int PRIMARY KEY)`, `INSERT INTO t SELECT generate_series(1, 9)`)
	copyDirect(t, source, target, "t", 100)
	compare := func(after value.Key) dialect.Compared {
		d, err := target.Direct(t.Context(), source.DB)
		must(t, err)
		c, err := d.Same(t.Context(), target.move, source.move.Shape("t"), target.move.Shape("t"), after, 100)
		must(t, err)
		return c
	}
	last := value.Key{value.OfInt(9)}
	if c := compare(nil); !c.Same || c.Rows != 9 || !slices.EqualFunc(c.Last, last, value.Value.Equal) {
		t.Errorf("all rows: %+v, want 9 that are the same up to key 9", c)
	}
	if c := compare(last); !c.Same || c.Rows != 0 || c.Last != nil {
		t.Errorf("behind them: %+v, want none", c)
	}
	rogue := connect(t, target.dsn)
	do(t, rogue, `SET strangler.applying = '1'`)
	do(t, rogue, `INSERT INTO t VALUES (10)`)
	if compare(nil).Same || compare(last).Same {
		t.Error("a row behind the source's last one goes unseen")
	}
}

func TestKeysOfEveryKind(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ types, table, values string }{
		"text in another order": {"", `k text COLLATE "en-x-icu" PRIMARY KEY`, `('a'), ('B'), ('b'), ('A'), ('ä'), (''), ('a''b'), (E'\\'), ('$1::text'), (' '), ('é')`},
		"citext":                {`CREATE EXTENSION citext`, `k citext PRIMARY KEY`, `('a'), ('B'), ('c'), ('D'), ('é')`},
		"char":                  {"", `k char(4) PRIMARY KEY`, `('a'), ('ab'), (''), ('abcd'), ('B')`},
		"bytea":                 {"", `k bytea PRIMARY KEY`, `('\x00'), ('\x'), ('\xff5c'), ('\x0000'), ('\x27')`},
		"uuid":                  {"", `k uuid PRIMARY KEY`, `('ffffffff-0000-0000-0000-000000000000'), ('00000000-0000-0000-0000-000000000001'), ('7fffffff-0000-0000-0000-000000000000')`},
		"numeric":               {"", `k numeric PRIMARY KEY`, `(1.0), (-5), (1e30), ('NaN'), (0.1), (-1e-20)`},
		"float":                 {"", `k float8 PRIMARY KEY`, `(1.5), ('-Infinity'), ('NaN'), (0), (5e-324), (0.1)`},
		"timestamptz":           {"", `k timestamptz PRIMARY KEY`, `('infinity'), ('2024-01-01 00:00+01'), ('2024-01-01 00:00:00.000001+00'), ('1000-01-01 BC')`},
		"enum":                  {`CREATE TYPE e AS ENUM ('z', 'a', 'm''x')`, `k e PRIMARY KEY`, `('a'), ('m''x'), ('z')`},
		"boolean":               {"", `k bool PRIMARY KEY`, `(true), (false)`},
		"jsonb":                 {"", `k jsonb PRIMARY KEY`, `('{}'), ('[1]'), ('"x"'), ('1.50')`},
		"interval":              {"", `k interval PRIMARY KEY`, `('1 day'), ('23 hours'), ('-1 mon')`},
		"composite":             {"", `k int, b text COLLATE "en-x-icu", c varchar(9), PRIMARY KEY (c, k, b)`, `(1, 'a', 'x'), (1, 'B', 'x'), (2, 'a', 'X'), (-1, 'b', ''), (1, 'b', 'y')`},
		"unique and not null":   {"", `v int, k int NOT NULL UNIQUE`, `(NULL, 1), (2, 3), (NULL, 2)`},
		"odd names":             {"", `"a, ""b" int, "select" text, PRIMARY KEY ("select", "a, ""b")`, `(1, 'x'), (2, 'X'), (3, 'é')`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			statements := []string{`CREATE TABLE "T t" (` + test.table + `)`, `INSERT INTO "T t" VALUES ` + test.values}
			var types []string
			if test.types != "" {
				types = []string{test.types}
			}
			source, target := pairWith(t, []string{"T t"}, types, append(types, statements...)...)
			copyDirect(t, source, target, "T t", 2)
			if !same(t, source, target, "T t") {
				t.Error("not the same after the direct copy")
			}
			before := source.rows(t, "T t")
			if after := target.rows(t, "T t"); !slices.EqualFunc(before, after, value.Row.Equal) {
				t.Errorf("source %v\ntarget %v", before, after)
			}
			keys(t, source, target, before)
		})
	}
}

// keys walks a table by its keys: in ranges of one row, by looking them up, by deleting
// and marking them.
func keys(t *testing.T, source, target *side, rows []value.Row) {
	t.Helper()
	ctx := t.Context()
	from, to := source.move.Shapes[0], target.move.Shapes[0]
	var all []value.Key
	source.read(t, func(snap dialect.Snapshot) error {
		var after value.Key
		for i := range rows {
			key := value.Key(rows[i][:from.Keys])
			if beyond, err := snap.Beyond(ctx, from, key, after); err != nil || !beyond {
				t.Errorf("%s stands not behind %s: %v", key, after, err)
			}
			if beyond, err := snap.Beyond(ctx, from, key, key); err != nil || beyond {
				t.Errorf("%s stands behind itself: %v", key, err)
			}
			var got []value.Row
			if err := snap.Rows(ctx, from, dialect.Range{After: after, Upto: key}, func(r value.Row) error { got = append(got, r); return nil }); err != nil {
				return err
			}
			if len(got) != 1 || !got[0].Equal(rows[i]) {
				t.Errorf("rows behind %s up to %s: %v", after, key, got)
			}
			all, after = append(all, key), key
		}
		found := 0
		err := snap.Lookup(ctx, from, append(all, all[0]), func(value.Row) error { found++; return nil })
		if found != len(all) {
			t.Errorf("%d of %d keys were found", found, len(all))
		}
		return err
	})
	target.write(t, func(tx dialect.Tx) error {
		return errors.Join(tx.MarkDirty(ctx, to, all), tx.MarkDirty(ctx, to, all[:1]), tx.DeleteKeys(ctx, to, all[1:]), tx.ClearDirty(ctx, to, all[:1]), tx.Enqueue(ctx, to, all[:1]))
	})
	if left := target.rows(t, to.Table.Name); len(left) != 1 || !left[0].Equal(rows[0]) {
		t.Errorf("after the others were deleted there is %v", left)
	}
	target.read(t, func(snap dialect.Snapshot) error {
		dirty, err := snap.Dirty(ctx, to, 100)
		if len(dirty) != len(all)-1 {
			t.Errorf("%d keys are dirty, want %d", len(dirty), len(all)-1)
		}
		n, nerr := snap.DirtyCount(ctx)
		pending, perr := snap.Pending(ctx, to, all[0])
		other, oerr := snap.Pending(ctx, to, all[len(all)-1])
		if n != int64(len(all)-1) || !pending || other && len(all) > 1 {
			t.Errorf("%d dirty; the first key is pending: %v, the last: %v", n, pending, other)
		}
		return errors.Join(err, nerr, perr, oerr)
	})
}

func TestDirectStopsAtAClash(t *testing.T) {
	t.Parallel()
	source, target := pair(t, []string{"t"}, `CREATE TABLE t (id int PRIMARY KEY, v text)`, `INSERT INTO t SELECT n, 'same' FROM generate_series(1, 9) n`)
	must(t, connectExec(t, target.dsn, `CREATE UNIQUE INDEX ON t (v)`))
	d, err := target.Direct(t.Context(), source.DB)
	must(t, err)
	_, err = d.CopyChunk(t.Context(), target.move, source.move.Shapes[0], target.move.Shapes[0], dialect.Progress{}, 100)
	var clash *dialect.ClashError
	if !errors.As(err, &clash) || clash.Table != "t" {
		t.Fatalf("got %v, want a ClashError", err)
	}
	if strings.Contains(err.Error(), "same") {
		t.Errorf("the error shows a value: %v", err)
	}
	if rows := target.rows(t, "t"); len(rows) != 0 {
		t.Errorf("%d rows arrived", len(rows))
	}
	st, err := target.State(context.Background(), "test")
	if must(t, err); len(st.Tables) != 0 {
		t.Errorf("progress was recorded: %+v", st.Tables)
	}
}

func connectExec(t *testing.T, dsn, statement string) error {
	t.Helper()
	_, err := connect(t, dsn).Exec(t.Context(), statement)
	return err
}
