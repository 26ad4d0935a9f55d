// Package sequence aligns two sequences.
package sequence

// A Pair is a place in BEFORE and its counterpart in AFTER; -1 is none.
type Pair struct{ Before, After int }

// Align aligns sequences of n and m elements by their longest common subsequence. Elements
// between matches are paired in order, so a changed element is a pair and not a removal
// and an addition. most bounds the cells of the table that is made, behind what is equal at
// both ends: a longer run of changes is paired in order.
func Align(n, m, most int, same func(i, j int) bool) []Pair {
	head := 0
	for head < n && head < m && same(head, head) {
		head++
	}
	tail := 0
	for tail < n-head && tail < m-head && same(n-1-tail, m-1-tail) {
		tail++
	}
	matches := make([]Pair, 0, max(n, m))
	for i := range head {
		matches = append(matches, Pair{i, i})
	}
	rows, columns := n-tail-head, m-tail-head
	if rows > 0 && columns > 0 && rows <= most/columns {
		for _, p := range common(rows, columns, func(i, j int) bool { return same(head+i, head+j) }) {
			matches = append(matches, Pair{head + p.Before, head + p.After})
		}
	}
	for i := tail; i > 0; i-- {
		matches = append(matches, Pair{n - i, m - i})
	}
	return Fill(matches, n, m)
}

// common returns a longest common subsequence.
func common(n, m int, same func(i, j int) bool) []Pair {
	width := m + 1
	length := make([]int32, (n+1)*width) // of the common subsequence behind i and j
	for i := n - 1; i >= 0; i-- {
		for j := m - 1; j >= 0; j-- {
			if same(i, j) {
				length[i*width+j] = length[(i+1)*width+j+1] + 1
			} else {
				length[i*width+j] = max(length[(i+1)*width+j], length[i*width+j+1])
			}
		}
	}
	var matches []Pair
	for i, j := 0, 0; i < n && j < m; {
		switch {
		case same(i, j):
			matches = append(matches, Pair{i, j})
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

// Fill pairs the elements of sequences of n and m elements that lie between increasing
// matches, in order.
func Fill(matches []Pair, n, m int) []Pair {
	all := make([]Pair, 0, max(n, m))
	i, j := 0, 0
	for _, next := range append(matches, Pair{n, m}) {
		for i < next.Before && j < next.After {
			all = append(all, Pair{i, j})
			i++
			j++
		}
		for ; i < next.Before; i++ {
			all = append(all, Pair{i, -1})
		}
		for ; j < next.After; j++ {
			all = append(all, Pair{-1, j})
		}
		if next.Before < n {
			all = append(all, next)
		}
		i, j = next.Before+1, next.After+1
	}
	return all
}
