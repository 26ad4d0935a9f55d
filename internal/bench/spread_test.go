package main

import (
	"fmt"
	"testing"
	"time"
)

func TestSpread(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		list []float64
		want spread
		text string
	}{
		{nil, spread{}, "–"},
		{[]float64{3}, spread{3, 3, 3}, "3.0"},
		{[]float64{9, 1, 2}, spread{2, 2, 9}, "2.0 (2.0 to 9.0)"},
		{[]float64{5, 4, 3, 2, 1}, spread{2, 3, 4}, "3.0 (2.0 to 4.0)"},
		{[]float64{100, 4, 3, 2, 0.1, 5, 1, 6, 7}, spread{2, 4, 6}, "4.0 (2.0 to 6.0)"},
	} {
		if got := spreadOf(test.list); got != test.want || got.text("%.1f") != test.text {
			t.Errorf("%v: %v %q, want %v %q", test.list, got, got.text("%.1f"), test.want, test.text)
		}
	}
}

// TestRatiosAreOfOneRound: a machine that is three times slower in some rounds than in
// others changes no ratio, although no median of the rounds shows it.
func TestRatiosAreOfOneRound(t *testing.T) {
	t.Parallel()
	c := &contest{figures: map[string]map[string][]figure{"s": {}}}
	for _, slow := range []time.Duration{3, 1, 1, 3, 3} {
		c.figures["s"]["a"] = append(c.figures["s"]["a"], figure{processor: slow * 20 * time.Microsecond})
		c.figures["s"]["b"] = append(c.figures["s"]["b"], figure{processor: slow * 25 * time.Microsecond})
	}
	c.figures["s"]["b"][4].processor = 0 // not measured: no ratio
	if got := c.against("s", "a", "b", processorOf); got != (spread{0.8, 0.8, 0.8}) {
		t.Errorf("%v, want 0.8 in each round", got)
	}
	for _, missing := range []spread{c.against("s", "a", "nobody", processorOf), c.of("s", "nobody", rateOf), c.of("nothing", "a", p50Of)} {
		if missing != (spread{}) {
			t.Errorf("%v of what was not measured", missing)
		}
	}
}

// TestTurnsAreFair: over twice as many rounds as there are contestants each comes twice in
// each place, and as often before its neighbour as behind it.
func TestTurnsAreFair(t *testing.T) {
	t.Parallel()
	all := []string{"a", "b", "c", "d", "e", "f"}
	places, before := map[string]int{}, map[string]int{}
	for round := range 2 * len(all) {
		order := inTurn(all, round)
		for at, name := range order {
			places[fmt.Sprint(name, at)]++
			if at > 0 {
				before[order[at-1]+name]++
			}
		}
	}
	for _, name := range all {
		for at := range all {
			if n := places[fmt.Sprint(name, at)]; n != 2 {
				t.Errorf("%s is %d times in place %d", name, n, at)
			}
		}
	}
	for pair, n := range before {
		if back := before[pair[1:]+pair[:1]]; n != 5 || back != 5 {
			t.Errorf("%s %d times one after the other, %d times the other way round", pair, n, back)
		}
	}
}
