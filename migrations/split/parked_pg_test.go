package split_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/migrations/split"
	"github.com/stranglerfig/toolkit/migrations/split/plan"
	"github.com/stranglerfig/toolkit/migrations/split/testkit"
)

// indexesOfT is all that a service's migrations made of the keys of t, and what of the
// engine's is beside it.
const indexesOfT = `SELECT string_agg(line, E'\n' ORDER BY line) FROM (
	SELECT pg_get_indexdef(indexrelid) || ' ' || indisprimary FROM pg_index WHERE indrelid = 't'::regclass AND indexrelid::regclass::text NOT LIKE '\_strangler%'
	UNION ALL SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid IN ('t'::regclass, 'lines'::regclass)) AS of(line)`

// TestKeysComeBackWhereverARunIsKilled kills a run around the steps that take the indexes
// of a service's tables away and make them again. Whether the move goes on or is aborted,
// these are as the service made them.
func TestKeysComeBackWhereverARunIsKilled(t *testing.T) {
	t.Parallel()
	for _, kill := range []string{"park: before the commit", "park: after the commit", "copy: after the commit", "unpark: before the commit", "unpark: after the commit"} {
		t.Run(kill, func(t *testing.T) {
			t.Parallel()
			source, target := testkit.PostgreSQL(t), testkit.PostgreSQL(t)
			tables := []string{
				`CREATE TABLE t (id INTEGER CONSTRAINT named PRIMARY KEY, u TEXT UNIQUE, v INTEGER NOT NULL)`, `CREATE INDEX t_v ON t (v)`,
				`CREATE TABLE lines (id INTEGER PRIMARY KEY, t INTEGER REFERENCES lines)`,
			}
			source.Exec(tables...)
			target.Exec(tables...)
			source.Exec(`INSERT INTO t SELECT n, n, n FROM generate_series(1, 600) n`)
			before := target.Ask(indexesOfT)
			s := pairPlan(t, source, target, "tables: [t, lines]\n")
			for _, next := range []string{"abort", "run"} {
				if ok, words := s.do("run", kill, 0); ok {
					t.Fatalf("the run was not killed: %s", words)
				}
				s.must(next)
				if after := target.Ask(indexesOfT); after != before {
					t.Errorf("before\n%s\nafter %s\n%s", before, next, after)
				}
			}
			if a, b := source.Ask(contentOfT), target.Ask(contentOfT); a != b {
				t.Errorf("the source holds %s, the target %s", a, b)
			}
		})
	}
}

const contentOfT = `SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, ',' ORDER BY id)), '') FROM t`

// TestRowsOfOthersInAKeylessTable tells what to do when the key cannot be made again.
func TestRowsOfOthersInAKeylessTable(t *testing.T) {
	t.Parallel()
	source, target := testkit.PostgreSQL(t), testkit.PostgreSQL(t)
	source.Exec(`CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER)`, `INSERT INTO t SELECT n, n FROM generate_series(1, 600) n`)
	s := pairPlan(t, source, target, "tables: [t]\ncreate_target: true\n")
	if ok, words := s.do("run", "copy: after the commit", 0); ok {
		t.Fatalf("the run was not killed: %s", words)
	}
	target.Exec(`SET strangler.applying = '1'`, `INSERT INTO t VALUES (7, 0)`)
	for range 2 {
		if ok, words := s.do("run", "", 0); ok || !strings.Contains(words, "table t: several rows have the key 7") || !strings.Contains(words, "--resync") {
			t.Fatalf("the run ended well, or without saying why: %s", words)
		}
	}
	text, err := os.ReadFile(filepath.Join(s.dir, "plan.yaml"))
	testkit.Check(t, err)
	p, err := plan.Parse("plan.yaml", text, plan.Options{})
	testkit.Check(t, err)
	e, err := split.Open(t.Context(), p, true, split.Options{})
	testkit.Check(t, err)
	defer e.Close()
	survey, err := e.Survey(t.Context())
	if testkit.Check(t, err); len(survey.Refuse) > 0 {
		t.Errorf("the plan is refused while the key is parked: %v", survey.Refuse)
	}
	w, err := e.Begin(t.Context(), "run", split.Anew)
	testkit.Check(t, err)
	testkit.Check(t, errors.Join(w.Run(t.Context(), split.RunOptions{Until: split.ByVerified, Resync: true}), w.End()))
	if a, b := source.Ask(contentOfT), target.Ask(contentOfT); a != b {
		t.Errorf("the source holds %s, the target %s", a, b)
	}
}

// TestIndexesComeBackAfterATruncate, which makes a run that goes on copy the table anew.
func TestIndexesComeBackAfterATruncate(t *testing.T) {
	t.Parallel()
	source, target := testkit.PostgreSQL(t), testkit.PostgreSQL(t)
	source.Exec(`CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER)`, `CREATE INDEX t_v ON t (v)`, `INSERT INTO t SELECT n, n FROM generate_series(1, 60) n`)
	s := pairPlan(t, source, target, "tables: [t]\ncreate_target: true\n")
	var words strings.Builder
	run := s.start(&words, "follow")
	t.Cleanup(func() { run.Process.Kill(); run.Wait() })
	const there = `SELECT (to_regclass('t') IS NOT NULL AND to_regclass('_strangler_progress') IS NOT NULL)::text`
	const ready = `SELECT (to_regclass('t_v') IS NOT NULL AND EXISTS (SELECT FROM _strangler_progress WHERE copied))::text`
	for _, change := range []string{`UPDATE t SET v = 0`, `TRUNCATE t; INSERT INTO t SELECT n, 1 FROM generate_series(1, 30) n`} {
		source.Exec(change)
		for deadline := time.Now().Add(20 * time.Second); target.Ask(there) != "true" || source.Ask(contentOfT) != target.Ask(contentOfT) || target.Ask(ready) != "true"; {
			if time.Now().After(deadline) {
				t.Fatalf("after %s: copied, with its index: %s; the source holds %s, the target %s; %s", change, target.Ask(ready), source.Ask(contentOfT), target.Ask(contentOfT), words.String())
			}
		}
	}
}
