package differ_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stranglerfig/toolkit/compare/differ"
)

var update = flag.Bool("update", false, "rewrite the files under testdata")

func TestRulesReportEveryProblem(t *testing.T) {
	t.Parallel()
	_, err := differ.New(differ.Rules{
		Ignore:       []differ.Ignore{{Scope: differ.Scope{Path: "a.b"}}, {}},
		Relax:        []differ.Relax{{Scope: differ.Scope{Path: "$.a"}, Kind: "guid"}},
		Arrays:       []differ.Array{{Scope: differ.Scope{Path: "$.a"}}},
		Tolerances:   []differ.Tolerance{{Scope: differ.Scope{Path: "$.a"}, Absolute: "-1"}, {Scope: differ.Scope{Path: "$.a"}}},
		IDs:          []differ.ID{{Scope: differ.Scope{Path: "$.a"}}},
		Derived:      []string{"ORD-", "{order}", "a{b}{c}"},
		Headers:      map[string]differ.HeaderMode{"Etag": "weak"},
		OtherHeaders: "some",
		TimeSkew:     -1,
		Limits:       differ.Limits{Depth: -1},
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`ignore[0].path: path "a.b" starts with neither $ nor /`, "ignore[1].path: the path is empty", `relax[0].kind: unknown kind "guid"; use one of any,`,
		"arrays[0]: says nothing", `tolerances[0].absolute: "-1" is no decimal number`, "tolerances[1]: says nothing", "ids[0].namespace: empty",
		`derived[0]: "ORD-" needs exactly one`, `derived[1]: "{order}" is nothing but`, "derived[2]:", `headers[Etag]: unknown mode "weak"`, `otherHeaders: unknown mode "some"`,
		"timeSkew:", "limits:",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no word of %q in:\n%s", want, err)
		}
	}
}

// TestPaths ignores what a path names and looks what is still found.
func TestPaths(t *testing.T) {
	t.Parallel()
	const before = `{"a":{"b":1,"c d":[1,{"k":1}],"x/y":1},"items":[{"id":1,"t":1},{"id":2,"t":1}],"k":1,"7":1}`
	const after = `{"a":{"b":2,"c d":[2,{"k":2}],"x/y":2},"items":[{"id":1,"t":2},{"id":2,"t":2}],"k":2,"7":2}`
	all := []string{"/7", "/a/b", "/a/c d/0", "/a/c d/1/k", "/a/x~1y", "/items/0/t", "/items/1/t", "/k"}
	for path, hides := range map[string][]string{
		"$":                         all,
		"$.a.b":                     {"/a/b"},
		"$.a":                       all[1:5],
		"$['a']['c d'][0]":          {"/a/c d/0"},
		`$["a"]["x/y"]`:             {"/a/x~1y"},
		"$.items[*].t":              {"/items/0/t", "/items/1/t"},
		"$.items[1].t":              {"/items/1/t"},
		"$.items.1.t":               nil,
		"$..k":                      {"/a/c d/1/k", "/k"},
		"$..[1]":                    {"/a/c d/1/k", "/items/1/t"},
		"$..*":                      all,
		"$.*.b":                     {"/a/b"},
		"$.a..k":                    {"/a/c d/1/k"},
		"$.7":                       {"/7"},
		"$[7]":                      nil,
		"/items/*/t":                {"/items/0/t", "/items/1/t"},
		"/items/0/t":                {"/items/0/t"},
		"/7":                        {"/7"},
		"/a/x~1y":                   {"/a/x~1y"},
		"/**/k":                     {"/a/c d/1/k", "/k"},
		"/a/**":                     all[1:5],
		"$.nothing":                 nil,
		`$['a']['b\'']`:             nil,
		"$.items[*].t.further.down": nil,
	} {
		d := newDiffer(t, differ.Rules{Ignore: []differ.Ignore{{Scope: differ.Scope{Path: path, Reason: "a test"}}}})
		var got []string
		for _, f := range d.Compare(nil, differ.Pair{Before: get("/x", before), After: get("/x", after)}).Findings {
			got = append(got, f.Pointer)
		}
		want := slices.DeleteFunc(slices.Clone(all), func(p string) bool { return slices.Contains(hides, p) })
		if !slices.Equal(got, want) {
			t.Errorf("ignoring %s: found %q, want %q", path, got, want)
		}
		if unused := d.Unused(); (len(unused) > 0) != (len(hides) == 0) {
			t.Errorf("ignoring %s: unused %+v", path, unused)
		} else if len(unused) > 0 && (unused[0].Rule != "ignore[0]" || unused[0].Path != path || unused[0].Reason != "a test") {
			t.Errorf("unused rule named wrongly: %+v", unused)
		}
	}
	for path, want := range map[string]string{
		"$.": "column 2: the path ends too early", "$..": "too early", "$ab": `column 2: unexpected "a"`, "$[": "too early", "$[1": "no closing ]", "$[-1]": "[-1] is neither",
		"$[01]": "[01] is neither", "$['a": "no closing quote", "$['a'": "expected ]", "$.a b": "is no plain name", "$[?(@.a)]": "is neither", "/a~2": "~ must be followed", "$...a": "no plain name",
	} {
		if _, err := differ.New(differ.Rules{Ignore: []differ.Ignore{{Scope: differ.Scope{Path: path}}}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("path %s: error %v, want %q", path, err, want)
		}
	}
}

// TestGolden keeps what findings look like, in JSON and on one line.
func TestGolden(t *testing.T) {
	t.Parallel()
	d := newDiffer(t, differ.Rules{Salt: []byte("a salt"), Relax: []differ.Relax{{Scope: differ.Scope{Path: "$.request"}, Kind: "uuid"}}})
	var noise differ.Noise
	d.Learn(&noise, get("/users/1", `{"at":"2026-01-01T00:00:00Z","name":"Ann"}`), get("/users/2", `{"at":"2026-01-01T00:00:03Z","name":"Ann"}`))
	html := `<form><input name=csrf_token value=%s></form><p>%s</p>`
	var out bytes.Buffer
	for _, p := range []differ.Pair{
		{
			Before: with(get("/users/1", `{"at":"2026-01-01T00:00:00Z","name":"Ann","token":"s3cret","tags":["a","b"],"n":1,"request":"`+u1+`","old":{"password":"hunter2"}}`), "Set-Cookie", "sid=1; HttpOnly"),
			After:  with(get("/users/1", `{"at":1767225600,"name":"Bob","token":"t0ken","tags":["b","a"],"n":1.0,"request":"`+u2+`","new":"4111 1111 1111 1111"}`), "Set-Cookie", "sid=2"),
		},
		{Before: typed("one\ntwo password=hunter2\n", "text/plain"), After: typed("one\ntwo password=hunter3\n", "text/plain")},
		{Before: typed(fmt.Sprintf(html, "hunter2", "a"), "text/html"), After: typed(fmt.Sprintf(html, "hunter3", "b"), "text/html")},
		{Before: typed("\x00\x01", "image/png"), After: typed("\x00\x02\x03", "image/png")},
		{Before: exchange("GET", "/x", 200, `{}`), After: exchange("GET", "/x", 503, ``)},
		{Before: get("/x", `{"a":1}`), After: get("/x", `{"a":01}`)},
	} {
		result := d.Compare(&noise, p)
		text, err := json.MarshalIndent(result, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range result.Findings {
			fmt.Fprintln(&out, f)
		}
		fmt.Fprintf(&out, "%s\n\n", text)
	}
	for _, secret := range []string{"hunter", "s3cret", "t0ken", "1111"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("the secret %q is shown", secret)
		}
	}
	path := filepath.Join("testdata", "findings.golden")
	if *update {
		if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), want) {
		t.Errorf("findings differ from %s (rewrite with -update):\n%s", path, out.Bytes())
	}
}

func TestRedactor(t *testing.T) {
	t.Parallel()
	const jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
	r := differ.NewRedactor([]byte("salt"), "pet-name")
	other := differ.NewRedactor([]byte("another"))
	if again := differ.NewRedactor([]byte("salt")); r.Hash("x") != again.Hash("x") || r.Hash("x") == r.Hash("y") || r.Hash("x") == other.Hash("x") || len(r.Hash("x")) != len("h:")+12 {
		t.Error("a hash is not stable, or not salted, or has another form")
	}
	if got := differ.NewRedactor(nil).Hash("x"); got != "(secret)" {
		t.Errorf("without a salt: %q", got)
	}
	for text, want := range map[string]string{
		"Bearer abcdef123456":           "Bearer " + r.Hash("abcdef123456"),
		"see " + jwt + " there":         "see " + r.Hash(jwt) + " there",
		"user=ann&password=hunter2&x=1": "user=ann&password=" + r.Hash("hunter2") + "&x=1",
		`{"apiKey": "k1", "n": 1}`:      `{"apiKey": "` + r.Hash("k1") + `", "n": 1}`,
		"pet_name: Rex":                 "pet_name: " + r.Hash("Rex"),
		"card 4111-1111-1111-1111 paid": "card " + r.Hash("4111-1111-1111-1111") + " paid",
		"order 4111111111111112":        "order 4111111111111112", // no card number: its checksum is wrong
		"plain text":                    "plain text",
		"cart 16707357-7737-4644-8a2d-d144c10f4905 by 4111-1111-1111-1111": "cart 16707357-7737-4644-8a2d-d144c10f4905 by " + r.Hash("4111-1111-1111-1111"), // that is no card in the UUID
	} {
		if got := r.Text(text); got != want {
			t.Errorf("Text(%q) = %q, want %q", text, got, want)
		}
	}
	body := r.Body([]byte(`{"b":1.50,"password":"hunter2","card":{"number":"4111","ok":true},"list":["Bearer abcdef123456",4111111111111111]}`))
	want := `{"b":1.50,"card":{"number":"` + r.Hash("4111") + `","ok":true},"list":["Bearer ` + r.Hash("abcdef123456") + `","` + r.Hash("4111111111111111") + `"],"password":"` + r.Hash("hunter2") + `"}`
	if string(body) != want {
		t.Errorf("Body:\n%s\nwant:\n%s", body, want)
	}
	h := r.Header(http.Header{"Authorization": {"Basic dTpw"}, "Cookie": {"a=1; b=2"}, "Set-Cookie": {"a=1; Path=/"}, "X-Api-Key": {"k"}, "Accept": {"*/*"}})
	wantHeader := http.Header{
		"Authorization": {r.Hash("Basic dTpw")}, "Cookie": {"a=" + r.Hash("1") + "; b=" + r.Hash("2")},
		"Set-Cookie": {"a=" + r.Hash("1") + "; Path=/"}, "X-Api-Key": {r.Hash("k")}, "Accept": {"*/*"},
	}
	if fmt.Sprint(h) != fmt.Sprint(wantHeader) {
		t.Errorf("Header: %v, want %v", h, wantHeader)
	}
}

func TestInferRoute(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/orders/17/lines/2?x=1":          "GET /orders/{}/lines/{}",
		"/carts/" + u1:                    "GET /carts/{}",
		"/files/0123456789abcdef":         "GET /files/{}",
		"/t/01ARZ3NDEKTSV4RRFFQ69G5FAV/x": "GET /t/{}/x",
		"/products/green-tea":             "GET /products/green-tea",
		"/":                               "GET /",
	} {
		if got := differ.InferRoute("GET", path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

func TestSeverityText(t *testing.T) {
	t.Parallel()
	for _, s := range []differ.Severity{differ.Info, differ.Spelling, differ.Reordered, differ.Additive, differ.Breaking} {
		var back differ.Severity
		if text, err := s.MarshalText(); err != nil || back.UnmarshalText(text) != nil || back != s {
			t.Errorf("%v does not survive: %v", s, back)
		}
	}
	if err := new(differ.Severity).UnmarshalText([]byte("bad")); err == nil {
		t.Error("an unknown severity is read")
	}
	result := differ.Result{Findings: []differ.Finding{{Severity: differ.Spelling}, {Severity: differ.Reordered}}}
	if worst, found := result.Worst(); worst != differ.Reordered || !found {
		t.Errorf("worst: %v, %v", worst, found)
	}
}

// TestGoroutinesShareADiffer is for the race detector.
func TestGoroutinesShareADiffer(t *testing.T) {
	t.Parallel()
	d := newDiffer(t, differ.Rules{Ignore: []differ.Ignore{{Scope: differ.Scope{Path: "$.a"}}}})
	var noise differ.Noise
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 50 {
				x, y := get("/x", fmt.Sprintf(`{"a":1,"n":%d}`, i)), get("/x", fmt.Sprintf(`{"a":2,"n":"%d"}`, j))
				d.Learn(&noise, x, y)
				d.Compare(&noise, differ.Pair{Before: x, After: y})
				noise.Classes()
			}
		})
	}
	wg.Wait()
	if len(d.Unused()) != 0 {
		t.Error("the rule was used")
	}
}
