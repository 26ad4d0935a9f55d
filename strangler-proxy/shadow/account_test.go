package shadow_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stranglerfig/toolkit/strangler-proxy/shadow"
)

// An askFunc is an Asker without a network, for schedules.
type askFunc func(ctx context.Context, c shadow.Copy) (shadow.Answer, error)

func (f askFunc) Ask(ctx context.Context, c shadow.Copy) (shadow.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	return f(ctx, c)
}

var plainHead = []byte("GET /a HTTP/1.1\r\nHost: h\r\n\r\n")

// lines are the lines of a head.
func lines(h http.Header) []byte {
	var b bytes.Buffer
	_ = h.Write(&b)
	return b.Bytes()
}

func ok(body string) shadow.Answer {
	return shadow.Answer{Status: 200, Fields: lines(http.Header{"Content-Type": {"application/json"}}), Body: []byte(body), Took: time.Millisecond}
}

// oneRoute is a configuration with the route "r" and these settings.
func oneRoute(settings shadow.Settings, side shadow.Limits) shadow.Config {
	return shadow.Config{
		Limits: side, MaxBody: settings.MaxBody,
		Routes: []shadow.Route{{Name: "r", Match: "GET /a", Service: "s", Settings: settings, Rules: shadow.Rules{Margin: shadow.DefaultMargin}}},
	}
}

func newShadow(t interface{ Fatal(...any) }, ask askFunc, c shadow.Config) *shadow.Shadow {
	s := shadow.New(ask, shadow.Options{})
	if err := s.Configure(c); err != nil {
		t.Fatal(err)
	}
	return s
}

func quiet(t *testing.T, s *shadow.Shadow) shadow.Stats {
	t.Helper()
	var st shadow.Stats
	wait(t, func() bool { st, _ = s.Stats("r"); return settled(st) })
	return st
}

// AC21: whatever happens to 10,000 requests from many clients at once, each copy is
// accounted for, exactly, and so is what was sent.
func TestTenThousandAreAccountedFor(t *testing.T) {
	t.Parallel()
	var asked atomic.Uint64
	s := newShadow(t, func(ctx context.Context, c shadow.Copy) (shadow.Answer, error) {
		switch n := asked.Add(1); {
		case n%23 == 0:
			<-ctx.Done()
			return shadow.Answer{}, ctx.Err()
		case n%13 == 0:
			return shadow.Answer{}, errors.New("no")
		case n%7 == 0:
			return ok(`{"a":2}`), nil
		}
		return ok(`{"a":1}`), nil
	}, oneRoute(shadow.Settings{Percent: 90, MaxBody: 1 << 10, Timeout: 5 * time.Millisecond, Keep: 3, Limits: shadow.Limits{Queue: 40}}, shadow.Limits{InFlight: 8, Queue: 50, Rate: 40_000}))
	defer s.Close()
	const clients, each = 20, 500
	var all sync.WaitGroup
	for client := range clients {
		all.Go(func() {
			for i := range each {
				n := client*each + i
				method := []string{"GET", "HEAD", "OPTIONS", "POST"}[n%4]
				ticket := s.Begin(shadow.Request{Route: "r", ID: "x", Method: method, To: "s", Upgrade: n%31 == 0, Resting: n%29 == 0, Length: int64(n % 1100)})
				switch {
				case n%11 == 0:
					ticket.Drop(shadow.ClientGone)
				case n%17 == 0:
					ticket.KeepResponse(make([]byte, 1025))
				case n%19 == 0:
					ticket.End(shadow.Primary{Head: plainHead, Answer: shadow.Answer{Status: 200, Truncated: true}})
				}
				ticket.KeepResponse([]byte(`{"a":1}`))
				ticket.End(shadow.Primary{Head: plainHead, Answer: ok("")})
				ticket.Drop(shadow.NoAnswer) // after the end, nothing
				if i%10 == 0 {
					time.Sleep(time.Millisecond)
				}
			}
		})
	}
	all.Wait()
	st := quiet(t, s)
	if st.Eligible != clients*each || st.Sent != asked.Load() || st.Sent == 0 {
		t.Errorf("asked %d times: %+v", asked.Load(), st)
	}
	for _, reason := range []string{"percent", "unsafe_method", "upgrade", "breaker", "body_too_large", "client_gone"} {
		if st.Dropped[reason] == 0 {
			t.Errorf("none was dropped for %s: %v", reason, st.Dropped)
		}
	}
	if st.Dropped["no_answer"] != 0 || st.Mismatched == 0 || st.Timeouts == 0 || st.Errors["other"] == 0 {
		t.Errorf("%+v", st)
	}
}

// The account balances under any schedule of what a client and a side can do, with
// reloads between and the end in the middle.
func TestAccountBalances(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		answers := make(chan shadow.Answer, 1000)
		s := newShadow(t, func(ctx context.Context, c shadow.Copy) (shadow.Answer, error) {
			select {
			case a := <-answers:
				if a.Status == 0 {
					return a, errors.New("no")
				}
				return a, nil
			case <-ctx.Done():
				return shadow.Answer{}, ctx.Err()
			}
		}, oneRoute(shadow.Settings{Percent: 100, MaxBody: 64, Timeout: time.Hour, Sandbox: true}, shadow.Limits{InFlight: 2, Queue: 3}))
		closed := false
		var open []*shadow.Ticket
		eligible := uint64(0)
		t.Repeat(map[string]func(*rapid.T){
			"begin": func(t *rapid.T) {
				eligible++
				open = append(open, s.Begin(shadow.Request{Route: "r", Method: rapid.SampledFrom([]string{"GET", "POST"}).Draw(t, "method"), To: rapid.SampledFrom([]string{"s", "monolith"}).Draw(t, "to")}))
			},
			"keep": func(t *rapid.T) {
				for _, ticket := range open {
					ticket.KeepRequest(make([]byte, rapid.IntRange(0, 40).Draw(t, "request")))
					ticket.KeepResponse(make([]byte, rapid.IntRange(0, 40).Draw(t, "response")))
				}
			},
			"end": func(t *rapid.T) {
				if len(open) > 0 {
					open[0].End(shadow.Primary{Head: plainHead, Framed: rapid.Bool().Draw(t, "framed"), Answer: shadow.Answer{Status: 200, Framed: rapid.Bool().Draw(t, "framed answer")}})
					open = open[1:]
				}
			},
			"drop": func(t *rapid.T) {
				if len(open) > 0 {
					open[0].Drop(shadow.ClientGone)
				}
			},
			"answer": func(t *rapid.T) {
				answers <- rapid.SampledFrom([]shadow.Answer{{}, ok("1"), {Status: 500}, {Status: 200, Truncated: true}, {Status: 200, Framed: true, Body: []byte("zz")}}).Draw(t, "answer")
			},
			"reload": func(t *rapid.T) {
				settings := shadow.Settings{Percent: 100, MaxBody: 64, Timeout: time.Hour, Sandbox: true, Limits: shadow.Limits{Queue: rapid.IntRange(0, 3).Draw(t, "own")}}
				_ = s.Configure(oneRoute(settings, shadow.Limits{InFlight: rapid.IntRange(1, 3).Draw(t, "inflight"), Queue: rapid.IntRange(1, 4).Draw(t, "queue")}))
			},
			"close": func(t *rapid.T) {
				if rapid.IntRange(0, 20).Draw(t, "whether") == 0 {
					s.Close()
					closed = true
				}
			},
		})
		for _, ticket := range open {
			ticket.Drop(shadow.NoAnswer)
		}
		s.Close()
		st, _ := s.Stats("r")
		if !settled(st) || st.Eligible != eligible {
			t.Fatalf("closed %v, %d began: %+v", closed, eligible, st)
		}
		if kept := metric(t, s, "strangler_shadow_kept_bytes"); kept != 0 {
			t.Fatalf("%v bytes are still kept", kept)
		}
	})
}

// What is kept never takes more than the queue times the largest body.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	s := newShadow(t, func(ctx context.Context, _ shadow.Copy) (shadow.Answer, error) {
		<-ctx.Done() // hangs
		return shadow.Answer{}, ctx.Err()
	}, oneRoute(shadow.Settings{Percent: 100, MaxBody: 64 << 10, Timeout: time.Hour}, shadow.Limits{InFlight: 4, Queue: 16}))
	defer s.Close()
	body := make([]byte, 60<<10)
	most := 0.0
	var open []*shadow.Ticket
	for range 500 {
		ticket := s.Begin(shadow.Request{Route: "r", Method: "GET", To: "s"})
		ticket.KeepResponse(body)
		open = append(open, ticket)
		most = max(most, metric(t, s, "strangler_shadow_kept_bytes"))
	}
	for _, ticket := range open {
		ticket.End(shadow.Primary{Head: plainHead, Answer: ok("")})
		most = max(most, metric(t, s, "strangler_shadow_kept_bytes"))
	}
	st, _ := s.Stats("r")
	if most > 16*64<<10 || most < 8*64<<10 || st.Dropped["queue_full"] < 480 {
		t.Errorf("%v bytes at most, %+v", most, st)
	}
}

// A route's own bounds hold within those of the side, and one route that hangs leaves
// the side to the others.
func TestOwnLimits(t *testing.T) {
	t.Parallel()
	var now, most atomic.Int64
	release := make(chan struct{})
	free := sync.OnceFunc(func() { close(release) })
	c := oneRoute(shadow.Settings{Percent: 100, MaxBody: 1 << 10, Timeout: time.Hour, Limits: shadow.Limits{InFlight: 2, Queue: 5}}, shadow.Limits{InFlight: 8, Queue: 50})
	other := c.Routes[0]
	other.Name, other.Settings.Limits = "other", shadow.Limits{}
	c.Routes = append(c.Routes, other)
	s := newShadow(t, func(_ context.Context, c shadow.Copy) (shadow.Answer, error) {
		if strings.HasPrefix(string(c.Head), "GET /a") {
			for n := now.Add(1); n > most.Load(); {
				most.Store(n)
			}
			<-release
			now.Add(-1)
		}
		return ok("1"), nil
	}, c)
	defer s.Close()
	defer free()
	send := func(route, head string, n int) {
		for range n {
			ticket := s.Begin(shadow.Request{Route: route, Method: "GET", To: "s"})
			ticket.End(shadow.Primary{Head: []byte(head), Answer: ok("1")})
		}
	}
	send("r", string(plainHead), 2)
	wait(t, func() bool { return now.Load() == 2 })
	send("r", string(plainHead), 10)
	send("other", "GET /b HTTP/1.1\r\n\r\n", 20)
	wait(t, func() bool { st, _ := s.Stats("other"); return st.Matches == 20 })
	st, _ := s.Stats("r")
	if st.Sent != 2 || st.Dropped["queue_full"] != 5 {
		t.Errorf("%+v", st)
	}
	free()
	if st := quiet(t, s); st.Matches != 7 || most.Load() != 2 {
		t.Errorf("%d at a time, %+v", most.Load(), st)
	}
}

func TestRate(t *testing.T) {
	t.Parallel()
	s := newShadow(t, func(context.Context, shadow.Copy) (shadow.Answer, error) { return ok("1"), nil },
		oneRoute(shadow.Settings{Percent: 100, MaxBody: 1 << 10, Timeout: time.Hour}, shadow.Limits{InFlight: 8, Queue: 5000, Rate: 100}))
	defer s.Close()
	begun := time.Now()
	for sent := 0; sent < 1000 || time.Since(begun) < 300*time.Millisecond; sent++ { // more than the rate, however slow the machine
		s.Begin(shadow.Request{Route: "r", Method: "GET", To: "s"}).End(shadow.Primary{Head: plainHead, Answer: ok("1")})
		if sent >= 1000 {
			time.Sleep(100 * time.Microsecond)
		}
	}
	took := time.Since(begun).Seconds()
	st := quiet(t, s)
	if most := uint64(100*took) + 11; st.Sent > most || st.Sent < 20 || st.Dropped["rate"] == 0 {
		t.Errorf("in %.3f s: %+v", took, st)
	}
}

// At live a sample goes back to the monolith: the first of a burst, and so many a second.
// What goes to the service is not bounded by that.
func TestLiveRate(t *testing.T) {
	t.Parallel()
	s := newShadow(t, func(context.Context, shadow.Copy) (shadow.Answer, error) { return ok("1"), nil },
		oneRoute(shadow.Settings{Percent: 100, MaxBody: 1 << 10, Timeout: time.Hour, LiveRate: 50}, shadow.Limits{InFlight: 8, Queue: 5000}))
	defer s.Close()
	for side, most := range map[string]uint64{shadow.Monolith: 50, "s": 500} {
		before, begun := quiet(t, s), time.Now()
		for range 500 {
			s.Begin(shadow.Request{Route: "r", Method: "GET", To: side}).End(shadow.Primary{Head: plainHead, Answer: ok("1")})
		}
		late := uint64(50*time.Since(begun).Seconds()) + 1
		after := quiet(t, s)
		sent, dropped := after.Sent-before.Sent, after.Dropped["rate"]-before.Dropped["rate"]
		if sent < most || sent > most+late || sent+dropped != 500 {
			t.Errorf("to %s: %d sent, %d dropped, want %d sent", side, sent, dropped, most)
		}
	}
}

// metric sums a metric over its labels.
func metric(t interface{ Fatal(...any) }, s *shadow.Shadow, name string) float64 {
	total, err := gather(s, name)
	if err != nil {
		t.Fatal(err)
	}
	return total
}

// What the front pays for a copy, whatever the side does.
func BenchmarkBeginAndEnd(b *testing.B) {
	for name, wait := range map[string]bool{"answers": false, "hangs": true} {
		b.Run(name, func(b *testing.B) {
			s := newShadow(b, func(ctx context.Context, _ shadow.Copy) (shadow.Answer, error) {
				if wait {
					<-ctx.Done()
				}
				return ok("1"), nil
			}, oneRoute(shadow.Settings{Percent: 100, MaxBody: 64 << 10, Timeout: time.Hour}, shadow.Limits{InFlight: 1, Queue: 16}))
			defer s.Close()
			body := []byte(fmt.Sprintf("%01000d", 1))
			b.ReportAllocs()
			for b.Loop() {
				ticket := s.Begin(shadow.Request{Route: "r", ID: "0123456789", Method: "GET", To: "s"})
				ticket.KeepResponse(body)
				ticket.End(shadow.Primary{Head: plainHead, Answer: shadow.Answer{Status: 200}})
			}
		})
	}
}
