package differ

// A pairing is an element of BEFORE and its counterpart in AFTER; -1 is none.
type pairing struct{ before, after int }

// maxCells bounds the table of one alignment; longer runs of changes are paired in order.
const maxCells = 1 << 20

// inSequence aligns two sequences by their longest common subsequence. Elements between
// matches are paired in order, so a changed element is a pair and not a removal and an
// addition.
func inSequence(before, after []string) []pairing {
	head := 0
	for head < len(before) && head < len(after) && before[head] == after[head] {
		head++
	}
	tail := 0
	for tail < len(before)-head && tail < len(after)-head && before[len(before)-1-tail] == after[len(after)-1-tail] {
		tail++
	}
	b, a := before[head:len(before)-tail], after[head:len(after)-tail]
	var matches []pairing
	for i := range head {
		matches = append(matches, pairing{i, i})
	}
	for _, m := range common(b, a) {
		matches = append(matches, pairing{m.before + head, m.after + head})
	}
	for i := tail; i > 0; i-- {
		matches = append(matches, pairing{len(before) - i, len(after) - i})
	}
	return fillGaps(matches, len(before), len(after))
}

// common returns a longest common subsequence.
func common(b, a []string) []pairing {
	if len(b) == 0 || len(a) == 0 || len(b) > maxCells/len(a) {
		return nil
	}
	width := len(a) + 1
	length := make([]int32, (len(b)+1)*width) // of the common subsequence of b[i:] and a[j:]
	for i := len(b) - 1; i >= 0; i-- {
		for j := len(a) - 1; j >= 0; j-- {
			if b[i] == a[j] {
				length[i*width+j] = length[(i+1)*width+j+1] + 1
			} else {
				length[i*width+j] = max(length[(i+1)*width+j], length[i*width+j+1])
			}
		}
	}
	var matches []pairing
	for i, j := 0, 0; i < len(b) && j < len(a); {
		switch {
		case b[i] == a[j]:
			matches = append(matches, pairing{i, j})
			i++
			j++
		case length[(i+1)*width+j] >= length[i*width+j+1]:
			i++
		default:
			j++
		}
	}
	return matches
}

// fillGaps pairs the elements between increasing matches in order.
func fillGaps(matches []pairing, before, after int) []pairing {
	all := make([]pairing, 0, max(before, after))
	i, j := 0, 0
	for _, m := range append(matches, pairing{before, after}) {
		for i < m.before && j < m.after {
			all = append(all, pairing{i, j})
			i++
			j++
		}
		for ; i < m.before; i++ {
			all = append(all, pairing{i, -1})
		}
		for ; j < m.after; j++ {
			all = append(all, pairing{-1, j})
		}
		if m.before < before {
			all = append(all, m)
		}
		i, j = m.before+1, m.after+1
	}
	return all
}

// byText pairs equal elements wherever they stand, the k-th with the k-th. What is left
// is paired if it follows the same pair on both sides, or else, with anywhere, in order.
// increasing reports whether the pairs stand in the same order on both sides.
func byText(before, after []string, anywhere bool) (pairs []pairing, matched int, increasing bool) {
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
		pairs = append(pairs, pairing{i, j})
	}
	for j, i := range owner {
		if i < 0 {
			pairs = append(pairs, pairing{-1, j})
		}
	}
	return pairs, matched, increasing
}
