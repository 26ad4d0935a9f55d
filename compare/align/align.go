package align

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/stranglerfig/toolkit/compare/sequence"
)

type key struct{ test, method, route string }

// Align pairs the items of two runs.
func Align(before, after []Item) Plan {
	b, a := split(before), split(after)
	var plan Plan
	for _, k := range slices.SortedFunc(keysOf(b, a), compareKeys) {
		plan.sequence(before, after, b[k], a[k])
	}
	slices.SortFunc(plan.Pairs, func(x, y Pair) int { return x.Before - y.Before })
	slices.Sort(plan.Missing)
	slices.Sort(plan.Extra)
	return plan
}

func split(items []Item) map[key][]int {
	lists := map[key][]int{}
	for i, it := range items {
		k := key{it.Test, it.Method, it.Route}
		lists[k] = append(lists[k], i)
	}
	return lists
}

func keysOf(b, a map[key][]int) func(yield func(key) bool) {
	return func(yield func(key) bool) {
		for k := range b {
			if !yield(k) {
				return
			}
		}
		for k := range a {
			if _, both := b[k]; !both && !yield(k) {
				return
			}
		}
	}
}

func compareKeys(x, y key) int {
	return cmp.Or(cmp.Compare(x.test, y.test), cmp.Compare(x.method, y.method), cmp.Compare(x.route, y.route))
}

// sequence pairs what one test sent to one route.
func (p *Plan) sequence(before, after []Item, b, a []int) {
	gb, ga := groups(before, b), groups(after, a)
	for _, m := range match(before, after, gb, ga) {
		switch {
		case m.After < 0:
			p.Missing = append(p.Missing, gb[m.Before].items...)
		case m.Before < 0:
			p.Extra = append(p.Extra, ga[m.After].items...)
		default:
			p.group(before, after, gb[m.Before], ga[m.After])
		}
	}
}

// A group is a run of items that belong together: polls of one path, or what was sent at once.
type group struct {
	items []int
	raced bool
	print string
}

// groups splits what one test sent to one route.
func groups(items []Item, list []int) []group {
	var all []group
	for at := 0; at < len(list); {
		first := items[list[at]]
		g := group{items: list[at : at+1], print: first.Print}
		end := first.End
		for next := at + 1; next < len(list); next++ {
			it := items[list[next]]
			overlaps := it.Start < end
			if !overlaps && (g.raced || !polls(items, list[next-1], list[next])) {
				break
			}
			if overlaps && !g.raced && len(g.items) > 1 {
				break // polls that end in a race: the race begins a group of its own
			}
			g.raced = g.raced || overlaps
			g.items = list[at : next+1]
			end = max(end, it.End)
		}
		all = append(all, g)
		at += len(g.items)
	}
	return all
}

// polls reports whether an item asks the same again, with nothing else of its test between.
func polls(items []Item, one, next int) bool {
	x, y := items[one], items[next]
	if x.Method != http.MethodGet || y.Method != http.MethodGet || x.Path != y.Path || x.Print != y.Print {
		return false
	}
	for _, it := range items[one+1 : next] {
		if it.Test == x.Test {
			return false
		}
	}
	return true
}

// group pairs the items of two groups.
func (p *Plan) group(before, after []Item, b, a group) {
	raced := b.raced || a.raced
	if raced {
		p.race(before, after, b.items, a.items)
		return
	}
	if len(b.items) == len(a.items) {
		for i := range b.items {
			p.Pairs = append(p.Pairs, Pair{Before: b.items[i], After: a.items[i]})
		}
		return
	}
	last := Pair{Before: b.items[len(b.items)-1], After: a.items[len(a.items)-1]}
	last.Polls = max(len(b.items)-len(a.items), len(a.items)-len(b.items))
	p.Pairs = append(p.Pairs, last)
}

// race pairs what was sent at once: by status, then by request.
func (p *Plan) race(before, after []Item, b, a []int) {
	order := func(items []Item, list []int) []int {
		list = slices.Clone(list)
		slices.SortStableFunc(list, func(x, y int) int {
			return cmp.Or(cmp.Compare(items[x].Status, items[y].Status), cmp.Compare(items[x].Print, items[y].Print))
		})
		return list
	}
	b, a = order(before, b), order(after, a)
	for _, m := range sequence.Align(len(b), len(a), maxCells, func(i, j int) bool { return before[b[i]].Status == after[a[j]].Status }) {
		switch {
		case m.After < 0:
			p.Missing = append(p.Missing, b[m.Before])
		case m.Before < 0:
			p.Extra = append(p.Extra, a[m.After])
		default:
			p.Pairs = append(p.Pairs, Pair{Before: b[m.Before], After: a[m.After], Raced: true})
		}
	}
}
