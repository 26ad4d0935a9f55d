package promote

import (
	"fmt"
	"time"
)

// A Verdict is what a check, or all of them together, say.
type Verdict string

// The verdicts.
const (
	Pass         Verdict = "pass"
	Fail         Verdict = "fail"
	Inconclusive Verdict = "inconclusive" // too little is known: everything stays as it is
	Skipped      Verdict = "skipped"      // does not apply here; only of a single check
)

// Copies sum up the comparison of copied requests.
type Copies struct {
	Compared   int // copies whose answers were compared
	Mismatches int // of those
}

// Evidence is all that a verdict rests on.
type Evidence struct {
	Sight
	Copies Copies
}

// A Check compares one figure with its limit.
type Check struct {
	Name    string   `json:"name"`
	Value   *float64 `json:"value"` // null when it is not known; times are in seconds
	Limit   float64  `json:"limit"`
	Verdict Verdict  `json:"verdict"`
	Text    string   `json:"text"` // value and limit in words, and why it is inconclusive
}

// passes is why an Analysis passes.
const passes = "every check passes"

// An Analysis is the outcome of all checks.
type Analysis struct {
	Verdict  Verdict `json:"verdict"`
	Why      string  `json:"why"`
	Checks   []Check `json:"checks"`
	Service  Shown   `json:"service"` // the figures of the period
	Monolith Shown   `json:"monolith"`
}

// Shown are Figures as they are printed.
type Shown struct {
	Requests  int     `json:"requests"`
	Failed    int     `json:"failed"`
	ErrorRate float64 `json:"error_rate"`
	P50       float64 `json:"p50_seconds"`
	P95       float64 `json:"p95_seconds"`
}

func (f Figures) shown() Shown {
	return Shown{f.Requests, f.Failed, f.ErrorRate(), f.P50.Seconds(), f.P95.Seconds()}
}

// slack is by how much a service may be slower whatever the ratio: below it a ratio
// tells more about the machine than about the service.
const slack = 2 * time.Millisecond

// Analyze judges e by s. With fewer requests of the service than s.MinRequests the
// verdict is inconclusive whatever the figures say; else one check that fails is
// enough to fail, and all that apply have to pass.
//
// The monolith is judged by its own figures of the same period. If it had too few
// requests there, which is how it has to be in the last steps, by its last figures
// of enough requests; if there are none, it is taken to make no errors at all, and
// the ratio of times stays open.
func Analyze(s Settings, e Evidence) Analysis {
	a := Analysis{Checks: checks(s, e), Service: e.Service.shown(), Monolith: e.Monolith.shown()}
	if n := e.Service.Requests; n < s.MinRequests {
		for i := range a.Checks {
			if c := &a.Checks[i]; c.Verdict != Skipped {
				c.Verdict = Inconclusive
			}
		}
		a.Verdict, a.Why = Inconclusive, fmt.Sprintf("%d of %d requests of the service", n, s.MinRequests)
		return a
	}
	a.Verdict, a.Why = Pass, passes
	for _, c := range a.Checks {
		if c.Verdict == Fail && a.Verdict != Fail || c.Verdict == Inconclusive && a.Verdict == Pass {
			a.Verdict, a.Why = c.Verdict, c.Text
		}
	}
	return a
}

func checks(s Settings, e Evidence) []Check {
	monolith, known := e.baseline(s.MinRequests)
	all := []Check{}
	add := func(name string, limit *float64, judge func(c *Check)) {
		if limit == nil {
			return
		}
		c := Check{Name: name, Limit: *limit, Verdict: Inconclusive}
		judge(&c)
		all = append(all, c)
	}
	add("error_rate", s.Require.ErrorRate, func(c *Check) {
		c.judge(e.Service.ErrorRate())
		c.Text = fmt.Sprintf("errors %s, at most %s", percentText(*c.Value), percentText(c.Limit))
	})
	add("error_delta", s.Require.ErrorDelta, func(c *Check) {
		c.judge(e.Service.ErrorRate() - monolith.ErrorRate())
		c.Text = fmt.Sprintf("errors %s, at most %s more than the monolith's %s%s", percentText(e.Service.ErrorRate()),
			percentText(c.Limit), percentText(monolith.ErrorRate()), origin(e, monolith, known))
	})
	add("p95_ratio", s.Require.P95Ratio, func(c *Check) { c.ratio(e, monolith, known) })
	if limit := s.Require.P95; limit != nil {
		seconds := limit.Seconds()
		add("p95", &seconds, func(c *Check) {
			if c.Text = "no request succeeded that could be timed"; e.Service.P95 > 0 {
				c.judge(e.Service.P95.Seconds())
				c.Text = fmt.Sprintf("p95 %s, at most %s", short(e.Service.P95), short(*limit))
			}
		})
	}
	add("mismatch", s.Require.Mismatch, func(c *Check) { c.mismatch(s, e.Copies) })
	return all
}

// baseline is what the monolith is known to do, and whether anything is.
func (e Evidence) baseline(enough int) (Figures, bool) {
	switch {
	case e.Monolith.Requests > 0 && e.Monolith.Requests >= enough:
		return e.Monolith, true
	case e.Before.Requests > 0:
		return e.Before, true
	}
	return Figures{}, false
}

// origin says where the monolith's figures come from if not from the same period.
func origin(e Evidence, monolith Figures, known bool) string {
	switch {
	case !known:
		return " (assumed: it had too few requests)"
	case monolith != e.Monolith:
		return " (of " + monolith.Until.Format(time.TimeOnly) + ")"
	}
	return ""
}

// judge compares value with the limit.
func (c *Check) judge(value float64) {
	c.Value, c.Verdict = &value, Pass
	// What is spelled the same is the same: 0.1 + 0.2 is no more than 0.3 here.
	if value > c.Limit+1e-9 {
		c.Verdict = Fail
	}
}

func (c *Check) ratio(e Evidence, monolith Figures, known bool) {
	switch {
	case e.Service.P95 == 0:
		c.Text = "no request of the service succeeded that could be timed"
		return
	case !known || monolith.P95 == 0:
		c.Text = "the monolith had too few requests to compare times with"
		return
	}
	c.judge(float64(e.Service.P95) / float64(monolith.P95))
	c.Text = fmt.Sprintf("p95 %s, %.2f times the monolith's %s%s, at most %.4g times", short(e.Service.P95), *c.Value, short(monolith.P95),
		origin(e, monolith, known), c.Limit)
	if c.Verdict == Fail && e.Service.P95-monolith.P95 <= slack {
		c.Verdict = Pass
		c.Text += fmt.Sprintf(" (a difference within %s passes)", short(slack))
	}
}

func (c *Check) mismatch(s Settings, copies Copies) {
	switch n := copies.Compared; {
	case n == 0 && s.Require.MismatchIfCompared:
		c.Verdict, c.Text = Skipped, "nothing is compared"
		return
	case n < s.MinRequests:
		c.Text = fmt.Sprintf("%d of %d copies compared", n, s.MinRequests)
		if n == 0 {
			c.Text = "nothing is compared: let the route be copied, or take mismatch out of require"
			return
		}
		value := float64(copies.Mismatches) / float64(n)
		c.Value = &value
		return
	}
	c.judge(float64(copies.Mismatches) / float64(copies.Compared))
	c.Text = fmt.Sprintf("%d of %d copies differ, %s, at most %s", copies.Mismatches, copies.Compared, percentText(*c.Value), percentText(c.Limit))
}

// short rounds a time to what a reader needs.
func short(d time.Duration) string {
	switch {
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(time.Microsecond).String()
}
