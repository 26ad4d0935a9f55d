package promote_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/stranglerfig/toolkit/strangler-proxy/audit"
	"github.com/stranglerfig/toolkit/strangler-proxy/promote"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

func usual() *promote.Settings {
	s := promote.Default()
	s.Check = promote.CheckPeriod(s.Every)
	return &s
}

func TestClimbsStepByStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(newFile(t, "canary 1%"), usual())
		s.settings.ThenLive = true
		c := s.run(t)
		begin := time.Now()
		var times []time.Duration
		for stage := s.stage(); len(times) < 5; {
			s.traffic(time.Second, 2, 0)
			if now := s.stage(); now != stage {
				stage = now
				times = append(times, time.Since(begin))
			}
			if time.Since(begin) > 2*time.Hour {
				t.Fatalf("at %s after %v", s.stage(), times)
			}
		}
		want := []string{
			"auto:promote canary 1% -> canary 5%", "auto:promote canary 5% -> canary 25%", "auto:promote canary 25% -> canary 50%",
			"auto:promote canary 50% -> canary 100%", "auto:promote canary 100% -> live",
		}
		if got := s.moves(); !slices.Equal(got, want) {
			t.Errorf("moves: %q", got)
		}
		// Each step needs 100 s for its 200 requests, and 10 min in which all checks pass.
		for i, at := range times {
			if want := time.Duration(i+1) * 700 * time.Second; at < want || at > want+time.Duration(i+1)*time.Minute {
				t.Errorf("step %d at %s, want about %s", i+1, at, want)
			}
		}
		s.traffic(20*time.Minute, 2, 1)
		if s.stage() != "live" {
			t.Error("what is live is moved no more, it is at", s.stage())
		}
		if st, _ := c.Status("r"); st.Next != "" || st.Verdict != promote.Fail {
			t.Errorf("%+v", st)
		}
	})
}

func TestStaysAtTheLastStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(newFile(t, "canary 60%"), usual())
		c := s.run(t)
		s.traffic(time.Hour, 2, 0)
		if got := s.moves(); !slices.Equal(got, []string{"auto:promote canary 60% -> canary 100%"}) {
			t.Errorf("%q", got)
		}
		if st, ok := c.Status("r"); !ok || st.Next != "" || st.Verdict != promote.Pass {
			t.Errorf("%+v", st)
		}
	})
}

func TestTooLittleTrafficHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(newFile(t, "canary 5%"), usual())
		c := s.run(t)
		for range 3 * 60 { // nine requests in ten minutes, all of which fail
			s.window.Observe(time.Now(), route.ToService, true, 0)
			time.Sleep(time.Minute)
		}
		if got := s.moves(); len(got) != 0 {
			t.Errorf("%q", got)
		}
		st, _ := c.Status("r")
		if st.Verdict != promote.Inconclusive || !strings.Contains(st.Why, "of 200 requests") || st.Next != "canary 25%" || st.NextAt != nil {
			t.Errorf("%+v", st)
		}
	})
}

func TestFailingGoesBackAndFreezes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(newFile(t, "canary 5%"), usual())
		c := s.run(t)
		s.traffic(13*time.Minute, 2, 0)
		if s.stage() != "canary 25%" {
			t.Fatal("at", s.stage())
		}
		s.traffic(100*time.Second, 2, 0)
		bad := time.Now()
		for s.stage() == "canary 25%" && time.Since(bad) < time.Hour {
			s.traffic(time.Second, 2, 2)
		}
		if took := time.Since(bad); took < 60*time.Second || took > 2*time.Minute {
			t.Errorf("back after %s: three checks in a row take between 60 and 90 s", took)
		}
		want := []string{"auto:promote canary 5% -> canary 25%", "auto:rollback canary 25% -> canary 5%"}
		if got := s.moves(); !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
		history, _ := s.History()
		if last := history[len(history)-1]; last.Action != audit.Rollback || !strings.Contains(last.Reason, "3 checks in a row failed: errors ") {
			t.Errorf("%+v", last)
		}
		s.traffic(time.Hour, 2, 0)
		if s.stage() != "canary 5%" {
			t.Error("moved while frozen, to", s.stage())
		}
		if st, _ := c.Status("r"); !strings.Contains(st.Frozen, "auto:rollback") || st.Verdict != promote.Pass || st.NextAt != nil || st.Held == "" {
			t.Errorf("%+v", st)
		}
		s.human(t, audit.Resume, "")
		s.traffic(9*time.Minute, 2, 0)
		if s.stage() != "canary 5%" {
			t.Error("what passed while it was frozen counts for nothing, but it moved")
		}
		s.traffic(2*time.Minute, 2, 0)
		if s.stage() != "canary 25%" {
			t.Error("resumed, but at", s.stage())
		}
	})
}

// TestGoesBackWhereItCameFrom: the log knows the stage before; without one it is the
// step before, and before the first step the shadow.
func TestGoesBackWhereItCameFrom(t *testing.T) {
	for name, c := range map[string]struct {
		start, human, want string
	}{
		"the log knows":         {"monolith", "canary 50%", "monolith"},
		"a step before":         {"canary 50%", "", "canary 25%"},
		"between steps":         {"canary 30%", "", "canary 25%"},
		"before the first step": {"canary 1%", "", "shadow"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(newFile(t, c.start), usual())
				if c.human != "" {
					s.human(t, audit.Move, c.human)
				}
				s.run(t)
				s.traffic(5*time.Minute, 2, 1)
				if got := s.stage(); got != c.want {
					t.Errorf("at %s, want %s", got, c.want)
				}
			})
		})
	}
}

func TestOldFailuresAreNotCountedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(newFile(t, "canary 5%"), usual())
		s.settings.Threshold = 5
		c := s.run(t)
		s.traffic(125*time.Second, 2, 1) // enough requests for a check or two, then silence
		time.Sleep(6 * time.Minute)
		if st, _ := c.Status("r"); s.stage() != "canary 5%" || st.Failing < 1 || st.Failing > 2 {
			t.Errorf("at %s, %+v", s.stage(), st)
		}
	})
}

func TestNothingMovesWhileHeld(t *testing.T) {
	for name, hold := range map[string]func(t *testing.T, s *site){
		"held":   func(_ *testing.T, s *site) { s.held.Store("panic") },
		"paused": func(t *testing.T, s *site) { s.human(t, audit.Pause, "") },
	} {
		for good, failing := range map[string]int{"good": 0, "bad": 1} {
			t.Run(name+" "+good, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newSite(newFile(t, "canary 5%"), usual())
					s.expires = time.Hour
					hold(t, s)
					c := s.run(t)
					s.traffic(2*time.Hour, 1, failing)
					if got := s.moves(); len(got) != 0 {
						t.Errorf("%q", got)
					}
					if st, _ := c.Status("r"); st.Held == "" {
						t.Errorf("%+v", st)
					}
				})
			})
		}
	}
}

func TestLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(newFile(t, "shadow"), nil)
		s.expires = 2 * time.Hour
		s.human(t, audit.Move, "canary 5%")
		time.Sleep(time.Minute)
		s.human(t, audit.Move, "canary 25%")
		first, cancel := context.WithCancel(t.Context())
		go promote.New(s, promote.Options{}).Run(first)
		time.Sleep(90 * time.Minute)
		cancel() // a restart does not begin the lease anew
		c := s.run(t)
		time.Sleep(time.Second)
		if st, ok := c.Status("r"); !ok || st.LeaseLeft != (30*time.Minute-time.Second).String() || st.Promotes {
			t.Errorf("%+v", st)
		}
		s.human(t, audit.Confirm, "")
		time.Sleep(2*time.Hour - 2*time.Second)
		if got := s.stage(); got != "canary 25%" {
			t.Error("confirmed for 2 h, but at", got)
		}
		time.Sleep(3 * time.Second)
		if got := s.stage(); got != "canary 5%" {
			t.Error("the lease is over, but at", got)
		}
		// One stage at a time, each with a lease of its own, and automation's own freezing
		// does not stop it.
		time.Sleep(110 * time.Minute)
		if got := s.stage(); got != "canary 5%" {
			t.Error("the second lease has begun, but at", got)
		}
		time.Sleep(4 * time.Hour)
		want := []string{
			"cli:somebody shadow -> canary 5%", "cli:somebody canary 5% -> canary 25%",
			"auto:expired canary 25% -> canary 5%", "auto:expired canary 5% -> shadow",
		}
		if got := s.moves(); !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
	})
}

func TestLeaseWithoutALogBeginsWithTheProxy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(newFile(t, "canary 5%"), nil)
		s.expires = time.Hour
		s.run(t)
		time.Sleep(time.Hour - time.Second)
		if got := s.stage(); got != "canary 5%" {
			t.Error("at", got)
		}
		time.Sleep(2 * time.Second)
		if got := s.stage(); got != "shadow" {
			t.Error("at", got)
		}
	})
}

func TestAMoveThatIsRefusedIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(newFile(t, "canary 5%"), usual())
		refused := &refusing{site: s}
		c := promote.New(refused, promote.Options{})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go c.Run(ctx)
		s.traffic(13*time.Minute, 2, 0)
		if st, _ := c.Status("r"); st.Problem != "the file is read-only" || s.stage() != "canary 5%" {
			t.Errorf("%+v", st)
		}
		refused.allow.Store(true)
		s.traffic(2*time.Second, 2, 0)
		time.Sleep(time.Minute)
		if st, _ := c.Status("r"); st.Problem != "" || s.stage() != "canary 25%" {
			t.Errorf("at %s: %+v", s.stage(), st)
		}
	})
}

type refusing struct {
	*site
	allow atomic.Bool
}

func (r *refusing) Apply(ctx context.Context, m promote.Move) error {
	if !r.allow.Load() {
		return fmt.Errorf("the file is read-only")
	}
	return r.site.Apply(ctx, m)
}

// TestAHumanIsNotOverruled: a move that was decided on another file than there is now
// is not made.
func TestAHumanIsNotOverruled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(newFile(t, "canary 5%"), usual())
		s.slow = time.Second
		s.run(t)
		for s.asked.Load() == 0 {
			s.window.Observe(time.Now(), route.ToMonolith, false, 10*time.Millisecond)
			s.window.Observe(time.Now(), route.ToService, false, 10*time.Millisecond)
			time.Sleep(500 * time.Millisecond)
		}
		s.human(t, audit.Move, "shadow") // while the move waits for the disk
		s.traffic(time.Minute, 2, 0)
		if got := s.moves(); !slices.Equal(got, []string{"cli:somebody canary 5% -> shadow"}) {
			t.Errorf("%q", got)
		}
	})
}

// TestReplicas: proxies on one file take each step once, whoever is first.
func TestReplicas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFile(t, "canary 1%")
		var sites []*site
		for range 3 {
			s := newSite(f, usual())
			s.slow = time.Millisecond // all of them decide before the first one has written
			s.run(t)
			sites = append(sites, s)
		}
		for range 60 * 60 {
			for _, s := range sites {
				for range 2 {
					s.window.Observe(time.Now(), route.ToMonolith, false, 10*time.Millisecond)
					s.window.Observe(time.Now(), route.ToService, false, 10*time.Millisecond)
				}
			}
			time.Sleep(time.Second)
		}
		want := []string{
			"auto:promote canary 1% -> canary 5%", "auto:promote canary 5% -> canary 25%",
			"auto:promote canary 25% -> canary 50%", "auto:promote canary 50% -> canary 100%",
		}
		if got := sites[0].moves(); !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
		if r, err := audit.Verify(f.log.Path(), ""); err != nil || len(r.Problems) != 0 || r.Lines != len(want) {
			t.Errorf("%+v %v", r, err)
		}
	})
}

// TestWhateverHappens plays random days and looks at each move that was made of itself:
// none while somebody had stopped it, none upwards without evidence, and never more
// than one step.
func TestWhateverHappens(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		expires := rapid.SampledFrom([]time.Duration{0, 45 * time.Minute}).Draw(rt, "expires")
		events := rapid.SliceOfN(rapid.SampledFrom([]string{
			"good", "good", "bad", "so-so", "few", audit.Pause, audit.Resume, audit.Confirm,
			"canary 1%", "canary 25%", "shadow", "live", "panic", "calm",
		}), 1, 5).Draw(rt, "events")
		synctest.Test(t, func(t *testing.T) { play(t, rt, expires, events) })
	})
}

func play(t *testing.T, rt *rapid.T, expires time.Duration, events []string) {
	w := &watching{site: newSite(newFile(t, "canary 5%"), usual()), t: rt}
	w.expires = expires
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); promote.New(w, promote.Options{}).Run(ctx) }()
	defer func() { cancel(); <-ended }()
	for _, event := range events {
		switch event {
		case "good":
			w.traffic(15*time.Minute, 1, 0)
		case "bad":
			w.traffic(15*time.Minute, 1, 1)
		case "so-so":
			w.traffic(15*time.Minute, 1, 40)
		case "few":
			w.traffic(time.Minute, 1, 1)
			time.Sleep(30 * time.Minute)
		case "panic", "calm":
			w.held.Store(strings.TrimPrefix(event, "calm"))
		case audit.Pause, audit.Resume, audit.Confirm:
			w.human(t, event, "")
		default:
			w.human(t, audit.Move, event)
		}
	}
}

// watching looks at the moves before they are made.
type watching struct {
	*site
	t *rapid.T
}

var _ promote.Site = (*watching)(nil)

func (w *watching) Apply(ctx context.Context, m promote.Move) error {
	history, _ := w.History()
	why, frozen := history.Frozen("r")
	a := promote.Analyze(*w.settings, promote.Evidence{Sight: w.window.Look()})
	switch {
	case w.heldBy() != "":
		w.t.Errorf("%+v while held", m)
	case frozen && (m.Actor != promote.ActorExpired || !why.Automatic()):
		w.t.Errorf("%+v while frozen by %+v", m, why)
	case m.Actor == promote.ActorPromote && (a.Verdict != promote.Pass || m.To <= m.From):
		w.t.Errorf("%+v with %+v", m, a)
	case m.Actor == promote.ActorRollback && (a.Verdict != promote.Fail || m.To >= m.From):
		w.t.Errorf("%+v with %+v", m, a)
	case m.Actor == promote.ActorExpired && (w.expires == 0 || m.To >= m.From):
		w.t.Errorf("%+v", m)
	case m.From.String() != w.stage():
		w.t.Errorf("%+v, but it is at %s", m, w.stage())
	}
	return w.site.Apply(ctx, m)
}
