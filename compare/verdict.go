package compare

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/stranglerfig/toolkit/compare/accept"
	"github.com/stranglerfig/toolkit/compare/differ"
	"github.com/stranglerfig/toolkit/compare/outcome"
	"github.com/stranglerfig/toolkit/compare/report"
)

// finish sorts, accepts, and comes to the verdict.
func (j *judge) finish() {
	r := j.report
	j.gathered()
	j.accepted()
	j.routesSeen()
	j.coverage()
	r.FailOn = j.opts.FailOn
	if r.FailOn == nil {
		r.FailOn = []string{differ.Breaking.String(), differ.Reordered.String()}
	}
	r.Totals.Findings, r.Totals.Tests = map[string]int{}, map[outcome.Verdict]int{}
	for _, f := range r.Findings {
		r.Totals.Findings[f.Severity.String()]++
	}
	for _, row := range r.Outcomes {
		r.Totals.Tests[row.Verdict]++
	}
	r.Unmatched = j.differ.Unused()
	j.advise()
	j.verdict()
	j.fill()
}

// accepted moves findings that a rule accepts out of the way.
func (j *judge) accepted() {
	used := make([]bool, len(j.opts.Accept))
	var left []report.Finding
	for _, f := range j.report.Findings {
		i := slices.IndexFunc(j.opts.Accept, func(r accept.Rule) bool {
			return !r.Expired(j.opts.Today) && r.Matches(f.Route, f.Class, string(f.Kind), string(f.Part))
		})
		if i < 0 {
			left = append(left, f)
			continue
		}
		used[i] = true
		r := j.opts.Accept[i]
		f.Accept = &report.Accept{Reason: r.Reason, Owner: r.Owner, Until: r.Until}
		j.report.Accepted = append(j.report.Accepted, f)
	}
	j.report.Findings = left
	for i, r := range j.opts.Accept {
		switch {
		case r.Expired(j.opts.Today):
			j.warn("the accepted difference %s %s expired on %s", r.Route, r.Class, r.Until)
		case !used[i]:
			j.warn("the accepted difference %s %s was not seen; take it out of the file if it is gone", r.Route, r.Class)
		}
	}
}

func (j *judge) warn(format string, args ...any) {
	j.report.Warnings = append(j.report.Warnings, fmt.Sprintf(format, args...))
}

// routesSeen sums up each route and says which cannot be judged.
func (j *judge) routesSeen() {
	limit := j.opts.NoisyShare
	if limit == 0 {
		limit = 0.3
	}
	for _, name := range slices.Sorted(maps.Keys(j.routes)) {
		seen := j.routes[name]
		seen.Before, seen.After, seen.Slower = latencies(append([][]time.Duration{seen.before}, seen.others...), seen.after)
		for _, f := range j.report.Findings {
			if f.Route == name {
				seen.Findings++
			}
		}
		seen.Verdict = report.Same
		switch {
		case seen.Findings > 0:
			seen.Verdict = report.Differs
		case seen.Leaves > 0 && float64(seen.Relaxed) > limit*float64(seen.Leaves):
			seen.Verdict = report.Inconclusive
			seen.Reason = fmt.Sprintf("%d of its %d values differ from run to run of BEFORE", seen.Relaxed, seen.Leaves)
		}
		j.report.Routes = append(j.report.Routes, seen.Route)
	}
}

// advise says what would make the next comparison better.
func (j *judge) advise() {
	few := 0
	for _, n := range j.report.Noise {
		if n.Few {
			few++
		}
	}
	if few > 0 {
		j.warn("%s with fewer than %d samples; --before-runs %d makes the next comparison surer", count(few, "noisy place"), enoughSamples, len(j.in.Before)+1)
	}
	if j.noise.Full() {
		j.warn("there are more noisy places than are remembered; some noise is reported as findings")
	}
	for _, u := range j.report.Unmatched {
		j.warn("the rule %s (%s) matched nothing", u.Rule, u.Path)
	}
	if n := j.report.Totals.Unattributed; n > 0 {
		j.warn("%s of no known test; send the test's name as X-Compare-Test", count(n, "exchange"))
	}
}

// verdict comes to the verdict: what is wrong with AFTER comes first.
func (j *judge) verdict() {
	r := j.report
	if len(r.Reasons) > 0 {
		r.Verdict = report.Invalid
		return
	}
	r.Verdict = report.Same
	if reasons := j.differences(); len(reasons) > 0 {
		r.Verdict, r.Reasons = report.Differs, reasons
		return
	}
	if reasons := j.doubts(); len(reasons) > 0 {
		r.Verdict, r.Reasons = report.Inconclusive, reasons
	}
}

func (j *judge) differences() (reasons []string) {
	r := j.report
	for _, level := range [...]differ.Severity{differ.Breaking, differ.Additive, differ.Reordered, differ.Spelling, differ.Info} {
		if n := r.Totals.Findings[level.String()]; n > 0 && slices.Contains(r.FailOn, level.String()) {
			reasons = append(reasons, count(n, level.String()+" difference"))
		}
	}
	worse := 0
	for v, n := range r.Totals.Tests {
		if v.Worse() {
			worse += n
		}
	}
	if worse > 0 && slices.Contains(r.FailOn, differ.Breaking.String()) {
		reasons = append(reasons, count(worse, "test")+" worse than before")
	}
	if slices.Contains(r.FailOn, "latency") {
		for _, route := range r.Routes {
			if route.Slower {
				reasons = append(reasons, route.Route+" is slower")
			}
		}
	}
	return reasons
}

// doubts are what keeps the verdict from being the same.
func (j *judge) doubts() (reasons []string) {
	r := j.report
	if n := r.Totals.Tests[outcome.FlakyBefore]; n > 0 {
		reasons = append(reasons, count(n, "test")+" with different outcomes in the runs of BEFORE")
	}
	if r.Totals.Exchanges == 0 {
		reasons = append(reasons, "no exchange of BEFORE has a counterpart in AFTER")
	}
	for _, route := range r.Routes {
		if route.Verdict == report.Inconclusive {
			reasons = append(reasons, route.Route+": "+route.Reason)
		}
	}
	for _, c := range r.Coverage {
		if c.Required && !c.Covered {
			reasons = append(reasons, fmt.Sprintf("the route %s is required, and was exercised with %s and %s", c.Name, count(c.Success, "success"), count(c.Error, "error")))
		}
	}
	return reasons
}

func count(n int, thing string) string {
	switch {
	case n == 1:
		return "1 " + thing
	case thing == "success":
		return fmt.Sprintf("%d successes", n)
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// fill makes empty lists lists, so that readers of the JSON find no null.
func (j *judge) fill() {
	r := j.report
	orEmpty(&r.Reasons)
	orEmpty(&r.Findings)
	orEmpty(&r.Accepted)
	orEmpty(&r.Chance)
	orEmpty(&r.Calls)
	orEmpty(&r.Outcomes)
	orEmpty(&r.Routes)
	orEmpty(&r.Noise)
	orEmpty(&r.Coverage)
	orEmpty(&r.Examples)
	orEmpty(&r.Warnings)
	orEmpty(&r.Unmatched)
	orEmpty(&r.Next)
}

func orEmpty[T any](list *[]T) {
	if *list == nil {
		*list = []T{}
	}
}
