package promote_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/audit"
	"github.com/stranglerfig/toolkit/strangler-proxy/promote"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

func TestAdvise(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	at := func(days int, action, name, from, to string) audit.Entry {
		return audit.Entry{Time: now.AddDate(0, 0, -days).Add(-time.Hour), Actor: "cli:x", Action: action, Route: name, From: from, To: to}
	}
	h := audit.History{
		at(60, audit.Move, "old-canary", "shadow", "canary 5%"),
		at(50, audit.Move, "settled", "live", "done"),
		at(40, audit.Move, "edited", "shadow", "canary 5%"),
		at(29, audit.Move, "fresh", "live", "done"),
		at(20, audit.Move, "walking", "shadow", "canary 1%"),
		at(15, audit.Confirm, "old-canary", "canary 5%", "canary 5%"),
		at(3, audit.Move, "walking", "canary 1%", "canary 5%"),
		{Time: now.AddDate(0, 0, -15), Actor: "cli:x", Group: "g", From: "shadow", To: "canary 2%"},
	}
	five := route.Canary(5_00)
	got := promote.Advise(now, []promote.Place{
		{"old-canary", five},
		{"settled", route.Done},
		{"edited", route.Canary(7_00)},
		{"fresh", route.Done},
		{"walking", five},
		{"g", route.Canary(2_00)},
		{"unknown", five},
		{"idle", route.Monolith},
	}, []string{"lonely"}, h)
	var texts []string
	for _, a := range got {
		texts = append(texts, a.Rule+": "+a.Text)
	}
	want := []string{
		"canary: old-canary has been at canary 5% for 60 days", "done: settled has been done for 50 days",
		"canary: g has been at canary 2% for 15 days", "service: no route goes to service lonely",
	}
	if !slices.Equal(texts, want) {
		t.Errorf("%q", texts)
	}
}

func TestMoved(t *testing.T) {
	t.Parallel()
	r := promote.Rates{Reads: 100, Writes: 10}
	for _, c := range []struct {
		from, to route.Stage
		data     route.Data
		want     float64
	}{
		{route.Monolith, route.Shadow, route.DataUnsaid, 0},
		{route.Shadow, route.Canary(5_00), route.DataUnsaid, 5},
		{route.Canary(5_00), route.Canary(25_00), route.DataNone, 22},
		{route.Canary(25_00), route.Shadow, route.DataUnsaid, 25},
		{route.Canary(100_00), route.Live, route.DataUnsaid, 10},
		{route.Canary(50_00), route.Live, route.DataMoved, 50},
		{route.Live, route.Monolith, route.DataUnsaid, 110},
		{route.Live, route.Done, route.DataUnsaid, 0},
	} {
		if got := r.Moved(c.from, c.to, c.data); got < c.want-1e-9 || got > c.want+1e-9 {
			t.Errorf("%s -> %s: %v, want %v", c.from, c.to, got, c.want)
		}
	}
}
