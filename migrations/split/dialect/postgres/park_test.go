package postgres_test

import (
	"errors"
	"testing"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/testkit"
	"github.com/stranglerfig/toolkit/migrations/split/transfer"
)

// definitions is all that hangs on the indexes of t, and whether its triggers fire.
const definitions = `
	SELECT string_agg(line, E'\n' ORDER BY line)
	FROM (
		SELECT format('%s %s', pg_get_indexdef(i.indexrelid), to_jsonb(i) - '{indexrelid,indrelid,indcheckxmin,indpred,indexprs}'::text[]) FROM pg_index i WHERE indrelid = 't'::regclass
		UNION ALL SELECT format('%s %s %s %s', k.conrelid::regclass, k.conname, pg_get_constraintdef(k.oid), k.convalidated) FROM pg_constraint k WHERE 't'::regclass IN (conrelid, confrelid)
		UNION ALL SELECT format('%s %s', a.attname, a.attnotnull) FROM pg_attribute a WHERE attrelid = 't'::regclass
		UNION ALL SELECT format('%s %s', t.tgname, t.tgenabled) FROM pg_trigger t WHERE tgrelid = 't'::regclass
		UNION ALL SELECT format('comment %s', d.description) FROM pg_description d WHERE d.classoid IN ('pg_class'::regclass, 'pg_constraint'::regclass)
		UNION ALL SELECT format('replica identity %s', c.relreplident) FROM pg_class c WHERE c.oid = 't'::regclass
	) AS of(line)`

// hasKey is whether an index of t serves to find rows by the columns named.
func hasKey(t *testing.T, s *side, columns string) bool {
	t.Helper()
	return ask(t, connect(t, s.dsn), `SELECT EXISTS (SELECT FROM pg_index WHERE indrelid = 't'::regclass AND indisunique AND pg_get_indexdef(indexrelid) LIKE '%(`+columns+`)%')`) == "t"
}

func (s *side) park(t *testing.T) (keyless bool) {
	t.Helper()
	s.write(t, func(tx dialect.Tx) (err error) {
		keyless, err = tx.Park(t.Context(), s.move.Shape("t"))
		return err
	})
	st, err := s.State(t.Context(), "test")
	if must(t, err); st.Tables["t"].Keyless != keyless {
		t.Errorf("keyless: Park says %v, the state says %v", keyless, st.Tables["t"].Keyless)
	}
	return keyless
}

// TestParkedIndexesComeBackAsTheyWere parks keys of every form, and has them made again by
// Unpark and by Remove.
func TestParkedIndexesComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ table, key, more string }{
		"primary key":      {`(id int CONSTRAINT "an odd name" PRIMARY KEY, v text UNIQUE, w int)`, "id", `CREATE INDEX t_w ON t (w DESC) WHERE w > 0`},
		"own order":        {`(k text COLLATE "en-x-icu" PRIMARY KEY)`, "k", ``},
		"unique, not null": {`(v int, k int NOT NULL UNIQUE)`, "k", ``},
		"all the trimmings": {
			`(a int, b text, v int, PRIMARY KEY (b, a))`, "b, a",
			`ALTER TABLE t DROP CONSTRAINT t_pkey, ADD CONSTRAINT other PRIMARY KEY (b, a) INCLUDE (v) WITH (fillfactor = 70)`,
		},
		"index alone": {`(id int PRIMARY KEY)`, "id", `ALTER TABLE t DROP CONSTRAINT t_pkey; CREATE UNIQUE INDEX alone ON t (id)`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, target := pair(t, []string{"t"}, `CREATE TABLE t `+test.table)
			app := connect(t, target.dsn)
			do(t, app, test.more)
			before := ask(t, app, definitions)
			for range 2 { // what is parked stays parked
				if !target.park(t) || hasKey(t, target, test.key) {
					t.Fatalf("the key was not parked: %s", ask(t, app, definitions))
				}
			}
			if _, err := app.Exec(t.Context(), `INSERT INTO t DEFAULT VALUES`); err == nil {
				t.Error("the table is open to everybody")
			}
			target.write(t, func(tx dialect.Tx) error { return tx.Unpark(t.Context(), target.move.Shape("t")) })
			if after := ask(t, app, definitions); after != before {
				t.Errorf("before\n%s\nafter\n%s", before, after)
			}
			target.park(t)
			must(t, target.Remove(t.Context(), target.move, dialect.RemoveOptions{Owner: true}))
			if !hasKey(t, target, test.key) {
				t.Error("Remove does not bring the key back")
			}
		})
	}
}

// TestParkLeavesWhatOthersNeed has keys that could not be taken away, or not be made again
// as they were.
func TestParkLeavesWhatOthersNeed(t *testing.T) {
	t.Parallel()
	for name, statement := range map[string]string{
		"foreign key":           `CREATE TABLE child (t int REFERENCES t)`,
		"itself":                `ALTER TABLE t ADD FOREIGN KEY (p) REFERENCES t`,
		"view":                  `CREATE VIEW x AS SELECT id, p FROM t GROUP BY id`,
		"comment":               `COMMENT ON INDEX t_pkey IS 'remember'`,
		"comment on constraint": `COMMENT ON CONSTRAINT t_pkey ON t IS 'remember'`,
		"replica identity":      `ALTER TABLE t REPLICA IDENTITY USING INDEX t_pkey`,
		"cluster":               `ALTER TABLE t CLUSTER ON t_pkey`,
		"rows":                  `SET strangler.applying = '1'; INSERT INTO t VALUES (1)`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, target := pair(t, []string{"t"}, `CREATE TABLE t (id int PRIMARY KEY, p int)`)
			app := connect(t, target.dsn)
			do(t, app, statement)
			before := ask(t, app, definitions)
			if target.park(t) {
				t.Error("the key was parked")
			}
			if after := ask(t, app, definitions); after != before {
				t.Errorf("before\n%s\nafter\n%s", before, after)
			}
		})
	}
}

// TestUnparkNamesAKeyThatIsThereTwice, and leaves all as it is, to be tried again.
func TestUnparkNamesAKeyThatIsThereTwice(t *testing.T) {
	t.Parallel()
	source, target := pair(t, []string{"t"}, `CREATE TABLE t (id int PRIMARY KEY, v text)`, `INSERT INTO t SELECT n, 'v' FROM generate_series(1, 9) n`)
	from := transfer.Side{Database: source.DB, Move: source.move}
	to := transfer.Side{Database: target.DB, Move: target.move}
	way, err := transfer.New(t.Context(), from, to, transfer.Options{})
	must(t, err)
	for range 5 {
		_, err = way.Copy(t.Context(), 0, 4)
		must(t, err)
		if way.Progress(0).Copied {
			break
		}
	}
	rogue := connect(t, target.dsn)
	do(t, rogue, `SET strangler.applying = '1'`, `INSERT INTO t VALUES (7, 'rogue')`)
	for range 2 {
		_, err = way.Copy(t.Context(), 0, 4)
		var twice *transfer.TwiceError
		if !errors.As(err, &twice) || twice.Key.String() != "7" || way.Copied() {
			t.Fatalf("got %v, want a TwiceError about key 7; copied: %v", err, way.Copied())
		}
	}
	do(t, rogue, `DELETE FROM t WHERE v = 'rogue'`)
	if way, err = transfer.New(t.Context(), from, to, transfer.Options{}); err == nil {
		err = testkit.Finish(t.Context(), way)
	}
	if must(t, err); !way.Copied() || !hasKey(t, target, "id") {
		t.Error("the key was not made again")
	}
}

// TestHalvesOfAChunk has a second half that the target refuses: the first one stands, and
// what is said to be done is what is recorded.
func TestHalvesOfAChunk(t *testing.T) {
	t.Parallel()
	source, target := pair(t, []string{"t"}, `CREATE TABLE t (id int PRIMARY KEY, v text)`,
		`INSERT INTO t SELECT n, 'v' || least(n, 8) FROM generate_series(1, 10) n`)
	do(t, connect(t, target.dsn), `CREATE UNIQUE INDEX ON t (v)`)
	p := dialect.Progress{Keyless: target.park(t)}
	d, err := target.Direct(t.Context(), source.DB)
	must(t, err)
	p, err = d.CopyChunk(t.Context(), target.move, source.move.Shape("t"), target.move.Shape("t"), p, 10)
	var clash *dialect.ClashError
	if !errors.As(err, &clash) {
		t.Fatalf("got %v, want a ClashError", err)
	}
	st, err := target.State(t.Context(), "test")
	must(t, err)
	if got := st.Tables["t"]; got.Rows != 5 || got.Cursor.String() != p.Cursor.String() || p.Rows != 5 || p.Cursor.String() != "5" {
		t.Errorf("recorded %d rows up to %s, said %d up to %s; want 5 up to 5", got.Rows, got.Cursor, p.Rows, p.Cursor)
	}
	if n := len(target.rows(t, "t")); n != 5 {
		t.Errorf("%d rows arrived", n)
	}
	do(t, connect(t, target.dsn), `DROP INDEX t_v_idx`)
	p.Rows, p.Cursor = 0, nil // what a server that crashed has not forgotten
	if _, err = d.CopyChunk(t.Context(), target.move, source.move.Shape("t"), target.move.Shape("t"), p, 2); !errors.Is(err, dialect.ErrBusy) {
		t.Errorf("a chunk behind another cursor than the recorded one: %v", err)
	}
}

// TestUniqueValuesThatSwapDuringTheCopy make two chunks clash. Which row has to go can be
// told only with the key, which comes back.
func TestUniqueValuesThatSwapDuringTheCopy(t *testing.T) {
	t.Parallel()
	source, target := pair(t, []string{"t"}, `CREATE TABLE t (id int PRIMARY KEY, v text UNIQUE)`, `INSERT INTO t SELECT n, n FROM generate_series(1, 40) n`)
	way, err := transfer.New(t.Context(), transfer.Side{Database: source.DB, Move: source.move}, transfer.Side{Database: target.DB, Move: target.move}, transfer.Options{})
	must(t, err)
	_, err = way.Copy(t.Context(), 0, 10)
	if must(t, err); !way.Progress(0).Keyless || way.Progress(0).Rows != 10 {
		t.Fatalf("not keyless, or not 10 rows: %+v", way.Progress(0))
	}
	do(t, connect(t, source.dsn), `UPDATE t SET v = 'x' WHERE id = 3`, `UPDATE t SET v = '3' WHERE id = 25`, `UPDATE t SET v = '25' WHERE id = 3`)
	a, err := way.Apply(t.Context())
	if must(t, err); a.Entries != 0 {
		t.Errorf("%d entries were applied without a key", a.Entries)
	}
	_, err = way.Copy(t.Context(), 0, 30)
	if must(t, err); way.Progress(0).Keyless || !hasKey(t, target, "id") {
		t.Error("the key did not come back")
	}
	must(t, testkit.Finish(t.Context(), way))
	if !same(t, source, target, "t") {
		t.Error("the tables differ")
	}
}

// TestKeysComeBackDuringTheCopy when too much waits to be applied: rows that come ahead of
// their chunk are replaced by it.
func TestKeysComeBackDuringTheCopy(t *testing.T) {
	t.Parallel()
	source, target := pair(t, []string{"t"}, `CREATE TABLE t (id int PRIMARY KEY, v text)`, `INSERT INTO t SELECT n, n FROM generate_series(1, 40) n`)
	way, err := transfer.New(t.Context(), transfer.Side{Database: source.DB, Move: source.move}, transfer.Side{Database: target.DB, Move: target.move}, transfer.Options{})
	must(t, err)
	_, err = way.Copy(t.Context(), 0, 10)
	must(t, err)
	do(t, connect(t, source.dsn), `UPDATE t SET v = 'x' WHERE id IN (3, 25)`)
	must(t, way.UnparkKeys(t.Context()))
	a, err := way.Apply(t.Context())
	if must(t, err); a.Keys != 2 || !hasKey(t, target, "id") {
		t.Errorf("%d keys were applied, want 2", a.Keys)
	}
	must(t, testkit.Finish(t.Context(), way))
	if !same(t, source, target, "t") {
		t.Error("the tables differ")
	}
}
