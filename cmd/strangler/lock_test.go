package main

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A report of the monolith keeps a write transaction open while somebody cuts over: the
// cut-over gives up within its bounds and lets the held clients go, none of which gets an
// error; it never takes the tables away from under the transaction. When that has ended,
// the same command goes through, with what it wrote.
func TestLongTransactionAtCutover(t *testing.T) {
	t.Parallel()
	long := 3 * time.Second
	if os.Getenv("SOAK") != "" {
		long = 10 * time.Second
	}
	w := newTown(t)
	plan, err := os.ReadFile(filepath.Join(w.dir, "plan.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	w.write("plan.yaml", strings.Replace(string(plan), "fence: 2s", "fence: 2s, hold: 300ms", 1))
	if out, err := w.command("split", "run", "plan.yaml", "--until", "verified").CombinedOutput(); err != nil {
		t.Fatalf("run: %v: %s", err, out)
	}
	w.follow()
	began := time.Now()
	commit := w.keepOpen()
	w.load()
	tried := 0
	for ; time.Since(began) < long; tried++ {
		at := time.Now()
		out, err := w.command("split", "cutover", "plan.yaml", "--yes").CombinedOutput()
		if err == nil {
			t.Fatalf("it has cut over past an open transaction: %s", out)
		}
		if took := time.Since(at); took > 15*time.Second {
			t.Errorf("it took %s to give up: %s", took, out)
		}
		// It is the lock that it cannot have, or requests that wait for the same one.
		named := func(reason string) bool { return strings.Contains(string(out), reason) }
		if !named("locked by somebody else") && !named("gave up") && !named("requests are still under way") {
			t.Errorf("it does not say why: %s", out)
		}
	}
	commit()
	w.switchTo("cutover")
	w.stop()
	w.ended.Wait()
	w.check("target.db")
	t.Logf("%d attempts, %d writes, %d failed", tried, w.count.Load(), w.failed.Load())
}

// keepOpen writes a row and keeps the transaction open until commit is called.
func (w *town) keepOpen() (commit func()) {
	w.t.Helper()
	ctx := context.WithoutCancel(w.t.Context())
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(w.dir, "source.db")+"?_busy_timeout=5000&_txlock=immediate")
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { db.Close() })
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	res, err := tx.ExecContext(ctx, `INSERT INTO things(body) VALUES ('of the report')`)
	if err != nil {
		w.t.Fatal(err)
	}
	id, err := res.LastInsertId()
	if err != nil {
		w.t.Fatal(err)
	}
	return func() {
		if err := tx.Commit(); err != nil {
			w.t.Error(err)
		}
		w.acknowledged(strconv.FormatInt(id, 10), "of the report")
	}
}
