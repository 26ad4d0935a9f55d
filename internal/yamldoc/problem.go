package yamldoc

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Problem is one thing that is wrong, and where.
type Problem struct {
	Pos    Pos
	Text   string // what is wrong, without place
	Remedy string // e.g. `did you mean "stage"?`; may be empty
}

// A ProblemsError holds everything that is wrong with a file, in file order.
// Its text shows each problem as file:line:column with the line and a caret.
type ProblemsError struct {
	Name     string
	Problems []Problem
	More     int      // problems that were left out, because there were so many
	lines    []string // the source line of each problem
}

const limitProblems = 50

// Fail returns a *ProblemsError with the given problems, sorted by place.
func (d *Document) Fail(problems ...Problem) error {
	sort.SliceStable(problems, func(i, j int) bool {
		a, b := problems[i].Pos, problems[j].Pos
		return a.Line < b.Line || a.Line == b.Line && a.Column < b.Column
	})
	e := &ProblemsError{Name: d.Name, Problems: problems}
	if e.More = max(0, len(problems)-limitProblems); e.More > 0 {
		e.Problems = problems[:limitProblems]
	}
	for _, p := range e.Problems {
		e.lines = append(e.lines, d.line(p.Pos.Line))
	}
	return e
}

func (e *ProblemsError) Error() string {
	var b strings.Builder
	for i := range e.Problems {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(e.OneLine(i))
		b.WriteString(e.excerpt(i))
	}
	if e.More > 0 {
		fmt.Fprintf(&b, "\n%s: and %d more problems", e.Name, e.More)
	}
	return b.String()
}

// OneLine is problem i as file:line:column: text (remedy), without the source line.
func (e *ProblemsError) OneLine(i int) string {
	p := e.Problems[i]
	text := fmt.Sprintf("%s:%d:%d: %s", e.Name, p.Pos.Line, p.Pos.Column, p.Text)
	if p.Remedy != "" {
		text += " (" + p.Remedy + ")"
	}
	return text
}

const limitExcerpt = 160 // characters of a source line that are shown

func (e *ProblemsError) excerpt(i int) string {
	line, column := []rune(strings.Map(visible, e.lines[i])), e.Problems[i].Pos.Column
	if len(line) > limitExcerpt {
		from := max(0, min(column-limitExcerpt/2, len(line)-limitExcerpt))
		line, column = line[from:from+limitExcerpt], column-from
	}
	if strings.TrimSpace(string(line)) == "" {
		return ""
	}
	number := strconv.Itoa(e.Problems[i].Pos.Line)
	pad := make([]rune, 0, column)
	for j := range column - 1 {
		if j < len(line) && line[j] == '\t' {
			pad = append(pad, '\t')
			continue
		}
		pad = append(pad, ' ')
	}
	return fmt.Sprintf("\n  %s | %s\n  %s | %s^", number, string(line), strings.Repeat(" ", len(number)), string(pad))
}

// visible keeps a hostile file from steering the terminal that shows its lines.
func visible(r rune) rune {
	if r != '\t' && (unicode.IsControl(r) || r == 0xFEFF) {
		return utf8.RuneError
	}
	return r
}

// Nearest returns the candidate that word is most likely a misspelling of, or "".
func Nearest(word string, candidates []string) string {
	best, bestDistance := "", max(2, len(word)/3)+1
	for _, c := range candidates {
		if d := distance(strings.ToLower(word), strings.ToLower(c)); d < bestDistance && d < max(len(c), 2) {
			best, bestDistance = c, d
		}
	}
	return best
}

// DidYouMean is the remedy for a misspelled word: a suggestion or the choice.
func DidYouMean(word string, candidates []string) string {
	if near := Nearest(word, candidates); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	if len(candidates) == 0 || len(candidates) > 12 {
		return ""
	}
	return "known: " + strings.Join(candidates, ", ")
}

// distance counts the edits between a and b; exchanging two neighbours is one edit.
func distance(a, b string) int {
	before, above := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, above = above, row
	}
	return above[len(b)]
}
