package align

import "github.com/stranglerfig/toolkit/compare/sequence"

// maxCells bounds the table of one alignment.
const maxCells = 1 << 22

// match aligns the groups of two sequences: in order where both have as many, else by the
// longest common subsequence of their requests.
func match(before, after []Item, b, a []group) []sequence.Pair {
	same := func(i, j int) bool {
		x, y := before[b[i].items[0]], after[a[j].items[0]]
		return x.Print == y.Print && x.Status == y.Status && b[i].raced == a[j].raced
	}
	if len(b) == len(a) {
		if byPrint := shuffled(b, a); byPrint != nil {
			return byPrint
		}
		same = func(int, int) bool { return true }
	}
	return sequence.Align(len(b), len(a), maxCells, same)
}

// shuffled pairs two sequences of the same requests in another order, as a test sends them
// that goes through a map; nil if they are not the same, or in the same order.
func shuffled(b, a []group) []sequence.Pair {
	places := map[string][]int{}
	for j, g := range a {
		places[g.print] = append(places[g.print], j)
	}
	var all []sequence.Pair
	moved := false
	for i, g := range b {
		list := places[g.print]
		if len(list) == 0 {
			return nil
		}
		all = append(all, sequence.Pair{Before: i, After: list[0]})
		moved = moved || list[0] != i
		places[g.print] = list[1:]
	}
	if !moved {
		return nil
	}
	return all
}
