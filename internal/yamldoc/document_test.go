package yamldoc_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/internal/yamldoc"
)

func parse(t *testing.T, source string) *yamldoc.Document {
	t.Helper()
	doc, err := yamldoc.Parse("test.yaml", []byte(source))
	if err != nil {
		t.Fatalf("parse: %v\n%s", err, source)
	}
	return doc
}

func TestPositions(t *testing.T) {
	t.Parallel()
	const source = "# c\nversion: 1\n\nroutes:\n  ünï: { match: \"GET /é\", stage: live } # é\n  b:\n    - one\n    - two\n"
	for name, text := range map[string]string{
		"lf":   source,
		"crlf": strings.ReplaceAll(source, "\n", "\r\n"),
		"bom":  "\xef\xbb\xbf" + source,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := parse(t, text).Root
			route := root.Get("routes").Get("ünï")
			for what, pair := range map[string][2]yamldoc.Pos{
				"version": {root.Get("version").Pos, {Line: 2, Column: 10}},
				"key":     {root.Get("routes").Entries[0].KeyPos, {Line: 5, Column: 3}},
				"quoted":  {route.Get("match").Pos, {Line: 5, Column: 17}},
				"plain":   {route.Get("stage").Pos, {Line: 5, Column: 34}},
				"item":    {root.Get("routes").Get("b").Items[1].Pos, {Line: 8, Column: 7}},
			} {
				if pair[0] != pair[1] {
					t.Errorf("%s is at %v, want %v", what, pair[0], pair[1])
				}
			}
			if got := route.Get("match").Text; got != "GET /é" {
				t.Errorf("match is %q", got)
			}
		})
	}
}

func TestKindsAndAliases(t *testing.T) {
	t.Parallel()
	root := parse(t, "a: &x { n: 1.5, t: true, z: null, s: '1' }\nb: *x\nc:\nd: |\n  text\n").Root
	if !root.Get("a").Equal(root.Get("b")) {
		t.Error("an alias differs from its anchor")
	}
	for key, kind := range map[string]yamldoc.Kind{"n": yamldoc.Number, "t": yamldoc.Bool, "z": yamldoc.Null, "s": yamldoc.String} {
		if got := root.Get("b").Get(key).Kind; got != kind {
			t.Errorf("%s is %v, want %v", key, got, kind)
		}
	}
	if root.Get("c").Kind != yamldoc.Null || root.Get("d").Text != "text\n" {
		t.Errorf("c is %v, d is %q", root.Get("c").Kind, root.Get("d").Text)
	}
	if root.Get("none").Get("deeper") != nil {
		t.Error("a missing key has a value")
	}
}

func TestAddressesInListsAreTexts(t *testing.T) {
	t.Parallel()
	for _, source := range []string{
		"a: { url: [http://h:1, https://h.example:22/x], t: 1s }\n", "a:\n  url: [http://h:1, https://h.example:22/x]\n",
		"a: { url: [http://h:1, \"https://h.example:22/x\"] }\n",
	} {
		items := parse(t, source).Root.Get("a").Get("url").Items
		if len(items) != 2 || items[0].Kind != yamldoc.String || items[0].Text != "http://h:1" || items[1].Text != "https://h.example:22/x" {
			t.Errorf("%s: %+v %+v", source, items[0], items[1])
		}
	}
	if item := parse(t, "a: { l: [x: 1, {y: 2}] }\n").Root.Get("a").Get("l").Items; item[0].Get("x").Text != "1" || item[1].Get("y").Text != "2" {
		t.Errorf("pairs: %+v", item)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	bomb := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := range 9 {
		bomb += strings.ReplaceAll("aN: &aN [*aM, *aM, *aM, *aM, *aM, *aM, *aM, *aM, *aM, *aM]\n", "M", string(rune('0'+i)))
		bomb = strings.ReplaceAll(bomb, "N", string(rune('1'+i)))
	}
	for name, test := range map[string]struct{ source, want string }{
		"tab":        {"a:\n\tb: 1\n", "test.yaml:2:"},
		"braces":     {"r: { match: GET /a/{id}, to: s }\n", "needs quotes"},
		"unclosed":   {"a: [1, 2\nb: 3\n", "test.yaml:2:1"},
		"control":    {"a: 1\nb: \x01\n", "test.yaml:2:4: control character U+0001"},
		"bare cr":    {"a: 1\rb: 2\n", "test.yaml:1:5: control character U+000D"},
		"not utf-8":  {"a: \xff\n", "test.yaml:1:4: not UTF-8 text"},
		"two docs":   {"a: 1\n---\nb: 2\n", "test.yaml:3:1: a second YAML document"},
		"merge key":  {"a: &a {x: 1}\nb:\n  <<: *a\n", "test.yaml:3:3: merge keys"},
		"cycle":      {"a: &a\n  b: [*a]\n", "test.yaml:2:7: alias *a stands for nothing"},
		"nul":        {"a: 1\x00\n", "test.yaml:1:5: control character U+0000"},
		"late bom":   {"a: 1\n\xef\xbb\xbfb: 2\n", "test.yaml:2:1: control character U+FEFF"},
		"utf-16":     {"\xff\xfea\x00:\x00", "test.yaml:1:1: not UTF-8 text"},
		"alias":      {"a: *nothing\n", "alias *nothing stands for nothing"},
		"tag":        {"a: !mine 1\n", "tag !mine is not supported"},
		"bomb":       {bomb, "the aliases make this too large"},
		"deep flow":  {"a: " + strings.Repeat("[", 100000), "nested too deeply"},
		"deep lists": {strings.Repeat("- ", 100000), "nested too deeply"},
		"many lines": {strings.Repeat("# x\n", 50_000), "the limit is"},
		"too large":  {"a: " + strings.Repeat("x", yamldoc.LimitBytes), "the limit is"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := yamldoc.Parse("test.yaml", []byte(test.source))
			if err == nil || strings.Count(err.Error(), test.want) != 1 {
				t.Errorf("got %v, want %q in it, once", err, test.want)
			}
		})
	}
}

func TestProblemsAreShownInFileOrderWithCaret(t *testing.T) {
	t.Parallel()
	doc := parse(t, "version: 1\n\tlisten: x\n"[:11]+"lísten: x\n")
	err := doc.Fail(
		yamldoc.Problem{Pos: yamldoc.Pos{Line: 2, Column: 9}, Text: "second", Remedy: "do that"},
		yamldoc.Problem{Pos: yamldoc.Pos{Line: 1, Column: 10}, Text: "first"},
	)
	const want = "test.yaml:1:10: first\n" +
		"  1 | version: 1\n" +
		"    |          ^\n" +
		"test.yaml:2:9: second (do that)\n" +
		"  2 | lísten: x\n" +
		"    |         ^"
	if err.Error() != want {
		t.Errorf("got\n%s\nwant\n%s", err, want)
	}
	var problems *yamldoc.ProblemsError
	if !errors.As(err, &problems) || problems.OneLine(0) != "test.yaml:1:10: first" {
		t.Errorf("one line: %v", problems)
	}
}

func TestDidYouMean(t *testing.T) {
	t.Parallel()
	keys := []string{"match", "to", "stage", "timeout"}
	for word, want := range map[string]string{
		"stgae": `did you mean "stage"?`, "Match": `did you mean "match"?`, "timout": `did you mean "timeout"?`,
		"zebra": "known: match, to, stage, timeout",
	} {
		if got := yamldoc.DidYouMean(word, keys); got != want {
			t.Errorf("%s: %q, want %q", word, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"a: 1\nb: [x, {c: d}]\n", "a: &x 1\nb: *x\n", "? a\n: b\n", "- |\n  x\n", "\xef\xbb\xbfa: 'b'\r\n", "%YAML 1.2\n---\na: !!str 1\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, source []byte) {
		doc, err := yamldoc.Parse("f.yaml", source)
		var problems *yamldoc.ProblemsError
		if err != nil {
			if !errors.As(err, &problems) || len(problems.Problems) == 0 {
				t.Fatalf("an error without problems: %v", err)
			}
			_ = err.Error()
			return
		}
		if !doc.Root.Equal(doc.Root) {
			t.Fatal("a tree differs from itself")
		}
		for _, e := range doc.Root.Entries {
			changed, err := doc.SetString("changed-value", e.Key)
			if err != nil {
				continue
			}
			after, err := yamldoc.Parse("f.yaml", changed)
			if err != nil || after.Root.Get(e.Key).Text != "changed-value" {
				t.Fatalf("set %q: %v\n%q\n%q", e.Key, err, source, changed)
			}
		}
	})
}
