package postgres_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/internal/pgtest"
	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/dialect/postgres"
)

// followed is a source that follows, ready to be retired.
func followed(t *testing.T, tables []string, statements ...string) *side {
	t.Helper()
	source, _ := pair(t, tables, statements...)
	source.write(t, func(tx dialect.Tx) error {
		return tx.Follow(t.Context(), dialect.Record{Owner: dialect.Target, Epoch: 1})
	})
	return source
}

func TestRetiredTablesShrinkInBatches(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 31)
	source := followed(t, []string{"t", long}, `CREATE TABLE "`+long+`" (id int PRIMARY KEY)`, `CREATE TABLE t (id int PRIMARY KEY, l int REFERENCES "`+long+`" ON DELETE RESTRICT)`,
		`INSERT INTO "`+long+`" SELECT generate_series(1, 3000)`, `INSERT INTO t SELECT n, n FROM generate_series(1, 3000) n`, `DELETE FROM t WHERE id % 3 = 0`)
	at, err := source.DecidedAt(t.Context(), "t")
	if must(t, err); time.Since(at) > time.Minute || at.IsZero() {
		t.Errorf("the owner was decided at %v", at)
	}
	if at, err := source.DecidedAt(t.Context(), "unknown"); err != nil || !at.IsZero() {
		t.Errorf("the owner of an unknown table was decided at %v: %v", at, err)
	}
	for range 2 { // what is done is not done again
		must(t, source.Retire(t.Context(), source.move, []string{"t", long}))
	}
	db := source.DB
	for table, rows := range map[string]int64{long: 3000, "t": 2000} {
		var total int64
		for batch := 1; ; batch++ {
			n, err := db.Shrink(t.Context(), source.move, table, 700)
			if must(t, err); n > 700 {
				t.Fatalf("a batch deleted %d rows, more than 700", n)
			}
			total += n
			if n < 700 {
				break
			}
			if batch == 2 { // another process goes on
				db, err = postgres.Open(t.Context(), source.dsn)
				must(t, err)
				t.Cleanup(func() { db.Close() })
			}
		}
		if total != rows {
			t.Errorf("%d rows of %s were deleted, want %d", total, table, rows)
		}
		for range 2 {
			must(t, db.Discard(t.Context(), source.move, table))
		}
		if n, err := db.Shrink(t.Context(), source.move, table, 700); n != 0 || err != nil {
			t.Errorf("%d rows were deleted in a table that is gone: %v", n, err)
		}
	}
	must(t, source.Remove(t.Context(), dialect.Move{Split: "test", ID: "m1"}, dialect.RemoveOptions{}))
	const left = `SELECT coalesce(string_agg(relname, ' ' ORDER BY relname), '') || (SELECT count(*) FROM pg_proc WHERE starts_with(proname, '_strangler')) FROM pg_class WHERE relnamespace = 'public'::regnamespace`
	if got := ask(t, connect(t, source.dsn), left); got != "_strangler_owner _strangler_owner_pkey0" {
		t.Errorf("left behind: %s", got)
	}
}

// What stands against retiring stops it before anything has changed, and says what to do.
func TestRetireIsAllOrNothing(t *testing.T) {
	t.Parallel()
	source := followed(t, []string{"a", "b"}, `CREATE TABLE a (id int PRIMARY KEY)`, `CREATE TABLE b (id int PRIMARY KEY)`)
	app := connect(t, source.dsn)
	do(t, app, `CREATE TABLE stays (id int, b_id int CONSTRAINT to_b REFERENCES b)`)
	err := source.Retire(t.Context(), source.move, []string{"a", "b"})
	if err == nil || !strings.Contains(err.Error(), "table b: foreign key to_b of table stays still refers to it: take that foreign key away") {
		t.Errorf("a table that stays refers to one: %v", err)
	}
	if got := ask(t, app, `SELECT (to_regclass('a') IS NOT NULL)::text || (SELECT count(*) FROM pg_trigger WHERE tgname = '_strangler_seal')`); got != "true2" {
		t.Errorf("what was refused has changed something: %s", got)
	}
	if _, err := app.Exec(t.Context(), `INSERT INTO a VALUES (1)`); err == nil {
		t.Error("what was refused has opened a table")
	}
	do(t, app, `DROP TABLE stays`)
	other := source.move
	other.Claim++
	if err := source.Retire(t.Context(), other, []string{"a", "b"}); !errors.Is(err, dialect.ErrClaimLost) {
		t.Errorf("another claim: %v", err)
	}
	must(t, source.Retire(t.Context(), source.move, []string{"a", "b"}))
	do(t, app, `CREATE FUNCTION uses() RETURNS bigint BEGIN ATOMIC SELECT count(*) FROM _strangler_old_a; END`)
	err = source.Discard(t.Context(), source.move, "a")
	if err == nil || !strings.Contains(err.Error(), "function uses() depends on table _strangler_old_a: take that away") {
		t.Errorf("a function depends on the table: %v", err)
	}
	do(t, app, `DROP FUNCTION uses`)
	must(t, source.Discard(t.Context(), source.move, "a"))
}

// Who reads a table is waited for, and others can go on reading meanwhile.
func TestRetireWaitsForReaders(t *testing.T) {
	t.Parallel()
	source := followed(t, []string{"t"}, `CREATE TABLE t (id int PRIMARY KEY)`)
	reader, watcher := connect(t, source.dsn), connect(t, source.dsn)
	do(t, reader, `BEGIN`, `SELECT FROM t`)
	done := make(chan error, 1)
	go func() { done <- source.Retire(t.Context(), source.move, []string{"t"}) }()
	for waiting := 0; waiting < 3; { // attempts that were given up
		select {
		case err := <-done:
			t.Fatalf("the table was retired while it was read: %v", err)
		default:
		}
		if ask(t, watcher, `SELECT count(*) FROM pg_locks WHERE relation = to_regclass('t') AND NOT granted AND mode = 'AccessExclusiveLock'`) != "0" {
			pgtest.Exec(t, source.dsn, `SELECT FROM t`)
			waiting++
		}
	}
	do(t, reader, `COMMIT`)
	must(t, <-done)
	if got := ask(t, watcher, `SELECT to_regclass('_strangler_old_t') IS NOT NULL`); got != "t" {
		t.Error("the table was not renamed")
	}
}
