package tutorial

import (
	"regexp"
	"strings"

	"github.com/aymanbagabas/go-udiff"
)

// placeholders are the words that an output block may use for a value that differs
// from run to run.
var placeholders = map[string]string{
	"<n>":       `[0-9][0-9,]*(?:\.[0-9]+)?`,
	"<ms>":      `[0-9]+(?:\.[0-9]+)?`,
	"<id>":      `[0-9]+`,
	"<pid>":     `[0-9]+`,
	"<hash>":    `[0-9a-f]{6,64}`,
	"<uuid>":    `[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`,
	"<time>":    `[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:Z|[+-][0-9]{2}:[0-9]{2})?|[0-9]{2}:[0-9]{2}:[0-9]{2}|[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT`,
	"<version>": `\S+`,
}

// anyLines is the line that stands for any lines.
const anyLines = "..."

var special = regexp.MustCompile(`\.\.\.|<[a-z]+>| +`)

// Match compares what the text shows with what was printed and returns "" or a diff
// of the two. A line "..." stands for any lines, also none; "..." inside a line for
// any text in that line; a placeholder for a value of its kind; blanks for blanks.
func Match(want, got string) string {
	lines := splitLines(got)
	var reach []bool // reach[j]: the wanted lines so far can end before line j
	reach = append(make([]bool, 0, len(lines)+1), true)
	reach = reach[:len(lines)+1]
	for _, w := range splitLines(want) {
		next := make([]bool, len(lines)+1)
		matches := lineMatcher(w)
		for j, ok := range reach {
			switch {
			case w == anyLines:
				next[j] = ok || j > 0 && next[j-1]
			case ok && j < len(lines) && matches(lines[j]):
				next[j+1] = true
			}
		}
		reach = next
	}
	if reach[len(lines)] {
		return ""
	}
	return udiff.Unified("text", "printed", joinLines(splitLines(want)), joinLines(lines))
}

func joinLines(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return strings.Join(lines, "\n") + "\n"
}

// lineMatcher returns the test for one line of an output block.
func lineMatcher(want string) func(string) bool {
	var pattern strings.Builder
	pattern.WriteString("^")
	at := 0
	for _, m := range special.FindAllStringIndex(want, -1) {
		pattern.WriteString(regexp.QuoteMeta(want[at:m[0]]))
		word := want[m[0]:m[1]]
		switch kind, known := placeholders[word]; {
		case word == "...":
			pattern.WriteString(".*")
		case known:
			pattern.WriteString("(?:" + kind + ")")
		case word[0] == ' ':
			pattern.WriteString(" +")
		default:
			pattern.WriteString(regexp.QuoteMeta(word))
		}
		at = m[1]
	}
	pattern.WriteString(regexp.QuoteMeta(want[at:]) + "$")
	return regexp.MustCompile(pattern.String()).MatchString
}

func splitLines(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, "\n")
}
