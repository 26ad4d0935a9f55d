package split_test

import (
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/internal/pgtest"
)

// pgPlan writes a plan for two databases of PostgreSQL into a folder of its own.
func pgPlan(t *testing.T, source, target string) *stage {
	t.Helper()
	s := &stage{t: t, dir: t.TempDir()}
	text := fmt.Sprintf(`version: 1
split: kit
source: { driver: pgx, dsn: %q }
target: { driver: pgx, dsn: %q }
tables: [t, "app.Lines of t"]
create_target: true
loose_keys:
  - { from: t.user_id, to: users.id, on_delete: keep }
limits: { fence: 5s, disk: 1MiB }
`, source, target)
	if err := os.WriteFile(filepath.Join(s.dir, "plan.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// copyOf makes a database that is what the one of dsn is, down to its OIDs.
func copyOf(t *testing.T, dsn string, n int) string {
	t.Helper()
	server, template := pgtest.Shared(t), nameOf(t, dsn)
	name := fmt.Sprintf("%s_copy_%d", template, n)
	pgtest.Exec(t, server.DSN("postgres"), "CREATE DATABASE "+name+" TEMPLATE "+template)
	return server.DSN(name)
}

// nameOf is the name of the database of dsn.
func nameOf(t *testing.T, dsn string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(u.Path, "/")
}

// query prints what a query finds in a database of PostgreSQL.
func query(t *testing.T, dsn, query string) (text string) {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRowContext(t.Context(), query).Scan(&text); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return text
}

// Every point of complete with PostgreSQL: killed there, the same command goes on from a
// move that can no longer be described, and in the end each database has what it should.
func TestKillCompleteOfPostgreSQLAtEveryPoint(t *testing.T) {
	t.Parallel()
	server := pgtest.Shared(t)
	source, target := server.Database(t), server.Database(t)
	pgtest.Exec(t, source, `CREATE SCHEMA app`, `CREATE TABLE users (id int PRIMARY KEY)`, `INSERT INTO users VALUES (1)`,
		`CREATE TABLE t (id serial PRIMARY KEY, user_id int REFERENCES users, v text)`, `CREATE INDEX ON t (v)`,
		`CREATE TABLE app."Lines of t" (k text COLLATE "en-x-icu" PRIMARY KEY, t int NOT NULL REFERENCES t ON DELETE CASCADE)`,
		`INSERT INTO t (user_id, v) SELECT 1, md5(n::text) FROM generate_series(1, 1500) n`, `INSERT INTO app."Lines of t" SELECT 'k' || n, n FROM generate_series(1, 200) n`)
	pgtest.Exec(t, target, `CREATE SCHEMA app`)
	begun := pgPlan(t, source, target)
	begun.must("run")
	begun.must("cutover")
	const content = `SELECT count(*) || md5(string_agg(t::text || l::text, ',' ORDER BY id, k)) FROM t LEFT JOIN app."Lines of t" l ON l.t = t.id`
	want := query(t, target, content)

	for n := 1; ; n++ {
		from, to := copyOf(t, source, n), copyOf(t, target, n)
		s := pgPlan(t, from, to)
		ok, _ := s.do("complete", strconv.Itoa(n), 0)
		s.must("complete")
		if got := query(t, to, content); got != want {
			t.Errorf("killed at point %d: the target holds %s, want %s", n, got, want)
		}
		for _, dsn := range []string{from, to} {
			if left := query(t, dsn, leftBehind); left != "" {
				t.Errorf("killed at point %d: left behind in %s: %s", n, dsn, left)
			}
			if got := query(t, dsn, `SELECT string_agg(table_name || ' ' || owner || ' ' || epoch, ', ' ORDER BY table_name) FROM _strangler_owner`); got != "app.Lines of t target 1, t target 1" {
				t.Errorf("killed at point %d: the owner is %q", n, got)
			}
		}
		if got := query(t, from, `SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relnamespace IN ('public'::regnamespace, 'app'::regnamespace)`); got != "_strangler_owner _strangler_owner_pkey users users_pkey" {
			t.Errorf("killed at point %d: the source holds %s", n, got)
		}
		pgtest.Exec(t, from, `DELETE FROM users`)
		pgtest.Exec(t, to, `INSERT INTO t (v) VALUES ('next')`)
		if ok {
			if n < 8 {
				t.Errorf("complete has only %d points", n-1)
			}
			return // it has fewer points than n
		}
	}
}

// leftBehind names what is left of the engine but who owns the tables.
const leftBehind = `
	SELECT coalesce(string_agg(name, ' '), '')
	FROM (
		SELECT relname FROM pg_class WHERE relname NOT IN ('_strangler_owner', '_strangler_owner_pkey')
		UNION ALL SELECT proname FROM pg_proc
		UNION ALL SELECT tgname FROM pg_trigger) AS o(name)
	WHERE starts_with(name, '_strangler_')`
