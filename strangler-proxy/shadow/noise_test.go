package shadow_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"github.com/stranglerfig/toolkit/strangler-proxy/shadow"
)

// A noisy is a pair of sides whose answers are made anew for each request.
type noisy struct {
	*shadow.Shadow
	t        *testing.T
	monolith func() string
	again    atomic.Int64 // that the monolith was asked for a copy
}

func newNoisy(t *testing.T, baseline float64, monolith, service func() string) *noisy {
	n := &noisy{t: t, monolith: monolith}
	settings := shadow.Settings{Percent: 100, MaxBody: 4 << 10, Timeout: 1 << 40, Baseline: baseline, Keep: 5}
	n.Shadow = newShadow(t, func(_ context.Context, c shadow.Copy) (shadow.Answer, error) {
		if c.Side == shadow.Monolith {
			n.again.Add(1)
			return ok(monolith()), nil
		}
		return ok(service()), nil
	}, oneRoute(settings, shadow.Limits{InFlight: 1, Queue: 10}))
	t.Cleanup(n.Close)
	return n
}

// ask sends requests one after the other.
func (n *noisy) ask(requests int) shadow.Stats {
	n.t.Helper()
	for range requests {
		n.Begin(shadow.Request{Route: "r", Method: "GET", To: "s"}).End(shadow.Primary{Head: plainHead, Answer: ok(n.monolith())})
		quiet(n.t, n.Shadow)
	}
	return quiet(n.t, n.Shadow)
}

// AC23: a field that is random on both sides is no mismatch, from the first request on
// and without a rule; and the baseline costs its share.
func TestRandomFieldIsNoise(t *testing.T) {
	t.Parallel()
	body := func() string { return fmt.Sprintf(`{"id":7,"trace":%q}`, uuid.New()) }
	n := newNoisy(t, 5, body, body)
	if st := n.ask(400); st.Matches != 400 || st.Mismatched != 0 {
		t.Errorf("%+v", st)
	}
	if again := n.again.Load(); again > 60 || again < 1 {
		t.Errorf("the monolith was asked again %d times for 400 copies", again)
	}
	m, _ := n.Mismatches("r", 0)
	if len(m.Noise) != 1 || m.Noise[0].Place != "/trace" || m.Noise[0].Sides < 0.9 {
		t.Errorf("noise: %+v", m.Noise)
	}
	without := newNoisy(t, 0, body, body)
	if st := without.ask(20); st.Mismatched != 20 || without.again.Load() != 0 {
		t.Errorf("without a baseline: %+v", st)
	}
}

// What varies must still be of its kind, and what does not vary must be equal.
func TestNoiseHidesNoMistake(t *testing.T) {
	t.Parallel()
	var wrong atomic.Value
	wrong.Store("")
	monolith := func() string { return fmt.Sprintf(`{"id":7,"trace":%q}`, uuid.New()) }
	n := newNoisy(t, 5, monolith, func() string {
		if w := wrong.Load().(string); w != "" {
			return w
		}
		return monolith()
	})
	n.ask(50)
	for i, w := range []string{
		`{"id":8,"trace":"` + uuid.NewString() + `"}`, `{"id":7,"trace":"unknown"}`, `{"id":7,"trace":null}`, `{"id":7}`,
	} {
		wrong.Store(w)
		if st := n.ask(1); st.Mismatched != uint64(i+1) {
			t.Errorf("%s: %+v", w, st)
		}
	}
}

// A field that differs now and then in the monolith, and in the service far more often,
// is a mismatch; one that differs as often is none.
func TestNoiseHasAMargin(t *testing.T) {
	t.Parallel()
	seldom := func(share int) func() string {
		return func() string {
			var b [2]byte
			_, _ = rand.Read(b[:])
			stock := 5
			if int(b[0])%100 < share {
				stock = 100 + int(b[1])
			}
			return fmt.Sprintf(`{"stock":%d}`, stock)
		}
	}
	same := newNoisy(t, 50, seldom(20), seldom(20))
	if st := same.ask(600); st.Mismatches["noise"] > 12 {
		t.Errorf("as often as the monolith: %+v", st)
	}
	worse := newNoisy(t, 50, seldom(20), seldom(95))
	if st := worse.ask(600); st.Mismatches["noise"] < 200 {
		t.Errorf("far more often: %+v", st)
	}
	m, _ := worse.Mismatches("r", 1)
	if len(m.Mismatches) != 1 || !strings.Contains(m.Mismatches[0].Diff, "the sides differ here in") {
		t.Errorf("%+v", m.Mismatches)
	}
}

// A place where the monolith always agrees with itself is asked about a few times only,
// and stays a mismatch.
func TestPlainMistakeIsSoonBelieved(t *testing.T) {
	t.Parallel()
	n := newNoisy(t, 0.01, func() string { return `{"a":1}` }, func() string { return `{"a":2}` })
	if st := n.ask(100); st.Mismatched != 100 || n.again.Load() > 8 {
		t.Errorf("asked again %d times: %+v", n.again.Load(), st)
	}
}

// What has changed in the monolith between its answer and the copy is no mismatch of the
// service.
func TestChangeBetweenTheAnswers(t *testing.T) {
	t.Parallel()
	var version atomic.Int64
	version.Store(1)
	state := func() string { return fmt.Sprintf(`{"version":%d}`, version.Load()) }
	n := newNoisy(t, 1, state, func() string { return fmt.Sprintf(`{"version":%d}`, version.Add(1)) })
	if st := n.ask(1); st.Settled != 1 || st.Matches != 1 {
		t.Errorf("%+v", st)
	}
}

// At live the copy goes to the monolith, and the baseline is the monolith's still.
func TestBaselineOfReverseShadow(t *testing.T) {
	t.Parallel()
	body := func() string { return fmt.Sprintf(`{"trace":%q}`, uuid.New()) }
	n := newNoisy(t, 5, body, body)
	for range 50 {
		n.Begin(shadow.Request{Route: "r", Method: "GET", To: shadow.Monolith}).End(shadow.Primary{Head: plainHead, Answer: ok(body())})
		quiet(t, n.Shadow)
	}
	if st := quiet(t, n.Shadow); st.Matches != 50 || n.again.Load() < 51 {
		t.Errorf("asked %d times: %+v", n.again.Load(), st)
	}
}
