package sqlite_test

import (
	"database/sql"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stranglerfig/toolkit/migrations/split/dialect/sqlite"
	"github.com/stranglerfig/toolkit/migrations/split/testkit"
	"github.com/stranglerfig/toolkit/migrations/split/transfer"
)

// TestChunksEaseTheApplication: behind a chunk a write-ahead log that has become long is
// carried over, before the application would have to do it, and a short one is not.
func TestChunksEaseTheApplication(t *testing.T) {
	t.Parallel()
	for _, pages := range []int{100, 600} {
		t.Run(strconv.Itoa(pages), func(t *testing.T) {
			t.Parallel()
			ctx, dir := t.Context(), t.TempDir()
			app, err := sql.Open("sqlite3", "file:"+filepath.Join(dir, "source.db")+"?_journal_mode=WAL")
			testkit.Check(t, err)
			defer app.Close()
			app.SetMaxOpenConns(1)
			exec := func(statement string, args ...any) {
				_, err := app.ExecContext(ctx, statement, args...)
				testkit.Check(t, err)
			}
			exec(`PRAGMA wal_autocheckpoint = 0`)
			exec(`CREATE TABLE v (id INTEGER PRIMARY KEY, body)`)
			source, err := sqlite.Open(ctx, filepath.Join(dir, "source.db"), sqlite.Options{})
			testkit.Check(t, err)
			defer source.Close()
			target, err := sqlite.Open(ctx, filepath.Join(dir, "target.db"), sqlite.Options{Create: true})
			testkit.Check(t, err)
			defer target.Close()
			from, to := testkit.Expand(ctx, t, source, target, []string{"v"}, true)
			way, err := transfer.New(ctx, from, to, transfer.Options{})
			testkit.Check(t, err)
			exec(`PRAGMA wal_checkpoint(TRUNCATE)`)
			exec(`INSERT INTO v (body) VALUES (zeroblob(4096 * ?))`, pages)
			c, err := way.Copy(ctx, 0, 10)
			testkit.Check(t, err)
			var busy, written, carried int
			testkit.Check(t, app.QueryRowContext(ctx, `PRAGMA wal_checkpoint(NOOP)`).Scan(&busy, &written, &carried))
			if c.Rows != 1 || written < pages {
				t.Fatalf("%d rows were copied, the log has %d pages", c.Rows, written)
			}
			want := 0
			if pages > 500 {
				want = written
			}
			if carried != want {
				t.Errorf("of %d pages %d were carried over, want %d", written, carried, want)
			}
		})
	}
}
