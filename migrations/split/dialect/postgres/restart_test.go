package postgres_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stranglerfig/toolkit/internal/pgtest"
	"github.com/stranglerfig/toolkit/migrations/split/dialect/postgres"
	"github.com/stranglerfig/toolkit/migrations/split/testkit"
	"github.com/stranglerfig/toolkit/migrations/split/transfer"
)

// TestServersCrashDuringTheCopy lets source and target crash in turn while rows are
// copied and an application writes. Whatever the application was told is committed has
// to be in the target in the end.
func TestServersCrashDuringTheCopy(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	crashes := 2 // one of each
	if os.Getenv("SOAK") != "" {
		crashes = 8
	}
	servers := pgtest.StartSeveral(t, 2)
	source, target := servers[0].Database(t), servers[1].Database(t)
	pgtest.Exec(t, source, `CREATE TABLE t (id int PRIMARY KEY, v text)`, fmt.Sprintf(`INSERT INTO t SELECT n, md5(n::text) FROM generate_series(1, %d) n`, crashes*5000))
	open := func(dsn string) *postgres.DB {
		db, err := postgres.Open(ctx, dsn)
		testkit.Check(t, err)
		t.Cleanup(func() { db.Close() })
		return db
	}
	from, to := testkit.Expand(ctx, t, open(source), open(target), []string{"t"}, true)

	stop, written := make(chan struct{}), atomic.Int64{}
	var app sync.WaitGroup
	defer app.Wait()
	app.Go(func() { journal(ctx, source, stop, &written) })

	chunks := 0
	for way := restart(t, from, to); !way.Copied(); {
		if chunks++; chunks%5 == 0 && chunks <= crashes*5 {
			testkit.Check(t, servers[chunks/5%2].Restart())
		}
		if _, err := way.Copy(ctx, 0, 1000); err != nil {
			way = restart(t, from, to)
		}
		if _, err := way.Apply(ctx); err != nil {
			way = restart(t, from, to)
		}
	}
	if chunks < crashes*5 {
		t.Errorf("the copy took %d chunks: not every crash was in it", chunks)
	}
	close(stop)
	app.Wait()
	finish(ctx, t, from, to, 1000)
	if before, after := contentOf(t, source), contentOf(t, target); before != after {
		t.Errorf("source %s\ntarget %s", before, after)
	}
	// One that was committed without an answer may be there, too.
	if ask(t, connect(t, target), fmt.Sprintf(`SELECT count(*) >= %d FROM t WHERE id <= 0`, written.Load())) != "t" {
		t.Errorf("not all of the %d writes that were acknowledged arrived", written.Load())
	}
	if written.Load() == 0 {
		t.Error("the application wrote nothing")
	}
}

// contentOf is a digest that PostgreSQL makes of a whole table.
func contentOf(t *testing.T, dsn string) string {
	t.Helper()
	return ask(t, connect(t, dsn), `SELECT count(*) || ' ' || md5(string_agg(id || ':' || coalesce(v, '-'), ',' ORDER BY id)) FROM t`)
}

// journal writes one row after the other, before the first that there was, so that the
// copy has an end, and counts those that were acknowledged.
func journal(ctx context.Context, dsn string, stop <-chan struct{}, written *atomic.Int64) {
	var c *pgx.Conn
	for id := 0; ; id-- {
		select {
		case <-stop:
			return
		case <-time.After(5 * time.Millisecond): // 200 a second
		}
		if c == nil || c.IsClosed() {
			c, _ = pgx.Connect(ctx, dsn)
			if c == nil {
				continue
			}
		}
		if _, err := c.Exec(ctx, `INSERT INTO t VALUES ($1, 'new')`, id); err != nil {
			c.Close(ctx)
			continue
		}
		written.Add(1)
	}
}

// restart makes a new way as soon as both servers answer.
func restart(t *testing.T, from, to transfer.Side) *transfer.Way {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		way, err := transfer.New(t.Context(), from, to, transfer.Options{})
		if err == nil {
			return way
		}
		if time.Now().After(deadline) {
			t.Fatalf("the engine does not come back: %v", err)
		}
	}
}
