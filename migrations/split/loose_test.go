package split_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/migrations/split/ownership"
	"github.com/stranglerfig/toolkit/migrations/split/testkit"
)

// pairPlan writes a plan for two places into a folder of its own.
func pairPlan(t *testing.T, source, target *testkit.Place, rest string) *stage {
	t.Helper()
	s := &stage{t: t, dir: t.TempDir()}
	text := fmt.Sprintf(`version: 1
split: kit
source: { driver: %s, dsn: %q }
target: { driver: %s, dsn: %q }
limits: { fence: 5s, disk: 1MiB }
`, source.Driver, source.DSN, target.Driver, target.DSN) + rest
	if err := os.WriteFile(filepath.Join(s.dir, "plan.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// A looseMove is a move of t and lines, which refer to users and shops that stay. In the
// target a column has another name.
type looseMove struct {
	*stage
	source, target *testkit.Place
}

func newLooseMove(t *testing.T, source, target *testkit.Place) looseMove {
	t.Helper()
	source.Exec(
		`CREATE TABLE users (id INTEGER PRIMARY KEY, mail TEXT UNIQUE)`, `CREATE TABLE shops (id INTEGER PRIMARY KEY)`,
		`CREATE TABLE t (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users(id) ON DELETE CASCADE, shop_id INTEGER REFERENCES shops(id) ON DELETE SET NULL)`,
		`CREATE TABLE lines (id INTEGER PRIMARY KEY, t INTEGER REFERENCES t(id) ON DELETE CASCADE)`,
		`INSERT INTO users VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd'), (5, 'e'), (6, 'f')`, `INSERT INTO shops VALUES (1), (2)`,
		`INSERT INTO t VALUES (1, 1, 1), (2, 2, 1), (3, 3, 2), (4, 4, 2), (5, 5, NULL), (6, NULL, 2), (7, 6, 2)`,
		`INSERT INTO lines VALUES (10, 1), (20, 2), (30, 3), (40, 4), (50, 5), (60, 6), (70, 7)`)
	target.Exec(
		`CREATE TABLE t (id INTEGER PRIMARY KEY, owner INTEGER, shop_id INTEGER)`,
		`CREATE TABLE lines (id INTEGER PRIMARY KEY, t INTEGER REFERENCES t(id) ON DELETE CASCADE)`)
	return looseMove{pairPlan(t, source, target, `tables: [{ name: t, columns: { user_id: owner } }, lines]
loose_keys:
  - { from: t.user_id, to: users.id, on_delete: delete }
  - { from: t.shop_id, to: shops.id, on_delete: nullify }
`), source, target}
}

// holds makes sure that both sides hold these rows.
func (m looseMove) holds(when, want string) {
	m.t.Helper()
	for name, place := range map[string]*testkit.Place{"user_id": m.source, "owner": m.target} {
		aggregate := "string_agg"
		if place.Driver == "sqlite3" {
			aggregate = "group_concat"
		}
		list := func(row, from string) string {
			return `(SELECT coalesce(` + aggregate + `(r, ' '), '') FROM (SELECT ` + row + ` AS r FROM ` + from + ` ORDER BY id) AS rows)`
		}
		query := `SELECT ` + list(`id || ':' || coalesce(CAST(`+name+` AS TEXT), '') || ':' || coalesce(CAST(shop_id AS TEXT), '')`, "t") + ` || ' / ' || ` + list(`CAST(id AS TEXT)`, "lines")
		if have := place.Ask(query); have != want {
			m.t.Errorf("%s: %s (%s) holds %s, not %s", when, place.Driver, name, have, want)
		}
	}
}

// After the target has taken over, deleting a row of the source takes along what refers to
// it, on both sides and whoever is killed meanwhile; so it does in every moment of the way
// back and there again.
func TestRowsGoWithWhatTheyReferToInEveryPair(t *testing.T) {
	t.Parallel()
	testkit.EachPair(t, func(t *testing.T, source, target *testkit.Place) {
		m := newLooseMove(t, source, target)
		m.must("run")
		m.must("cutover")
		target.Exec(`INSERT INTO t VALUES (8, 2, 1)`, `INSERT INTO lines VALUES (80, 8)`) // not in the source yet
		for _, refused := range []string{`DELETE FROM t WHERE id = 1`, `UPDATE t SET shop_id = NULL WHERE id = 1`, `DELETE FROM lines`} {
			if err := source.Try(refused); err == nil || !strings.Contains(err.Error(), "is owned by kit") {
				t.Errorf("%s: %v", refused, err)
			}
		}
		source.Exec(`DELETE FROM users WHERE id = 2`, `DELETE FROM shops WHERE id = 1`)
		for _, point := range []string{"loose: before the commit", "loose: carried over"} {
			if ok, words := m.do("follow", point, 0); ok {
				t.Errorf("not killed at %s: %s", point, words)
			}
		}
		m.must("run")
		m.holds("after the switch", "1:1: 3:3:2 4:4:2 5:5: 6::2 7:6:2 / 10 30 40 50 60 70")

		source.Exec(`DELETE FROM users WHERE id = 3`) // while nobody follows
		target.Exec(`INSERT INTO t VALUES (9, 2, 2)`) // refers to one that is long gone
		m.must("rollback")
		m.must("run")
		m.holds("after the rollback", "1:1: 4:4:2 5:5: 6::2 7:6:2 / 10 40 50 60 70")

		source.Exec(`DELETE FROM users WHERE id = 4`) // the source's own cascade
		m.must("run")
		m.holds("while the source leads", "1:1: 5:5: 6::2 7:6:2 / 10 50 60 70")

		m.must("cutover")
		source.Exec(`DELETE FROM users WHERE id = 5`, `DELETE FROM shops WHERE id = 2`)
		if ok, words := m.do("rollback", "after seal", 0); ok {
			t.Errorf("not killed after the seal: %s", words)
		}
		m.must("rollback")
		m.must("run")
		m.holds("after the second switch", "1:1: 6:: 7:6: / 10 60 70")

		if ok, words := m.do("cutover", "after seal", 0); ok {
			t.Errorf("not killed after the seal: %s", words)
		}
		source.Exec(`DELETE FROM users WHERE id = 6`) // nobody owns the tables, and the switch is undone
		m.must("run")
		m.holds("after an undone switch", "1:1: 6:: / 10 60")
		m.must("abort")
		source.Exec(`DELETE FROM users`)
	})
}

// What was deleted before the split is completed is carried over, whether a run followed or
// not.
func TestCompleteCarriesOverWhatIsGone(t *testing.T) {
	t.Parallel()
	testkit.EachPair(t, func(t *testing.T, source, target *testkit.Place) {
		m := newLooseMove(t, source, target)
		m.must("run")
		m.must("cutover")
		source.Exec(`DELETE FROM users WHERE id = 2`, `DELETE FROM shops WHERE id = 2`)
		m.must("complete")
		for query, want := range map[string]string{
			`SELECT CAST(count(*) AS TEXT) FROM t WHERE owner = 2`:                           "0",
			`SELECT CAST(count(*) AS TEXT) FROM lines WHERE t = 2`:                           "0",
			`SELECT CAST(count(*) AS TEXT) FROM t WHERE shop_id IS NULL AND id IN (3,4,6,7)`: "4",
		} {
			if have := target.Ask(query); have != want {
				t.Errorf("%s: %s, not %s", query, have, want)
			}
		}
		source.Exec(`DELETE FROM users`, `DELETE FROM shops`)
	})
}

// TestCarryingOverStepsAside: the rows of an application that has them locked are waited for
// so shortly that it is never the application that a server ends as one of two who wait for
// each other.
func TestCarryingOverStepsAside(t *testing.T) {
	t.Parallel()
	m := newLooseMove(t, testkit.PostgreSQL(t), testkit.PostgreSQL(t))
	m.must("run")
	m.must("cutover")
	m.target.Exec(`INSERT INTO t VALUES (8, 2, 1)`, `INSERT INTO lines VALUES (80, 8)`)
	db, err := sql.Open("pgx", m.target.DSN)
	testkit.Check(t, err)
	defer db.Close()
	app, err := db.BeginTx(t.Context(), nil)
	testkit.Check(t, err)
	write := func(statement string) {
		t.Helper()
		_, err := app.ExecContext(t.Context(), statement)
		testkit.Check(t, err)
	}
	write(`SET LOCAL deadlock_timeout = '300ms'`) // the server looks for it before the engine's wait has lasted 1 s
	write(`UPDATE lines SET t = 8 WHERE id = 80`)
	m.source.Exec(`DELETE FROM users WHERE id = 2`)
	var words strings.Builder
	run := m.start(&words, "run")
	for end := time.Now().Add(20 * time.Second); ; {
		if query(t, m.target.DSN, `SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'strangler%' AND wait_event_type = 'Lock'`) != "0" {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("nobody waits for the application: %s", words.String())
		}
	}
	write(`UPDATE lines SET t = 2 WHERE id = 20`)
	testkit.Check(t, app.Commit())
	if err := run.Wait(); err != nil {
		t.Errorf("%v: %s", err, words.String())
	}
	m.holds("in the end", "1:1:1 3:3:2 4:4:2 5:5: 6::2 7:6:2 / 10 30 40 50 60 70")
}

// TestRowsGoAtEveryStepOfASwitch deletes rows that others refer to at each step of a cut-over
// and of a rollback: once the command has ended and a run has followed, both sides are without
// what referred to them. SOAK=1 takes every step.
func TestRowsGoAtEveryStepOfASwitch(t *testing.T) {
	t.Parallel()
	testkit.EachPair(t, func(t *testing.T, source, target *testkit.Place) {
		m := newLooseMove(t, source, target)
		source.Exec(`DELETE FROM lines`, `DELETE FROM t`, `DELETE FROM users`)
		points := []string{"after gates", "after verify", "after seal"}
		if os.Getenv("SOAK") != "" {
			points = nil
			for _, step := range ownership.Steps() {
				points = append(points, "before "+step.Name, "after "+step.Name)
			}
		}
		for n := range 2 * len(points) {
			source.Exec(fmt.Sprintf(`INSERT INTO users VALUES (%d, 'u%d')`, n+1, n), fmt.Sprintf(`INSERT INTO t VALUES (%d, %d, 2)`, n+1, n+1), fmt.Sprintf(`INSERT INTO lines VALUES (%d, %d)`, n+1, n+1))
		}
		m.must("run")
		user := 0
		for _, point := range points {
			for _, command := range []string{"cutover", "rollback"} {
				user++
				failed := error(nil)
				at := point
				if command == "cutover" && slices.Contains([]string{"fence", "drain", "verify", "sequences", "seal"}, strings.Fields(at)[1]) && at != "after seal" {
					at = "before fence" // within it a deletion in the source would have to wait
				}
				there, ok, words := m.struckAt(command, at, func() {
					failed = source.Try(fmt.Sprintf(`DELETE FROM users WHERE id = %d`, user))
				})
				if !there || !ok || failed != nil {
					t.Errorf("%s, %s: it came there: %t, and said %s; the deletion: %v", command, point, there, words, failed)
				}
				m.must("run")
				var rows, lines []string
				for id := user + 1; id <= 2*len(points); id++ {
					rows, lines = append(rows, fmt.Sprintf("%d:%d:2", id, id)), append(lines, strconv.Itoa(id))
				}
				m.holds(command+", "+point, strings.Join(rows, " ")+" / "+strings.Join(lines, " "))
			}
		}
	})
}
