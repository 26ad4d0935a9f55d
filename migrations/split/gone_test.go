package split_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/migrations/split/testkit"
)

// tablesOfTheEngine lists them, in one database.
const (
	engineInSQLite     = `SELECT coalesce(group_concat(name), '') FROM sqlite_master WHERE type = 'table' AND name LIKE '\_strangler%' ESCAPE '\'`
	engineInPostgreSQL = `SELECT coalesce(string_agg(relname, ','), '') FROM pg_class WHERE relkind = 'r' AND starts_with(relname, '_strangler')`
)

// TestDroppedTablesOfTheEngine drops the log, or the list of keys to compare, in either
// database, before and after the cut-over. It is made anew: where changes may have been
// lost with it, the run says so, and a resync makes everything good. The application's
// writes do not fail for want of it any more. SOAK=1 drops each one with every pair of databases.
func TestDroppedTablesOfTheEngine(t *testing.T) {
	t.Parallel()
	testkit.EachPair(t, func(t *testing.T, source, target *testkit.Place) {
		if os.Getenv("SOAK") == "" && source.Driver != target.Driver {
			t.Skip("SOAK=1 mixes them")
		}
		dropped := 0
		for _, phase := range []string{"run", "cutover"} {
			for side := range 2 {
				for n, tables := 0, []string{""}; n < len(tables); n++ {
					places := []*testkit.Place{testkit.Fresh(t, source.Driver), testkit.Fresh(t, target.Driver)}
					places[0].Exec(`CREATE TABLE t (id INTEGER PRIMARY KEY, u TEXT UNIQUE NOT NULL, v INTEGER NOT NULL)`, `INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 2)`)
					s := pairPlan(t, places[0], places[1], "tables: [t]\ncreate_target: true\n")
					s.must("run")
					if phase == "cutover" {
						s.must("cutover")
					}
					if n == 0 {
						tables = slices.DeleteFunc(engineTables(places[side]), isKept)
					}
					places[side].Exec(`DROP TABLE "` + tables[n] + `"`)
					dropped++
					goOn(t, s, places, phase, tables[n])
				}
			}
		}
		if dropped < 4 {
			t.Errorf("only %d tables were dropped", dropped)
		}
	})
}

// isKept is true of tables that the test does not drop: those without which nobody can know
// what stood in the others, and all but the log in the short form.
func isKept(table string) bool {
	if os.Getenv("SOAK") == "" {
		return !strings.Contains(table, "_log_")
	}
	return !strings.Contains(table, "_log_") && !strings.Contains(table, "_dirty_") && !strings.HasSuffix(table, "_refused")
}

// goOn takes a move on from a phase after table was dropped, there and back again.
func goOn(t *testing.T, s *stage, places []*testkit.Place, phase, table string) {
	t.Helper()
	owner := map[string]int{"run": 0, "cutover": 1}[phase]
	app := places[owner]
	ok, words := s.do("run", "", 0)
	if !ok && (!strings.Contains(words, "capture lost") || !strings.Contains(words, "--resync")) {
		t.Errorf("%s without %s: %s", phase, table, words)
	}
	app.Ask(`SELECT CAST(count(*) AS text) FROM t`) // a connection of SQLite notices with the next good statement that the schema changed
	app.Exec(`UPDATE t SET v = v + 1 WHERE id = 2`)
	if !ok {
		s.must("resync")
	}
	for _, command := range [][]string{{"cutover", "rollback"}, {"rollback", "cutover"}}[owner] {
		s.must("run")
		s.must(command)
	}
	s.must("run")
	if a, b := places[0].Ask(`SELECT CAST(sum(id * v) AS text) FROM t`), places[1].Ask(`SELECT CAST(sum(id * v) AS text) FROM t`); a != b || a != "7" {
		t.Errorf("%s without %s: the source holds %s, the target %s", phase, table, a, b)
	}
	s.must("rollback")
	s.must("abort")
	for _, p := range places {
		if left := engineTables(p); len(left) > 0 {
			t.Errorf("%s without %s: left behind: %q", phase, table, left)
		}
	}
}

func engineTables(p *testkit.Place) []string {
	query := engineInSQLite
	if p.Driver == "pgx" {
		query = engineInPostgreSQL
	}
	return strings.FieldsFunc(p.Ask(query), func(r rune) bool { return r == ',' })
}
