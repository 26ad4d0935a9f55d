package breaker_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/breaker"
)

var settings = breaker.Settings{Failures: 3, Window: 10, Wait: 5 * time.Second, Probes: 2, Ramp: 10 * time.Second}

// ask sends one request to a service that answers as told.
func ask(t *testing.T, b *breaker.Breaker, well bool) bool {
	t.Helper()
	permit, _, ok := b.Admit(true)
	switch {
	case ok && well:
		permit.Succeeded()
	case ok:
		permit.Failed()
	}
	return ok
}

func state(t *testing.T, b *breaker.Breaker, want breaker.State) {
	t.Helper()
	if got := b.View().State; got != want {
		t.Fatalf("the breaker is %v, want %v", got, want)
	}
}

// It opens at the exact failure, whatever lay between as long as the window holds it.
func TestOpensAtTheLastResults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		results string // + and -
		open    bool
	}{
		{"at once", "---", true},
		{"not before", "--", false},
		{"after many successes", "+++++++++++++++++++++++---", true},
		{"spread over the window", "-++++-+++-", true},
		{"spread over more than the window", "-+++++-+++-", false},
		{"old ones are forgotten", "--++++++++++--", false},
		{"exactly at the edge", "--+++++++-", true},
		{"one beyond the edge", "--+++++++++-", false},
	} {
		b := breaker.New(settings, nil)
		for i, r := range c.results {
			if !ask(t, b, r == '+') {
				t.Fatalf("%s: refused at %d", c.name, i)
			}
		}
		if got := b.View().State == breaker.Open; got != c.open {
			t.Errorf("%s: open %v, want %v", c.name, got, c.open)
		}
	}
}

func TestComesBackInSteps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var steps []string
		b := breaker.New(settings, func(c breaker.Change) { steps = append(steps, c.To.String()) })
		for range 3 {
			ask(t, b, false)
		}
		for range 100 { // nothing gets through for the whole wait
			if ask(t, b, true) {
				t.Fatal("an open breaker admits")
			}
			time.Sleep(49 * time.Millisecond)
		}
		time.Sleep(100 * time.Millisecond)
		var probes []breaker.Permit
		for range 50 {
			if p, s, ok := b.Admit(true); ok {
				probes = append(probes, p)
			} else if s != breaker.Probing {
				t.Fatalf("refused because %v", s)
			}
		}
		if len(probes) != settings.Probes {
			t.Fatalf("%d probes, want %d", len(probes), settings.Probes)
		}
		for _, p := range probes {
			state(t, b, breaker.Probing)
			p.Succeeded()
		}
		state(t, b, breaker.Ramping)
		// 100 requests a second for 10 seconds: the share grows by a tenth each second.
		for second := range 10 {
			admitted := 0
			for range 100 {
				time.Sleep(10 * time.Millisecond)
				if ask(t, b, true) {
					admitted++
				}
			}
			if want := 10*second + 5; admitted < want-2 || admitted > want+2 {
				t.Errorf("second %d: %d of 100 admitted, want %d", second, admitted, want)
			}
		}
		for range 50 {
			if !ask(t, b, true) {
				t.Fatal("a closed breaker refuses")
			}
		}
		state(t, b, breaker.Closed)
		want := []string{"open", "half-open", "ramping", "closed"}
		if len(steps) != len(want) || steps[0] != want[0] || steps[1] != want[1] || steps[2] != want[2] || steps[3] != want[3] {
			t.Errorf("steps %v, want %v", steps, want)
		}
	})
}

func TestProbes(t *testing.T) {
	t.Parallel()
	open := func(t *testing.T) *breaker.Breaker {
		b := breaker.New(settings, nil)
		for range 3 {
			ask(t, b, false)
		}
		time.Sleep(settings.Wait)
		return b
	}
	for name, test := range map[string]func(t *testing.T, b *breaker.Breaker){
		"one failure opens again": func(t *testing.T, b *breaker.Breaker) {
			ask(t, b, true)
			ask(t, b, false)
			state(t, b, breaker.Open)
			if v := b.View(); v.Opened != 2 || ask(t, b, true) {
				t.Errorf("%+v", v)
			}
		},
		"a dropped one is given to another": func(t *testing.T, b *breaker.Breaker) {
			first, _, _ := b.Admit(true)
			ask(t, b, true)
			if ask(t, b, true) {
				t.Fatal("a third probe")
			}
			first.Dropped()
			if !ask(t, b, true) {
				t.Fatal("the place of the dropped probe is lost")
			}
			state(t, b, breaker.Ramping)
		},
		"a write waits for a read": func(t *testing.T, b *breaker.Breaker) {
			if _, _, ok := b.Admit(false); ok {
				t.Fatal("a write is the first to try")
			}
			time.Sleep(settings.Wait)
			if _, _, ok := b.Admit(false); !ok {
				t.Fatal("a service that only takes writes never comes back")
			}
		},
		"lost ones do not hold it for ever": func(t *testing.T, b *breaker.Breaker) {
			lost, _, _ := b.Admit(true)
			b.Admit(true)
			time.Sleep(time.Minute)
			b.Admit(true)
			state(t, b, breaker.Open)
			lost.Succeeded()
			state(t, b, breaker.Open)
			time.Sleep(settings.Wait)
			if !ask(t, b, true) {
				t.Error("no new round")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { test(t, open(t)) })
		})
	}
}

// What was asked before the breaker opened says nothing about the time after.
func TestLateResultsAreIgnored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := breaker.New(settings, nil)
		var late []breaker.Permit
		for range 20 {
			p, _, _ := b.Admit(true)
			late = append(late, p)
		}
		for range 3 {
			ask(t, b, false)
		}
		late[0].Succeeded()
		late[1].Failed()
		time.Sleep(settings.Wait)
		ask(t, b, true)
		for _, p := range late[2:] {
			p.Failed()
		}
		state(t, b, breaker.Probing)
		ask(t, b, true)
		state(t, b, breaker.Ramping)
	})
}

func TestFailuresWhileRampingOpenIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := breaker.New(settings, nil)
		for range 3 {
			ask(t, b, false)
		}
		time.Sleep(settings.Wait)
		ask(t, b, true)
		ask(t, b, true)
		time.Sleep(settings.Ramp / 2)
		failed := 0
		for range 10 {
			if ask(t, b, false) {
				failed++
			}
		}
		if state(t, b, breaker.Open); failed != settings.Failures {
			t.Errorf("%d requests failed before it opened, want %d", failed, settings.Failures)
		}
	})
}

func TestNoneIsClosed(t *testing.T) {
	t.Parallel()
	var b *breaker.Breaker
	for range 100 {
		permit, _, ok := b.Admit(false)
		if !ok {
			t.Fatal("refused")
		}
		permit.Failed()
		permit.Dropped()
		permit.Succeeded()
	}
}

// However many ask at once, a round has exactly its probes.
func TestProbesAreExactUnderConcurrency(t *testing.T) {
	t.Parallel()
	quick := settings
	quick.Wait = 0
	quick.Ramp = 0
	for range 50 {
		b := breaker.New(quick, nil)
		for range 3 {
			ask(t, b, false)
		}
		var admitted atomic.Int64
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				if _, _, ok := b.Admit(true); ok {
					admitted.Add(1)
				}
			})
		}
		if all.Wait(); admitted.Load() != int64(quick.Probes) {
			t.Fatalf("%d probes, want %d", admitted.Load(), quick.Probes)
		}
	}
}

// A service that is well costs nothing.
func TestClosedDoesNotAllocate(t *testing.T) {
	b := breaker.New(settings, nil)
	if n := testing.AllocsPerRun(1000, func() {
		p, _, _ := b.Admit(true)
		p.Succeeded()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkClosed(b *testing.B) {
	br := breaker.New(breaker.Default(), nil)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			p, _, _ := br.Admit(true)
			p.Succeeded()
		}
	})
}
