package discover_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stranglerfig/toolkit/strangler-proxy/discover"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// A clock that only moves when it is told to.
type clock struct{ now time.Time }

func newClock() *clock { return &clock{time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) advance(d time.Duration) { c.now = c.now.Add(d) }

func (c *clock) open(path string, log *bytes.Buffer) *discover.Journal {
	opts := discover.JournalOptions{Path: path, Now: func() time.Time { return c.now }}
	if log != nil {
		opts.Log = slog.New(slog.NewTextHandler(log, nil))
	}
	return discover.OpenJournal(opts)
}

// tableOf builds a table of lines such as "orders GET /orders/{id} done".
func tableOf(t testing.TB, lines ...string) *route.Table {
	t.Helper()
	cfg, err := parse(pastable + "routes:\n  " + strings.Join(lines, "\n  ") + "\n")
	if err != nil {
		t.Fatal(err)
	}
	return cfg.Table
}

func use(t testing.TB, j *discover.Journal, name string) discover.RouteUse {
	t.Helper()
	r := j.Report(30 * day)
	i := slices.IndexFunc(r.Routes, func(u discover.RouteUse) bool { return u.Route == name })
	if i < 0 {
		t.Fatalf("no route %s in %+v", name, r.Routes)
	}
	return r.Routes[i]
}

func ordersAt(t testing.TB, stage string) *route.Table {
	t.Helper()
	return tableOf(t, `orders: { match: "GET /orders/**", to: orders, stage: `+stage+`, data: none }`)
}

// The monolith's code may go when nobody called it for long enough, while we watched.
func TestDeletable(t *testing.T) {
	t.Parallel()
	c := newClock()
	path := filepath.Join(t.TempDir(), "state.json")
	j := c.open(path, nil)
	j.Follow(ordersAt(t, "live"))
	calls := j.Calls("orders")
	calls.Note(discover.Request, c.now)
	calls.Note(discover.Fallback, c.now)
	calls.Note(discover.Copy, c.now)
	calls.Note(discover.Service, c.now)
	check := func(deletable bool, why string) {
		t.Helper()
		if u := use(t, j, "orders"); u.Deletable != deletable || !strings.Contains(u.Why, why) {
			t.Errorf("deletable %v, %q; want %v, %q", u.Deletable, u.Why, deletable, why)
		}
	}
	check(false, "stands by at stage live")
	j.Follow(ordersAt(t, "done"))
	c.advance(20 * day)
	check(false, "watched for 20d of 30d since")
	if u := use(t, j, "orders"); u.Requests != 1 || u.Fallbacks != 1 || u.Copies != 1 || u.LastCall != newClock().now || u.Dead {
		t.Errorf("%+v", u)
	}
	j.Save()

	c.advance(100 * day) // nobody watched
	j = c.open(path, nil)
	j.Follow(ordersAt(t, "done"))
	check(false, "watched for 20d of 30d since")
	c.advance(10 * day)
	check(true, "0 calls to the monolith in 30d")
	if u := use(t, j, "orders"); !u.Dead || u.Requests != 1 {
		t.Errorf("%+v", u)
	}

	j.Calls("orders").Note(discover.Copy, c.now)
	c.advance(day)
	check(false, "the monolith got a copy, and was watched for 24h of 30d since")
	j.Follow(ordersAt(t, "monolith"))
	check(false, "answers at stage monolith")
}

// What is known of a route belongs to its match, and ends with it.
func TestHistoryBelongsToTheMatch(t *testing.T) {
	t.Parallel()
	c := newClock()
	path := filepath.Join(t.TempDir(), "state.json")
	j := c.open(path, nil)
	table := func(match string) *route.Table {
		return tableOf(t, `a: { match: "`+match+`", stage: monolith }`, `b: { match: /b, stage: monolith }`)
	}
	begin := func(match string) {
		j.Follow(table(match))
		j.Calls("a").Note(discover.Request, c.now)
		j.Calls("b").Note(discover.Request, c.now)
		c.advance(time.Hour)
	}
	begin("/a")
	begin("/a")
	if u := use(t, j, "a"); u.Requests != 2 || u.Since != newClock().now {
		t.Errorf("the same match: %+v", u)
	}
	j.Save()
	begin("/a/{x}")
	if u := use(t, j, "a"); u.Requests != 1 || u.Since != c.now.Add(-time.Hour) {
		t.Errorf("another match: %+v", u)
	}
	j.Save()
	j.Follow(tableOf(t, `b: { match: /b, stage: monolith }`))
	c.advance(time.Hour)
	begin("/a/{x}")
	if u := use(t, j, "a"); u.Requests != 1 || u.Since != c.now.Add(-time.Hour) {
		t.Errorf("back again: %+v", u)
	}
	j.Save()
	j = c.open(path, nil)
	j.Follow(table("/a/{x}"))
	if u := use(t, j, "a"); u.Requests != 1 || u.Since != c.now.Add(-time.Hour) {
		t.Errorf("after a restart: %+v", u)
	}
	if u := use(t, j, "b"); u.Requests != 4 || u.Since != newClock().now {
		t.Errorf("the other route: %+v", u)
	}
	j = c.open(path, nil)
	j.Follow(table("/elsewhere"))
	if u := use(t, j, "a"); u.Requests != 0 || u.Since != c.now {
		t.Errorf("another match after a restart: %+v", u)
	}
}

// Requests that reach the monolith past a route keep its code in use.
func TestRivals(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, why string
		lines     []string
	}{
		{"without conditions", "0 calls", []string{`r: { match: "GET /o/{id}", to: orders, stage: done, data: none }`, `s: { match: /o/**, stage: monolith }`, `t: { match: GET /o/me, stage: monolith }`}},
		{"with conditions", "do not fulfil its conditions have no route", []string{`r: { match: { path: /o, headers: { X: y } }, to: orders, stage: done, data: none }`}},
		{"with a wider one", "route s takes the requests that do not fulfil", []string{`r: { match: { path: /o, headers: { X: y } }, to: orders, stage: done, data: none }`, `s: { match: /o, stage: monolith }`}},
		{"with a wider one that is done", "0 calls", []string{`r: { match: { path: /o, headers: { X: y } }, to: orders, stage: done, data: none }`, `s: { match: /o, to: orders, stage: done, data: none }`}},
		{"with a pickier one", "route s takes a part of these requests", []string{`r: { match: /o/**, to: orders, stage: done, data: none }`, `s: { match: { path: "/o/{id}", headers: { X: y } }, stage: monolith }`}},
		{"with a pickier one elsewhere", "0 calls", []string{`r: { match: /o, to: orders, stage: done, data: none }`, `s: { match: { path: /p, headers: { X: y } }, stage: monolith }`}},
	} {
		c := newClock()
		j := c.open("", nil)
		j.Follow(tableOf(t, test.lines...))
		c.advance(31 * day)
		if u := use(t, j, "r"); u.Deletable != (test.why == "0 calls") || !strings.Contains(u.Why, test.why) {
			t.Errorf("%s: %v %q, want %q", test.name, u.Deletable, u.Why, test.why)
		}
	}
}

func TestBurnDown(t *testing.T) {
	t.Parallel()
	c := newClock()
	path := filepath.Join(t.TempDir(), "state.json")
	j := c.open(path, nil)
	note := func(n int, k discover.Kind) {
		for range n {
			j.Calls("orders").Note(k, c.now)
		}
	}
	j.Follow(ordersAt(t, "monolith"))
	for _, p := range []string{"/a", "/b/1", "/orders/7"} {
		j.Observe("GET", p, 200, 0)
	}
	note(4, discover.Request)
	b := j.BurnDown()
	if b.Endpoints != 3 || b.EndpointsMoved != 0 || b.Requests != 4 || b.RequestsShare != 0 {
		t.Errorf("%+v", b)
	}
	c.advance(time.Hour)
	j.Follow(ordersAt(t, "live"))
	note(5, discover.Service)
	note(1, discover.Fallback)
	note(100, discover.Copy) // nobody's answer
	if b = j.BurnDown(); b.Endpoints != 3 || b.EndpointsMoved != 1 || b.Requests != 10 || b.RequestsMoved != 5 || b.RequestsShare != 0.5 {
		t.Errorf("%+v", b)
	}
	j.Save()
	j = c.open(path, nil)
	j.Follow(ordersAt(t, "live"))
	c.advance(23 * time.Hour)
	note(5, discover.Service)
	r := j.Report(30 * day)
	if b = r.BurnDown; b.Requests != 11 || b.RequestsMoved != 10 || len(b.Hours) != 3 || len(b.Days) != 2 || b.Hours[0].EndpointsMoved != 0 || b.Hours[1].EndpointsMoved != 1 {
		t.Errorf("%+v", b)
	}
	for range 500 {
		c.advance(25 * time.Hour)
		j.BurnDown()
	}
	if b = j.Report(30 * day).BurnDown; len(b.Hours) > 72 || len(b.Days) > 400 || b.Requests != 0 {
		t.Errorf("%d hours, %d days", len(b.Hours), len(b.Days))
	}
}

// Any number of journals that share a file, are closed and opened again, and save when
// they like: nothing is lost and nothing counted twice.
func TestJournalsShareAFile(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		path := filepath.Join(folder, fmt.Sprint(n))
		c := newClock()
		table := ordersAt(t, "live")
		journals := make([]*discover.Journal, rapid.IntRange(1, 3).Draw(rt, "journals"))
		open := func(i int) {
			journals[i] = c.open(path, nil)
			journals[i].Follow(table)
		}
		for i := range journals {
			open(i)
		}
		var want [4]uint64
		endpoints := map[string]uint64{}
		for range rapid.IntRange(1, 16).Draw(rt, "steps") {
			i := rapid.IntRange(0, len(journals)-1).Draw(rt, "journal")
			j := journals[i]
			c.advance(time.Duration(rapid.IntRange(0, 4000).Draw(rt, "pause")) * time.Second)
			switch rapid.IntRange(0, 5).Draw(rt, "step") {
			case 0:
				if err := j.Save(); err != nil {
					rt.Fatal(err)
				}
			case 1:
				if err := j.Save(); err != nil {
					rt.Fatal(err)
				}
				open(i)
			case 2:
				j.Report(day)
			case 3:
				path := rapid.SampledFrom([]string{"/users/1", "/users/2", "/about", "/a/red-hat-1"}).Draw(rt, "path")
				j.Observe("GET", path, 200, time.Millisecond)
				endpoints[path]++
			default:
				k := rapid.IntRange(0, 3).Draw(rt, "kind")
				j.Calls("orders").Note(discover.Kind(k), c.now)
				want[k]++
			}
		}
		for _, j := range journals {
			if err := j.Save(); err != nil {
				rt.Fatal(err)
			}
		}
		for _, j := range []*discover.Journal{journals[len(journals)-1], c.open(path, nil)} {
			j.Follow(table)
			u := use(t, j, "orders")
			if u.Requests != want[0] || u.Fallbacks != want[1] || u.Copies != want[2] || u.Since != newClock().now {
				rt.Fatalf("%+v, want %v", u, want)
			}
			got := map[string]uint64{}
			for _, e := range j.Report(day).Endpoints {
				got[e.Path] = e.Requests
			}
			if got["/users/{id}"] != endpoints["/users/1"]+endpoints["/users/2"] || got["/about"] != endpoints["/about"] || got["/a/red-hat-1"] != endpoints["/a/red-hat-1"] {
				rt.Fatalf("%v, want %v", got, endpoints)
			}
		}
	})
}

// A file that is no state is set aside; one that is half a state, too.
func TestDamagedState(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	c := newClock()
	good := filepath.Join(folder, "good")
	j := c.open(good, nil)
	j.Follow(ordersAt(t, "live"))
	for i := range 30 {
		j.Observe("GET", fmt.Sprintf("/x/a-b-%d/7", i), 200, 0)
	}
	if err := j.Save(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{
		"empty": "", "null": "null", "list": "[]", "text": "hello\n", "later": `{"schema":2}`, "bare": `{"schema":1}`,
		"no root":    `{"schema":1,"routes":{},"endpoints":{}}`,
		"null route": `{"schema":1,"routes":{"a":null},"endpoints":{"root":{}}}`,
		"null node":  `{"schema":1,"routes":{},"endpoints":{"root":{"in":{"a":null}}}}`,
		"bad name":   `{"schema":1,"routes":{},"endpoints":{"root":{"in":{"a/b":{}}}}}`,
		"deep":       `{"schema":1,"routes":{},"endpoints":{"root":` + strings.Repeat(`{"any":`, 50) + `{}` + strings.Repeat(`}`, 50) + `}}`,
		"figures":    `{"schema":1,"routes":{},"endpoints":{"root":{"at":{"GET":null}}}}`,
	}
	for i := 0; i < len(whole)-1; i += 1 + len(whole)/40 {
		texts[fmt.Sprintf("cut at %d", i)] = string(whole[:i])
	}
	for name, text := range texts {
		path := filepath.Join(folder, strings.ReplaceAll(name, " ", "-"))
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		j := c.open(path, &log)
		j.Follow(ordersAt(t, "live"))
		j.Calls("orders").Note(discover.Request, c.now)
		if err := j.Save(); err != nil || use(t, j, "orders").Requests != 1 {
			t.Errorf("%s: %v", name, err)
		}
		if kept, err := os.ReadFile(path + ".damaged"); err != nil || string(kept) != text || !strings.Contains(log.String(), "learning begins anew") {
			t.Errorf("%s: kept %.50q, %v, log %s", name, kept, err, log.String())
		}
		if j = c.open(path, nil); j.Report(day).Schema != 1 {
			t.Errorf("%s: not written anew", name)
		}
	}
	// The same while the journal is in use: what it knows is written anew.
	var log bytes.Buffer
	j = c.open(filepath.Join(folder, "other"), &log)
	j.Follow(ordersAt(t, "live"))
	j.Calls("orders").Note(discover.Fallback, c.now)
	if err := errors.Join(j.Save(), os.WriteFile(filepath.Join(folder, "other"), []byte(`{"schema":2}`), 0o600), j.Save()); err != nil {
		t.Fatal(err)
	}
	again := c.open(filepath.Join(folder, "other"), nil)
	again.Follow(ordersAt(t, "live"))
	if kept, _ := os.ReadFile(filepath.Join(folder, "other.damaged")); string(kept) != `{"schema":2}` || use(t, again, "orders").Fallbacks != 1 || !strings.Contains(log.String(), "written anew") {
		t.Errorf("kept %q, log %s", kept, log.String())
	}
	later := strings.Replace(string(whole), `"GET"`, `"BREW"`, 1)
	if err := os.WriteFile(good, []byte(later), 0o600); err != nil {
		t.Fatal(err)
	}
	if j = c.open(good, nil); len(j.Report(day).Endpoints) != 0 {
		t.Errorf("a method of a later version: %+v", j.Report(day).Endpoints)
	}
}

// Where nothing can be written it is said once, and nothing is lost meanwhile.
func TestStateThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "later")
	path := filepath.Join(folder, "state.json")
	c := newClock()
	var log bytes.Buffer
	j := c.open(path, &log)
	j.Follow(ordersAt(t, "live"))
	for range 3 {
		j.Calls("orders").Note(discover.Request, c.now)
		j.Observe("GET", "/a", 200, 0)
		if j.Save() == nil {
			t.Fatal("saved into a folder that is not there")
		}
	}
	if n := strings.Count(log.String(), "kept in memory only"); n != 1 {
		t.Errorf("said %d times:\n%s", n, log.String())
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := j.Save(); err != nil {
		t.Fatal(err)
	}
	j = c.open(path, nil)
	j.Follow(ordersAt(t, "live"))
	if u := use(t, j, "orders"); u.Requests != 3 || j.Report(day).Endpoints[0].Requests != 3 {
		t.Errorf("%+v", u)
	}
}

// Run writes what is rare at once and everything at the end.
func TestRunSaves(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.json")
	j := discover.OpenJournal(discover.JournalOptions{Path: path})
	j.Follow(ordersAt(t, "done"))
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { j.Run(ctx) })
	requests := func() uint64 {
		text, err := os.ReadFile(path)
		if err != nil {
			return 0
		}
		var saved struct {
			Routes map[string]struct {
				Calls [4]struct{ N uint64 } `json:"calls"`
			} `json:"routes"`
		}
		if err := json.Unmarshal(text, &saved); err != nil {
			t.Errorf("%v: %.200s", err, text)
		}
		return saved.Routes["orders"].Calls[discover.Request].N
	}
	j.Calls("orders").Note(discover.Request, time.Now())
	for end := time.Now().Add(10 * time.Second); requests() != 1; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the first call was not saved")
		}
	}
	j.Calls("orders").Note(discover.Request, time.Now())
	cancel()
	running.Wait()
	if requests() != 2 {
		t.Errorf("at the end %d requests are saved, want 2", requests())
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func BenchmarkNote(b *testing.B) {
	c := discover.OpenJournal(discover.JournalOptions{}).Calls("r")
	now := time.Now()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			c.Note(discover.Request, now)
		}
	})
}

// Whatever is asked or saved while requests come, each is counted once, here and in the
// file.
func TestCountsAreExactMeanwhile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.json")
	j := discover.OpenJournal(discover.JournalOptions{Path: path})
	j.Follow(ordersAt(t, "live"))
	ctx, cancel := context.WithCancel(t.Context())
	var running, asking, writing sync.WaitGroup
	running.Go(func() { j.Run(ctx) })
	done := make(chan struct{})
	for i, ask := range []func(){func() { j.Report(day) }, func() { j.BurnDown() }, func() { _ = j.Save() }, func() { _ = j.Save(); _ = os.Remove(path) }} {
		asking.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				default:
					if i < 3 || n < 5 {
						ask()
					}
				}
			}
		})
	}
	const writers, each = 4, 4000
	for range writers {
		writing.Go(func() {
			calls := j.Calls("orders")
			for i := range each {
				calls.Note(discover.Request, time.Now())
				j.Observe("GET", fmt.Sprintf("/users/%d", i), 200, time.Millisecond)
			}
		})
	}
	writing.Wait()
	close(done)
	asking.Wait()
	cancel()
	running.Wait()
	again := discover.OpenJournal(discover.JournalOptions{Path: path})
	again.Follow(ordersAt(t, "live"))
	for _, known := range []*discover.Journal{j, again} {
		r := known.Report(day)
		if r.Routes[0].Requests != writers*each || r.Endpoints[0].Requests+j.Dropped() != writers*each {
			t.Errorf("%d calls and %d + %d requests, want %d", r.Routes[0].Requests, r.Endpoints[0].Requests, j.Dropped(), writers*each)
		}
	}
}
