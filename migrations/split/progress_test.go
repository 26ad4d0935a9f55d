package split_test

import (
	"context"
	"math"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/migrations/split"
	"github.com/stranglerfig/toolkit/migrations/split/control"
	"github.com/stranglerfig/toolkit/migrations/split/testkit"
)

// TestProgressIsHonest copies a table that is too large to be counted, slowly, and holds what
// is said of it against what is so.
func TestProgressIsHonest(t *testing.T) {
	t.Parallel()
	const rows = 150_000
	s := newSite(t, rows)
	s.exec(`DELETE FROM tags`)
	store, err := control.Open(t.Context(), filepath.Join(s.dir, "control.db"), control.Options{})
	testkit.Check(t, err)
	t.Cleanup(func() { store.Close() })
	var mu sync.Mutex
	var seen []split.Live
	var at []time.Time
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	running := s.engine(store)
	go func() {
		ended <- run(ctx, running, split.RunOptions{Until: split.ByCopied, Watch: func(l split.Live) {
			mu.Lock()
			seen, at = append(seen, l), append(at, time.Now())
			mu.Unlock()
		}})
	}()
	defer cancel()
	asker := s.engine(store)
	for slow := false; !slow; {
		_, err := asker.Ask(t.Context(), split.AskThrottle, split.Throttle{Rows: 60_000})
		slow = err == nil
	}
	testkit.Check(t, <-ended)
	over := time.Now()
	between := 0
	for i, l := range seen {
		if l.Throttled == "" && l.Limit > 0 || len(l.Tables) != 2 {
			t.Errorf("look %d: %+v", i, l)
		}
		notes := l.Tables[0]
		if notes.Copied {
			continue
		}
		between++
		if real := 100 * float64(notes.Rows) / rows; math.Abs(notes.Percent-real) > 2 || l.Percent > 99 {
			t.Errorf("look %d: %.1f %% of all, %.1f %% of the table are said to be copied, and %.1f %% are", i, l.Percent, notes.Percent, real)
		}
		if left := over.Sub(at[i]); i > 1 && l.ETA > 3*left+2*time.Second { // not by the rate asked for: the machine may be too busy for that
			t.Errorf("look %d: %s are said to be left, and it took %s", i, l.ETA, left)
		}
	}
	if last := seen[len(seen)-1]; last.Percent != 100 || last.Guess || last.ETA != 0 || between == 0 {
		t.Errorf("at the end of %d looks, %d of them on the way: %+v", len(seen), between, last)
	}
}

// TestLagIsThatOfEachChange pauses an engine for a known time while it follows: the lag has
// to be that time for the changes of the pause, and short for the others.
func TestLagIsThatOfEachChange(t *testing.T) {
	t.Parallel()
	s := newSite(t, 500)
	store, err := control.Open(t.Context(), filepath.Join(s.dir, "control.db"), control.Options{})
	testkit.Check(t, err)
	t.Cleanup(func() { store.Close() })
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	running := s.engine(store)
	go func() { ended <- run(ctx, running, split.RunOptions{}) }()
	e := s.engine(store)
	wait := func(good func(split.Live) bool) split.Live {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); ; {
			live, err := e.Ask(t.Context(), split.AskStatus, nil)
			switch {
			case err == nil && good(live):
				return live
			case time.Now().After(deadline):
				t.Fatalf("%+v, %v", live, err)
			}
		}
	}
	wait(func(l split.Live) bool { return l.Verified })
	_, err = e.Ask(t.Context(), split.AskPause, nil)
	testkit.Check(t, err)
	before := time.Now()
	s.exec(`UPDATE notes SET body = 'early' WHERE id <= 10`)
	written := time.Now()
	for time.Since(written) < 400*time.Millisecond { // the time that is to be measured
		time.Sleep(time.Millisecond)
	}
	_, err = e.Ask(t.Context(), split.AskResume, nil)
	testkit.Check(t, err)
	l := wait(func(l split.Live) bool { return l.LagOf == 10 })
	most := time.Since(before) + time.Millisecond
	if l.LagP50 < 399*time.Millisecond || l.LagP50 > l.LagP99 || l.LagP99 > l.LagMost || l.LagMost > most {
		t.Errorf("half %s, 99 of 100 %s, most %s; the changes waited for at least 400ms and at most %s", l.LagP50, l.LagP99, l.LagMost, most)
	}
	for i := range 30 {
		s.exec(`UPDATE notes SET n = ? WHERE id = ?`, i, 20+i)
	}
	l = wait(func(l split.Live) bool { return l.LagOf == 40 })
	if l.LagP50 >= l.LagMost || l.LagMost < 399*time.Millisecond {
		t.Errorf("half %s, most %s: 30 of 40 changes waited for nobody", l.LagP50, l.LagMost)
	}
	cancel()
	testkit.Check(t, <-ended)
	s.equal()
}
