package split_test

import (
	"database/sql"
	"os"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/internal/pgtest"
	"github.com/stranglerfig/toolkit/migrations/split"
	"github.com/stranglerfig/toolkit/migrations/split/ownership"
	"github.com/stranglerfig/toolkit/migrations/split/testkit"
)

// TestLongTransactionOnPostgreSQL: while a transaction keeps the table open, a cut-over tries
// and gives up, the source owns, and no other writer waits for longer than an attempt of the
// fence lasts. When it has ended, the same cut-over goes through with what it wrote.
// SOAK=1 keeps it open for ten seconds.
func TestLongTransactionOnPostgreSQL(t *testing.T) {
	t.Parallel()
	long := time.Second
	if os.Getenv("SOAK") != "" {
		long = 10 * time.Second
	}
	source, target := &testkit.Place{Driver: "pgx", DSN: pgtest.Database(t)}, &testkit.Place{Driver: "pgx", DSN: pgtest.Database(t)}
	open := func(at *testkit.Place) *sql.DB {
		db, err := sql.Open("pgx", at.DSN+"&lock_timeout=900")
		testkit.Check(t, err)
		t.Cleanup(func() { db.Close() })
		return db
	}
	app, there := open(source), open(target)
	exec := func(statement string) {
		t.Helper()
		_, err := app.ExecContext(t.Context(), statement)
		testkit.Check(t, err)
	}
	exec(`CREATE TABLE t (id INTEGER PRIMARY KEY)`)
	e := pairPlan(t, source, target, "tables: [t]\ncreate_target: true\n").engine()
	e.Plan.Limits.Hold = 200 * time.Millisecond
	testkit.Check(t, run(t.Context(), e, split.RunOptions{Until: split.ByVerified}))
	tx, err := app.BeginTx(t.Context(), nil)
	testkit.Check(t, err)
	_, err = tx.ExecContext(t.Context(), `INSERT INTO t VALUES (0)`)
	testkit.Check(t, err)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	began, tries := time.Now(), 0
	for ; tries == 0 || time.Since(began) < long; tries++ {
		ended := make(chan error, 1)
		go func() {
			_, err := e.SwitchBy(t.Context(), ownership.Target, split.SwitchOptions{})
			ended <- err
		}()
		for err = nil; err == nil; {
			exec(`INSERT INTO t SELECT coalesce(max(id), 0) + 1 FROM t`)
			select {
			case <-tick.C:
			case err = <-ended:
				if err == nil {
					t.Fatal("it has cut over past an open transaction")
				}
			}
		}
	}
	t.Logf("%d cut-overs gave up, the last: %v", tries, err)
	testkit.Check(t, tx.Commit())
	e.Plan.Limits.Hold = 20 * time.Second // nothing stands in the way any more, whatever the machine is busy with
	_, err = e.SwitchBy(t.Context(), ownership.Target, split.SwitchOptions{})
	testkit.Check(t, err)
	var wrote, arrived int
	testkit.Check(t, app.QueryRowContext(t.Context(), `SELECT count(*) FROM t`).Scan(&wrote))
	testkit.Check(t, there.QueryRowContext(t.Context(), `SELECT count(*) FROM t WHERE id = 0 OR id > 0`).Scan(&arrived))
	if wrote != arrived || wrote < 2 {
		t.Errorf("%d rows were written, %d arrived", wrote, arrived)
	}
}
