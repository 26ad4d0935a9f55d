package tutorial_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/internal/tutorial"
)

// page turns ~~~ into code fences, so that the pages in this file can be read.
func page(s string) []byte {
	return []byte(strings.ReplaceAll(s, "~~~", "```"))
}

func parse(t *testing.T, s string) tutorial.Chapter {
	t.Helper()
	c, err := tutorial.Parse("docs/tutorial/07-page.md", page(s))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestRunSaysWhatIsNotAsTheTextSays(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ page, want string }{
		"all is well":    {"~~~sh run\nx=1; echo a\n~~~\nthen\n~~~text output\na\n~~~\n~~~sh run exit=3\n(exit $((x+2)))\n~~~\n", ""},
		"wrong output":   {"~~~sh run\necho b\n~~~\n~~~text output\na\n~~~\n", "07-page.md:2: echo b\nthe output is not what the text shows"},
		"wrong code":     {"~~~sh run\nfalse\n~~~\n", "07-page.md:2: false\nexit code 1, the text says 0"},
		"code not 0":     {"~~~sh run exit=2\ntrue\n~~~\n", "exit code 0, the text says 2"},
		"silent by text": {"~~~sh run\necho surprise\n~~~\n", "+surprise"},
		"hangs":          {"~~~sh run timeout=200ms\nsleep 100\n~~~\n", "still running after 200ms"},
		"stops there":    {"~~~sh run\nfalse\n~~~\n~~~sh run\ntouch reached\n~~~\n", "exit code 1"},
		"says all":       {"~~~sh run\necho 1\n~~~\n\n~~~sh run\necho 2\n~~~\n", "07-page.md:6: echo 2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := tutorial.Run(parse(t, test.page), newShell(t), tutorial.Ports{})
			switch {
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v, want %q in it", err, test.want)
			}
		})
	}
}

func TestParseRefusesWhatItWouldPassOver(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ page, want string }{
		"neither run nor skip":   {"~~~sh\nls\n~~~\n", ":1: "},
		"skip without reason":    {"~~~sh skip\nls\n~~~\n", "neither run nor skip"},
		"run and skip":           {"~~~sh run skip=\"no\"\nls\n~~~\n", "neither run nor skip"},
		"unknown attribute":      {"~~~sh run retries=3\nls\n~~~\n", `unknown attribute "retries"`},
		"bad timeout":            {"~~~sh run timeout=5\nls\n~~~\n", "time"},
		"other shell":            {"~~~bash run\nls\n~~~\n", "want"},
		"output alone":           {"text\n\n~~~text output\na\n~~~\n", ":3: an output block without commands"},
		"two outputs":            {"~~~sh run\nls\n~~~\n~~~text output\na\n~~~\n~~~text output\na\n~~~\n", ":7: an output block without"},
		"in a list":              {"- item\n\n  ~~~sh run\n  ls\n  ~~~\n", "inside a list"},
		"embed without language": {"<!-- embed: go.mod -->\n\n~~~\na\n~~~\n", "with its language"},
		"embed without block":    {"<!-- embed: go.mod -->\n\ntext\n", "and a code block with its language"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := tutorial.Parse("07-page.md", page(test.page))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q in it", err, test.want)
			}
		})
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	c := parse(t, "# Title\n\n## Goal\n\n~~~sh skip=\"needs a terminal\"\nmake demo\n~~~\n\n## Do it\n~~~sh run timeout=5s exit=1\nls\n~~~\n\n~~~yaml\na: b\n~~~\n")
	if c.Number != "07" || strings.Join(c.Sections, "|") != "Goal|Do it" || len(c.Blocks) != 1 {
		t.Fatalf("got %+v", c)
	}
	if b := c.Blocks[0]; b.Command != "ls\n" || b.Exit != 1 || b.Timeout.String() != "5s" || b.Line != 11 {
		t.Errorf("got %+v", b)
	}
}

func TestMatch(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		want, got string
		match     bool
	}{
		{"", "", true},
		{"", "a", false},
		{"a", "", false},
		{"a\nb", "a\nb", true},
		{"a\nb", "a\nc", false},
		{"a\nb", "a\nb\nc", false},
		{"...", "", true},
		{"...", "a\nb", true},
		{"a\n...\nd", "a\nd", true},
		{"a\n...\nd", "a\nb\nd\nc\nd", true},
		{"a\n...\nd", "a\nb", false},
		{"a ... z", "a b c z", true},
		{"a ... z", "a b c", false},
		{"a   b", "a b", true},
		{"a b", "ab", false},
		{"ready in <n> s", "ready in 1.25 s", true},
		{"ready in <n> s", "ready in no s", false},
		{"at <time>", "at 2026-01-31T09:30:00.000Z", true},
		{"Date: <time>", "Date: Sat, 31 Jan 2026 09:30:00 GMT", true},
		{"at <time>", "at noon", false},
		{"id <uuid>", "id 0190e0a8-7f4c-7abc-8def-0123456789ab", true},
		{"id <uuid>", "id 0190e0a8", false},
		{"hash <hash>", "hash 0badcafe", true},
		{"<section>", "<section>", true},
		{"<section>", "12", false},
		{"a.c", "abc", false},
		{"...\n...", "x", true},
	} {
		if diff := tutorial.Match(test.want, test.got); (diff == "") != test.match {
			t.Errorf("Match(%q, %q): %q, want a match: %v", test.want, test.got, diff, test.match)
		}
	}
}

func TestFixKeepsWhatStillMatches(t *testing.T) {
	t.Parallel()
	before := "Text.\n\n~~~sh run\nprintf 'took 12 ms\\nsame 7\\nnew line\\nstate live at 10:00:00\\n1\\n2\\n3\\nlast\\n'\n~~~\n\n" +
		"~~~text output\ntook <ms> ms\ngone\nsame <n>\nstate monolith at <time>\n...\nlast\n~~~\n\nMore.\n\n~~~sh run\necho added\n~~~\n\n~~~sh run\necho ok 5\n~~~\n~~~text output\nok <n>\n~~~\nEnd.\n"
	want := "Text.\n\n~~~sh run\nprintf 'took 12 ms\\nsame 7\\nnew line\\nstate live at 10:00:00\\n1\\n2\\n3\\nlast\\n'\n~~~\n\n" +
		"~~~text output\ntook <ms> ms\nsame <n>\nnew line\nstate live at <time>\n...\nlast\n~~~\n\nMore.\n\n~~~sh run\necho added\n~~~\n\n~~~text output\nadded\n~~~\n\n~~~sh run\necho ok 5\n~~~\n~~~text output\nok <n>\n~~~\nEnd.\n"
	c := parse(t, before)
	results, err := tutorial.Run(c, newShell(t), tutorial.Ports{})
	if err == nil {
		t.Fatal("the drift was not seen")
	}
	fixed := tutorial.Fix(c, results)
	if got := string(fixed); got != string(page(want)) {
		t.Errorf("got\n%s\nwant\n%s", got, page(want))
	}
	again, err := tutorial.Parse(c.Path, fixed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tutorial.Run(again, newShell(t), tutorial.Ports{}); err != nil {
		t.Errorf("after the fix: %v", err)
	}
}

func TestPortsOfTheTextAreFreeOnes(t *testing.T) {
	t.Parallel()
	sets, err := tutorial.FreePorts(t.Context(), 2, "8080", "9000")
	if err != nil {
		t.Fatal(err)
	}
	if sets[0].Of("8080") == sets[1].Of("8080") || sets[0].Of("8080") == sets[0].Of("9000") {
		t.Fatalf("one port twice: %+v", sets)
	}
	c := parse(t, "~~~sh run\necho http://127.0.0.1:8080/ localhost:9000 127.0.0.1:80801 price:9000\n~~~\n~~~text output\nhttp://127.0.0.1:8080/ localhost:9000 127.0.0.1:80801 price:9000\n~~~\n")
	results, err := tutorial.Run(c, newShell(t), sets[0])
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != 1 {
		t.Fatalf("got %d results", len(results))
	}
	actual := sets[0].Actual(c.Blocks[0].Command)
	if !strings.Contains(actual, "127.0.0.1:"+sets[0].Of("8080")+"/ localhost:"+sets[0].Of("9000")+" 127.0.0.1:80801 price:9000") {
		t.Errorf("typed %q", actual)
	}
}

func TestEmbedsAreCheckedAndRefreshed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, data := range map[string]string{
		"a.yaml": "x: 1\n# region: routes\n  routes:\n    a: b\n# endregion: routes\nz: 1\n",
		"b.go":   "package b\n\n// T is it.\ntype T struct{}\n\n// Run runs.\nfunc (t *T) Run() {}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	current := "<!-- embed: a.yaml#routes -->\n~~~yaml\nroutes:\n  a: b\n~~~\n\n<!-- embed: b.go#T.Run -->\n\n~~~go\n// Run runs.\nfunc (t *T) Run() {}\n~~~\n"
	if _, err := tutorial.CheckEmbeds(parse(t, current), dir); err != nil {
		t.Errorf("current blocks: %v", err)
	}
	old := strings.NewReplacer("a: b", "a: c", "Run() {}", "Run() { return }").Replace(current)
	fixed, err := tutorial.CheckEmbeds(parse(t, old), dir)
	if err == nil || !strings.Contains(err.Error(), "a.yaml") || !strings.Contains(err.Error(), "b.go") {
		t.Errorf("old blocks: %v", err)
	}
	if string(fixed) != string(page(current)) {
		t.Errorf("refreshed to\n%s", fixed)
	}
	for _, missing := range []string{"a.yaml#other", "b.go#Other", "no.txt"} {
		if _, err := tutorial.CheckEmbeds(parse(t, "<!-- embed: "+missing+" -->\n~~~text\n~~~\n"), dir); err == nil {
			t.Errorf("%s: no error", missing)
		}
	}
}
