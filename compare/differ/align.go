package differ

import "github.com/stranglerfig/toolkit/compare/sequence"

// maxCells bounds the table of one alignment.
const maxCells = 1 << 20

// inSequence aligns two sequences by their longest common subsequence.
func inSequence(before, after []string) []sequence.Pair {
	return sequence.Align(len(before), len(after), maxCells, func(i, j int) bool { return before[i] == after[j] })
}

// byText pairs equal elements wherever they stand, the k-th with the k-th. What is left
// is paired if it follows the same pair on both sides, or else, with anywhere, in order.
// increasing reports whether the pairs stand in the same order on both sides.
func byText(before, after []string, anywhere bool) (pairs []sequence.Pair, matched int, increasing bool) {
	places := map[string][]int{}
	for j, s := range after {
		places[s] = append(places[s], j)
	}
	partner := make([]int, len(before))
	follows := map[int][]int{} // what is left of AFTER, by the element of BEFORE it follows
	owner := make([]int, len(after))
	for j := range owner {
		owner[j] = -1
	}
	increasing = true
	last := -1
	for i, s := range before {
		partner[i] = -1
		if list := places[s]; len(list) > 0 {
			partner[i], places[s] = list[0], list[1:]
			owner[list[0]] = i
			increasing = increasing && list[0] > last
			last = list[0]
			matched++
		}
	}
	gap := -1
	for j, i := range owner {
		if i >= 0 && !anywhere {
			gap = i
		} else if i < 0 {
			follows[gap] = append(follows[gap], j)
		}
	}
	gap = -1
	for i, j := range partner {
		if j >= 0 && !anywhere {
			gap = i
		} else if list := follows[gap]; j < 0 && len(list) > 0 {
			j, follows[gap] = list[0], list[1:]
			owner[j] = i
		}
		pairs = append(pairs, sequence.Pair{Before: i, After: j})
	}
	for j, i := range owner {
		if i < 0 {
			pairs = append(pairs, sequence.Pair{Before: -1, After: j})
		}
	}
	return pairs, matched, increasing
}
