package split_test

import (
	"testing"

	"github.com/stranglerfig/toolkit/migrations/split/testkit"
)

// ON DELETE SET NULL (columns) sets these columns and no others, of a key that the split
// cuts and of one within it, on both sides and in both directions.
func TestSetNullOfSomeColumns(t *testing.T) {
	t.Parallel()
	source, target := testkit.PostgreSQL(t), testkit.PostgreSQL(t)
	source.Exec(
		`CREATE TABLE users (shop int, id int, PRIMARY KEY (shop, id))`,
		`CREATE TABLE t (id int PRIMARY KEY, shop int NOT NULL, u int, UNIQUE (shop, id), FOREIGN KEY (shop, u) REFERENCES users ON DELETE SET NULL (u))`,
		`CREATE TABLE lines (id int PRIMARY KEY, shop int NOT NULL, t int, FOREIGN KEY (shop, t) REFERENCES t (shop, id) ON DELETE SET NULL (t))`,
		`INSERT INTO users VALUES (1, 1), (1, 2), (1, 3)`, `INSERT INTO t VALUES (10, 1, 1), (20, 1, 2), (30, 1, 3)`, `INSERT INTO lines VALUES (100, 1, 10), (200, 1, 20), (300, 1, 30)`)
	s := pairPlan(t, source, target, "tables: [t, lines]\ncreate_target: true\nloose_keys: [{ from: \"t.shop,u\", to: \"users.shop,id\", on_delete: nullify }]\n")
	holds := func(when, want string) {
		t.Helper()
		for _, at := range []*testkit.Place{source, target} {
			if have := at.Ask(`SELECT (SELECT string_agg(t::text, ' ' ORDER BY id) FROM t) || ' / ' || (SELECT string_agg(l::text, ' ' ORDER BY id) FROM lines l)`); have != want {
				t.Errorf("%s: %s, not %s", when, have, want)
			}
		}
	}
	s.must("run")
	s.must("cutover")
	source.Exec(`DELETE FROM users WHERE id = 1`)
	target.Exec(`DELETE FROM t WHERE id = 20`)
	s.must("run")
	holds("after the switch", "(10,1,) (30,1,3) / (100,1,10) (200,1,) (300,1,30)")
	s.must("rollback")
	source.Exec(`DELETE FROM users WHERE id = 3`, `DELETE FROM t WHERE id = 10`)
	s.must("run")
	holds("after the rollback", "(30,1,) / (100,1,) (200,1,) (300,1,30)")
}
