package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestPercentile(t *testing.T) {
	t.Parallel()
	var o outcome
	for i := 1; i <= 1000; i++ {
		o.latencies = append(o.latencies, time.Duration(i))
	}
	for p, want := range map[float64]time.Duration{0: 1, 50: 500, 99: 990, 99.9: 999, 100: 1000} {
		if got := o.percentile(p); got != want {
			t.Errorf("p%v: got %d, want %d", p, got, want)
		}
	}
	if got := (outcome{}).percentile(99); got != 0 {
		t.Errorf("without requests: %v", got)
	}
}

// TestStallIsCharged stops the server once: every request that was due meanwhile
// must show the wait, not only the ones that were on their way.
func TestStallIsCharged(t *testing.T) {
	t.Parallel()
	const stall = 500 * time.Millisecond
	var count atomic.Int64
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if count.Add(1) == 20 {
			time.AfterFunc(stall, func() { close(release) })
		}
		if count.Load() >= 20 {
			<-release
		}
	}))
	t.Cleanup(server.Close)
	got, err := load{Rate: 200, Duration: time.Second, Connections: 2, URL: func(int64) string { return server.URL }}.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.sent() != 200 || got.failed != 0 {
		t.Errorf("sent %d, failed %d, want 200 and 0", got.sent(), got.failed)
	}
	// About 100 requests were due during the stall, half of them in its first half.
	if p75 := got.percentile(75); p75 < stall/4 {
		t.Errorf("p75 is %s: the stall of %s was not charged to those who waited", p75, stall)
	}
}

// TestDoneEndsALoad: what is under way is finished, and nothing more is sent.
func TestDoneEndsALoad(t *testing.T) {
	t.Parallel()
	done := make(chan struct{})
	var count, other atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			other.Add(1)
		}
		if count.Add(1) == 5 {
			close(done)
		}
	}))
	t.Cleanup(server.Close)
	got, err := load{Method: http.MethodPost, Rate: 200, Duration: time.Hour, Connections: 1, Done: done, URL: func(int64) string { return server.URL }}.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.sent() != 5 || got.failed != 0 || other.Load() != 0 {
		t.Errorf("sent %d, failed %s, %d not by POST; want 5 in all", got.sent(), failures(got), other.Load())
	}
}

func TestFailuresAreCounted(t *testing.T) {
	t.Parallel()
	var count atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if count.Add(1)%2 == 0 {
			w.WriteHeader(http.StatusBadGateway)
		}
	}))
	t.Cleanup(server.Close)
	got, err := load{Rate: 100, Duration: 200 * time.Millisecond, Connections: 4, URL: func(int64) string { return server.URL }}.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.sent() != 20 || got.failed != 10 || !strings.Contains(failures(got), "502") {
		t.Errorf("sent %d, failed %s", got.sent(), failures(got))
	}
}

func TestChooseAndUsage(t *testing.T) {
	t.Parallel()
	if got, err := choose("flip,shop"); err != nil || len(got) != 2 || got[0].name != "flip" {
		t.Errorf("%v %v", got, err)
	}
	if _, err := choose("nonsense"); err == nil {
		t.Error("an unknown part was accepted")
	}
	if err := run(t.Context(), []string{"-nonsense"}, &bytes.Buffer{}); err == nil {
		t.Error("an unknown flag was accepted")
	}
}

// TestWritePart: a part that is measured again takes the place of its old figures, and
// leaves those of the others alone.
func TestWritePart(t *testing.T) {
	t.Parallel()
	page := filepath.Join(t.TempDir(), "benchmarks.md")
	write := func(name, figure string) string {
		t.Helper()
		at := slices.IndexFunc(parts(), func(p part) bool { return p.name == name })
		text := chapter(t.Context(), parts()[at], false, "0.1", []section{{title: "One", text: "How.", header: []string{"a", "b"}, rows: [][]string{{"1", figure}}}})
		if err := writePart(page, name, text); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		return string(got)
	}
	write("flip", "first flip")
	write("proxy", "old proxy")
	got := write("proxy", "new proxy")
	for _, want := range []string{"# Benchmarks\n", "\n### One\n\nHow.\n\n| a | b |\n| --- | --- |\n| 1 | new proxy |\n", "## Flips\n", "first flip", "-part proxy`"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
	if strings.Contains(got, "old proxy") || strings.Index(got, "new proxy") > strings.Index(got, "first flip") {
		t.Errorf("old figures or another order:\n%s", got)
	}
	if again := write("proxy", "new proxy"); again != got {
		t.Errorf("writing the same again changed the page:\n%s", again)
	}
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		row  []string
		want string
	}{
		{atMost("x", 0.8, 0.8049, ""), "reached"}, // shown as 0.80
		{atMost("x", 0.8, 0.88, ""), "**not reached**, 10 % above"},
		{atMost("x", 0.8, 0, ""), "not measured"},
		{atMostOrNone("x", 0, 0, ""), "reached"},
		{atMostOrNone("x", 0, 0.3, ""), "**not reached**"},
		{atLeast("x", 5, 5.1, ""), "reached"},
		{atLeast("x", 5, 4, ""), "**not reached**, 20 % below"},
		{atLeast("x", 5, 0, ""), "not measured"},
	} {
		if got := test.row[3]; got != test.want {
			t.Errorf("%v: want %q", test.row, test.want)
		}
	}
}

// TestLoadedRouteExists: what the loads ask for is routed, however many routes there are.
func TestLoadedRouteExists(t *testing.T) {
	t.Parallel()
	for _, routes := range []int{1, 2, 500} {
		text := variant{routes: routes}.config("127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3")
		if strings.Count(text, "match:") != routes || strings.Count(text, `"/resource250/{id}"`) != 1 {
			t.Errorf("%d routes:\n%s", routes, text)
		}
	}
}
