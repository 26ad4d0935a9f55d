package postgres_test

import (
	"testing"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/dialect/postgres"
)

// TestOnlyLazyCommitsAreLazy: whatever ends a lazy transaction, the next one of its session
// waits for the disk again.
func TestOnlyLazyCommitsAreLazy(t *testing.T) {
	t.Parallel()
	source, _ := pair(t, []string{"t"}, `CREATE TABLE t (id int PRIMARY KEY)`)
	level := func(begin func() (dialect.Tx, error), end func(dialect.Tx) error) string {
		tx, err := begin()
		must(t, err)
		level, err := postgres.SynchronousCommit(t.Context(), tx)
		must(t, err)
		must(t, end(tx))
		return level
	}
	lazily := func() (dialect.Tx, error) { return source.BeginLazily(t.Context(), source.move) }
	eagerly := func() (dialect.Tx, error) { return source.Begin(t.Context(), source.move) }
	for _, end := range []func(dialect.Tx) error{dialect.Tx.Commit, dialect.Tx.Rollback} {
		if got := level(lazily, end); got != "off" {
			t.Errorf("in a lazy transaction synchronous_commit is %s", got)
		}
		if got := level(eagerly, end); got != "on" {
			t.Errorf("in the next one synchronous_commit is %s", got)
		}
	}
}
