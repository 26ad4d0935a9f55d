package align

// A matched pair of positions; -1 is none.
type matched struct{ before, after int }

// maxCells bounds the table of one alignment; longer sequences are paired in order.
const maxCells = 1 << 22

// match aligns the groups of two sequences: in order where both have as many, else by the
// longest common subsequence of their requests.
func match(before, after []Item, b, a []group) []matched {
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
	return common(len(b), len(a), same)
}

// shuffled pairs two sequences of the same requests in another order, as a test sends them
// that goes through a map; nil if they are not the same, or in the same order.
func shuffled(b, a []group) []matched {
	places := map[string][]int{}
	for j, g := range a {
		places[g.print] = append(places[g.print], j)
	}
	var all []matched
	moved := false
	for i, g := range b {
		list := places[g.print]
		if len(list) == 0 {
			return nil
		}
		all = append(all, matched{i, list[0]})
		moved = moved || list[0] != i
		places[g.print] = list[1:]
	}
	if !moved {
		return nil
	}
	return all
}

// common returns a longest common subsequence, with what lies between its matches paired in
// order and the rest alone.
func common(n, m int, same func(i, j int) bool) []matched {
	head := 0
	var all []matched
	for head < n && head < m && same(head, head) {
		all = append(all, matched{head, head})
		head++
	}
	tail := 0
	for tail < n-head && tail < m-head && same(n-1-tail, m-1-tail) {
		tail++
	}
	all = append(all, middle(head, n-tail, m-tail, same)...)
	for i := tail; i > 0; i-- {
		all = append(all, matched{n - i, m - i})
	}
	return all
}

func middle(from, n, m int, same func(i, j int) bool) []matched {
	rows, columns := n-from, m-from
	var found []matched
	if rows > 0 && columns > 0 && rows <= maxCells/columns {
		found = subsequence(rows, columns, func(i, j int) bool { return same(from+i, from+j) })
	}
	var all []matched
	i, j := 0, 0
	for _, f := range append(found, matched{rows, columns}) {
		for i < f.before && j < f.after {
			all = append(all, matched{from + i, from + j})
			i++
			j++
		}
		for ; i < f.before; i++ {
			all = append(all, matched{from + i, -1})
		}
		for ; j < f.after; j++ {
			all = append(all, matched{-1, from + j})
		}
		if f.before < rows {
			all = append(all, matched{from + f.before, from + f.after})
		}
		i, j = f.before+1, f.after+1
	}
	return all
}

func subsequence(n, m int, same func(i, j int) bool) []matched {
	width := m + 1
	length := make([]int32, (n+1)*width)
	for i := n - 1; i >= 0; i-- {
		for j := m - 1; j >= 0; j-- {
			if same(i, j) {
				length[i*width+j] = length[(i+1)*width+j+1] + 1
			} else {
				length[i*width+j] = max(length[(i+1)*width+j], length[i*width+j+1])
			}
		}
	}
	var found []matched
	for i, j := 0, 0; i < n && j < m; {
		switch {
		case same(i, j):
			found = append(found, matched{i, j})
			i++
			j++
		case length[(i+1)*width+j] >= length[i*width+j+1]:
			i++
		default:
			j++
		}
	}
	return found
}
