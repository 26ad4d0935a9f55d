package promote

import (
	"sync"
	"time"
)

// trafficMinutes is how far Traffic looks back.
const trafficMinutes = 60

// Traffic counts the requests of the last hour, minute by minute. Goroutines may share it.
type Traffic struct {
	base    time.Time
	mu      sync.Mutex
	current int64
	minutes [trafficMinutes]uint32
}

// NewTraffic returns an empty Traffic.
func NewTraffic() *Traffic { return &Traffic{base: time.Now()} }

// Count counts one request, which ends now.
func (t *Traffic) Count(at time.Time) {
	now := int64(at.Sub(t.base) / time.Minute)
	t.mu.Lock()
	t.advance(now)
	t.minutes[now%trafficMinutes]++
	t.mu.Unlock()
}

func (t *Traffic) advance(now int64) {
	for n := max(t.current+1, now-trafficMinutes+1); n <= now; n++ {
		t.minutes[n%trafficMinutes] = 0
	}
	t.current = max(t.current, now)
}

// PerMinute is the mean over the last hour, or over the time since it began.
func (t *Traffic) PerMinute() float64 {
	spent := time.Since(t.base)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.advance(int64(spent / time.Minute))
	total := 0.0
	for _, n := range t.minutes {
		total += float64(n)
	}
	// The newest minute is not over; a beginning shorter than a minute counts as one.
	covered := min(spent, (trafficMinutes-1)*time.Minute+spent%time.Minute)
	return total / max(covered, time.Minute).Minutes()
}
