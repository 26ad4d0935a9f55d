package yamldoc_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/stranglerfig/toolkit/internal/yamldoc"
)

func TestInsertAndRemoveTop(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ before, after string }{
		"after the first key": {"# c\nversion: 1 # v\n\na: x\n", "# c\nversion: 1 # v\npanic: \"w\\\"\\\\y\"\n\na: x\n"},
		"crlf":                {"version: 1\r\na: x\r\n", "version: 1\r\npanic: \"w\\\"\\\\y\"\r\na: x\r\n"},
		"first is a mapping":  {"r:\n  a: x\n", "panic: \"w\\\"\\\\y\"\nr:\n  a: x\n"},
		"first is a block":    {"a: |\n  x\n", "panic: \"w\\\"\\\\y\"\na: |\n  x\n"},
		"indented":            {"  version: 1\n  a: x\n", "  version: 1\n  panic: \"w\\\"\\\\y\"\n  a: x\n"},
		"no end":              {"version: 1", "panic: \"w\\\"\\\\y\"\nversion: 1"},
		"byte order mark":     {"\xef\xbb\xbfversion: 1", "\xef\xbb\xbfpanic: \"w\\\"\\\\y\"\nversion: 1"},
		"marker":              {"---\nversion: 1\n", "---\nversion: 1\npanic: \"w\\\"\\\\y\"\n"},
		"braces":              {"{version: 1, a: x} # c\n", "{panic: \"w\\\"\\\\y\", version: 1, a: x} # c\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := parse(t, test.before).InsertTop("panic", `w"\y`)
			if err != nil || string(got) != test.after {
				t.Fatalf("got %v\n%q\nwant\n%q", err, got, test.after)
			}
			back, err := parse(t, test.after).RemoveTop("panic")
			if err != nil || string(back) != test.before {
				t.Errorf("back: got %v\n%q\nwant\n%q", err, back, test.before)
			}
		})
	}
}

func TestTopRefuses(t *testing.T) {
	t.Parallel()
	for name, source := range map[string]string{"nothing": "", "a list": "- a\n", "there": "a: 1\npanic: x\n", "empty": "{}\n"} {
		if got, err := parse(t, source).InsertTop("panic", "x"); err == nil {
			t.Errorf("insert, %s: %q", name, got)
		}
	}
	for name, source := range map[string]string{
		"missing": "a: 1\n", "twice": "panic: x\npanic: y\n", "mapping": "panic: {a: b}\n", "two lines": "panic:\n  x\na: 1\n",
		"shared": "panic: &x y\na: *x\n",
	} {
		if got, err := parse(t, source).RemoveTop("panic"); err == nil {
			t.Errorf("remove, %s: %q", name, got)
		}
	}
}

// Any text comes back as it was, on one line, whatever the file looks like, and all
// other bytes stay; taking it out again leaves the file as it was.
func TestTopOnRandomFormatting(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		source := drawYAML(t).Bytes()
		doc, err := yamldoc.Parse("r.yaml", source)
		if err != nil {
			t.Fatal(err)
		}
		value := rapid.String().Draw(t, "value")
		got, err := doc.InsertTop("panic", value)
		if err != nil {
			t.Fatalf("insert %q: %v\n%s", value, err, source)
		}
		after, err := yamldoc.Parse("r.yaml", got)
		if err != nil || after.Root.Get("panic").Text != value {
			t.Fatalf("%v\n%s", err, got)
		}
		var kept []string
		for line := range strings.Lines(string(got)) {
			if !strings.HasPrefix(strings.TrimPrefix(line, "\xef\xbb\xbf"), "panic: ") {
				kept = append(kept, line)
			}
		}
		if strings.Join(kept, "") != string(source) {
			t.Fatalf("more than a line changed\n%q\n%q", source, got)
		}
		back, err := after.RemoveTop("panic")
		if err != nil || string(back) != string(source) {
			t.Fatalf("remove: %v\n%q\n%q", err, back, source)
		}
	})
}
