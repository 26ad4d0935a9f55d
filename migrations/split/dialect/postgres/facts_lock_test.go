package postgres_test

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/stranglerfig/toolkit/internal/pgtest"
)

// TestFactTruncateEmptiesOldSnapshots is why every read of the engine locks the tables
// in ACCESS SHARE mode before it takes its snapshot: TRUNCATE and rewrites of a table
// do not keep the rows that an older snapshot should see.
func TestFactTruncateEmptiesOldSnapshots(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Database(t)
	engine, app := connect(t, dsn), connect(t, dsn)
	do(t, app, `CREATE TABLE t AS SELECT 1 AS n`, `CREATE TABLE other ()`)

	do(t, engine, `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY`, `SELECT * FROM other`)
	do(t, app, `TRUNCATE t`)
	if got := ask(t, engine, `SELECT count(*) FROM t`); got != "0" {
		t.Errorf("the old snapshot sees %s rows: TRUNCATE keeps snapshots now, and the engine's lock is not needed", got)
	}
	do(t, engine, `COMMIT`)

	do(t, app, `INSERT INTO t VALUES (2)`)
	do(t, engine, `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY`, `LOCK TABLE t IN ACCESS SHARE MODE`)
	do(t, app, `INSERT INTO t VALUES (3)`)
	if got := ask(t, engine, `SELECT count(*) FROM t`); got != "2" {
		t.Errorf("the snapshot is older than the first query after the lock: %s rows", got)
	}
	do(t, app, `SET lock_timeout = '50ms'`)
	if _, err := app.Exec(t.Context(), `TRUNCATE t`); !isCode(err, "55P03") {
		t.Errorf("TRUNCATE beside the lock: %v, want a lock timeout", err)
	}
}

// isCode reports whether the server refused with this code of its list.
func isCode(err error, code string) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == code
}

// TestFactStrangersMayLogWithInsertAlone lets an application's role write the log
// without any further right: an identity column needs none on its sequence.
func TestFactStrangersMayLogWithInsertAlone(t *testing.T) {
	t.Parallel()
	c := connect(t, pgtest.Database(t))
	do(t, c, `DROP ROLE IF EXISTS fact_app`, `CREATE ROLE fact_app`,
		`CREATE TABLE log (seq bigint GENERATED ALWAYS AS IDENTITY, k int)`, `GRANT INSERT ON log TO PUBLIC`,
		`SET ROLE fact_app`, `INSERT INTO log (k) VALUES (1)`)
	if _, err := c.Exec(t.Context(), `DELETE FROM log`); !isCode(err, "42501") {
		t.Errorf("the application may delete from the log: %v", err)
	}
	do(t, c, `RESET ROLE`, `DROP TABLE log`, `DROP ROLE fact_app`)
}

// TestFactSequencesCountThroughRollbacks is how refused writes are counted although
// each of them is rolled back.
func TestFactSequencesCountThroughRollbacks(t *testing.T) {
	t.Parallel()
	c := connect(t, pgtest.Database(t))
	do(t, c, `CREATE SEQUENCE refused`, `BEGIN`, `SELECT nextval('refused')`, `ROLLBACK`, `BEGIN`, `SELECT nextval('refused')`, `ROLLBACK`)
	if got := ask(t, c, `SELECT last_value FROM refused`); got != "2" {
		t.Errorf("the sequence stands at %s after two rolled back uses", got)
	}
}

// TestFactTriggersOpenWithoutStoppingReaders: sealing and opening change a trigger
// under a lock that lets readers go on; dropping it would not.
func TestFactTriggersOpenWithoutStoppingReaders(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Database(t)
	engine, reader := connect(t, dsn), connect(t, dsn)
	do(t, engine, marker...)
	do(t, engine, `SET lock_timeout = '50ms'`)
	do(t, reader, `BEGIN`, `SELECT * FROM t`) // holds ACCESS SHARE
	do(t, engine, `CREATE OR REPLACE TRIGGER every_row AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION see('an argument')`,
		`ALTER TABLE t ENABLE ALWAYS TRIGGER every_row`, `ALTER TABLE t DISABLE TRIGGER every_row`)
	if _, err := engine.Exec(t.Context(), `DROP TRIGGER every_row ON t`); !isCode(err, "55P03") {
		t.Errorf("DROP TRIGGER beside a reader: %v, want a lock timeout", err)
	}
}
