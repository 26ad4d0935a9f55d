package postgres_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/internal/pgtest"
	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/schema"
)

// watched is a source that follows: t refers to rows of app.users that go with theirs, and
// of marks that the database was never told of.
func watched(t *testing.T) *side {
	t.Helper()
	source, _ := pairWith(t, []string{"t"}, []string{`CREATE SCHEMA app`},
		`CREATE SCHEMA app`, `CREATE TABLE app.users (id uuid PRIMARY KEY)`, `CREATE TABLE marks (a int, d date, PRIMARY KEY (a, d))`,
		`CREATE TABLE t (id int PRIMARY KEY, user_id uuid REFERENCES app.users ON DELETE CASCADE, a int, d date)`,
		`INSERT INTO app.users SELECT lpad(n::text, 32, '0')::uuid FROM generate_series(1, 5) n`, `INSERT INTO marks VALUES (1, '2024-02-01'), (2, '2024-02-02')`,
		`INSERT INTO t SELECT n, lpad(n::text, 32, '0')::uuid, 1, '2024-02-01' FROM generate_series(1, 5) n`)
	source.move.Loose = []dialect.LooseKey{
		{OnDelete: "delete", ForeignKey: schema.ForeignKey{Table: "t", Columns: []string{"user_id"}, Parent: "app.users", Parents: []string{"id"}, OnDelete: "CASCADE"}},
		{OnDelete: "nullify", ForeignKey: schema.ForeignKey{Table: "t", Columns: []string{"a", "d"}, Parent: "marks", Parents: []string{"a", "d"}}},
	}
	source.write(t, func(tx dialect.Tx) error {
		return tx.Follow(t.Context(), dialect.Record{Owner: dialect.Target, Epoch: 1})
	})
	return source
}

// gone reads what the watches have logged, and whether all of them are there.
func (s *side) gone(t *testing.T) (lines []string, watched bool) {
	t.Helper()
	s.read(t, func(snap dialect.Snapshot) error {
		log, err := snap.(dialect.LooseReader).Loose(t.Context(), 100)
		watched = !log.Unwatched
		for _, e := range log.Entries {
			line := e.Key.Parent + " " + strings.ReplaceAll(e.Parent.String(), `"`, "")
			if e.Gone {
				line += " gone"
			}
			lines = append(lines, line)
		}
		return err
	})
	slices.Sort(lines)
	return lines, watched
}

// Who deletes a parent needs no right on what the engine made, and sets what he likes;
// nothing of the sealed table changes, and none of its triggers answers.
func TestWatchLogsWhatGoesAway(t *testing.T) {
	t.Parallel()
	source := watched(t)
	app := connect(t, source.dsn)
	do(t, app, `CREATE ROLE clerk`, `GRANT USAGE ON SCHEMA app TO clerk`, `GRANT SELECT, DELETE, UPDATE, TRUNCATE ON app.users, marks TO clerk`, `REVOKE ALL ON SCHEMA public FROM PUBLIC`,
		`GRANT USAGE ON SCHEMA public TO clerk`)
	defer pgtest.Exec(t, source.dsn, `DROP OWNED BY clerk`, `DROP ROLE clerk`)
	do(t, app, `CREATE TABLE told (n int)`, `CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO told VALUES (1); RETURN NULL; END'`,
		`CREATE TRIGGER tell AFTER DELETE OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION tell()`)
	do(t, app, `SET ROLE clerk`, `SET DateStyle = 'German'`, `DELETE FROM app.users WHERE id::text LIKE '%1'`,
		`BEGIN`, `DELETE FROM app.users WHERE id::text LIKE '%2'`, `ROLLBACK`,
		`BEGIN ISOLATION LEVEL SERIALIZABLE`, `DELETE FROM app.users WHERE id::text LIKE '%3'`, `COMMIT`,
		`UPDATE marks SET a = 3 WHERE a = 1`, `TRUNCATE marks`, `RESET ROLE`)
	for _, refused := range []string{`DELETE FROM t WHERE id = 1`, `TRUNCATE app.users CASCADE`, `UPDATE app.users SET id = gen_random_uuid() WHERE id::text LIKE '%9'; UPDATE t SET user_id = NULL WHERE id = 1`} {
		if _, err := app.Exec(t.Context(), refused); err == nil || !strings.Contains(err.Error(), "is owned by test") {
			t.Errorf("%s: %v", refused, err)
		}
	}
	want := []string{
		`app.users 00000000-0000-0000-0000-000000000001 gone`, `app.users 00000000-0000-0000-0000-000000000003 gone`,
		`marks (1, 2024-02-01) gone`, `marks (2, 2024-02-02) gone`, `marks (3, 2024-02-01) gone`,
	}
	if have, _ := source.gone(t); !slices.Equal(have, want) {
		t.Errorf("logged %q\n  want %q", have, want)
	}
	if have := ask(t, app, `SELECT count(*) || ' ' || (SELECT count(*) FROM told) FROM t`); have != "5 0" {
		t.Errorf("the sealed table and its trigger: %s, want 5 0", have)
	}

	// The source leads again: it does itself what is left, and logs it for the other side.
	source.write(t, func(tx dialect.Tx) error {
		return tx.Lead(t.Context(), dialect.Record{Owner: dialect.Source, Epoch: 2})
	})
	if have := ask(t, app, `SELECT id || ':' || coalesce(a::text, '-') FROM t ORDER BY id`); have != "2:- 4:- 5:-" {
		t.Errorf("after the source has taken over it holds %q", have)
	}
	logged := source.logged(t)
	for _, key := range []string{"t 1", "t 2", "t 3", "t 4", "t 5"} {
		if !slices.Contains(logged, key) {
			t.Errorf("%s is not logged: %q", key, logged)
		}
	}
	do(t, app, `DELETE FROM app.users WHERE id::text LIKE '%2'`) // the foreign key acts again
	if have := ask(t, app, `SELECT id FROM t ORDER BY id`); have != "4 5" {
		t.Errorf("after the source's own cascade it holds %q", have)
	}
}

// A watch that was taken away comes back, and what went by meanwhile is found. In the end
// nothing is left of it.
func TestLostWatchIsMended(t *testing.T) {
	t.Parallel()
	source := watched(t)
	app := connect(t, source.dsn)
	do(t, app, `ALTER TABLE app.users DISABLE TRIGGER ALL`, `DELETE FROM app.users WHERE id::text LIKE '%4'`, `ALTER TABLE app.users ENABLE TRIGGER ALL`)
	if have, watched := source.gone(t); watched || len(have) > 0 {
		t.Errorf("watched %v, logged %q", watched, have)
	}
	source.write(t, func(tx dialect.Tx) error { return tx.(dialect.LooseTx).Watch(t.Context()) })
	if have, watched := source.gone(t); !watched || !slices.Equal(have, []string{`app.users 00000000-0000-0000-0000-000000000004 gone`}) {
		t.Errorf("mended: watched %v, logged %q", watched, have)
	}
	source.move.Loose = nil // it may no longer be describable
	must(t, source.Remove(t.Context(), source.move, dialect.RemoveOptions{Owner: true}))
	left := ask(t, app, `SELECT relname FROM pg_class WHERE relname LIKE '\_strangler%' UNION ALL SELECT proname FROM pg_proc WHERE proname LIKE '\_strangler%' UNION ALL SELECT tgname FROM pg_trigger WHERE tgname LIKE '\_strangler%'`)
	if left != "" {
		t.Errorf("left behind: %s", left)
	}
}
