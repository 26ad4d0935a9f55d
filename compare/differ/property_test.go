package differ_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/compare/differ"
)

// randomJSON returns a random value of the kinds that encoding/json decodes to, numbers
// as json.Number.
func randomJSON(r *rand.Rand, depth int) any {
	n := 8
	if depth == 0 {
		n = 6
	}
	switch r.IntN(n) {
	case 0:
		return nil
	case 1:
		return r.IntN(2) == 0
	case 2:
		return json.Number(fmt.Sprint(r.IntN(2000) - 1000))
	case 3:
		return json.Number(fmt.Sprintf("%d.%02d", r.IntN(100), r.IntN(100)))
	case 4:
		return []string{"", "tea", "green tea", "2026-01-01T00:00:00Z", u1, "SKU-17", "é😀", "1.50"}[r.IntN(8)]
	case 5:
		return fmt.Sprintf("%x", r.Uint64())
	case 6:
		list := make([]any, r.IntN(5))
		for i := range list {
			list[i] = randomJSON(r, depth-1)
		}
		return list
	}
	object := map[string]any{}
	for range r.IntN(6) {
		object[[]string{"id", "name", "price", "order_id", "items", "at", "a/b", "~", "", "17"}[r.IntN(10)]] = randomJSON(r, depth-1)
	}
	return object
}

// A spot is a place in a value that can be read, set and removed.
type spot struct {
	get    any
	set    func(any)
	remove func()
}

// spots lists the scalars below a container.
func spots(v any, set func(any)) []spot {
	var list []spot
	add := func(kid any, set func(any), remove func()) {
		switch kid.(type) {
		case map[string]any, []any:
			list = append(list, spots(kid, set)...)
		default:
			list = append(list, spot{kid, set, remove})
		}
	}
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			add(v[name], func(x any) { v[name] = x }, func() { delete(v, name) })
		}
	case []any:
		for i := range v {
			add(v[i], func(x any) { v[i] = x }, func() { set(slices.Delete(slices.Clone(v), i, i+1)) })
		}
	}
	return list
}

// mutations change one scalar; false means that they do not apply to it.
var mutations = map[string]func(s spot) bool{
	"drop": func(s spot) bool { s.remove(); return true },
	"null": func(s spot) bool { s.set(nil); return s.get != nil },
	"retype": func(s spot) bool {
		switch v := s.get.(type) {
		case json.Number:
			s.set(string(v))
		case string:
			s.set(json.Number("7"))
		case bool:
			s.set(fmt.Sprint(v))
		default:
			s.set(false)
		}
		return true
	},
	"off by one": func(s spot) bool {
		v, ok := s.get.(json.Number)
		if !ok {
			return false
		}
		whole, fraction, _ := strings.Cut(string(v), ".")
		var n int
		_, err := fmt.Sscan(whole, &n)
		s.set(json.Number(strings.TrimSuffix(fmt.Sprintf("%d.%s", n+1, fraction), ".")))
		return err == nil
	},
	"other text": func(s spot) bool { v, ok := s.get.(string); s.set(v + "x"); return ok },
	"flip":       func(s spot) bool { v, ok := s.get.(bool); s.set(!v); return ok },
	"respell": func(s spot) bool {
		v, ok := s.get.(json.Number)
		s.set(v + "e0")
		return ok
	},
}

func encode(t testing.TB, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func decode(t testing.TB, text string) any {
	t.Helper()
	var v any
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestEachMutationIsFound(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	d := newDiffer(t, differ.Rules{})
	names := slices.Sorted(maps.Keys(mutations))
	tried, found := map[string]int{}, map[string]int{}
	total, hits := 0, 0
	for total < 10_000 {
		body := encode(t, map[string]any{"v": randomJSON(r, 4), "w": randomJSON(r, 3)})
		before := get("/x", body)
		if result := d.Compare(nil, differ.Pair{Before: before, After: before}); len(result.Findings) > 0 {
			t.Fatalf("%s differs from itself: %v", body, result.Findings)
		}
		for range 4 {
			root := decode(t, body)
			list := spots(root, nil)
			name := names[r.IntN(len(names))]
			if len(list) == 0 || !mutations[name](list[r.IntN(len(list))]) || encode(t, root) == body {
				continue
			}
			total++
			tried[name]++
			after := get("/x", encode(t, root))
			forth, back := d.Compare(nil, differ.Pair{Before: before, After: after}), d.Compare(nil, differ.Pair{Before: after, After: before})
			if len(forth.Findings) > 0 {
				hits++
				found[name]++
			} else {
				t.Logf("blind to %s: %s -> %s", name, before.Body, after.Body)
			}
			if a, b := mirrored(forth), kinds(back); !slices.Equal(a, b) {
				t.Errorf("not symmetric: %v and %v\n%s\n%s", a, b, before.Body, after.Body)
			}
		}
	}
	for _, name := range names {
		t.Logf("%-12s %5d of %5d", name, found[name], tried[name])
		if tried[name] < 100 {
			t.Errorf("%s was tried %d times only", name, tried[name])
		}
	}
	if hits*100 < total*99 {
		t.Errorf("%d of %d mutations found, want 99 %%", hits, total)
	}
}

func kinds(r differ.Result) []string {
	var list []string
	for _, f := range r.Findings {
		list = append(list, string(f.Kind))
	}
	slices.Sort(list)
	return list
}

// mirrored returns the kinds that the comparison the other way round must give.
func mirrored(r differ.Result) []string {
	for i, f := range r.Findings {
		switch f.Kind {
		case differ.Missing:
			r.Findings[i].Kind = differ.Added
		case differ.Added:
			r.Findings[i].Kind = differ.Missing
		}
	}
	return kinds(r)
}

func TestEachPermutationIsFoundWhenStrict(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	strict := newDiffer(t, differ.Rules{})
	free := newDiffer(t, differ.Rules{Arrays: []differ.Array{{Scope: differ.Scope{Path: "$"}, Unordered: true}}})
	for range 500 {
		list := make([]any, 2+r.IntN(6))
		for i := range list {
			list[i] = randomJSON(r, 2)
		}
		before := encode(t, list)
		r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		after := encode(t, list)
		pair := differ.Pair{Before: get("/x", before), After: get("/x", after)}
		got := strict.Compare(nil, pair).Findings
		if want := before != after; want != (len(got) > 0) || want && (len(got) != 1 || got[0].Kind != differ.Order) {
			t.Errorf("%s -> %s: %v", before, after, got)
		}
		if got := free.Compare(nil, pair).Findings; len(got) > 0 {
			t.Errorf("free order: %s -> %s: %v", before, after, got)
		}
	}
}

func TestKeyOrderAndSpellingOfTextDoNotMatter(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	d := newDiffer(t, differ.Rules{})
	for range 500 {
		v := map[string]any{"v": randomJSON(r, 4)}
		before := encode(t, v)
		after := respell(r, v)
		if got := d.Compare(nil, differ.Pair{Before: get("/x", before), After: get("/x", after)}).Findings; len(got) > 0 {
			t.Errorf("%s -> %s: %v", before, after, got)
		}
	}
}

// respell writes v with members in random order, escapes and white space.
func respell(r *rand.Rand, v any) string {
	space := []string{"", " ", "\n\t"}[r.IntN(3)]
	switch v := v.(type) {
	case map[string]any:
		var parts []string
		for name, kid := range v {
			parts = append(parts, respell(r, name)+space+":"+space+respell(r, kid))
		}
		return space + "{" + space + strings.Join(parts, space+",") + "}" + space
	case []any:
		var parts []string
		for _, kid := range v {
			parts = append(parts, respell(r, kid))
		}
		return "[" + strings.Join(parts, ","+space) + space + "]"
	case string:
		var b strings.Builder
		for _, c := range v {
			if c < 0x10000 && r.IntN(2) == 0 {
				fmt.Fprintf(&b, `\u%04X`, c)
			} else {
				b.WriteRune(c)
			}
		}
		return `"` + b.String() + `"`
	case json.Number:
		return string(v)
	}
	return fmt.Sprint(map[any]string{nil: "null", true: "true", false: "false"}[v])
}

func TestOutputIsBounded(t *testing.T) {
	t.Parallel()
	d := newDiffer(t, differ.Rules{Limits: differ.Limits{Findings: 7, ShownText: 50}})
	before, after := make([]any, 3000), make([]any, 3000)
	for i := range before {
		before[i], after[i] = strings.Repeat("é", 500)+fmt.Sprint(i), strings.Repeat("ü", 500)+fmt.Sprint(i)
	}
	got := d.Compare(nil, differ.Pair{Before: get("/x", encode(t, before)), After: get("/x", encode(t, after))})
	if len(got.Findings) != 7 || got.Dropped != 3000-7 {
		t.Errorf("%d findings, %d dropped; want 7 and 2993", len(got.Findings), got.Dropped)
	}
	for _, f := range got.Findings {
		if len(f.Before) > 100 || !strings.Contains(f.Before, "…") {
			t.Errorf("shown: %q", f.Before)
		}
	}
}

func TestHostileBodiesEnd(t *testing.T) {
	t.Parallel()
	d := newDiffer(t, differ.Rules{Limits: differ.Limits{BodyBytes: 1 << 20}})
	names := func(offset int) string {
		var b strings.Builder
		for i := range 10_000 {
			fmt.Fprintf(&b, `"%d":1,`, i+offset)
		}
		return "{" + b.String() + `"x":1}`
	}
	deep := func(inner string) string { return strings.Repeat("[", 150) + inner + strings.Repeat(",1]", 150) }
	long := func(step int) string {
		var b strings.Builder
		for i := range 15_000 {
			fmt.Fprintf(&b, "%d,", i*step%7919)
		}
		return "[" + b.String() + "0]"
	}
	for name, c := range map[string][2]string{
		"deeper than the limit": {strings.Repeat("[", 100_000), strings.Repeat("[", 99_999) + "1"},
		"deep":                  {deep(long(1)), deep(long(2))},
		"long":                  {long(1), long(3)},
		"too large":             {strings.Repeat(" ", 1<<20) + "1", strings.Repeat(" ", 1<<20) + "2"},
		"names":                 {names(0), names(100_000)},
		"a long name":           {`{"` + strings.Repeat("n", 300_000) + `":[` + strings.Repeat("1,", 20_000) + "1]}", `{"` + strings.Repeat("n", 300_000) + `":[` + strings.Repeat("2,", 20_000) + "1]}"},
		"dashes":                {`["` + strings.Repeat("a-", 400_000) + `"]`, `["` + strings.Repeat("a-", 399_999) + `b"]`},
		"wide":                  {"{" + strings.Repeat(`"a":1,`, 15_000) + `"a":2}`, "{" + strings.Repeat(`"b":1,`, 15_000) + `"b":2}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before, after := get("/x", c[0]), get("/x", c[1])
			pair := differ.Pair{Before: before, After: after}
			if got := d.Compare(nil, pair); len(got.Findings) == 0 {
				t.Error("nothing found")
			}
			var noise differ.Noise
			d.Learn(&noise, before, after)
			d.CompareAll(&noise, []differ.Pair{pair})
		})
	}
	attribute := `<p name=` + strings.Repeat("x", 200_000) + ">" + strings.Repeat("<i>", 1000)
	if got := d.Compare(nil, differ.Pair{Before: typed(attribute, "text/html"), After: typed(attribute+"a", "text/html")}); len(got.Findings) == 0 {
		t.Error("nothing found behind a long name")
	}
	nested := typed(strings.Repeat("<div>", 20_000)+"a", "text/html")
	other := typed(strings.Repeat("<div>", 20_000)+"b", "text/html")
	if got := d.Compare(nil, differ.Pair{Before: nested, After: other}); len(got.Findings) == 0 {
		t.Error("nothing found in deep HTML")
	}
}
