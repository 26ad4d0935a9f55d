package balance_test

import (
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/balance"
)

func urls(n int) []*url.URL {
	all := make([]*url.URL, n)
	for i := range all {
		all[i] = &url.URL{Scheme: "http", Host: fmt.Sprintf("h%d", i)}
	}
	return all
}

// spread counts who is asked first in n turns.
func spread(p *balance.Pool, n int) []int {
	counts := make([]int, len(p.Instances()))
	for range n {
		turn := p.Turn()
		first := turn.Next()
		for i, instance := range p.Instances() {
			if instance == first {
				counts[i]++
			}
		}
	}
	return counts
}

func same(t *testing.T, what string, got []int, want ...int) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func fail(i *balance.Instance, times int) {
	for range times {
		i.Failed()
	}
}

func TestInstancesTakeTurns(t *testing.T) {
	t.Parallel()
	p := balance.New(urls(3), balance.Options{}, nil)
	same(t, "all well", spread(p, 30), 10, 10, 10)
	turn := p.Turn()
	seen := map[*balance.Instance]bool{}
	for i := turn.Next(); i != nil; i = turn.Next() {
		if seen[i] {
			t.Fatal("one instance twice")
		}
		seen[i] = true
	}
	if len(seen) != 3 {
		t.Errorf("%d instances in a turn, want 3", len(seen))
	}
}

// Three failures in a row leave an instance out; the others share its turns equally.
func TestFailingInstanceIsLeftOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log []string
		p := balance.New(urls(4), balance.Options{Changed: func(i string, s balance.State) { log = append(log, i+" "+string(s)) }}, nil)
		bad := p.Instances()[1]
		fail(bad, 2)
		bad.Succeeded()
		fail(bad, 2)
		same(t, "never three in a row", spread(p, 12), 3, 3, 3, 3)
		fail(bad, 1)
		same(t, "left out", spread(p, 12), 4, 0, 4, 4)
		turn := p.Turn()
		for i := turn.Next(); i != nil; i = turn.Next() {
			if i == bad {
				t.Error("it is asked after the others")
			}
		}
		time.Sleep(10 * time.Second)
		same(t, "back", spread(p, 12), 3, 3, 3, 3)
		if len(log) != 1 || log[0] != "http://h1 ejected" {
			t.Errorf("told: %v", log)
		}
	})
}

// One failure after its return is enough, and it stays away longer.
func TestEjectionGrows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := balance.New(urls(2), balance.Options{SlowStart: time.Minute}, nil)
		bad := p.Instances()[0]
		fail(bad, 3)
		for times := 1; times <= 8; times++ {
			away := time.Duration(min(times, 6)) * 10 * time.Second
			time.Sleep(away - time.Millisecond)
			if got := bad.State(); got != balance.Ejected {
				t.Fatalf("time %d: %s after %v", times, got, away)
			}
			time.Sleep(time.Millisecond)
			if got := bad.State(); got != balance.Easing {
				t.Fatalf("time %d: %s", times, got)
			}
			fail(bad, 1)
		}
	})
}

func TestSlowStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := balance.New(urls(2), balance.Options{SlowStart: 10 * time.Second}, nil)
		fail(p.Instances()[0], 3)
		time.Sleep(10 * time.Second)
		for second := range 10 {
			got := spread(p, 100)[0]
			if want := max(5, 5*second); got < want-1 || got > want+1 {
				t.Errorf("after %d s: %d of 100, want %d", second, got, want)
			}
			time.Sleep(time.Second)
		}
		same(t, "in the end", spread(p, 100), 50, 50)
	})
}

func TestHealthChecks(t *testing.T) {
	t.Parallel()
	p := balance.New(urls(2), balance.Options{}, nil)
	i := p.Instances()[0]
	for step, c := range strings.Fields("- - + - - -! - + - + +. - - -! + +.") {
		i.Checked(c[0] == '+')
		want := balance.State("")
		switch {
		case strings.HasSuffix(c, "!"):
			want = balance.Down
		case strings.HasSuffix(c, "."):
			want = balance.Well
		}
		if got := i.State(); want != "" && got != want {
			t.Fatalf("step %d: %s, want %s", step, got, want)
		}
	}
	for range 3 {
		i.Checked(false)
	}
	same(t, "down", spread(p, 10), 0, 10)
	fail(i, 5) // late answers
	if got := i.State(); got != balance.Down {
		t.Errorf("%s, want down", got)
	}
}

// Where none is well all are asked: whether the service is, its breaker says.
func TestAllLeftOut(t *testing.T) {
	t.Parallel()
	p := balance.New(urls(2), balance.Options{SlowStart: time.Minute}, nil)
	for _, i := range p.Instances() {
		fail(i, 3)
	}
	same(t, "all ejected", spread(p, 10), 5, 5)
	turn := p.Turn()
	first, second, third := turn.Next(), turn.Next(), turn.Next()
	if first == nil || second == nil || first == second || third != nil {
		t.Error("not each of both once")
	}
}

// A reload that adds an instance keeps what is known about the others.
func TestInstancesSurviveReloads(t *testing.T) {
	t.Parallel()
	before := balance.New(urls(2), balance.Options{}, nil)
	fail(before.Instances()[0], 3)
	after := balance.New(urls(3), balance.Options{}, before)
	same(t, "after", spread(after, 10), 0, 5, 5)
	if got := balance.New(urls(3), balance.Options{SlowStart: time.Second}, after).Instances()[0].State(); got != balance.Well {
		t.Errorf("another slow start begins afresh, got %s", got)
	}
}

// With easing instances in it, a turn still ends and never repeats.
func TestTurnsUnderConcurrency(t *testing.T) {
	t.Parallel()
	p := balance.New(urls(3), balance.Options{SlowStart: time.Second}, nil)
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for n := range 2000 {
				turn := p.Turn()
				seen := map[*balance.Instance]bool{}
				for i := turn.Next(); i != nil; i = turn.Next() {
					if seen[i] {
						t.Error("one instance twice")
						return
					}
					if seen[i] = true; (n+worker)%3 == 0 {
						i.Failed()
					} else {
						i.Succeeded()
					}
					i.Checked(n%5 != 0)
				}
				if len(seen) == 0 {
					t.Error("a turn without an instance")
				}
			}
		})
	}
	all.Wait()
}

func TestTurnDoesNotAllocate(t *testing.T) {
	p := balance.New(urls(3), balance.Options{}, nil)
	if n := testing.AllocsPerRun(1000, func() {
		turn := p.Turn()
		turn.Next().Succeeded()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
