package split_test

import (
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/migrations/split/testkit"
)

// A table that stays refers to one that moves. The engine promises nothing for its rows
// that it does not do, changes none of them, and does not give the source tables back that
// its own foreign key would not have allowed.
func TestTableThatStaysRefersToOneThatMoves(t *testing.T) {
	t.Parallel()
	testkit.EachPair(t, func(t *testing.T, source, target *testkit.Place) {
		source.Exec(`CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)`,
			`CREATE TABLE orders (id INTEGER PRIMARY KEY, t INTEGER REFERENCES t(id) ON DELETE CASCADE)`,
			`INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')`, `INSERT INTO orders VALUES (10, 1), (20, 2), (30, NULL)`)
		target.Exec(`CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)`)
		for _, promised := range []string{"delete", "nullify"} {
			bad := pairPlan(t, source, target, "tables: [t]\nloose_keys:\n  - { from: orders.t, to: t.id, on_delete: "+promised+" }\n")
			if ok, words := bad.do("run", "", 0); ok || !strings.Contains(words, "orders.t: "+promised+" would not be carried out once the target owns t") {
				t.Errorf("%s was accepted: %s", promised, words)
			}
		}
		s := pairPlan(t, source, target, "tables: [t]\nloose_keys:\n  - { from: orders.t, to: t.id, on_delete: keep }\n")
		s.must("run")
		s.must("cutover")
		target.Exec(`UPDATE t SET v = 'changed' WHERE id = 2`, `DELETE FROM t WHERE id = 1`)
		s.must("run")
		if have := source.Ask(`SELECT count(*) || ' ' || sum(t) FROM orders`); have != "3 3" {
			t.Errorf("the orders are no longer what they were: %s", have)
		}
		if ok, words := s.do("rollback", "", 0); ok || !strings.Contains(words, "refer to rows that were deleted in the target: orders.t 1") {
			t.Errorf("the source was given tables that its foreign key refuses: %s", words)
		}
		source.Exec(`DELETE FROM orders WHERE t = 1`)
		s.must("rollback")
		if have := source.Ask(`SELECT count(*) || ' ' || max(v) FROM t`); have != "2 changed" {
			t.Errorf("the source has %s", have)
		}
	})
}
