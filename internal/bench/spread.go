package main

import (
	"fmt"
	"slices"
)

// A spread is how a figure lies over the rounds: half of them are from low to high. The
// zero value was not measured.
type spread struct{ low, mid, high float64 }

func spreadOf(list []float64) spread {
	if len(list) == 0 {
		return spread{}
	}
	sorted := slices.Sorted(slices.Values(list))
	last := len(sorted) - 1
	return spread{sorted[(last+2)/4], sorted[len(sorted)/2], sorted[(3*last+2)/4]}
}

// text shows a spread; one round has none.
func (s spread) text(form string) string {
	switch {
	case s.mid == 0:
		return "–"
	case s.low == s.high:
		return fmt.Sprintf(form, s.mid)
	}
	return fmt.Sprintf(form+" ("+form+" to "+form+")", s.mid, s.low, s.high)
}

// each returns a figure over the rounds of a scenario, made of what its contestants had in
// one and the same round. Where that is 0, something was not measured.
func (c *contest) each(scenario string, figureOf func(at func(name string) figure) float64) spread {
	rounds := 0
	for _, list := range c.figures[scenario] {
		rounds = max(rounds, len(list))
	}
	var list []float64
	for round := range rounds {
		n := figureOf(func(name string) figure {
			if all := c.figures[scenario][name]; round < len(all) {
				return all[round]
			}
			return figure{}
		})
		if n > 0 {
			list = append(list, n)
		}
	}
	return spreadOf(list)
}

// of returns something that a contestant needed.
func (c *contest) of(scenario, name string, what func(figure) float64) spread {
	return c.each(scenario, func(at func(string) figure) float64 { return what(at(name)) })
}

// against returns how many times what another needed a contestant needed. They are compared
// within a round, as neighbours in time: the machine is faster in one round and slower in
// another by more than they differ.
func (c *contest) against(scenario, name, other string, what func(figure) float64) spread {
	return c.each(scenario, func(at func(string) figure) float64 { return ratio(what(at(name)), what(at(other))) })
}

// ratio is 0 where one of the two was not measured.
func ratio(a, b float64) float64 {
	if a <= 0 || b <= 0 {
		return 0
	}
	return a / b
}
