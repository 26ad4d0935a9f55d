package sqlite_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/dialect/sqlite"
	"github.com/stranglerfig/toolkit/migrations/split/testkit"
)

// The levels of PRAGMA synchronous.
const (
	normal = 1
	full   = 2
)

// TestOnlyLazyCommitsAreLazy: whatever ends a lazy transaction, the next one waits for the
// disk again, and a file that is not in WAL mode is never written lazily.
func TestOnlyLazyCommitsAreLazy(t *testing.T) {
	t.Parallel()
	for mode, inside := range map[string]int{"WAL": normal, "DELETE": full} {
		ends := map[string]func(tx dialect.Tx, cancel func()) error{
			"commit":   func(tx dialect.Tx, _ func()) error { return tx.Commit() },
			"rollback": func(tx dialect.Tx, _ func()) error { return tx.Rollback() },
			"cancel": func(tx dialect.Tx, cancel func()) error {
				cancel()
				return tx.Rollback()
			},
		}
		for name, end := range ends {
			t.Run(mode+" "+name, func(t *testing.T) {
				t.Parallel()
				db, side := opened(t, mode)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				tx, err := db.BeginLazily(ctx, side)
				testkit.Check(t, err)
				if level, err := tx.(*sqlite.Tx).Synchronous(ctx); err != nil || level != inside {
					t.Errorf("inside the level is %d (%v), want %d", level, err, inside)
				}
				testkit.Check(t, end(tx, cancel))
				if level, err := db.Synchronous(t.Context()); err != nil || level != full {
					t.Errorf("after it the level is %d (%v), want %d", level, err, full)
				}
			})
		}
	}
}

// opened is a source in a journal mode, and the move that it is part of.
func opened(t *testing.T, mode string) (*sqlite.Database, dialect.Move) {
	t.Helper()
	dir := t.TempDir()
	app, err := sql.Open("sqlite3", "file:"+filepath.Join(dir, "source.db")+"?_journal_mode="+mode)
	testkit.Check(t, err)
	defer app.Close()
	_, err = app.ExecContext(t.Context(), `CREATE TABLE v (id INTEGER PRIMARY KEY)`)
	testkit.Check(t, err)
	source, err := sqlite.Open(t.Context(), filepath.Join(dir, "source.db"), sqlite.Options{})
	testkit.Check(t, err)
	t.Cleanup(func() { source.Close() })
	target, err := sqlite.Open(t.Context(), filepath.Join(dir, "target.db"), sqlite.Options{Create: true})
	testkit.Check(t, err)
	t.Cleanup(func() { target.Close() })
	from, _ := testkit.Expand(t.Context(), t, source, target, []string{"v"}, true)
	return source, from.Move
}
