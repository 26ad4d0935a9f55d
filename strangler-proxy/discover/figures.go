package discover

import (
	"math"
	"time"
)

// durationBuckets is the size of the fixed histogram: from a quarter of a millisecond
// on, each bucket ends at √2 of the one before, the last one but one at 11.6 s.
const durationBuckets = 33

// figures are what is known of the requests of one endpoint. They can be added up in
// any order.
type figures struct {
	Requests     uint64   `json:"n"`
	Errors       uint64   `json:"e,omitempty"` // answered 5xx
	ClientErrors uint64   `json:"c,omitempty"` // answered 4xx
	First        int64    `json:"f"`           // seconds since 1970
	Last         int64    `json:"l"`
	Durations    []uint32 `json:"d,omitempty"` // by bucket; shorter when the last ones are empty
}

func (f *figures) record(status int, took time.Duration, now int64) {
	f.Requests++
	switch {
	case status >= 500:
		f.Errors++
	case status >= 400:
		f.ClientErrors++
	}
	f.span(now, now)
	if took < 0 {
		return
	}
	b := bucketOf(took)
	f.grow(b + 1)
	if f.Durations[b] < math.MaxUint32 {
		f.Durations[b]++
	}
}

func (f *figures) span(first, last int64) {
	if f.First == 0 || first != 0 && first < f.First {
		f.First = first
	}
	f.Last = max(f.Last, last)
}

func (f *figures) grow(n int) {
	if n > len(f.Durations) {
		grown := make([]uint32, n)
		copy(grown, f.Durations)
		f.Durations = grown
	}
}

func (f *figures) add(o *figures) {
	f.Requests += o.Requests
	f.Errors += o.Errors
	f.ClientErrors += o.ClientErrors
	f.span(o.First, o.Last)
	f.grow(min(len(o.Durations), durationBuckets))
	for i := range min(len(o.Durations), durationBuckets) {
		f.Durations[i] += min(o.Durations[i], math.MaxUint32-f.Durations[i])
	}
}

func bucketOf(took time.Duration) int {
	quarters := float64(took) / float64(250*time.Microsecond)
	if quarters <= 1 {
		return 0
	}
	return min(int(math.Ceil(2*math.Log2(quarters))), durationBuckets-1)
}

func bucketEnd(b int) time.Duration {
	return time.Duration(float64(250*time.Microsecond) * math.Pow(2, float64(b)/2))
}

// quantile estimates the duration that the share q of the requests did not exceed.
// Within a bucket it assumes an even spread, so it is at most a factor of √2 off.
func (f *figures) quantile(q float64) time.Duration {
	var total uint64
	for _, n := range f.Durations {
		total += uint64(n)
	}
	rank, below := q*float64(total), 0.0
	for b, n := range f.Durations {
		if n > 0 && below+float64(n) >= rank {
			start := time.Duration(0)
			if b > 0 {
				start = bucketEnd(b - 1)
			}
			return start + time.Duration(float64(bucketEnd(b)-start)*(rank-below)/float64(n))
		}
		below += float64(n)
	}
	return 0
}
