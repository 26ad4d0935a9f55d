package align_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stranglerfig/toolkit/compare/align"
)

// items reads "GET /a print 200 0-5", a line each: when it was sent and answered, in milliseconds.
func items(text string) (list []align.Item) {
	for line := range strings.Lines(strings.TrimSpace(text)) {
		var it align.Item
		var from, to int
		if _, err := fmt.Sscanf(strings.TrimSpace(line), "%s %s %s %d %d-%d", &it.Method, &it.Path, &it.Print, &it.Status, &from, &to); err != nil {
			panic(err)
		}
		it.Test, it.Route = "T", it.Method+" "+it.Path
		it.Start, it.End = time.Duration(from)*time.Millisecond, time.Duration(to)*time.Millisecond
		list = append(list, it)
	}
	return list
}

func TestAlign(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ before, after, want string }{
		"in order": {"GET /a x 200 0-1\nPOST /b y 201 2-3", "GET /a x 200 0-1\nPOST /b y 201 2-3", "0-0 1-1"},
		"extra":    {"POST /a x 200 0-1\nPOST /a z 200 2-3", "POST /a x 200 0-1\nPOST /a y 200 2-3\nPOST /a z 200 4-5", "0-0 1-2 +1"},
		"missing":  {"GET /a x 200 0-1\nPOST /b y 201 2-3", "GET /a x 200 0-1", "0-0 -1"},
		"polls fold to the last": {
			"GET /a x 202 0-1\nGET /a x 202 2-3\nGET /a x 200 4-5", "GET /a x 202 0-1\nGET /a x 200 2-3", "2-1~1",
		},
		"as many polls stay apart":     {"GET /a x 202 0-1\nGET /a x 200 2-3", "GET /a x 202 0-1\nGET /a x 500 2-3", "0-0 1-1"},
		"a write between ends polling": {"GET /a x 200 0-1\nPOST /b y 201 2-3\nGET /a x 200 4-5", "GET /a x 200 0-1\nPOST /b y 201 2-3\nGET /a x 200 4-5", "0-0 1-1 2-2"},
		"through a map":                {"GET /a x 200 0-1\nGET /a y 404 2-3", "GET /a y 404 0-1\nGET /a x 200 2-3", "0-1 1-0"},
		"at once, by status":           {"POST /a x 201 0-9\nPOST /a x 409 1-9\nPOST /a x 409 2-9", "POST /a x 409 0-9\nPOST /a x 409 1-9\nPOST /a x 201 2-9", "0-2! 1-0! 2-1!"},
		"at once, one more won":        {"POST /a x 201 0-9\nPOST /a x 409 1-9", "POST /a x 201 0-9\nPOST /a x 201 1-9", "0-0! 1-1!"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan := align.Align(items(c.before), items(c.after))
			var got []string
			for _, p := range plan.Pairs {
				text := fmt.Sprintf("%d-%d", p.Before, p.After)
				if p.Raced {
					text += "!"
				}
				if p.Polls > 0 {
					text += fmt.Sprintf("~%d", p.Polls)
				}
				got = append(got, text)
			}
			for _, i := range plan.Missing {
				got = append(got, fmt.Sprintf("-%d", i))
			}
			for _, i := range plan.Extra {
				got = append(got, fmt.Sprintf("+%d", i))
			}
			if s := strings.Join(got, " "); s != c.want {
				t.Errorf("got %s, want %s", s, c.want)
			}
		})
	}
}

// TestAlignProperties: whatever was sent, no item is in two pairs, pairs agree in test, method
// and route, and a run aligns with itself one to one but for the order within a race.
func TestAlignProperties(t *testing.T) {
	t.Parallel()
	item := rapid.Custom(func(t *rapid.T) align.Item {
		start := time.Duration(rapid.IntRange(0, 40).Draw(t, "start"))
		return align.Item{
			Test: rapid.SampledFrom([]string{"", "A", "B"}).Draw(t, "test"), Method: rapid.SampledFrom([]string{"GET", "POST"}).Draw(t, "method"),
			Route: rapid.SampledFrom([]string{"/x", "/y"}).Draw(t, "route"), Path: rapid.SampledFrom([]string{"/1", "/2"}).Draw(t, "path"),
			Print: rapid.SampledFrom([]string{"p", "q"}).Draw(t, "print"), Status: rapid.SampledFrom([]int{200, 409}).Draw(t, "status"),
			Start: start, End: start + time.Duration(rapid.IntRange(0, 5).Draw(t, "took")),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		before, after := rapid.SliceOfN(item, 0, 20).Draw(t, "before"), rapid.SliceOfN(item, 0, 20).Draw(t, "after")
		byStart := func(a, b align.Item) int { return int(a.Start - b.Start) }
		slices.SortStableFunc(before, byStart)
		slices.SortStableFunc(after, byStart)
		plan := align.Align(before, after)
		usedB, usedA := map[int]bool{}, map[int]bool{}
		for _, p := range plan.Pairs {
			x, y := before[p.Before], after[p.After]
			if x.Test != y.Test || x.Method != y.Method || x.Route != y.Route || usedB[p.Before] || usedA[p.After] {
				t.Fatalf("pair %+v of %+v and %+v", p, x, y)
			}
			usedB[p.Before], usedA[p.After] = true, true
		}
		for _, i := range plan.Missing {
			if usedB[i] {
				t.Fatalf("%d is paired and missing", i)
			}
		}
		own := align.Align(before, before)
		if len(own.Pairs) != len(before) || len(own.Missing)+len(own.Extra) > 0 {
			t.Fatalf("a run with itself: %+v", own)
		}
	})
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	var r align.Routes
	for _, paths := range [][]string{{"/items/17", "/shop/red-shoe", "/shop/list", "/q"}, {"/items/18", "/shop/blue-hat", "/shop/list", "/q"}} {
		r.Learn(func(yield func(method, path string) bool) {
			for _, p := range paths {
				if !yield("GET", p) {
					return
				}
			}
		})
	}
	r.Settle()
	for path, want := range map[string]string{
		"/items/99?x=1": "GET /items/{}", "/shop/green-sock": "GET /shop/{}", "/shop/list": "GET /shop/list", "/q": "GET /q", "/new": "GET /new",
	} {
		if got := r.Route("GET", path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}
