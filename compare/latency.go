package compare

import (
	"math"
	"slices"
	"time"

	"github.com/stranglerfig/toolkit/compare/report"
)

// latencies sums both sides up and says whether AFTER is slower than every run of BEFORE: only
// when there are enough samples, chance is ruled out, and a person would notice. What it says
// of BEFORE is of its slowest run.
func latencies(before [][]time.Duration, after []time.Duration) (b, a report.Latency, slower bool) {
	a = latencyOf(after)
	const enough, noticed, ratio = 20, 20.0, 1.5
	slower = len(after) >= enough
	for _, run := range before {
		if len(run) == 0 {
			continue
		}
		l := latencyOf(run)
		slower = slower && len(run) >= enough && a.P95 > ratio*l.P95 && a.P95 > l.P95+noticed && chance(run, after) < 0.01
		if l.P95 >= b.P95 {
			b = l
		}
	}
	return b, a, slower
}

func latencyOf(list []time.Duration) report.Latency {
	if len(list) == 0 {
		return report.Latency{}
	}
	list = slices.Clone(list)
	slices.Sort(list)
	at := func(share float64) float64 {
		i := min(len(list)-1, int(share*float64(len(list))))
		return float64(list[i].Microseconds()) / 1000
	}
	return report.Latency{P50: at(0.5), P95: at(0.95)}
}

// chance is the probability that after is as much greater than before as it is, were they
// drawn from one population: the Mann-Whitney test, one-sided, by the normal approximation.
func chance(before, after []time.Duration) float64 {
	type sample struct {
		d     time.Duration
		after bool
	}
	var all []sample
	for _, d := range before {
		all = append(all, sample{d, false})
	}
	for _, d := range after {
		all = append(all, sample{d, true})
	}
	slices.SortFunc(all, func(x, y sample) int { return int(x.d - y.d) })
	n1, n2 := float64(len(before)), float64(len(after))
	ranks, ties := 0.0, 0.0
	for i := 0; i < len(all); {
		end := i
		for end < len(all) && all[end].d == all[i].d {
			end++
		}
		rank, t := float64(i+end+1)/2, float64(end-i)
		ties += t*t*t - t
		for _, s := range all[i:end] {
			if s.after {
				ranks += rank
			}
		}
		i = end
	}
	n := n1 + n2
	u := ranks - n2*(n2+1)/2
	deviation := math.Sqrt(n1 * n2 / 12 * (n + 1 - ties/(n*(n-1))))
	if deviation == 0 {
		return 1
	}
	return 0.5 * math.Erfc((u-n1*n2/2)/deviation/math.Sqrt2)
}
