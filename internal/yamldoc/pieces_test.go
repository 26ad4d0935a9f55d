package yamldoc_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/stranglerfig/toolkit/internal/yamldoc"
)

// comparePieces checks that a file means the same, at the same places, however small
// the pieces are in which it is parsed, and that what is bad is bad either way. The
// parser accepts some texts that are no YAML, such as a value below the first letter
// of its key; in pieces they need not be accepted. And it refuses a tag without a
// value when more follows.
func comparePieces(t interface{ Fatalf(string, ...any) }, source []byte, tokens int, good bool) {
	whole, wholeErr := yamldoc.ParseWhole("w.yaml", source)
	pieces, piecesErr := yamldoc.ParseInPieces("w.yaml", source, tokens)
	switch {
	case !good && piecesErr != nil:
	case wholeErr == nil && piecesErr == nil:
		if diff := cmp.Diff(whole.Root, pieces.Root, cmpopts.IgnoreUnexported(yamldoc.Node{})); diff != "" {
			t.Fatalf("%d tokens at a time change the tree:\n%s\n%s", tokens, diff, source)
		}
	case wholeErr == nil:
		t.Fatalf("%d tokens at a time: %v\n%s", tokens, piecesErr, source)
	case piecesErr == nil && !bytes.Contains(source, []byte("!")):
		t.Fatalf("%d tokens at a time hide: %v\n%s", tokens, wholeErr, source)
	}
}

func TestPiecesAreTheWhole(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var b strings.Builder
		drawBlock(t, &b, "", 3)
		source := b.String()
		damage := rapid.IntRange(0, 3).Draw(t, "damage") == 0
		if damage {
			at := rapid.IntRange(0, len(source)-1).Draw(t, "at")
			bad := rapid.SampledFrom([]string{"", " ", "\n", ":", "- ", "}", "{", "x", "\n x", "#", "'"}).Draw(t, "bad")
			source = source[:at] + bad + source[at+1:]
		}
		comparePieces(t, []byte(source), rapid.IntRange(1, 12).Draw(t, "tokens"), !damage)
	})
}

// drawBlock writes a random mapping or list of any form that files have.
func drawBlock(t *rapid.T, b *strings.Builder, indent string, depth int) {
	list := rapid.IntRange(0, 3).Draw(t, "list") == 0
	for i := range rapid.IntRange(1, 6).Draw(t, "entries") {
		if rapid.IntRange(0, 5).Draw(t, "filler") == 0 {
			b.WriteString(rapid.SampledFrom([]string{"\n", "# comment: x\n", "      # deep\n"}).Draw(t, "what"))
		}
		lead := fmt.Sprintf("%sk%d:", indent, i)
		if list {
			lead = indent + "-"
		}
		b.WriteString(lead)
		inner := indent + rapid.SampledFrom([]string{"  ", "    "}).Draw(t, "indent")
		if depth > 0 && rapid.IntRange(0, 2).Draw(t, "deeper") == 0 {
			b.WriteString("\n")
			drawBlock(t, b, inner, depth-1)
			continue
		}
		b.WriteString(rapid.SampledFrom([]string{
			"", " v", " 1", " 'q: {'", ` "d # x"`, " v # c", " { a: 1, b: [x, \"y\"] }", " {\n" + inner + "a: 1,\n" + inner + "b: 2 }", " [http://h:1]",
			" |\n" + inner + "text\n" + inner + "  more: x", " >-\n" + inner + "folded", " plain\n" + inner + "goes on", " &a v", " &m\n" + inner + "x: 1\n" + inner + "y: 2",
			" !!str 1", " {}", " null",
		}).Draw(t, "value") + "\n")
	}
}

func FuzzPieces(f *testing.F) {
	for _, seed := range []string{
		"a:\n  b: 1\n  c:\n  - x\n  - y: 1\n    z: 2\nd: {\n e: f\n}\n", "- - a\n  - b\n-\n  c: d\n", "a: &x\n  b: 1\nc: *x\n", "---\na: 1\n...\n", "a:\n b:\n  c:\n d:\n", "? a\n: b\nc: d\n",
	} {
		f.Add([]byte(seed), byte(2))
	}
	f.Fuzz(func(t *testing.T, source []byte, tokens byte) {
		if strings.Contains(string(source), "%") {
			return // directives are for small files
		}
		comparePieces(t, source, int(tokens%16)+1, false)
	})
}

func TestProblemsOfLargeFiles(t *testing.T) {
	t.Parallel()
	many := func(n int) string { return strings.Repeat("    k: v\n", n) }
	for name, test := range map[string]struct{ source, want string }{
		"less indented":  {"a:\n" + many(5000) + "  b: 1\n" + many(5000), "w.yaml:5002:3: "},
		"no key":         {"a:\n" + many(5000) + "    nothing\n" + many(5000), "w.yaml:5002:5: "},
		"item":           {"a:\n" + many(5000) + "    - x\n", "w.yaml:5002:"},
		"key in a list":  {"a:\n" + strings.Repeat("  - x\n", 9000) + "  b: 1\n", "w.yaml:9002:3: "},
		"bracket":        {"a:\n" + many(5000) + "    b: [1, 2\n" + many(5000), "w.yaml:"},
		"second":         {"a:\n" + many(5000) + "---\nb: 1\n", "w.yaml:5002:1: a second YAML document"},
		"directive":      {"%YAML 1.2\n---\na:\n" + many(5000), "w.yaml:1:1: "},
		"after the end":  {"a:\n" + many(5000) + "...\nb: 1\n", "w.yaml:5003:1: "},
		"quote":          {"a:\n" + many(5000) + "    b: 'x\n" + many(5000), "w.yaml:5002:"},
		"bare keys":      {"a: {" + strings.Repeat("k, ", 5000) + "}\n", "w.yaml:1:"},
		"empty values":   {"a: {" + strings.Repeat("k: , ", 5000) + "}\n", "w.yaml:1:"},
		"merge":          {"a:\n" + many(5000) + "    <<: *x\n", "w.yaml:5002:5: merge keys"},
		"unknown anchor": {"a:\n" + many(5000) + "    b: *x\n", "w.yaml:5002:"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := yamldoc.Parse("w.yaml", []byte(test.source))
			var problems *yamldoc.ProblemsError
			if !errors.As(err, &problems) || !strings.HasPrefix(problems.OneLine(0), test.want) {
				t.Errorf("got %.400v, want %q", err, test.want)
			}
		})
	}
}

// What takes the YAML parser the square of its size takes no such time here: each of
// these would need half a minute.
func TestHostileFilesEndSoon(t *testing.T) {
	t.Parallel()
	fill := func(head, body string, lines int) string {
		n := yamldoc.LimitBytes / 2 / len(body)
		if lines > 0 {
			n = min(n, lines)
		}
		return head + strings.Repeat(body, n)
	}
	for name, source := range map[string]string{
		"one line":       fill("a: {", "k: v, ", 0) + "}",
		"bare keys":      fill("a: {", "k, ", 0) + "}",
		"mapping":        fill("", "k: v\n", 30_000),
		"anchored":       fill("a: &x\n", "  k: v\n", 30_000),
		"mapping in one": fill("- a: b\n", "  k: v\n", 30_000),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			done := make(chan struct{})
			go func() {
				_, _ = yamldoc.Parse("h.yaml", []byte(source)) // good or bad: soon
				close(done)
			}()
			select {
			case <-done:
			case <-time.After(20 * time.Second):
				t.Error("still being parsed")
			}
		})
	}
}
