package promote

import (
	"math/bits"
	"time"
)

// Times are counted in buckets that are an eighth of an octave wide, from timeUnit on:
// a percentile is off by less than an eighth of itself, in practice by far less.
const (
	timeUnit    = 16 * time.Microsecond
	octaves     = 22 // the last bucket holds all that took more than eight minutes
	timeBuckets = 8 * (octaves + 1)
)

type times [timeBuckets]uint32

func bucketOf(took time.Duration) int {
	v := uint64(max(took, 0) / timeUnit)
	if v < 8 {
		return int(v)
	}
	octave := bits.Len64(v) - 4 // v>>octave is 8 to 15
	return min(8*octave+int(v>>octave), timeBuckets-1)
}

// bucketStart is the shortest time that belongs to bucket n.
func bucketStart(n int) time.Duration {
	if n < 16 {
		return time.Duration(n) * timeUnit
	}
	octave := n/8 - 1
	return time.Duration(8+n%8) << octave * timeUnit
}

// percentile is the time that the share p of all is not above; 0 without times.
func (t *times) percentile(p float64) time.Duration {
	total := 0
	for _, n := range t {
		total += int(n)
	}
	rank := p * float64(total)
	before := 0.0
	for n, count := range t {
		if c := float64(count); c > 0 && before+c >= rank {
			low, high := bucketStart(n), bucketStart(n+1)
			return low + time.Duration(float64(high-low)*(rank-before)/c)
		}
		before += float64(count)
	}
	return 0
}
