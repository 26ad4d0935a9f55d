package strangler_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/internal/proxyclient"
)

// coordinate returns the client of somebody who moves the split of the rigs.
func coordinate(t *testing.T, o proxyclient.Order, rigs ...*rig) *proxyclient.Proxies {
	t.Helper()
	var all []proxyclient.Proxy
	for _, r := range rigs {
		all = append(all, proxyclient.Proxy{URL: "http://" + r.proxy.AdminAddr().String()})
	}
	o.Split, o.Holder, o.Flip, o.Wait = "reviews", "a test", []string{"r"}, []string{"wait"}
	p, err := proxyclient.New(all, o, proxyclient.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func TestSeveralProxiesAreSwitchedTogether(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "monolith"), newEcho(t, "s")
	first, second := start(t, split(m.URL, s.URL, "shadow")), start(t, split(m.URL, s.URL, "canary 5%"))
	p := coordinate(t, proxyclient.Order{Claim: 1, TTL: 400 * time.Millisecond}, first, second)
	states, err := p.Check(t.Context(), "target")
	if err != nil || len(states) != 2 || states[0].Epoch != 0 || states[0].Moves[0].To != "live" {
		t.Fatal(states, err)
	}
	if err := p.Hold(t.Context()); err != nil {
		t.Fatal(err)
	}
	waiting := []<-chan sent{first.begin(first.client, "POST", "/s/x", "x"), second.begin(second.client, "POST", "/s/x", "x")}
	first.awaitParked(1)
	second.awaitParked(1)
	if err := p.Drain(t.Context(), time.Second); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second) // more than two ttls: the client renews
	states, err = p.Follow(t.Context(), "target", 1)
	if err != nil || len(states) != 2 {
		t.Fatal(states, err)
	}
	if err := p.Release(t.Context()); err != nil || p.Err() != nil {
		t.Fatal(err, p.Err())
	}
	for _, w := range waiting {
		(<-w).want(t, "s")
	}
	if _, err := p.Follow(t.Context(), "target", 1); err != nil {
		t.Errorf("the same again: %v", err)
	}
	if _, err := p.Follow(t.Context(), "source", 1); !errors.Is(err, proxyclient.ErrOldEpoch) {
		t.Errorf("the same epoch with another owner: %v", err)
	}
	if err := p.Report(t.Context(), proxyclient.Report{Phase: "window", LagMS: 3, Rows: 5, Of: 5}); err != nil {
		t.Fatal(err)
	}
	if got := second.status().Splits; len(got) != 1 || got[0].Owner != "target" || got[0].Epoch != 1 || got[0].Report.Phase != "window" {
		t.Errorf("the status says %+v", got)
	}
}

func TestOneProxyThatCannotHold(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "monolith"), newEcho(t, "s")
	first, second := start(t, split(m.URL, s.URL, "shadow")), start(t, strings.Replace(split(m.URL, s.URL, "shadow"), "wait:", "other:", 1))
	p := coordinate(t, proxyclient.Order{}, first, second)
	err := p.Hold(t.Context())
	if err == nil || !strings.Contains(err.Error(), second.proxy.AdminAddr().String()) || !strings.Contains(err.Error(), `"wait"`) || strings.Contains(err.Error(), first.proxy.AdminAddr().String()) {
		t.Errorf("%v", err)
	}
	if len(first.status().Holds) != 0 {
		t.Error("the first one holds alone")
	}
	second.stop()
	if err = p.Hold(t.Context()); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("%v", err)
	}
}

func TestLaterClaimTakesOver(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "monolith"), newEcho(t, "s")
	r := start(t, split(m.URL, s.URL, "shadow"))
	before, after := coordinate(t, proxyclient.Order{Claim: 1, TTL: 400 * time.Millisecond}, r), coordinate(t, proxyclient.Order{Claim: 2}, r)
	if err := before.Hold(t.Context()); err != nil {
		t.Fatal(err)
	}
	waiting := r.begin(r.client, "POST", "/s/x", "x")
	r.awaitParked(1)
	if err := after.Hold(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-before.Lost()
	if err := before.Err(); !errors.Is(err, proxyclient.ErrClaimed) {
		t.Errorf("the first one lost it because of %v", err)
	}
	if err := before.Hold(t.Context()); !errors.Is(err, proxyclient.ErrClaimed) {
		t.Errorf("the first one holds again: %v", err)
	}
	if err := before.Release(t.Context()); !errors.Is(err, proxyclient.ErrClaimed) {
		t.Errorf("the first one releases: %v", err)
	}
	r.awaitParked(1)
	if m.hits.Load() != 0 {
		t.Fatal("a request slipped through between the claims")
	}
	if err := after.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	(<-waiting).want(t, "monolith")
}

func TestWhoeverCannotFollowSaysSoBefore(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "monolith"), newEcho(t, "s")
	for name, c := range map[string]struct {
		spoil func(r *rig)
		want  string
	}{
		"a route of no split": {func(r *rig) { r.write(strings.Replace(split(m.URL, s.URL, "shadow"), ", split: reviews", "", 1)) }, "belongs to no split"},
		"a bad file":          {func(r *rig) { _ = os.WriteFile(r.path, []byte("version: 1\nnothing: 1\n"), 0o600) }, "the file is bad"},
		"a file to read only": {func(r *rig) { _ = os.Chmod(r.path, 0o400) }, "cannot be written"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, split(m.URL, s.URL, "shadow"))
			before := r.status().Config.Version
			c.spoil(r)
			if name == "a route of no split" {
				r.awaitVersion(before)
			}
			_, err := coordinate(t, proxyclient.Order{}, r).Check(t.Context(), "target")
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v; want %q", err, c.want)
			}
		})
	}
}
