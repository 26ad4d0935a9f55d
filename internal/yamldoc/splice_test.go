package yamldoc_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/stranglerfig/toolkit/internal/yamldoc"
)

func TestSetStringKeepsEverythingElse(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ before, after string }{
		"comment":       {"r:\n  a:\n    stage:   monolith   # keep\n", "r:\n  a:\n    stage:   live   # keep\n"},
		"flow":          {"r: {a: { match: GET /x,stage: monolith }, b: {stage: monolith}}\n", "r: {a: { match: GET /x,stage: live }, b: {stage: monolith}}\n"},
		"double quotes": {"r: {a: {\"stage\": \"monolith\"}}\n", "r: {a: {\"stage\": \"live\"}}\n"},
		"single quotes": {"r:\n  a:\n    'stage': 'monolith'\n", "r:\n  a:\n    'stage': 'live'\n"},
		"two words":     {"r: {a: {stage: canary 5%, x: 1}} # c\n", "r: {a: {stage: live, x: 1}} # c\n"},
		"crlf":          {"r:\r\n  a:\r\n    stage: monolith\r\n# end\r\n", "r:\r\n  a:\r\n    stage: live\r\n# end\r\n"},
		"no end":        {"r:\n  a:\n    stage: monolith", "r:\n  a:\n    stage: live"},
		"alias":         {"s: &s monolith\nr:\n  a:\n    stage: *s\n", "s: &s monolith\nr:\n  a:\n    stage: live\n"},
		"not ascii":     {"r:\n  a: {m: \"/日本 é\", stage: monolith} # ü\n", "r:\n  a: {m: \"/日本 é\", stage: live} # ü\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := parse(t, test.before).SetString("live", "r", "a", "stage")
			if err != nil || string(got) != test.after {
				t.Errorf("got %v\n%s\nwant\n%s", err, got, test.after)
			}
		})
	}
}

func TestSetStringRefuses(t *testing.T) {
	t.Parallel()
	for name, source := range map[string]string{
		"shared anchor": "r:\n  a:\n    stage: &s monolith\n  b:\n    stage: *s\n",
		"next line":     "r:\n  a:\n    stage:\n      monolith\n",
		"block":         "r:\n  a:\n    stage: |\n      monolith\n",
		"twice":         "r:\n  a:\n    stage: x\n    stage: y\n",
		"missing":       "r:\n  a:\n    other: x\n",
		"mapping":       "r:\n  a:\n    stage: {x: y}\n",
		"shared route":  "x: &x {stage: monolith}\nr:\n  a: *x\n  b: *x\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := parse(t, source).SetString("live", "r", "a", "stage"); err == nil {
				t.Errorf("no error, but\n%s", got)
			}
		})
	}
}

// yamlText draws a configuration in random formatting and says where the value of
// each route's stage stands.
type yamlText struct {
	bytes.Buffer
	from, to []int // of the stages, without quotes
	names    []string
}

func drawYAML(t *rapid.T) *yamlText {
	y := &yamlText{}
	end := rapid.SampledFrom([]string{"\n", "\r\n"}).Draw(t, "line end")
	comment := rapid.SampledFrom([]string{"", " # é: {x}", "   # stage: live", "\t# 'quoted\""})
	filler := rapid.SampledFrom([]string{"", end, "# comment: 日本" + end, "   # indented" + end + end})
	blank := rapid.SampledFrom([]string{" ", "  ", "     "})
	word := rapid.SampledFrom([]string{"monolith", "live", "canary 10%", "done", "ÄÖ stage", "x#y", "a:b"})
	quote := rapid.SampledFrom([]string{"", "", `"`, "'"})
	indent := strings.Repeat(" ", rapid.IntRange(1, 5).Draw(t, "indent"))
	if rapid.Bool().Draw(t, "bom") {
		y.WriteString("\xef\xbb\xbf")
	}
	y.WriteString(filler.Draw(t, "head") + "version: 1" + comment.Draw(t, "c") + end + "routes:" + comment.Draw(t, "c") + end)
	stage := func() {
		key := quote.Draw(t, "key quote")
		q := quote.Draw(t, "quote")
		fmt.Fprintf(y, "%sstage%s:%s%s", key, key, blank.Draw(t, "blank"), q)
		y.from = append(y.from, y.Len())
		y.WriteString(word.Draw(t, "stage"))
		y.to = append(y.to, y.Len())
		y.WriteString(q)
	}
	for i := range rapid.IntRange(1, 5).Draw(t, "routes") {
		name := fmt.Sprintf("%s-%d", rapid.SampledFrom([]string{"orders", "ünï", "a.b", "x_y"}).Draw(t, "name"), i)
		y.names = append(y.names, name)
		match := rapid.SampledFrom([]string{"GET /x", `"/é/**"`, "'POST /a/{id}'"}).Draw(t, "match")
		y.WriteString(filler.Draw(t, "filler") + indent + name + ":")
		if rapid.Bool().Draw(t, "flow") {
			fmt.Fprintf(y, " {%smatch: %s,%s", strings.TrimPrefix(blank.Draw(t, "b"), " "), strings.ReplaceAll(match, "GET /x", "/x"), blank.Draw(t, "b"))
			stage()
			y.WriteString(rapid.SampledFrom([]string{"}", " }", ", to: s }"}).Draw(t, "close"))
		} else {
			inner := indent + strings.Repeat(" ", rapid.IntRange(1, 4).Draw(t, "inner"))
			y.WriteString(comment.Draw(t, "c") + end + inner + "match: " + match + comment.Draw(t, "c") + end + filler.Draw(t, "filler") + inner)
			stage()
		}
		y.WriteString(comment.Draw(t, "c") + end)
	}
	return y
}

func TestSetStringOnRandomFormatting(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		y := drawYAML(t)
		source := y.Bytes()
		doc, err := yamldoc.Parse("r.yaml", source)
		if err != nil {
			t.Fatalf("parse: %v\n%s", err, source)
		}
		i := rapid.IntRange(0, len(y.names)-1).Draw(t, "which")
		value := rapid.SampledFrom([]string{"monolith", "live", "canary 5%"}).Draw(t, "value")
		got, err := doc.SetString(value, "routes", y.names[i], "stage")
		if err != nil {
			t.Fatalf("set %s: %v\n%s", y.names[i], err, source)
		}
		want := string(source[:y.from[i]]) + value + string(source[y.to[i]:])
		if string(got) != want {
			t.Fatalf("got\n%q\nwant\n%q", got, want)
		}
	})
}

func TestReplaceKeepsModeAndFollowsLinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	target, link := filepath.Join(dir, "real", "c.yaml"), filepath.Join(dir, "link.yaml")
	if err := os.Mkdir(filepath.Dir(target), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, target, "a: 1\n", 0o640)
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	if err := yamldoc.Replace(link, []byte("a: 1\n"), []byte("a: 2\n")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(target)
	if err != nil || info.Mode() != 0o640 || read(t, target) != "a: 2\n" {
		t.Errorf("the target is %v %v %q", info.Mode(), err, read(t, target))
	}
	if info, _ := os.Lstat(link); info.Mode()&os.ModeSymlink == 0 {
		t.Error("the link was replaced by a file")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "real", ".*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestReplaceRefusesAFileThatChanged(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "c.yaml")
	write(t, path, "a: 3\n", 0o600)
	err := yamldoc.Replace(path, []byte("a: 1\n"), []byte("a: 2\n"))
	if !errors.Is(err, yamldoc.ErrChanged) || read(t, path) != "a: 3\n" {
		t.Errorf("got %v, file %q", err, read(t, path))
	}
}

func TestUpdatesDoNotLoseEachOther(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "c.yaml")
	const writers = 20
	var text strings.Builder
	for i := range writers {
		fmt.Fprintf(&text, "k%d: old\n", i)
	}
	write(t, path, text.String(), 0o600)
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			err := yamldoc.Update(path, func(before []byte) ([]byte, error) {
				doc, err := yamldoc.Parse(path, before)
				if err != nil {
					return nil, err
				}
				return doc.SetString("new", fmt.Sprintf("k%d", i))
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := read(t, path); got != strings.ReplaceAll(text.String(), "old", "new") {
		t.Errorf("updates were lost:\n%s", got)
	}
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
