package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/internal/pgtest"
	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/dialect/postgres"
	"github.com/stranglerfig/toolkit/migrations/split/schema"
	"github.com/stranglerfig/toolkit/migrations/split/value"
)

// side is one database of a split under test.
type side struct {
	*postgres.DB
	dsn  string
	move dialect.Move
}

// pair makes a source with the statements given, a target with the tables of the split,
// and installs the engine in both.
func pair(t *testing.T, tables []string, statements ...string) (source, target *side) {
	t.Helper()
	return pairWith(t, tables, nil, statements...)
}

// pairWith is pair with statements that prepare the target.
func pairWith(t *testing.T, tables, prepare []string, statements ...string) (source, target *side) {
	t.Helper()
	source, target = &side{dsn: pgtest.Database(t)}, &side{dsn: pgtest.Database(t)}
	pgtest.Exec(t, source.dsn, statements...)
	pgtest.Exec(t, target.dsn, prepare...)
	for _, s := range []*side{source, target} {
		db, err := postgres.Open(t.Context(), s.dsn)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		s.DB = db
	}
	cat := catalog(t, source, tables)
	source.move = dialect.Move{Split: "test", ID: "m1", Role: dialect.Source, Claim: 1}
	target.move = dialect.Move{Split: "test", ID: "m1", Role: dialect.Target, Claim: 1}
	must(t, target.CreateTables(t.Context(), target.move, cat.Tables))
	created := catalog(t, target, tables)
	for _, name := range tables {
		from, to, obstacles := schema.Match(cat.Table(name), created.Table(name), nil)
		if len(obstacles) > 0 {
			t.Fatalf("table %s: %v", name, obstacles)
		}
		source.move.Shapes, target.move.Shapes = append(source.move.Shapes, from), append(target.move.Shapes, to)
	}
	source.install(t, dialect.Tx.Lead)
	target.install(t, dialect.Tx.Follow)
	return source, target
}

func (s *side) install(t *testing.T, role func(dialect.Tx, context.Context, dialect.Record) error) {
	t.Helper()
	must(t, s.Prepare(t.Context(), s.move))
	s.write(t, func(tx dialect.Tx) error {
		return role(tx, t.Context(), dialect.Record{Owner: dialect.Source})
	})
}

func (s *side) write(t *testing.T, do func(dialect.Tx) error) {
	t.Helper()
	tx, err := s.Begin(t.Context(), s.move)
	must(t, err)
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
	must(t, do(tx))
	must(t, tx.Commit())
}

func (s *side) read(t *testing.T, do func(dialect.Snapshot) error) {
	t.Helper()
	snap, err := s.Snapshot(t.Context(), s.move)
	must(t, err)
	defer snap.Close()
	must(t, do(snap))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// catalog reads the schema and fails on anything that stands in the way.
func catalog(t *testing.T, s *side, tables []string) *schema.Catalog {
	t.Helper()
	cat, err := s.Catalog(t.Context(), tables)
	must(t, err)
	if len(cat.Missing) > 0 {
		t.Fatalf("missing: %v", cat.Missing)
	}
	for _, table := range cat.Tables {
		for _, o := range table.Obstacles {
			t.Fatalf("table %s: %s", table.Name, o.Reason)
		}
	}
	return cat
}

// logged reads the keys in the log.
func (s *side) logged(t *testing.T) []string {
	t.Helper()
	var all []string
	s.read(t, func(snap dialect.Snapshot) error {
		log, err := snap.Log(t.Context(), 1000)
		for _, e := range log.Entries {
			all = append(all, e.Table+" "+e.Key.String())
		}
		return err
	})
	return all
}

func TestCaptureLogsEveryKeyThatMayHaveChanged(t *testing.T) {
	t.Parallel()
	source, _ := pair(t, []string{"t"}, `CREATE TABLE t (a int, b text, v text UNIQUE, PRIMARY KEY (a, b))`, `INSERT INTO t VALUES (1, 'x', 'one'), (2, 'y', 'two')`)
	app := connect(t, source.dsn)
	do(t, app, `INSERT INTO t VALUES (3, 'z', 'three')`, `UPDATE t SET b = 'new' WHERE a = 1`, `DELETE FROM t WHERE a = 2`,
		`INSERT INTO t VALUES (9, 'n', 'three') ON CONFLICT (v) DO UPDATE SET v = 'four'`,
		`BEGIN`, `INSERT INTO t VALUES (77, 'gone', 'gone')`, `ROLLBACK`, `TRUNCATE t`)
	got := source.logged(t)
	want := []string{`t (3, "z")`, `t (1, "new")`, `t (1, "x")`, `t (2, "y")`, `t (3, "z")`, `t ()`}
	if !slices.Equal(got, want) {
		t.Errorf("logged %q\n  want %q", got, want)
	}
}

func TestPruneDeletesWhatWasReadAndNothingElse(t *testing.T) {
	t.Parallel()
	source, _ := pair(t, []string{"t"}, `CREATE TABLE t (id int PRIMARY KEY)`)
	app := connect(t, source.dsn)
	do(t, app, `INSERT INTO t SELECT generate_series(1, 5)`)
	var log dialect.Log
	source.read(t, func(snap dialect.Snapshot) (err error) {
		for most, want := range map[int64]int64{100: 5, 5: 5, 4: 4, 0: 0} {
			if n, err := snap.LogCount(t.Context(), most); err != nil || n != want {
				t.Errorf("%d entries when counting up to %d, want %d: %v", n, most, want, err)
			}
		}
		log, err = snap.Log(t.Context(), 3)
		return err
	})
	if len(log.Entries) != 3 || !log.More || log.Oldest.IsZero() {
		t.Fatalf("read %d entries, more %v, oldest %v", len(log.Entries), log.More, log.Oldest)
	}
	do(t, app, `INSERT INTO t VALUES (6)`, `VACUUM FULL `+"_strangler_log_t")
	source.write(t, func(tx dialect.Tx) error { return tx.Prune(t.Context(), log) })
	left := source.logged(t)
	// The lines may have moved: then nothing is deleted, which costs a second look and
	// loses nothing. They must never be others than those read.
	for _, key := range []string{"t 4", "t 5", "t 6"} {
		if !slices.Contains(left, key) {
			t.Errorf("the line of %s was deleted unread: %q", key, left)
		}
	}
}

func TestClosedTablesRefuseEveryWayToWrite(t *testing.T) {
	t.Parallel()
	_, target := pair(t, []string{"t"}, `CREATE TABLE t (id int PRIMARY KEY, v text)`)
	target.write(t, func(tx dialect.Tx) error {
		return tx.Insert(t.Context(), target.move.Shapes[0], []value.Row{{value.OfInt(1), value.OfText("x")}})
	})
	app := connect(t, target.dsn)
	for _, s := range []string{
		`INSERT INTO t VALUES (2)`, `INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING`, `UPDATE t SET v = 'y'`, `DELETE FROM t`, `TRUNCATE t`,
		`SET session_replication_role = replica; INSERT INTO t VALUES (3)`,
		`COPY t FROM PROGRAM 'printf "5\tx\n"'`,
	} {
		_, err := app.Exec(t.Context(), s)
		if err == nil || !strings.Contains(err.Error(), `table "t" is owned by the source (split test, epoch 0)`) {
			t.Errorf("%s: %v, want a refusal that names the owner", s, err)
		}
	}
	state, err := target.State(t.Context(), "test")
	if err != nil || state.Refused != 7 || time.Since(state.RefusedAt) > time.Minute {
		t.Errorf("%d refusals were counted, the last at %s, want 7: %v", state.Refused, state.RefusedAt, err)
	}
}

// TestRefusalsAreCountedBySplit: two splits of one database whose tables have the same name
// in two schemas count each its own, and the end of one leaves the other's count alone.
func TestRefusalsAreCountedBySplit(t *testing.T) {
	t.Parallel()
	one := followed(t, []string{"t"}, `CREATE TABLE t (id int PRIMARY KEY)`, `CREATE SCHEMA app`, `CREATE TABLE app.t (id int PRIMARY KEY)`)
	two := &side{DB: one.DB, dsn: one.dsn, move: dialect.Move{Split: "other", ID: "m2", Role: dialect.Target, Claim: 1}}
	table := catalog(t, two, []string{"app.t"}).Table("app.t")
	shape, _, _ := schema.Match(table, table, nil)
	two.move.Shapes = []*schema.Shape{shape}
	two.install(t, dialect.Tx.Follow)
	app := connect(t, one.dsn)
	for _, s := range []string{`INSERT INTO t VALUES (1)`, `INSERT INTO app.t VALUES (1)`, `TRUNCATE app.t`} {
		if _, err := app.Exec(t.Context(), s); err == nil {
			t.Errorf("%s is not refused", s)
		}
	}
	counted := func(split string) int64 {
		state, err := one.State(t.Context(), split)
		must(t, err)
		return state.Refused
	}
	if a, b := counted("test"), counted("other"); a != 1 || b != 2 {
		t.Errorf("counted %d and %d, want 1 and 2", a, b)
	}
	must(t, two.Remove(t.Context(), two.move, dialect.RemoveOptions{Owner: true}))
	do(t, app, `INSERT INTO app.t VALUES (1)`)
	if a, b := counted("test"), counted("other"); a != 1 || b != 0 {
		t.Errorf("after the end of one: %d and %d, want 1 and 0", a, b)
	}
	must(t, one.Remove(t.Context(), one.move, dialect.RemoveOptions{Owner: true}))
	if left := ask(t, app, `SELECT coalesce(string_agg(relname, ' '), '') FROM pg_class WHERE relname LIKE '\_strangler%'`); left != "" {
		t.Errorf("left behind: %s", left)
	}
	if left := ask(t, app, `SELECT coalesce(string_agg(proname, ' '), '') FROM pg_proc WHERE proname LIKE '\_strangler%'`); left != "" {
		t.Errorf("left behind: %s", left)
	}
}

func TestInsertFindsWhatStandsInTheWay(t *testing.T) {
	t.Parallel()
	_, target := pair(t, []string{"t"}, `CREATE TABLE t (id int PRIMARY KEY, v text, n int, gone bool)`,
		`CREATE UNIQUE INDEX ON t (lower(v)) WHERE NOT gone`, `CREATE UNIQUE INDEX ON t (n)`)
	shape := target.move.Shapes[0]
	row := func(id, n int64, v string, gone string) value.Row {
		return value.Row{value.OfInt(id), value.OfText(v), value.OfInt(n), value.OfLiteral(gone)}
	}
	target.write(t, func(tx dialect.Tx) error {
		return tx.Insert(t.Context(), shape, []value.Row{row(1, 1, "One", "f"), row(2, 2, "two", "t")})
	})
	for name, test := range map[string]struct {
		rows   []value.Row
		at     int
		others string
	}{
		"expression":          {[]value.Row{row(3, 3, "three", "f"), row(4, 4, "two", "f"), row(5, 5, "ONE", "f"), row(6, 6, "six", "f")}, 2, "1"},
		"column":              {[]value.Row{row(3, 2, "three", "f")}, 0, "2"},
		"key":                 {[]value.Row{row(3, 3, "three", "f"), row(2, 9, "nine", "f")}, 1, "2"},
		"another of the rows": {[]value.Row{row(3, 3, "three", "f"), row(4, 3, "four", "f"), row(5, 5, "five", "f")}, 1, "3"},
	} {
		tx, err := target.Begin(t.Context(), target.move)
		must(t, err)
		err = tx.Insert(t.Context(), shape, test.rows)
		var clash *dialect.ClashError
		if !errors.As(err, &clash) || clash.Row != test.at || len(clash.Others) != 1 || clash.Others[0].String() != test.others {
			t.Errorf("%s: %v (%+v)", name, err, clash)
		}
		// What came before stays, and the transaction goes on.
		must(t, tx.DeleteKeys(t.Context(), shape, clash.Others))
		must(t, tx.Insert(t.Context(), shape, test.rows[test.at:]))
		must(t, tx.Rollback())
	}
}

func TestStaleCoordinatorWritesNothing(t *testing.T) {
	t.Parallel()
	source, target := pair(t, []string{"t"}, `CREATE TABLE t (id int PRIMARY KEY)`)
	for _, s := range []*side{source, target} {
		must(t, s.Claim(t.Context(), "test", 2, "somebody"))
		if err := s.Claim(t.Context(), "test", 2, "another"); !errors.Is(err, dialect.ErrClaimLost) {
			t.Errorf("the same claim twice: %v", err)
		}
		if _, err := s.Begin(t.Context(), s.move); !errors.Is(err, dialect.ErrClaimLost) {
			t.Errorf("the claim that was replaced began: %v", err)
		}
		if _, err := s.Fence(t.Context(), s.move); !errors.Is(err, dialect.ErrClaimLost) {
			t.Errorf("the claim that was replaced fenced: %v", err)
		}
	}
}

func TestRolesChangeWithTheirRecord(t *testing.T) {
	t.Parallel()
	source, target := pair(t, []string{"t"}, `CREATE TABLE t (id int PRIMARY KEY)`, `INSERT INTO t VALUES (1)`)
	target.write(t, func(tx dialect.Tx) error {
		return tx.Insert(t.Context(), target.move.Shapes[0], []value.Row{{value.OfInt(1)}})
	})
	must(t, target.Rehearse(t.Context(), target.move))
	record := dialect.Record{Owner: dialect.Target, Epoch: 1}
	fence, err := source.Fence(t.Context(), source.move)
	must(t, err)
	must(t, fence.Follow(t.Context(), record))
	must(t, fence.Commit())
	target.write(t, func(tx dialect.Tx) error { return tx.Lead(t.Context(), record) })

	_, err = connect(t, source.dsn).Exec(t.Context(), `INSERT INTO t VALUES (2)`)
	if err == nil || !strings.Contains(err.Error(), `table "t" is owned by test (split test, epoch 1)`) {
		t.Errorf("the source takes writes after the switch: %v", err)
	}
	do(t, connect(t, target.dsn), `INSERT INTO t VALUES (3)`)
	if got := target.logged(t); !slices.Equal(got, []string{"t 3"}) {
		t.Errorf("the target logged %q", got)
	}
	for _, s := range []*side{source, target} {
		st, err := s.State(t.Context(), "test")
		must(t, err)
		if st.Record != record || st.Move != "m1" || st.Claim != 1 {
			t.Errorf("%s says %+v", s.move.Role, st)
		}
		s.read(t, func(snap dialect.Snapshot) error { return snap.Captured(t.Context()) })
	}
}

// TestFenceDoesNotKeepWritersWaiting: while somebody's transaction uses the table, a fence
// waits for it in short attempts, or who writes next would wait as long behind the fence; it
// gives up with its context, and never passes the transaction.
func TestFenceDoesNotKeepWritersWaiting(t *testing.T) {
	t.Parallel()
	source, _ := pair(t, []string{"t"}, `CREATE TABLE t (id int PRIMARY KEY)`)
	long, writer := connect(t, source.dsn), connect(t, source.dsn)
	do(t, long, `BEGIN`, `INSERT INTO t VALUES (0)`)
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	gaveUp := make(chan error, 1)
	go func() {
		tx, err := source.Fence(ctx, source.move)
		if err == nil {
			tx.Rollback() //nolint:errcheck // never fails
		}
		gaveUp <- err
	}()
	do(t, writer, `SET lock_timeout = '700ms'`)
	waited := false
	for id := 1; ctx.Err() == nil; id++ {
		do(t, writer, fmt.Sprintf(`INSERT INTO t VALUES (%d)`, id))
		waited = waited || ask(t, writer, `SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 't'::regclass`) != "0"
	}
	if err := <-gaveUp; err == nil || !waited {
		t.Errorf("the fence ended with %v; it was seen waiting: %t", err, waited)
	}
	do(t, long, `COMMIT`)
	tx, err := source.Fence(t.Context(), source.move)
	must(t, err)
	must(t, tx.Rollback())
}

// TestFenceOfNobodyEnds: of a coordinator that says nothing for longer than a fence may last
// the server takes the fence, writers go on, and it cannot seal when it comes back.
func TestFenceOfNobodyEnds(t *testing.T) {
	t.Parallel()
	source, _ := pair(t, []string{"t"}, `CREATE TABLE t (id int PRIMARY KEY)`)
	source.move.Fence = time.Millisecond
	fence, err := source.Fence(t.Context(), source.move)
	must(t, err)
	began := time.Now()
	writer := connect(t, source.dsn)
	do(t, writer, `SET lock_timeout = '20s'`, `INSERT INTO t VALUES (1)`)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("a writer waited for %s", took)
	}
	if err := fence.Follow(t.Context(), dialect.Record{Owner: dialect.Target, Epoch: 1}); err == nil {
		err = fence.Commit()
		t.Errorf("it sealed without its fence: %v", err)
	}
	must(t, fence.Rollback())
	do(t, writer, `INSERT INTO t VALUES (2)`)
	st, err := source.State(t.Context(), "test")
	must(t, err)
	if st.Record.Owner == dialect.Target {
		t.Errorf("the source says %+v", st)
	}
}

func TestLostCaptureIsNoticed(t *testing.T) {
	t.Parallel()
	source, target := pair(t, []string{"t"}, `CREATE TABLE t (id int PRIMARY KEY, v text)`)
	for _, test := range []struct {
		side           *side
		break_, repair string
		says           string
	}{
		{source, `DROP TRIGGER _strangler_capture ON t`, ``, "capture changed"},
		{source, `ALTER TABLE t DISABLE TRIGGER _strangler_capture`, ``, "disabled"},
		{source, `ALTER TABLE t DISABLE TRIGGER ALL`, ``, "disabled"},
		{source, `ALTER TABLE t ENABLE TRIGGER _strangler_truncated`, ``, "not for replicas"},
		{source, `CREATE OR REPLACE FUNCTION _strangler_capture_t() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'`, ``, "capture changed"},
		{source, `ALTER TABLE t ADD COLUMN w int`, `ALTER TABLE t DROP COLUMN w`, "+w integer"},
		{source, `ALTER TABLE t RENAME COLUMN v TO w`, `ALTER TABLE t RENAME COLUMN w TO v`, "-v text, +w text"},
		{source, `ALTER TABLE t RENAME TO gone`, `ALTER TABLE gone RENAME TO t`, "gone"},
		{source, `ALTER TABLE t RENAME TO old; CREATE TABLE t (id int PRIMARY KEY, v text)`, `DROP TABLE t; ALTER TABLE old RENAME TO t`, "another table"},
		{target, `ALTER TABLE t DISABLE TRIGGER _strangler_seal`, ``, "guard"},
		{target, `DROP TRIGGER _strangler_seal_truncate ON t`, ``, "guard"},
	} {
		pgtest.Exec(t, test.side.dsn, test.break_)
		snap, err := test.side.Snapshot(t.Context(), test.side.move)
		if err == nil {
			err = snap.Captured(t.Context())
			snap.Close()
		}
		var lost *dialect.LostError
		if !errors.As(err, &lost) || lost.Table != "t" || !strings.Contains(lost.Reason, test.says) {
			t.Errorf("%s: %v, want one that says %q", test.break_, err, test.says)
		}
		if test.repair != "" {
			pgtest.Exec(t, test.side.dsn, test.repair)
		}
		role := dialect.Tx.Lead
		if test.side == target {
			role = dialect.Tx.Follow
		}
		test.side.write(t, func(tx dialect.Tx) error { return role(tx, t.Context(), dialect.Record{Owner: dialect.Source}) })
		test.side.read(t, func(snap dialect.Snapshot) error { return snap.Captured(t.Context()) })
	}
}

func TestCascadeIsLoggedLikeAnApplicationsWrite(t *testing.T) {
	t.Parallel()
	_, target := pair(t, []string{"t"}, `CREATE TABLE t (id int PRIMARY KEY, user_id int)`)
	target.write(t, func(tx dialect.Tx) error {
		rows := []value.Row{{value.OfInt(1), value.OfInt(7)}, {value.OfInt(2), value.OfInt(8)}, {value.OfInt(3), value.OfInt(9)}}
		return errors.Join(tx.Insert(t.Context(), target.move.Shapes[0], rows), tx.Lead(t.Context(), dialect.Record{Owner: dialect.Target, Epoch: 1}))
	})
	entry := func(user int64, onDelete string, gone bool) dialect.LooseEntry {
		key := dialect.LooseKey{ForeignKey: schema.ForeignKey{Table: "t", Columns: []string{"user_id"}, Parent: "users", Parents: []string{"id"}}, OnDelete: onDelete}
		return dialect.LooseEntry{Key: key, Parent: value.Key{value.OfInt(user)}, Gone: gone}
	}
	target.write(t, func(tx dialect.Tx) error {
		loose := tx.(dialect.LooseTx)
		for _, e := range []dialect.LooseEntry{entry(7, "delete", true), entry(8, "nullify", true), entry(9, "delete", false)} {
			if _, err := loose.Cascade(t.Context(), e, 10); err != nil {
				return err
			}
		}
		return nil
	})
	if got := ask(t, connect(t, target.dsn), `SELECT id || ':' || coalesce(user_id::text, '-') FROM t ORDER BY id`); got != "2:- 3:9" {
		t.Errorf("the table holds %q", got)
	}
	if got := target.logged(t); !slices.Equal(got, []string{"t 1", "t 2", "t 3"}) {
		t.Errorf("logged %q", got)
	}
}
