package shadow

import (
	"math"
	"math/bits"
	"sync/atomic"
	"time"
)

// Eight buckets for each doubling, from 1 µs on: a quantile is right within 6 %.
const (
	perDoubling = 8
	doublings   = 28 // up to 268 s
)

// A latency counts durations. Goroutines may share it.
type latency struct {
	buckets [doublings * perDoubling]atomic.Uint32
}

func (l *latency) observe(d time.Duration) {
	us := uint64(max(1, d.Microseconds()))
	exponent := bits.Len64(us) - 1
	step := us << 3 >> exponent & 7 // the three bits behind the highest one
	l.buckets[min(exponent*perDoubling+int(step), len(l.buckets)-1)].Add(1)
}

// Quantiles are of the times that a side took to answer, in milliseconds.
type Quantiles struct {
	P50 float64 `json:"p50_ms"`
	P95 float64 `json:"p95_ms"`
}

func (l *latency) quantiles() Quantiles {
	var counts [len(l.buckets)]uint64
	var total uint64
	for i := range l.buckets {
		counts[i] = uint64(l.buckets[i].Load())
		total += counts[i]
	}
	at := func(share uint64) float64 {
		seen := uint64(0)
		for i, n := range counts {
			if seen += n; n > 0 && seen*100 >= total*share {
				return math.Round(middle(i)*1000) / 1000
			}
		}
		return 0
	}
	return Quantiles{P50: at(50), P95: at(95)}
}

// middle is the time in the middle of a bucket, in milliseconds.
func middle(i int) float64 {
	least := (perDoubling + float64(i%perDoubling)) / perDoubling * float64(uint64(1)<<(i/perDoubling))
	width := float64(uint64(1)<<(i/perDoubling)) / perDoubling
	return (least + width/2) / 1000
}
