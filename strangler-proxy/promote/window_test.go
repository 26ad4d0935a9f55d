package promote_test

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/stranglerfig/toolkit/strangler-proxy/promote"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

func TestWindowCountsEachSide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := promote.NewWindow(10*time.Minute, 50)
		for range 100 {
			w.Observe(time.Now(), route.ToMonolith, false, 20*time.Millisecond)
			time.Sleep(time.Second)
		}
		for i := range 40 {
			w.Observe(time.Now(), route.ToService, i%4 == 0, 30*time.Millisecond)
		}
		w.Observe(time.Now(), route.ToService, false, -1) // untimed
		got := w.Look()
		if m := got.Monolith; m.Requests != 100 || m.Failed != 0 || m.ErrorRate() != 0 || !near(m.P95, 20*time.Millisecond) {
			t.Errorf("monolith: %+v", m)
		}
		if s := got.Service; s.Requests != 41 || s.Failed != 10 || !near(s.P50, 30*time.Millisecond) || !s.Until.Equal(time.Now()) {
			t.Errorf("service: %+v", s)
		}
	})
}

// near allows what the width of a bucket makes uncertain.
func near(got, want time.Duration) bool {
	return (got - want).Abs() <= want/8+16*time.Microsecond
}

func TestWindowForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := promote.NewWindow(10*time.Minute, 1)
		w.Observe(time.Now(), route.ToService, true, 0)
		time.Sleep(9*time.Minute + 29*time.Second)
		if got := w.Look().Service.Requests; got != 1 {
			t.Errorf("within the window: %d requests", got)
		}
		time.Sleep(32 * time.Second)
		if got := w.Look().Service; got.Requests != 0 || got.P95 != 0 || !got.Until.IsZero() {
			t.Errorf("after the window: %+v", got)
		}
		w.Observe(time.Now(), route.ToService, false, time.Second)
		time.Sleep(30 * 24 * time.Hour)
		if got := w.Look().Service.Requests; got != 0 {
			t.Errorf("after a month: %d requests", got)
		}
	})
}

func TestWindowRemembersTheMonolith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := promote.NewWindow(time.Minute, 10)
		for i := range 20 {
			w.Observe(time.Now(), route.ToMonolith, i == 0, 8*time.Millisecond)
		}
		seen := time.Now()
		w.Cut()
		time.Sleep(3 * time.Hour)
		w.Observe(time.Now(), route.ToMonolith, true, 0) // too few to take their place
		got := w.Look()
		if got.Monolith.Requests != 1 || got.Before.Requests != 20 || got.Before.Failed != 1 || !near(got.Before.P95, 8*time.Millisecond) || !got.Before.Until.Equal(seen) {
			t.Errorf("%+v", got)
		}
		w.Tune(time.Hour, 10)
		if got := w.Look(); got.Monolith.Requests != 0 || got.Before.Requests != 20 {
			t.Errorf("with another length: %+v", got)
		}
	})
}

func TestWindowPercentiles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := promote.NewWindow(time.Hour, 1)
		spans := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) time.Duration {
			octave := rapid.IntRange(0, 28).Draw(t, "octave")
			return time.Duration(rapid.Int64Range(0, int64(16*time.Microsecond)<<octave).Draw(t, "took"))
		}), 1, 400).Draw(t, "times")
		for _, d := range spans {
			w.Observe(time.Now(), route.ToService, false, d)
		}
		slices.Sort(spans)
		got := w.Look().Service
		for _, q := range []struct {
			share float64
			got   time.Duration
		}{{0.50, got.P50}, {0.95, got.P95}} {
			rank := q.share * float64(len(spans))
			low, high := spans[max(int(rank)-1, 0)], spans[min(int(rank)+1, len(spans)-1)]
			const longest = 8 * time.Minute // beyond it times are not told apart
			if q.got < min(low, longest)-min(low, longest)/8-16*time.Microsecond || q.got > high+high/8+16*time.Microsecond {
				t.Fatalf("p%.0f of %v is %v", 100*q.share, spans, q.got)
			}
		}
	})
}

func TestWindowCountsExactly(t *testing.T) {
	w := promote.NewWindow(time.Hour, 1)
	traffic := promote.NewTraffic()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 5000 {
				w.Observe(time.Now(), route.ToService, rand.N(2) == 0, time.Duration(rand.N(int64(time.Second))))
				traffic.Count(time.Now())
				if rand.N(500) == 0 {
					w.Look()
				}
			}
		})
	}
	all.Wait()
	if got := w.Look().Service.Requests; got != 40_000 {
		t.Errorf("%d requests", got)
	}
	if got := traffic.PerMinute(); got != 40_000 {
		t.Errorf("%v a minute", got)
	}
}

func TestObserveDoesNotAllocate(t *testing.T) {
	w, traffic := promote.NewWindow(10*time.Minute, 200), promote.NewTraffic()
	if got := testing.AllocsPerRun(1000, func() {
		w.Observe(time.Now(), route.ToService, false, 3*time.Millisecond)
		traffic.Count(time.Now())
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

func TestTrafficIsAMeanOfTheLastHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		traffic := promote.NewTraffic()
		traffic.Count(time.Now())
		if got := traffic.PerMinute(); got != 1 {
			t.Errorf("in the first minute: %v", got)
		}
		for range 10 * 60 {
			time.Sleep(time.Second)
			traffic.Count(time.Now())
			traffic.Count(time.Now())
		}
		if got := traffic.PerMinute(); got < 119 || got > 121 {
			t.Errorf("after ten minutes: %v", got)
		}
		time.Sleep(30 * time.Minute)
		if got := traffic.PerMinute(); got < 29 || got > 31 {
			t.Errorf("after thirty quiet minutes: %v", got)
		}
		time.Sleep(time.Hour)
		if got := traffic.PerMinute(); got != 0 {
			t.Errorf("after a quiet hour: %v", got)
		}
	})
}

func BenchmarkObserve(b *testing.B) {
	w := promote.NewWindow(10*time.Minute, 200)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			w.Observe(time.Now(), route.ToService, false, 3*time.Millisecond)
		}
	})
}
