package differ_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"unicode/utf8"

	"github.com/stranglerfig/toolkit/compare/differ"
)

// FuzzReader holds the reader against encoding/json: both take the same texts for JSON, and
// what one writes the other reads as the same value.
func FuzzReader(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,-0,1.50,1e5,"é\u00e9\ud83d\ude00\ud800"],"a":null,"":{}}`, `[`, `01`, `1.`, `"\x"`, "\"\xff\"", `{"a":1,}`, ` true `, `"a` + "\n" + `"`, `[1,]`, `-`, `1e`, `{"a"}`, `nul`,
	} {
		f.Add(seed)
	}
	d := newDiffer(f, differ.Rules{})
	f.Fuzz(func(t *testing.T, text string) {
		syntax := differ.SyntaxErrorOf([]byte(text), differ.Limits{Depth: 9999})
		if valid := json.Valid([]byte(text)) && utf8.ValidString(text); valid != (syntax == nil) {
			t.Fatalf("%q: valid %v, but %v", text, valid, syntax)
		}
		if syntax != nil {
			if syntax.Offset < 0 || syntax.Offset > len(text) {
				t.Fatalf("%q: offset %d", text, syntax.Offset)
			}
			return
		}
		written := differ.NewRedactor(nil).Body([]byte(text))
		if !json.Valid(written) {
			t.Fatalf("%q was written as %q", text, written)
		}
		if got := d.Compare(nil, differ.Pair{Before: get("/x", text), After: get("/x", text)}).Findings; len(got) > 0 {
			t.Fatalf("%q differs from itself: %v", text, got)
		}
	})
}

// FuzzPath looks that no path makes the parser or the matcher fail, and that a pointer in
// a finding, used as the path of a rule, hides just that finding.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{"$.a.b", "$..k", "$['a\\'b'][0][*]", "/a/*/**/~1~0", "$[", "$...", "/", "$..*..[1]", "$['*']"} {
		f.Add(seed, "a")
	}
	f.Fuzz(func(t *testing.T, path, name string) {
		const before, after = `{"a":{"b":[1,{"k":1}]},"k":1,"a'b":[[1]]}`, `{"a":{"b":[2,{"k":2}]},"k":2,"a'b":[[2]]}`
		if d, err := differ.New(differ.Rules{Ignore: []differ.Ignore{{Scope: differ.Scope{Path: path}}}}); err == nil {
			d.Compare(nil, differ.Pair{Before: get("/x", before), After: get("/x", after)})
		}
		if !utf8.ValidString(name) || name == "*" || name == "**" {
			return // in a rule these stand for any name
		}
		quoted := encode(t, name)
		pair := differ.Pair{Before: get("/x", fmt.Sprintf(`{%s:1,"z":{%s:1}}`, quoted, quoted)), After: get("/x", fmt.Sprintf(`{%s:2,"z":{%s:1}}`, quoted, quoted))}
		if name == "z" {
			return
		}
		found := newDiffer(t, differ.Rules{}).Compare(nil, pair).Findings
		if len(found) != 1 {
			t.Fatalf("%q: %v", name, found)
		}
		d := newDiffer(t, differ.Rules{Ignore: []differ.Ignore{{Scope: differ.Scope{Path: found[0].Pointer}}}})
		if left := d.Compare(nil, pair).Findings; len(left) > 0 {
			t.Fatalf("%q: %s did not hide %v", name, found[0].Pointer, left)
		}
	})
}

// FuzzBodies compares any two bodies of any type: nothing panics, nothing differs from
// itself, and the same comparison gives the same result.
func FuzzBodies(f *testing.F) {
	for _, contentType := range []string{"application/json", "text/html", "text/plain", "application/x-ndjson", "", "image/png"} {
		f.Add(`{"id":17,"l":[{"id":1},{"id":2}],"u":"`+u1+`"}`, `{"id":18,"l":[{"id":2},{"id":1}],"u":"`+u2+`"}`, contentType)
		f.Add("<p class=a>x</p></p><b><i></b>", "<p>x<br/></p>", contentType)
	}
	d := newDiffer(f, differ.Rules{Derived: []string{"a{id}"}})
	f.Fuzz(func(t *testing.T, a, b, contentType string) {
		before, after := typed(a, contentType), typed(b, contentType)
		before.Method, after.Method = "POST", "POST"
		var noise differ.Noise
		for range 2 {
			pairs := []differ.Pair{{Before: before, After: after}, {Before: before, After: after}}
			if one, two := fmt.Sprint(d.CompareAll(&noise, pairs)), fmt.Sprint(d.CompareAll(&noise, pairs)); one != two {
				t.Fatalf("%s\nand\n%s", one, two)
			}
			for i, r := range d.CompareAll(nil, []differ.Pair{{Before: before, After: before}, {Before: after, After: after}}) {
				if len(r.Findings) > 0 {
					t.Fatalf("side %d differs from itself: %v", i, r.Findings)
				}
			}
			d.Learn(&noise, before, after)
		}
	})
}
