package audit_test

import (
	"context"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/stranglerfig/toolkit/strangler-proxy/audit"
)

func background() context.Context { return context.Background() }

var way = []string{"monolith", "shadow", "canary", "live", "done"}

func order(stage string) (int, bool) {
	i := slices.Index(way, stage)
	return i, i >= 0
}

// moved is the history of a route that went through the stages.
func moved(stages ...string) audit.History {
	var h audit.History
	for i := range stages[1:] {
		h = append(h, audit.Entry{Actor: "cli:x", Route: "r", From: stages[i], To: stages[i+1]}, audit.Entry{Actor: "cli:x", Route: "other", From: "live", To: "done"})
	}
	return h
}

func TestBefore(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		stages []string
		want   []string // going back again and again
	}{
		{[]string{"monolith", "shadow", "canary", "live"}, []string{"canary", "shadow", "monolith"}},
		{[]string{"monolith", "live"}, []string{"monolith"}},
		{[]string{"monolith", "shadow", "live", "shadow", "live"}, []string{"shadow", "monolith"}},
		{[]string{"monolith", "live", "monolith"}, nil}, // never forward
		{[]string{"shadow", "live", "canary"}, []string{"shadow"}},
		{[]string{"live"}, nil},
	} {
		h, now := moved(test.stages...), test.stages[len(test.stages)-1]
		var got []string
		for {
			back, known := h.Before("r", now, order)
			if !known {
				break
			}
			h = append(h, audit.Entry{Actor: "cli:x", Action: audit.Rollback, Route: "r", From: now, To: back})
			got, now = append(got, back), back
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%v: back to %v, want %v", test.stages, got, test.want)
		}
	}
	if back, known := moved("monolith", "live").Before("r", "no stage", order); known {
		t.Errorf("from no stage back to %s", back)
	}
}

// Going back always leads to an earlier stage that the route had, and ends.
func TestBeforeLeadsBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		stages := rapid.SliceOfN(rapid.SampledFrom(way), 2, 12).Draw(t, "stages")
		h, now := moved(stages...), stages[len(stages)-1]
		for {
			back, known := h.Before("r", now, order)
			if !known {
				return
			}
			from, _ := order(now)
			to, _ := order(back)
			if to >= from || !slices.Contains(stages, back) {
				t.Fatalf("from %s back to %s", now, back)
			}
			h = append(h, audit.Entry{Actor: "cli:x", Action: audit.Rollback, Route: "r", From: now, To: back})
			now = back
		}
	})
}

func TestFrozen(t *testing.T) {
	t.Parallel()
	e := func(actor, action string) audit.Entry {
		return audit.Entry{Actor: actor, Action: action, Route: "r", From: "monolith", To: "live"}
	}
	for name, test := range map[string]struct {
		h    audit.History
		want bool
	}{
		"nothing":            {nil, false},
		"moved":              {audit.History{e("cli:x", audit.Move)}, false},
		"rolled back":        {audit.History{e("cli:x", audit.Rollback)}, true},
		"by itself":          {audit.History{e("auto:rollback", audit.Rollback)}, true},
		"then by a human":    {audit.History{e("cli:x", audit.Rollback), e("token:ci", audit.Move)}, false},
		"then in the file":   {audit.History{e("auto:rollback", audit.Rollback), e("file", audit.Move)}, false},
		"then by automation": {audit.History{e("cli:x", audit.Rollback), e("auto:promote", audit.Move)}, true},
		"then edited":        {audit.History{e("cli:x", audit.Rollback), e("file", audit.Edit)}, true},
		"paused":             {audit.History{e("cli:x", audit.Pause)}, true},
		"resumed":            {audit.History{e("cli:x", audit.Pause), e("cli:x", audit.Resume)}, false},
	} {
		if why, got := test.h.Frozen("r"); got != test.want || got && why.Actor == "" {
			t.Errorf("%s: frozen is %v (%+v)", name, got, why)
		}
	}
	if _, frozen := (audit.History{e("cli:x", audit.Rollback)}).Frozen("other"); frozen {
		t.Error("another route's rollback freezes")
	}
}

func TestStageAndSince(t *testing.T) {
	t.Parallel()
	h := moved("monolith", "shadow", "live")
	h = append(h, audit.Entry{Actor: "cli:x", Action: audit.Pause, Route: "r"})
	h = append(h, audit.Entry{Actor: "cli:x", Group: "g", Routes: []string{"a", "b"}, To: "shadow"})
	if got, want := h.Stages(), map[string]string{"r": "live", "other": "done", "g": "shadow", "a": "shadow", "b": "shadow"}; !maps.Equal(got, want) {
		t.Errorf("%v", got)
	}
	if since, known := h.Since("r"); since.To != "live" || !known {
		t.Errorf("%+v %v", since, known)
	}
	if h.Of("a")[0].Group != "g" || len(h.Of("unknown")) != 0 {
		t.Error("a group's entry is about its routes")
	}
}
