package tutorial

import (
	"slices"
	"strings"
)

// Fix returns the source of c with the output blocks that results contradict
// rewritten, and missing ones added. Lines and words of the text that still match
// what was printed stay as they are, with their placeholders.
func Fix(c Chapter, results []Result) []byte {
	source := slices.Clone(c.Source)
	for _, r := range slices.Backward(results) {
		if Match(r.Block.Output, r.Output) == "" {
			continue
		}
		text := merge(splitLines(r.Block.Output), splitLines(r.Output))
		if !r.Block.shown {
			text = "\n```text output\n" + text + "```\n"
		}
		source = slices.Replace(source, r.Block.output.start, r.Block.output.end, []byte(text)...)
	}
	return source
}

// What turning the text into what was printed costs, a line. Where "..." stands for
// lines it is cheaper than another change, but not free: it does not swallow news.
const (
	dropCost    = 3 // a line of the text goes
	addCost     = 2 // a printed line comes
	alterCost   = 1 // most of the line's words match
	replaceCost = 4
	elideCost   = 1
)

// merge aligns the lines of the text with those that were printed, so that as little
// as possible changes, and returns the new text.
func merge(want, got []string) string {
	costs := costsOf(want, got)
	var b strings.Builder
	line := func(s string) { b.WriteString(s + "\n") }
	i, j, eliding := 0, 0, false
	for i < len(want) || j < len(got) {
		here := costs.best[i][j]
		switch {
		case i < len(want) && want[i] == anyLines && !eliding:
			line(anyLines)
			eliding = true
		case eliding && costs.best[i+1][j] == here:
			i, eliding = i+1, false
		case eliding:
			j++
		case i < len(want) && j < len(got) && costs.pair[i][j]+costs.best[i+1][j+1] == here:
			line(mergeLine(want[i], got[j]))
			i, j = i+1, j+1
		case j < len(got) && addCost+costs.best[i][j+1] == here:
			line(got[j])
			j++
		default:
			i++
		}
	}
	return b.String()
}

// costs are the costs of pairing two lines, and the least cost of turning want[i:]
// into got[j:].
type costs struct{ pair, best [][]int }

func costsOf(want, got []string) costs {
	c := costs{make([][]int, len(want)), make([][]int, len(want)+1)}
	c.best[len(want)] = make([]int, len(got)+1)
	for j := range got {
		c.best[len(want)][j] = addCost * (len(got) - j)
	}
	for i := len(want) - 1; i >= 0; i-- {
		c.pair[i], c.best[i] = make([]int, len(got)), make([]int, len(got)+1)
		matches := lineMatcher(want[i])
		for j := len(got); j >= 0; j-- {
			if want[i] == anyLines {
				c.best[i][j] = c.best[i+1][j]
				if j < len(got) {
					c.pair[i][j] = replaceCost
					c.best[i][j] = min(c.best[i][j], elideCost+c.best[i][j+1])
				}
				continue
			}
			c.best[i][j] = dropCost + c.best[i+1][j]
			if j < len(got) {
				c.pair[i][j] = pairCost(want[i], got[j], matches)
				c.best[i][j] = min(c.best[i][j], addCost+c.best[i][j+1], c.pair[i][j]+c.best[i+1][j+1])
			}
		}
	}
	return c
}

func pairCost(want, got string, matches func(string) bool) int {
	if matches(got) {
		return 0
	}
	w, g := strings.Fields(want), strings.Fields(got)
	same := 0
	for i := range min(len(w), len(g)) {
		if lineMatcher(w[i])(g[i]) {
			same++
		}
	}
	if len(w) == len(g) && 2*same > len(w) {
		return alterCost
	}
	return replaceCost
}

// mergeLine returns want if it matches got, otherwise got with the words that want's
// words match written as in want.
func mergeLine(want, got string) string {
	if lineMatcher(want)(got) {
		return want
	}
	w, g := strings.Fields(want), strings.Fields(got)
	if len(w) != len(g) {
		return got
	}
	var b strings.Builder
	for rest, i := got, 0; i < len(g); i++ {
		at := strings.Index(rest, g[i])
		b.WriteString(rest[:at])
		rest = rest[at+len(g[i]):]
		if w[i] != "..." && lineMatcher(w[i])(g[i]) {
			b.WriteString(w[i])
		} else {
			b.WriteString(g[i])
		}
	}
	return b.String()
}
