package split_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/migrations/split"
	"github.com/stranglerfig/toolkit/migrations/split/ownership"
	"github.com/stranglerfig/toolkit/migrations/split/plan"
	"github.com/stranglerfig/toolkit/migrations/split/testkit"
)

// TestRunOutlivesItsSessions ends all sessions of a running engine again and again, as a
// restart of the servers does: it waits and goes on, in each phase, and nothing is lost.
func TestRunOutlivesItsSessions(t *testing.T) {
	t.Parallel()
	source, target := testkit.PostgreSQL(t), testkit.PostgreSQL(t)
	source.Exec(`CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER)`, `INSERT INTO t SELECT n, 0 FROM generate_series(1, 4000) n`)
	s := pairPlan(t, source, target, "tables: [t]\ncreate_target: true\n")
	text, err := os.ReadFile(filepath.Join(s.dir, "plan.yaml"))
	testkit.Check(t, err)
	p, err := plan.Parse("plan.yaml", text, plan.Options{})
	testkit.Check(t, err)
	p.Limits.Chunk = time.Millisecond // many of them
	e, err := split.Open(t.Context(), p, true, split.Options{Poll: time.Millisecond})
	testkit.Check(t, err)
	t.Cleanup(func() { e.Close() })

	waits := int64(0)
	// cut runs the engine, and ends its sessions as often as said while it does.
	cut := func(until split.Until, times int, write func()) {
		t.Helper()
		w, err := e.Begin(t.Context(), "run", split.Make)
		testkit.Check(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		ended, begun := make(chan error, 1), make(chan struct{})
		go func() {
			var once sync.Once
			ended <- w.Run(ctx, split.RunOptions{Until: until, Verify: true, Watch: func(split.Live) { once.Do(func() { close(begun) }) }})
		}()
		select { // what comes before is waited out, too, but not counted
		case <-begun:
		case err := <-ended:
			t.Fatalf("the run ended: %v", err)
		}
		for n := 0; n < times && len(ended) == 0; n++ {
			write()
			for deadline := time.Now().Add(20 * time.Second); endSessions(source, target) == 0 && len(ended) == 0; {
				if time.Now().After(deadline) {
					t.Fatal("the engine has no session")
				}
			}
		}
		write()
		if until == split.Stopped {
			for source.Ask(sumOfAll) != target.Ask(sumOfAll) {
				if len(ended) > 0 {
					t.Fatalf("the run ended: %v", <-ended)
				}
			}
			cancel()
		}
		testkit.Check(t, <-ended)
		testkit.Check(t, w.End())
		waits += w.Did.Waits
	}
	cut(split.ByVerified, 5, func() { source.Exec(`UPDATE t SET v = v + 1 WHERE id % 100 = 0`) })
	cut(split.Stopped, 2, func() {
		source.Exec(`UPDATE t SET v = v + 1 WHERE id % 50 = 0`, `DELETE FROM t WHERE id = (SELECT min(id) FROM t)`)
	})
	_, err = e.SwitchBy(t.Context(), ownership.Target, split.SwitchOptions{})
	testkit.Check(t, err)
	cut(split.Stopped, 2, func() {
		target.Exec(`UPDATE t SET v = v + 1 WHERE id % 70 = 0`, `INSERT INTO t SELECT max(id) + 1, 1 FROM t`)
	})
	_, err = e.SwitchBy(t.Context(), ownership.Source, split.SwitchOptions{})
	testkit.Check(t, err)
	if waits == 0 {
		t.Error("no run waited for anything, though their sessions were ended")
	}
	if a, b := source.Ask(sumOfAll), target.Ask(sumOfAll); a != b {
		t.Errorf("the source holds %s, the target %s", a, b)
	}
}

const sumOfAll = `SELECT count(*) || ' ' || sum(id) || ' ' || sum(v) FROM t`

// endSessions ends what the engine has open, and counts it.
func endSessions(places ...*testkit.Place) (n int) {
	for _, p := range places {
		if p.Ask(endEngine) != "0" {
			n++
		}
	}
	return n
}

// endEngine ends the sessions that the engine has in a database, and counts them.
const endEngine = `SELECT count(pg_terminate_backend(pid))::text FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'strangler%'`
