package postgres_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/stranglerfig/toolkit/internal/pgtest"
)

// The tests of this file hold what the engine believes of PostgreSQL without saying it
// in code. When a new server breaks one of them, the engine is wrong on that server.

// connect opens a session of its own in the database dsn.
func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

// do runs statements in a session.
func do(t *testing.T, c *pgx.Conn, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := c.Exec(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// ask returns the first column of all rows as text, joined by spaces.
func ask(t *testing.T, c *pgx.Conn, query string) string {
	t.Helper()
	results, err := c.PgConn().Exec(t.Context(), query).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	var all []string
	for _, row := range results[len(results)-1].Rows {
		all = append(all, string(row[0]))
	}
	return strings.Join(all, " ")
}

// marker is a table with a trigger per row and one for TRUNCATE, which both leave a
// line in the table seen.
var marker = []string{
	`CREATE TABLE t (id int PRIMARY KEY, n int)`,
	`CREATE TABLE seen (seq bigserial, what text)`,
	`CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN INSERT INTO seen (what) VALUES (tg_op); RETURN NULL; END $$`,
	`CREATE TRIGGER every_row AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW
		WHEN (current_setting('strangler.applying', true) IS DISTINCT FROM '1') EXECUTE FUNCTION see()`,
	`CREATE TRIGGER every_truncate AFTER TRUNCATE ON t FOR EACH STATEMENT EXECUTE FUNCTION see()`,
}

func TestFactAlwaysTriggersFireForReplicas(t *testing.T) {
	t.Parallel()
	c := connect(t, pgtest.Database(t))
	do(t, c, marker...)
	do(t, c, `SET session_replication_role = replica`, `INSERT INTO t VALUES (1, 1)`)
	if got := ask(t, c, `SELECT what FROM seen`); got != "" {
		t.Errorf("an ordinary trigger fired in a replica session: %s", got)
	}
	do(t, c, `ALTER TABLE t ENABLE ALWAYS TRIGGER every_row`, `ALTER TABLE t ENABLE ALWAYS TRIGGER every_truncate`,
		`INSERT INTO t VALUES (2, 2)`, `TRUNCATE t`)
	if got := ask(t, c, `SELECT what FROM seen ORDER BY seq`); got != "INSERT TRUNCATE" {
		t.Errorf("ENABLE ALWAYS triggers saw %q in a replica session", got)
	}
}

// TestFactReplicaSessionsSkipKeysAndCascades is why the engine applies rows as a
// replica: neither foreign keys nor the application's triggers answer it.
func TestFactReplicaSessionsSkipKeysAndCascades(t *testing.T) {
	t.Parallel()
	c := connect(t, pgtest.Database(t))
	do(t, c, marker...)
	do(t, c, `CREATE TABLE child (id int PRIMARY KEY, t_id int REFERENCES t ON DELETE CASCADE)`,
		`INSERT INTO t VALUES (1, 1)`, `INSERT INTO child VALUES (1, 1)`,
		`BEGIN`, `SET LOCAL session_replication_role = replica`,
		`DELETE FROM t`, `INSERT INTO child VALUES (2, 99)`, `COMMIT`)
	if got := ask(t, c, `SELECT id FROM child ORDER BY id`); got != "1 2" {
		t.Errorf("children after the engine's delete: %q, want 1 2", got)
	}
	if got := ask(t, c, `SHOW session_replication_role`); got != "origin" {
		t.Errorf("the role outlived its transaction: %s", got)
	}
}

func TestFactCascadesReachTheRowTrigger(t *testing.T) {
	t.Parallel()
	c := connect(t, pgtest.Database(t))
	do(t, c, marker...)
	do(t, c, `CREATE TABLE parent (id int PRIMARY KEY)`,
		`ALTER TABLE t ADD FOREIGN KEY (n) REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE`,
		`INSERT INTO parent VALUES (1)`, `INSERT INTO t VALUES (1, 1)`,
		`UPDATE parent SET id = 2`, `DELETE FROM parent`,
		`INSERT INTO parent VALUES (3)`, `INSERT INTO t VALUES (3, 3)`, `TRUNCATE parent CASCADE`)
	if got := ask(t, c, `SELECT what FROM seen ORDER BY seq`); got != "INSERT UPDATE DELETE INSERT TRUNCATE" {
		t.Errorf("the triggers of the child saw %q", got)
	}
}

func TestFactBypassEndsWithItsTransaction(t *testing.T) {
	t.Parallel()
	c := connect(t, pgtest.Database(t))
	do(t, c, marker...)
	do(t, c, `BEGIN`, `SELECT set_config('strangler.applying', '1', true)`, `INSERT INTO t VALUES (1, 1)`, `COMMIT`)
	if got := ask(t, c, `SELECT what FROM seen`); got != "" {
		t.Errorf("the trigger fired in spite of the bypass: %s", got)
	}
	do(t, c, `INSERT INTO t VALUES (2, 2)`)
	if got := ask(t, c, `SELECT what FROM seen`); got != "INSERT" {
		t.Errorf("after the bypass the trigger saw %q", got)
	}
}

// TestFactFenceBindsOldSnapshots is the fence: a lock waits for the writers, and a
// change of the catalog made under it is seen by everyone who writes later, whatever
// snapshot they have. A flag in a table would not be.
func TestFactFenceBindsOldSnapshots(t *testing.T) {
	t.Parallel()
	for _, level := range []string{"READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"} {
		t.Run(level, func(t *testing.T) {
			t.Parallel()
			dsn := pgtest.Database(t)
			engine, writer := connect(t, dsn), connect(t, dsn)
			do(t, engine, `CREATE TABLE t (id int PRIMARY KEY)`,
				`CREATE TABLE flag (sealed bool)`, `INSERT INTO flag VALUES (false)`,
				`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
					BEGIN RAISE EXCEPTION 'sealed' USING ERRCODE = 'raise_exception'; END $$`,
				`CREATE TRIGGER seal BEFORE INSERT OR UPDATE OR DELETE ON t FOR EACH STATEMENT EXECUTE FUNCTION refuse()`,
				`ALTER TABLE t DISABLE TRIGGER seal`)
			do(t, writer, `BEGIN ISOLATION LEVEL `+level, `SELECT * FROM flag`) // takes its snapshot
			do(t, engine, `BEGIN`, `LOCK TABLE t IN SHARE ROW EXCLUSIVE MODE`,
				`ALTER TABLE t ENABLE ALWAYS TRIGGER seal`, `UPDATE flag SET sealed = true`)

			wrote := make(chan error, 1)
			go func() {
				_, err := writer.Exec(context.Background(), `INSERT INTO t VALUES (1)`)
				wrote <- err
			}()
			waitFor(t, engine, `SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND relation = 't'::regclass`)
			do(t, engine, `COMMIT`)
			var pgErr *pgconn.PgError
			if err := <-wrote; !errors.As(err, &pgErr) || pgErr.Message != "sealed" {
				t.Errorf("a %s writer with an old snapshot got %v, want the seal's refusal", level, err)
			}
			do(t, writer, `ROLLBACK`)
			if got := ask(t, engine, `SELECT count(*) FROM t`); got != "0" {
				t.Errorf("%s rows passed the seal", got)
			}
		})
	}
}

// TestFactOldSnapshotsReadOldFlags shows why the fence is not a row.
func TestFactOldSnapshotsReadOldFlags(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Database(t)
	engine, writer := connect(t, dsn), connect(t, dsn)
	do(t, engine, `CREATE TABLE flag AS SELECT false AS sealed`)
	do(t, writer, `BEGIN ISOLATION LEVEL REPEATABLE READ`, `SELECT * FROM flag`)
	do(t, engine, `UPDATE flag SET sealed = true`)
	if got := ask(t, writer, `SELECT sealed FROM flag`); got != "f" {
		t.Errorf("a REPEATABLE READ transaction saw a later commit: %s", got)
	}
}

// waitFor polls a question until its answer is true.
func waitFor(t *testing.T, c *pgx.Conn, question string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ask(t, c, question) != "t"; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still not true: %s", question)
		}
	}
}

// TestFactTextIsExact holds what the engine compares: the text of a value under fixed
// settings tells apart what = does not.
func TestFactTextIsExact(t *testing.T) {
	t.Parallel()
	c := connect(t, pgtest.Database(t))
	for a, b := range map[string]string{
		`'-0'::float8`:           `'0'::float8`,
		`'1.0'::numeric`:         `'1.00'::numeric`,
		`0.1::float8`:            `0.1::float8 + 1e-17::float8 * 2`,
		`'x'::char(3)::bpchar`:   `'X'::char(3)::bpchar`,
		`'{"a":1, "b":2}'::json`: `'{"a":1,"b":2}'::json`,
		`''::text`:               `' '::text`,
	} {
		if ask(t, c, `SELECT ROW(`+a+`)::text = ROW(`+b+`)::text`) != "f" {
			t.Errorf("%s and %s have the same text", a, b)
		}
	}
	if got := ask(t, c, `SELECT ROW(NULL)::text || ROW('')::text || ROW('NULL')::text`); got != `()("")(NULL)` {
		t.Errorf("NULL, '' and 'NULL' read %s", got)
	}
}

// TestFactCopyOverridesIdentity is why rows arrive by COPY alone.
func TestFactCopyOverridesIdentity(t *testing.T) {
	t.Parallel()
	c := connect(t, pgtest.Database(t))
	do(t, c, `CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n int, twice int GENERATED ALWAYS AS (n * 2) STORED)`)
	if _, err := c.PgConn().CopyFrom(t.Context(), strings.NewReader("41\t1\n"), `COPY t (id, n) FROM STDIN`); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, c, `SELECT id || '/' || twice FROM t`); got != "41/2" {
		t.Errorf("the row is %s", got)
	}
	if got := ask(t, c, `SELECT last_value || ',' || is_called FROM t_id_seq`); got != "1,false" {
		t.Errorf("COPY moved the sequence to %s; the engine sets it itself", got)
	}
}
