package retry_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/stranglerfig/toolkit/strangler-proxy/retry"
)

func take(b *retry.Budget, percent, n int) (granted int) {
	for range n {
		if b.Take(percent) {
			granted++
		}
	}
	return granted
}

func TestFloorAndShare(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var b retry.Budget
		if got := take(&b, 20, 10); got != retry.Floor {
			t.Errorf("%d retries without a request, want %d", got, retry.Floor)
		}
		for range 100 {
			b.Asked()
		}
		if got := take(&b, 20, 100); got != 20-retry.Floor {
			t.Errorf("%d further retries for 100 requests, want %d", got, 20-retry.Floor)
		}
		time.Sleep(retry.Window - time.Second)
		if got := take(&b, 20, 100); got != 0 {
			t.Errorf("%d retries within the same window", got)
		}
		time.Sleep(time.Second)
		if got := take(&b, 20, 100); got != retry.Floor {
			t.Errorf("%d retries once all was forgotten, want %d", got, retry.Floor)
		}
		time.Sleep(1000 * time.Hour)
		if got := take(&b, 20, 100); got != retry.Floor {
			t.Errorf("%d retries after a long rest, want %d", got, retry.Floor)
		}
	})
}

// Whatever comes when: no window has more retries than it may.
func TestNoWindowHasMore(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		percent := rapid.IntRange(1, 100).Draw(rt, "percent")
		steps := rapid.SliceOfN(rapid.IntRange(0, 4000), 1, 200).Draw(rt, "steps")
		synctest.Test(t, func(*testing.T) {
			var b retry.Budget
			var requests, retries []time.Time
			for n, milliseconds := range steps {
				time.Sleep(time.Duration(milliseconds/2) * time.Millisecond)
				for range milliseconds % 7 {
					b.Asked()
					requests = append(requests, time.Now())
				}
				if n%2 == 0 || !b.Take(percent) {
					continue
				}
				retries = append(retries, time.Now())
				// The window begins with a slot, so it may be shorter than Window by one.
				since := time.Now().Add(-retry.Window + time.Second)
				if got, most := after(retries, since), max(retry.Floor, after(requests, since.Add(-time.Second))*percent/100); got > most {
					rt.Errorf("%d retries, at most %d are allowed", got, most)
				}
			}
		})
	})
}

func after(times []time.Time, since time.Time) (n int) {
	for _, t := range times {
		if t.After(since) {
			n++
		}
	}
	return n
}

func TestGoroutinesShareIt(t *testing.T) {
	t.Parallel()
	var b retry.Budget
	var granted atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 1000 {
				b.Asked()
				granted.Add(int64(take(&b, 20, 1)))
			}
		})
	}
	all.Wait()
	if got := granted.Load(); got > 1600 || got < 1400 {
		t.Errorf("%d of 8000 requests tried again, want 1600 at most and about that", got)
	}
}
