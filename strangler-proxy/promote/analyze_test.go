package promote_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stranglerfig/toolkit/strangler-proxy/promote"
)

func figures(requests, failed int, p95 time.Duration) promote.Figures {
	return promote.Figures{Requests: requests, Failed: failed, P50: p95 / 2, P95: p95}
}

func evidence(service, monolith, before promote.Figures) promote.Evidence {
	return promote.Evidence{Sight: promote.Sight{Service: service, Monolith: monolith, Before: before}}
}

func TestAnalyze(t *testing.T) {
	const ms = time.Millisecond
	none := promote.Figures{}
	strict := promote.Default()
	strict.Require.MismatchIfCompared = false
	absolute := promote.Default()
	rate, p95 := 0.01, 80*ms
	absolute.Require = promote.Require{ErrorRate: &rate, P95: &p95}
	for name, c := range map[string]struct {
		settings promote.Settings
		evidence promote.Evidence
		want     promote.Verdict
		why      string
	}{
		"nothing yet":              {promote.Default(), evidence(none, none, none), promote.Inconclusive, "0 of 200 requests"},
		"one below the minimum":    {promote.Default(), evidence(figures(199, 199, 0), figures(500, 0, ms), none), promote.Inconclusive, "199 of 200"},
		"as good as the monolith":  {promote.Default(), evidence(figures(200, 1, 11*ms), figures(200, 1, 10*ms), none), promote.Pass, "every check"},
		"errors within the limit":  {promote.Default(), evidence(figures(1000, 15, 10*ms), figures(1000, 10, 10*ms), none), promote.Pass, ""},
		"errors beyond it":         {promote.Default(), evidence(figures(1000, 16, 10*ms), figures(1000, 10, 10*ms), none), promote.Fail, "errors 1.6 %, at most 0.5 % more than the monolith's 1 %"},
		"everything fails":         {promote.Default(), evidence(figures(300, 300, 0), figures(300, 0, 10*ms), none), promote.Fail, "errors 100 %"},
		"slower":                   {promote.Default(), evidence(figures(300, 0, 140*ms), figures(300, 0, 100*ms), none), promote.Fail, "1.40 times"},
		"slower by next to naught": {promote.Default(), evidence(figures(300, 0, 3*ms), figures(300, 0, ms), none), promote.Pass, ""},
		"the monolith fell silent": {promote.Default(), evidence(figures(300, 0, 140*ms), figures(3, 0, ms), figures(900, 0, 100*ms)), promote.Fail, "1.40 times the monolith's 100ms (of "},
		"no word of the monolith":  {promote.Default(), evidence(figures(300, 0, 10*ms), none, none), promote.Inconclusive, "too few requests to compare"},
		"errors without its word":  {promote.Default(), evidence(figures(300, 3, 10*ms), none, none), promote.Fail, "assumed"},
		"copies agree":             {strict, withCopies(evidence(figures(300, 0, 10*ms), figures(300, 0, 10*ms), none), 1000, 1), promote.Pass, ""},
		"copies differ":            {promote.Default(), withCopies(evidence(figures(300, 0, 10*ms), figures(300, 0, 10*ms), none), 1000, 2), promote.Fail, "2 of 1000 copies differ"},
		"few copies":               {promote.Default(), withCopies(evidence(figures(300, 0, 10*ms), figures(300, 0, 10*ms), none), 199, 199), promote.Inconclusive, "199 of 200 copies"},
		"no copies, none asked":    {promote.Default(), evidence(figures(300, 0, 10*ms), figures(300, 0, 10*ms), none), promote.Pass, ""},
		"no copies, but asked":     {strict, evidence(figures(300, 0, 10*ms), figures(300, 0, 10*ms), none), promote.Inconclusive, "nothing is compared"},
		"absolute limits":          {absolute, evidence(figures(300, 3, 80*ms), none, none), promote.Pass, ""},
		"absolute limit of errors": {absolute, evidence(figures(300, 4, 80*ms), none, none), promote.Fail, "errors 1.33 %, at most 1 %"},
		"absolute limit of time":   {absolute, evidence(figures(300, 3, 81*ms), none, none), promote.Fail, "p95 81ms, at most 80ms"},
	} {
		got := promote.Analyze(c.settings, c.evidence)
		if got.Verdict != c.want || !strings.Contains(got.Why, c.why) {
			t.Errorf("%s: %s because %q, want %s because %q", name, got.Verdict, got.Why, c.want, c.why)
		}
	}
}

func withCopies(e promote.Evidence, compared, mismatches int) promote.Evidence {
	e.Copies = promote.Copies{Compared: compared, Mismatches: mismatches}
	return e
}

func TestAnalyzeShowsEachCheck(t *testing.T) {
	got := promote.Analyze(promote.Default(), withCopies(evidence(figures(1000, 20, 26*time.Millisecond), figures(1000, 10, 20*time.Millisecond), promote.Figures{}), 1000, 0))
	want := []struct {
		name         string
		value, limit float64
		verdict      promote.Verdict
	}{
		{"error_delta", 0.01, 0.005, promote.Fail},
		{"p95_ratio", 1.3, 1.3, promote.Pass},
		{"mismatch", 0, 0.001, promote.Pass},
	}
	if len(got.Checks) != len(want) {
		t.Fatalf("%+v", got)
	}
	for i, w := range want {
		c := got.Checks[i]
		if c.Name != w.name || c.Value == nil || *c.Value-w.value > 1e-9 || w.value-*c.Value > 1e-9 || c.Limit != w.limit || c.Verdict != w.verdict {
			t.Errorf("%+v, want %+v", c, w)
		}
	}
}

func drawFigures(t *rapid.T, name string) promote.Figures {
	requests := rapid.IntRange(0, 600).Draw(t, name)
	return figures(requests, rapid.IntRange(0, requests).Draw(t, name+" failed"), time.Duration(rapid.IntRange(0, 500).Draw(t, name+" p95"))*time.Millisecond)
}

// TestAnalyzeRules holds whatever the figures: too little is never a verdict, the
// whole is as bad as its worst part, and fewer errors never make it worse.
func TestAnalyzeRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := promote.Default()
		s.Require.MismatchIfCompared = rapid.Bool().Draw(t, "only if compared")
		e := evidence(drawFigures(t, "service"), drawFigures(t, "monolith"), drawFigures(t, "before"))
		compared := rapid.IntRange(0, 500).Draw(t, "compared")
		e.Copies = promote.Copies{Compared: compared, Mismatches: rapid.IntRange(0, compared).Draw(t, "mismatches")}
		a := promote.Analyze(s, e)
		counts := map[promote.Verdict]int{}
		for _, c := range a.Checks {
			counts[c.Verdict]++
		}
		want := promote.Pass
		switch {
		case e.Service.Requests < s.MinRequests:
			want = promote.Inconclusive
			if counts[promote.Pass]+counts[promote.Fail] > 0 {
				t.Fatalf("verdicts on too little: %+v", a)
			}
		case counts[promote.Fail] > 0:
			want = promote.Fail
		case counts[promote.Inconclusive] > 0:
			want = promote.Inconclusive
		}
		if a.Verdict != want {
			t.Fatalf("%s, want %s: %+v", a.Verdict, want, a)
		}
		if e.Service.Failed > 0 && a.Verdict == promote.Pass {
			e.Service.Failed--
			if better := promote.Analyze(s, e); better.Verdict != promote.Pass {
				t.Fatalf("fewer errors: %s: %s", better.Verdict, better.Why)
			}
		}
	})
}
