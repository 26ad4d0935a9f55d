package split_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/migrations/split"
	"github.com/stranglerfig/toolkit/migrations/split/plan"
	"github.com/stranglerfig/toolkit/migrations/split/testkit"
)

// TestNoFalseAlarms compares every row again and again while an application inserts,
// changes, deletes, and gives rows other keys, 200 times a second: it may find no
// difference, for there is none. SOAK=1 compares 50 times.
func TestNoFalseAlarms(t *testing.T) {
	t.Parallel()
	rounds := 3
	if os.Getenv("SOAK") != "" {
		rounds = 50
	}
	testkit.EachPair(t, func(t *testing.T, source, target *testkit.Place) {
		source.Exec(`CREATE TABLE t (id INTEGER PRIMARY KEY, u TEXT UNIQUE, v INTEGER)`,
			`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) INSERT INTO t SELECT i, 'u' || CAST(i AS TEXT), 0 FROM n`)
		s := pairPlan(t, source, target, "tables: [t]\ncreate_target: true\n")
		if source.Driver != target.Driver {
			target.Exec(`CREATE TABLE t (id BIGINT PRIMARY KEY, u TEXT UNIQUE, v BIGINT)`)
			s = pairPlan(t, source, target, "tables: [t]\n")
		}
		e := s.engine()
		writes, stop := restless(t, source)
		for round := range rounds {
			if err := run(t.Context(), e, split.RunOptions{Until: split.ByVerified, Verify: true}); err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
		}
		stop()
		testkit.Check(t, run(t.Context(), e, split.RunOptions{Until: split.ByVerified, Verify: true}))
		t.Logf("%d comparisons, %d writes", rounds+1, *writes)
		const sum = `SELECT CAST(count(*) AS TEXT) || ' ' || CAST(sum(id) AS TEXT) || ' ' || CAST(sum(v) AS TEXT) FROM t`
		if a, b := source.Ask(sum), target.Ask(sum); a != b || *writes < 10 {
			t.Errorf("the source holds %s, the target %s, after %d writes", a, b, *writes)
		}
	})
}

// engine opens the plan of a stage in this process.
func (s *stage) engine() *split.Engine {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, "plan.yaml"))
	testkit.Check(s.t, err)
	p, err := plan.Parse("plan.yaml", text, plan.Options{})
	testkit.Check(s.t, err)
	e, err := split.Open(s.t.Context(), p, true, split.Options{Poll: time.Millisecond})
	testkit.Check(s.t, err)
	s.t.Cleanup(func() { e.Close() })
	return e
}

// restless writes a table until it is stopped.
func restless(t *testing.T, at *testkit.Place) (writes *int, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	writes = new(int)
	r := rand.New(rand.NewPCG(1, 1))
	go func() {
		defer close(ended)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for ; ctx.Err() == nil; *writes++ {
			id, other := r.IntN(3500), r.IntN(3500)
			if err := at.Try([]string{
				fmt.Sprintf(`INSERT INTO t VALUES (%d, 'u%d', 1) ON CONFLICT (id) DO UPDATE SET v = t.v + 1`, id, id),
				fmt.Sprintf(`UPDATE t SET v = v + 1 WHERE id BETWEEN %d AND %d`, id, id+3),
				fmt.Sprintf(`DELETE FROM t WHERE id = %d`, id),
				fmt.Sprintf(`UPDATE t SET id = %d, u = 'u%d' WHERE id = %d AND NOT EXISTS (SELECT 1 FROM t AS o WHERE o.id = %d)`, other, other, id, other),
			}[r.IntN(4)]); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
			select {
			case <-ctx.Done():
			case <-tick.C:
			}
		}
	}()
	stop = func() { cancel(); <-ended }
	t.Cleanup(stop)
	return writes, stop
}
