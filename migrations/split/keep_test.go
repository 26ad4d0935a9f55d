package split_test

import (
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/testkit"
)

// A complete that was interrupted goes on with the word about the rows that it was begun
// with: with the other one, rows that were to be kept would go, or others would look kept.
func TestInterruptedCompleteKeepsItsWord(t *testing.T) {
	t.Parallel()
	testkit.EachPair(t, func(t *testing.T, source, target *testkit.Place) {
		begin := func(command, kill string) *stage {
			source.Exec(`CREATE TABLE t (id int PRIMARY KEY NOT NULL, v int)`, `INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)`)
			s := pairPlan(t, source, target, "tables: [t]\ncreate_target: true\n")
			s.must("run")
			s.must("cutover")
			if ok, words := s.do(command, kill, 0); ok {
				t.Fatalf("%s was not killed: %s", command, words)
			}
			return s
		}
		refused := func(s *stage, command, why string) {
			t.Helper()
			if ok, words := s.do(command, "", 0); ok || !strings.Contains(words, why) {
				t.Errorf("%s: %v, %s; want it refused: %s", command, ok, words, why)
			}
		}
		s := begin("complete --keep-data", "before the source is released")
		refused(s, "complete", "it was begun with --keep-data")
		s.must("complete --keep-data")
		if n := source.Ask(`SELECT count(*) FROM ` + dialect.Retired("t")); n != "3" {
			t.Errorf("%s rows were kept of 3", n)
		}
		source.Exec(`DROP TABLE `+dialect.Retired("t"), `DROP TABLE _strangler_owner`)
		target.Exec(`DROP TABLE t`, `DROP TABLE _strangler_owner`)

		s = begin("complete", "before rows are deleted")
		refused(s, "complete --keep-data", "it was begun without --keep-data")
		s.must("complete")
	})
}

// A word about the rows counts once there is no way back; until then another may be given.
func TestCompleteMayBeBegunAnew(t *testing.T) {
	t.Parallel()
	testkit.EachPair(t, func(t *testing.T, source, target *testkit.Place) {
		source.Exec(`CREATE TABLE t (id int PRIMARY KEY NOT NULL, v int)`, `INSERT INTO t VALUES (1, 1)`)
		s := pairPlan(t, source, target, "tables: [t]\ncreate_target: true\n")
		s.must("run")
		s.must("cutover")
		if ok, words := s.do("complete --keep-data", "before the target is released", 0); ok {
			t.Fatalf("complete was not killed: %s", words)
		}
		s.must("complete")
	})
}
