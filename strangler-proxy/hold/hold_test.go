package hold_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/stranglerfig/toolkit/strangler-proxy/hold"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A client says whether it has left.
type client struct{ gone atomic.Bool }

func (c *client) Left() bool { return c.gone.Load() }

// order is one for route r.
func order(id string) hold.Order {
	return hold.Order{ID: id, Holder: "a test", Routes: []string{"r"}, TTL: time.Second, Limit: 5 * time.Second}
}

func begin(t *testing.T, k *hold.Keeper, o hold.Order) hold.Status {
	t.Helper()
	status, err := k.Add(o)
	if err != nil {
		t.Fatal(err)
	}
	return status
}

// park lets a request of route r wait and sends what becomes of it.
func park(k *hold.Keeper, size int64, c hold.Client) <-chan hold.Outcome {
	out := make(chan hold.Outcome, 1)
	h := k.For("r", false)
	if h == nil {
		panic("nothing is held")
	}
	go func() { out <- k.Park(h, size, time.Minute, c) }()
	return out
}

func TestHoldKeepsTheRoutesThatItNames(t *testing.T) {
	t.Parallel()
	k := hold.New(hold.Options{})
	defer k.Close()
	if k.Any() || k.For("r", false) != nil {
		t.Fatal("something is held without a hold")
	}
	begin(t, k, order("a"))
	reads := order("b")
	reads.Routes, reads.Reads = []string{"all"}, true
	begin(t, k, reads)
	for _, c := range []struct {
		route string
		reads bool
		held  bool
	}{{"r", false, true}, {"r", true, false}, {"all", false, true}, {"all", true, true}, {"other", false, false}} {
		if held := k.For(c.route, c.reads) != nil; held != c.held {
			t.Errorf("route %s, reads %v: held %v", c.route, c.reads, held)
		}
	}
}

func TestReleaseLetsParkedRequestsGo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := hold.New(hold.Options{})
		defer k.Close()
		begin(t, k, order("a"))
		first, second := park(k, 10, &client{}), park(k, 20, &client{})
		synctest.Wait()
		if s := k.List()[0]; s.Parked != 2 || s.Bytes != 30 {
			t.Fatalf("parked %d requests of %d bytes, want 2 of 30", s.Parked, s.Bytes)
		}
		status, err := k.Release("a", 0)
		if err != nil || status.Most != 2 {
			t.Fatal(status, err)
		}
		if a, b := <-first, <-second; a != hold.Released || b != hold.Released {
			t.Fatal(a, b)
		}
		if _, err := k.Release("a", 0); !errors.Is(err, hold.ErrUnknown) {
			t.Fatalf("a second release gave %v", err)
		}
	})
}

func TestHoldHasRoomForSoManyRequestsAndBytes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := hold.New(hold.Options{})
		defer k.Close()
		o := order("a")
		o.Requests, o.Bytes = 2, 100
		begin(t, k, o)
		leaving := &client{}
		first := park(k, 60, leaving)
		synctest.Wait()
		if got := <-park(k, 41, &client{}); got != hold.Full {
			t.Fatalf("101 bytes: %v, want %v", got, hold.Full)
		}
		second := park(k, 40, &client{})
		synctest.Wait()
		if got := <-park(k, 0, &client{}); got != hold.Full {
			t.Fatalf("the third request: %v, want %v", got, hold.Full)
		}
		leaving.gone.Store(true)
		if got := <-first; got != hold.Left {
			t.Fatalf("who left: %v", got)
		}
		third := park(k, 60, &client{}) // in the place that became free
		synctest.Wait()
		if s := k.List()[0]; s.Parked != 2 || s.Refused != 2 {
			t.Fatalf("parked %d, refused %d; want 2 and 2", s.Parked, s.Refused)
		}
		if _, err := k.Release("a", 0); err != nil {
			t.Fatal(err)
		}
		if a, b := <-second, <-third; a != hold.Released || b != hold.Released {
			t.Fatal(a, b)
		}
	})
}

func TestRequestWaitsNoLongerThanItMay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := hold.New(hold.Options{})
		defer k.Close()
		begin(t, k, order("a"))
		began := time.Now()
		if got := k.Park(k.For("r", false), 0, 300*time.Millisecond, &client{}); got != hold.Late {
			t.Fatalf("%v, want %v", got, hold.Late)
		}
		if took := time.Since(began); took < 300*time.Millisecond || took > 400*time.Millisecond {
			t.Fatalf("it waited %s", took)
		}
	})
}

func TestHoldEndsWithoutItsHolder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var settled atomic.Bool
		ended := make(chan string, 1)
		k := hold.New(hold.Options{
			Settle: func() { settled.Store(true) },
			Ended:  func(_ hold.Status, why string) { ended <- why },
		})
		defer k.Close()
		began := time.Now()
		begin(t, k, order("a"))
		waiting := park(k, 0, &client{})
		for range 3 {
			time.Sleep(900 * time.Millisecond)
			if _, err := k.Renew("a", 0, 0); err != nil {
				t.Fatal(err)
			}
		}
		if got := <-waiting; got != hold.Released {
			t.Fatal(got)
		}
		if lasted := time.Since(began); lasted != 3700*time.Millisecond {
			t.Errorf("the hold lasted %s, want 3 renewals and a ttl", lasted)
		}
		if why := <-ended; why != hold.ByTTL || !settled.Load() {
			t.Errorf("ended by %q, settled %v", why, settled.Load())
		}
		if _, err := k.Renew("a", 0, 0); !errors.Is(err, hold.ErrUnknown) {
			t.Errorf("renewing a hold that has ended gave %v", err)
		}
	})
}

func TestHoldEndsAtItsLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan string, 1)
		k := hold.New(hold.Options{Ended: func(_ hold.Status, why string) { ended <- why }})
		defer k.Close()
		began := time.Now()
		begin(t, k, order("a"))
		waiting := park(k, 0, &client{})
		for k.Any() {
			_, _ = k.Renew("a", 0, 0)
			time.Sleep(100 * time.Millisecond)
		}
		if got := <-waiting; got != hold.Released {
			t.Fatal(got)
		}
		if why := <-ended; why != hold.ByLimit {
			t.Fatal(why)
		}
		if lasted := time.Since(began); lasted < 5*time.Second || lasted > 5200*time.Millisecond {
			t.Errorf("it lasted %s, want 5s", lasted)
		}
	})
}

func TestHigherClaimTakesAHoldOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := hold.New(hold.Options{})
		defer k.Close()
		first := order("split")
		first.Claim = 1
		begin(t, k, first)
		var wait sync.WaitGroup
		var passed atomic.Int64
		wait.Go(func() { // as a request does: whoever is woken looks again
			for h := k.For("r", false); h != nil; h = k.For("r", false) {
				k.Park(h, 0, time.Minute, &client{})
			}
			passed.Add(1)
		})
		synctest.Wait()
		second := first
		second.Claim, second.Holder = 2, "another"
		begin(t, k, second)
		synctest.Wait()
		if s := k.List(); len(s) != 1 || s[0].Parked != 1 || s[0].Holder != "another" {
			t.Fatalf("after the second claim: %+v", s)
		}
		time.Sleep(100 * time.Millisecond)
		var claimed *hold.ClaimError
		if _, err := k.Add(first); !errors.As(err, &claimed) || claimed.Have != 2 {
			t.Errorf("the first claim again: %v", err)
		}
		if _, err := k.Renew("split", 1, 0); !errors.As(err, &claimed) {
			t.Errorf("the first claim renews: %v", err)
		}
		if _, err := k.Drain(t.Context(), "split", 1); !errors.As(err, &claimed) {
			t.Errorf("the first claim drains: %v", err)
		}
		if _, err := k.Release("split", 1); !errors.As(err, &claimed) || passed.Load() != 0 {
			t.Errorf("the first claim releases: %v, %d passed", err, passed.Load())
		}
		if _, err := k.Release("split", 3); err != nil { // a later one may
			t.Error(err)
		}
		wait.Wait()
	})
}

func TestOrdersThatAreRefused(t *testing.T) {
	t.Parallel()
	k := hold.New(hold.Options{})
	defer k.Close()
	begin(t, k, order("a"))
	var overlap *hold.OverlapError
	if _, err := k.Add(order("b")); !errors.As(err, &overlap) || overlap.ID != "a" || overlap.Route != "r" {
		t.Errorf("a route that is held: %v", err)
	}
	if _, err := k.Add(order("a")); err != nil {
		t.Errorf("the same order again: %v", err)
	}
	for name, change := range map[string]func(*hold.Order){
		"no id": func(o *hold.Order) { o.ID = "" }, "an id that is a path": func(o *hold.Order) { o.ID = "../x" },
		"no holder": func(o *hold.Order) { o.Holder = "" }, "no routes": func(o *hold.Order) { o.Routes = nil },
		"for ever": func(o *hold.Order) { o.Limit = time.Hour }, "no time": func(o *hold.Order) { o.TTL = time.Millisecond },
		"negative": func(o *hold.Order) { o.TTL = -time.Second }, "without bounds": func(o *hold.Order) { o.Requests = 1 << 30 },
		"negative bytes": func(o *hold.Order) { o.Bytes = -1 }, "negative claim": func(o *hold.Order) { o.Claim = -1 },
	} {
		o := order("c")
		o.Routes = []string{"free"}
		change(&o)
		if status, err := k.Add(o); err == nil {
			t.Errorf("%s: taken as %+v", name, status)
		}
	}
}

func TestDrainWaitsForWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := hold.New(hold.Options{})
		defer k.Close()
		var writes, other, reads, socket, idle hold.Flight
		for _, f := range []*hold.Flight{&writes, &other, &reads, &socket, &idle} {
			k.Join(f)
			defer k.Part(f)
		}
		r := &route.Route{Name: "r"}
		writes.Enter(r, time.Now(), false)
		other.Enter(&route.Route{Name: "other"}, time.Now(), false)
		reads.Enter(r, time.Now(), true)
		socket.Enter(r, time.Now(), true)
		socket.Upgrade()
		idle.Enter(r, time.Now(), false)
		idle.Leave()
		begin(t, k, order("a"))
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		left, err := k.Drain(ctx, "a", 0)
		if err != nil || left.Drained || left.Left != 1 || left.Upgraded != 1 || left.Requests[0] != (hold.Request{Route: "r", AgeMS: 300}) {
			t.Fatalf("%+v, %v; want one request of 300 ms and one upgraded", left, err)
		}
		done := make(chan hold.Drain, 1)
		go func() {
			left, _ := k.Drain(t.Context(), "a", 0)
			done <- left
		}()
		synctest.Wait()
		select {
		case <-done:
			t.Fatal("drained while a request is under way")
		default:
		}
		writes.Leave()
		if left := <-done; !left.Drained {
			t.Fatalf("%+v", left)
		}
		writes.Enter(r, time.Now(), false)
		ended := make(chan error, 1)
		go func() {
			_, err := k.Drain(t.Context(), "a", 0)
			ended <- err
		}()
		synctest.Wait()
		_, _ = k.Release("a", 0)
		if err := <-ended; !errors.Is(err, hold.ErrUnknown) {
			t.Fatalf("a drain whose hold ended gave %v", err)
		}
	})
}

// However holds and requests interleave, none is under way in a route that is held and
// drained.
func TestNoRequestSlipsPastADrainedHold(t *testing.T) {
	t.Parallel()
	k := hold.New(hold.Options{})
	defer k.Close()
	r := &route.Route{Name: "r"}
	var inside, served atomic.Int64
	stop := make(chan struct{})
	var running sync.WaitGroup
	for range 4 {
		running.Go(func() {
			var f hold.Flight
			k.Join(&f)
			defer k.Part(&f)
			for {
				select {
				case <-stop:
					return
				default:
				}
				f.Enter(r, time.Now(), false)
				if h := k.For("r", false); h != nil {
					f.Leave()
					k.Park(h, 1, time.Minute, &client{})
					continue
				}
				inside.Add(1)
				served.Add(1)
				inside.Add(-1)
				f.Leave()
				runtime.Gosched()
			}
		})
	}
	for range 50 {
		begin(t, k, order("a"))
		left, err := k.Drain(t.Context(), "a", 0)
		if err != nil || !left.Drained {
			t.Fatal(left, err)
		}
		before := served.Load()
		for range 20 {
			if inside.Load() != 0 {
				t.Fatal("a request is under way although the hold is drained")
			}
		}
		if now := served.Load(); now != before {
			t.Fatalf("%d requests were served within a drained hold", now-before)
		}
		if _, err := k.Release("a", 0); err != nil {
			t.Fatal(err)
		}
		for served.Load() == before {
			time.Sleep(10 * time.Microsecond)
		}
	}
	close(stop)
	running.Wait()
}

func TestLookingForAHoldTakesNoMemory(t *testing.T) {
	k := hold.New(hold.Options{})
	defer k.Close()
	var f hold.Flight
	k.Join(&f)
	defer k.Part(&f)
	r, started := &route.Route{Name: "r"}, time.Now()
	if n := testing.AllocsPerRun(100, func() {
		f.Enter(r, started, false)
		if k.For("r", false) != nil {
			t.Fatal("held")
		}
		f.Leave()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkWithoutAHold(b *testing.B) {
	k := hold.New(hold.Options{})
	defer k.Close()
	r, started := &route.Route{Name: "r"}, time.Now()
	b.RunParallel(func(pb *testing.PB) {
		var f hold.Flight
		k.Join(&f)
		defer k.Part(&f)
		for pb.Next() {
			f.Enter(r, started, false)
			_ = k.For("r", false)
			f.Leave()
		}
	})
}

// A proxy that ends must not send what it parked to somebody for a client that is gone.
func TestCloseGivesUpWhatIsParked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := hold.New(hold.Options{})
		begin(t, k, order("a"))
		waiting := park(k, 0, &client{})
		synctest.Wait()
		k.Close()
		if got := <-waiting; got != hold.Left {
			t.Errorf("%v, want %v", got, hold.Left)
		}
		if _, err := k.Add(order("b")); err == nil {
			t.Error("a hold began after the end")
		}
	})
}
