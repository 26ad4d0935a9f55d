package promote

import (
	"sync"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// Figures sum up what the clients of one side of a route got.
type Figures struct {
	Requests int
	Failed   int
	P50, P95 time.Duration // of the requests that did not fail; 0 without any
	Until    time.Time     // when the last of them was seen
}

// ErrorRate is the share of the requests that failed.
func (f Figures) ErrorRate() float64 {
	if f.Requests == 0 {
		return 0
	}
	return float64(f.Failed) / float64(f.Requests)
}

// windowSlices is how many parts a Window forgets one by one: what it covers is at
// least 19 of 20 parts of its length.
const windowSlices = 20

// A Window keeps the figures of one route over the last while, for both sides, in a
// fixed amount of memory. Goroutines may share it.
type Window struct {
	base time.Time

	mu       sync.Mutex
	part     time.Duration // length of a slice
	current  int64         // number of the newest slice since base
	slices   [windowSlices]slice
	monolith Figures // when it last had enough requests, and enough is
	enough   int
}

type slice struct {
	sides [2]tally
}

type tally struct {
	requests, failed uint32
	times            *times // nil until there is one
	last             time.Duration
}

// NewWindow returns a Window that covers length. It remembers the monolith's figures
// for the time after its traffic has gone, if they are of so many requests.
func NewWindow(length time.Duration, enough int) *Window {
	w := &Window{base: time.Now()}
	w.Tune(length, enough)
	return w
}

// Tune changes what NewWindow was told. Another length forgets all figures.
func (w *Window) Tune(length time.Duration, enough int) {
	part := max(length/windowSlices, time.Millisecond)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.enough = enough
	if part == w.part {
		return
	}
	if w.part != 0 {
		w.remember()
		w.forget()
	}
	w.part = part
	w.current = int64(time.Since(w.base) / part)
}

// Observe counts an exchange that is finished now. A negative took is a duration that says nothing
// about the side, such as that of an upgraded connection.
func (w *Window) Observe(at time.Time, side route.Side, failed bool, took time.Duration) {
	now := at.Sub(w.base)
	w.mu.Lock()
	w.advance(now)
	t := &w.slices[w.current%windowSlices].sides[side]
	t.requests++
	t.last = now
	switch {
	case failed:
		t.failed++
	case took >= 0:
		if t.times == nil {
			t.times = new(times)
		}
		t.times[bucketOf(took)]++
	}
	w.mu.Unlock()
}

// advance empties the slices whose time has come again.
func (w *Window) advance(now time.Duration) {
	number := int64(now / w.part)
	if number <= w.current {
		return
	}
	// What leaves is the monolith's last word if it is falling silent.
	w.remember()
	for n := max(w.current+1, number-windowSlices+1); n <= number; n++ {
		w.slices[n%windowSlices].clear()
	}
	w.current = number
}

func (s *slice) clear() {
	for i := range s.sides {
		t := &s.sides[i]
		t.requests, t.failed, t.last = 0, 0, 0
		if t.times != nil {
			*t.times = times{}
		}
	}
}

func (w *Window) forget() {
	for i := range w.slices {
		w.slices[i].clear()
	}
}

// remember keeps the monolith's figures if they are of enough requests.
func (w *Window) remember() {
	requests := 0
	for i := range w.slices {
		requests += int(w.slices[i].sides[route.ToMonolith].requests)
	}
	if requests > 0 && requests >= w.enough {
		w.monolith = w.sum(route.ToMonolith)
	}
}

// Cut forgets both sides' figures: what follows is measured under another stage.
func (w *Window) Cut() {
	now := time.Since(w.base)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.advance(now)
	w.remember()
	w.forget()
}

// A Sight is what a Window shows.
type Sight struct {
	Service, Monolith Figures
	// Before are the monolith's last figures of enough requests; they may be older
	// than the window, and are zero if there never were any.
	Before Figures
}

// Look sums up the window.
func (w *Window) Look() Sight {
	now := time.Since(w.base)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.advance(now)
	w.remember()
	return Sight{Service: w.sum(route.ToService), Monolith: w.sum(route.ToMonolith), Before: w.monolith}
}

func (w *Window) sum(side route.Side) Figures {
	var f Figures
	var all times
	var last time.Duration
	for i := range w.slices {
		t := &w.slices[i].sides[side]
		f.Requests += int(t.requests)
		f.Failed += int(t.failed)
		last = max(last, t.last)
		if t.times != nil {
			for n, count := range t.times {
				all[n] += count
			}
		}
	}
	if f.Requests > 0 {
		f.Until = w.base.Add(last)
	}
	f.P50, f.P95 = all.percentile(0.50), all.percentile(0.95)
	return f
}
