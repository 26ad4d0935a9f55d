package compare

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stranglerfig/toolkit/compare/align"
	"github.com/stranglerfig/toolkit/compare/differ"
	"github.com/stranglerfig/toolkit/compare/outcome"
	"github.com/stranglerfig/toolkit/compare/record"
	"github.com/stranglerfig/toolkit/compare/report"
)

// Recordings are the runs of one comparison, in the order in which they were made.
type Recordings struct {
	Before []*record.Recording // the first is compared with AFTER, the others tell its noise
	After  []*record.Recording
}

// Compare judges the recordings. It fails only for options that make no sense; recordings
// that cannot be compared are a verdict.
func Compare(in Recordings, opts Options) (*report.Report, error) {
	if len(in.Before) == 0 || len(in.After) == 0 {
		return nil, errors.New("nothing to compare: a recording of BEFORE and one of AFTER are needed")
	}
	j, err := newJudge(in, opts)
	if err != nil {
		return nil, err
	}
	if j.sound(in.Before) {
		j.learn()
	}
	if err := j.loadAfter(); err != nil {
		return nil, err
	}
	j.runs()
	if !slices.ContainsFunc(slices.Concat(in.Before, in.After), withoutTests) {
		j.report.Outcomes = outcome.Matrix(outcomesOf(in.Before), outcomesOf(in.After))
	}
	if !j.invalid() {
		for _, after := range j.after {
			j.compare(after)
		}
		j.state()
	}
	j.finish()
	return j.report, nil
}

// A judge gathers what the runs show.
type judge struct {
	opts      Options
	in        Recordings
	differ    *differ.Differ
	noise     differ.Noise
	before    []*side
	after     []*side
	routes    map[string]*routeSeen
	groups    map[groupKey]*report.Finding
	calls     map[callKey]*report.Call
	took      map[string][][]time.Duration // of the runs of BEFORE but the first, by route
	noisy     map[callKey]bool             // BEFORE's own runs do not agree about the calls
	marks     map[int]*report.Example
	suite     *differ.Suite             // of the last AFTER, for the state
	templates *align.Routes             // inferred
	dropped   map[*record.Recording]int // exchanges of what is no longer in memory
	report    *report.Report
}

func newJudge(in Recordings, opts Options) (*judge, error) {
	rules := opts.Rules
	rules.BeforeOrigins, rules.AfterOrigins = origins(rules.BeforeOrigins, in.Before), origins(rules.AfterOrigins, in.After)
	if rules.Limits.BodyBytes == 0 {
		rules.Limits.BodyBytes = 64 << 20 // a table is compared as one body
	}
	d, err := differ.New(rules)
	if err != nil {
		return nil, err
	}
	var routes align.Routes
	var loading errgroup.Group
	for _, r := range in.Before {
		loading.Go(r.Load)
	}
	if err := loading.Wait(); err != nil {
		return nil, err
	}
	for _, r := range in.Before {
		routes.Learn(func(yield func(method, path string) bool) {
			for i := range r.Exchanges {
				if !yield(r.Exchanges[i].Method, r.Exchanges[i].Named()) {
					return
				}
			}
		})
	}
	routes.Settle()
	j := &judge{
		opts: opts, in: in, differ: d, routes: map[string]*routeSeen{}, groups: map[groupKey]*report.Finding{},
		calls: map[callKey]*report.Call{}, took: map[string][][]time.Duration{}, noisy: map[callKey]bool{}, marks: map[int]*report.Example{}, dropped: map[*record.Recording]int{},
		report: &report.Report{Schema: report.Schema},
	}
	j.templates = &routes
	for _, r := range in.Before {
		j.before = append(j.before, newSide(r, j.routeOf))
	}
	return j, nil
}

// routeOf returns the route of a request: the template that an OpenAPI file has for it, or
// else the one that the requests of BEFORE suggest.
func (j *judge) routeOf(e *record.Exchange) string {
	doc := j.opts.Described[e.Service]
	if doc == nil {
		return j.templates.Route(e.Method, e.Named())
	}
	o := doc.Find(e.Method, e.Path)
	if o == nil {
		return j.templates.Route(e.Method, e.Named())
	}
	path := record.Exchange{Service: e.Service, Path: o.Path}
	return o.Method + " " + path.Named()
}

// loadAfter reads the runs of AFTER, once the runs of BEFORE that only tell the noise are
// out of the way: at most two runs are in memory at a time, if AFTER ran once.
func (j *judge) loadAfter() error {
	for _, r := range j.in.After {
		if err := r.Load(); err != nil {
			return err
		}
		j.after = append(j.after, newSide(r, j.routeOf))
	}
	return nil
}

// sound reports whether all recordings can be judged.
func (j *judge) sound(list []*record.Recording) bool {
	return !slices.ContainsFunc(list, func(r *record.Recording) bool { return problemOf(r) != "" })
}

// origins adds those of recordings to a list, and drops what is empty or there twice: an
// origin of nothing would match everywhere.
func origins(list []string, runs []*record.Recording) []string {
	list = slices.Clone(list)
	for _, r := range runs {
		for _, s := range r.Info.Each() {
			list = append(list, s.Recorder, s.Target)
		}
	}
	slices.Sort(list)
	return slices.DeleteFunc(slices.Compact(list), func(s string) bool { return s == "" })
}

func outcomesOf(list []*record.Recording) []outcome.Outcomes {
	all := make([]outcome.Outcomes, len(list))
	for i, r := range list {
		all[i] = r.Outcomes
	}
	return all
}

// withoutTests reports whether a recording is of no suite: a replay or a HAR file.
func withoutTests(r *record.Recording) bool { return r.Info.Results == record.NoResults }

// learn holds the runs of BEFORE against the first one.
func (j *judge) learn() {
	first := j.before[0]
	for n, other := range j.before[1:] {
		plan := align.Align(first.items, other.items)
		j.times(n, other, plan)
		suite := j.differ.Suite(nil)
		for _, p := range plan.Pairs {
			suite.Bind(pairOf(first, other, p))
		}
		byRoute(plan, first, func(p align.Pair) { suite.Learn(&j.noise, pairOf(first, other, p)) })
		for _, i := range plan.Missing {
			j.noisy[callKeyOf("before", first, i)] = true
			j.noisy[callKeyOf("after", first, i)] = true
		}
		for _, i := range plan.Extra {
			j.noisy[callKeyOf("before", other, i)] = true
			j.noisy[callKeyOf("after", other, i)] = true
		}
		j.learnState(suite, first, other)
		if !slices.Contains(j.in.After, other.rec) {
			j.dropped[other.rec] = len(other.rec.Exchanges)
			other.rec.Drop()
			other.items = nil
		}
	}
}

// byRoute calls do for each pair, on all processors: those of one route on the same one and in
// order, so that chance does not decide what is learned.
func byRoute(plan align.Plan, before *side, do func(align.Pair)) {
	workers := runtime.GOMAXPROCS(0)
	work := make([][]align.Pair, workers)
	of := map[string]int{}
	for _, p := range plan.Pairs {
		route := before.items[p.Before].Route
		worker, known := of[route]
		if !known {
			worker = len(of) % workers
			of[route] = worker
		}
		work[worker] = append(work[worker], p)
	}
	var wg sync.WaitGroup
	for _, list := range work {
		wg.Go(func() {
			for _, p := range list {
				do(p)
			}
		})
	}
	wg.Wait()
}

// times notes how long the answers of a further run of BEFORE took.
func (j *judge) times(n int, other *side, plan align.Plan) {
	for _, p := range plan.Pairs {
		route := other.items[p.After].Route
		for len(j.took[route]) <= n {
			j.took[route] = append(j.took[route], nil)
		}
		j.took[route][n] = append(j.took[route][n], other.rec.Exchanges[p.After].Duration)
	}
}

func pairOf(before, after *side, p align.Pair) differ.Pair {
	return differ.Pair{Before: before.exchange(p.Before), After: after.exchange(p.After), Raced: p.Raced}
}

// compare holds one run of AFTER against BEFORE: first every pair is bound, then each is
// compared, on all processors.
func (j *judge) compare(after *side) {
	before := j.before[0]
	plan := align.Align(before.items, after.items)
	suite := j.differ.Suite(&j.noise)
	for _, p := range plan.Pairs {
		suite.Bind(pairOf(before, after, p))
	}
	results := make([]differ.Result, len(plan.Pairs))
	var wg sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		wg.Go(func() {
			for i := w; i < len(results); i += workers {
				results[i] = suite.Compare(pairOf(before, after, plan.Pairs[i]))
			}
		})
	}
	wg.Wait()
	for i, p := range plan.Pairs {
		j.pair(before, after, p, results[i])
	}
	for _, i := range plan.Missing {
		j.call("before", before, i)
	}
	for _, i := range plan.Extra {
		j.call("after", after, i)
	}
	j.suite = suite
}

// runs notes the recordings, and what makes them worthless.
func (j *judge) runs() {
	for _, one := range [...]struct {
		side string
		list []*record.Recording
	}{{"before", j.in.Before}, {"after", j.in.After}} {
		for _, r := range one.list {
			j.report.Runs = append(j.report.Runs, report.Run{
				Name: r.Info.Name, Side: one.side, Dir: r.Dir, Target: r.Info.Target, Command: r.Info.Command, Started: r.Info.Started,
				Seconds: max(0, r.Info.Ended.Sub(r.Info.Started).Seconds()), Exchanges: max(len(r.Exchanges), j.dropped[r]), Tests: len(r.Outcomes.Tests), Problem: j.problem(r),
			})
		}
	}
}

func (j *judge) problem(r *record.Recording) string {
	if j.dropped[r] > 0 {
		return "" // it was learned from, so it was sound
	}
	return problemOf(r)
}

// problemOf says why a recording cannot be judged, or nothing.
func problemOf(r *record.Recording) string {
	name := r.Info.Name
	switch {
	case r.Info.Problem != "":
		return r.Info.Problem
	case r.Info.Status != record.Complete:
		return fmt.Sprintf("%s: the run did not come to its end (%s)", name, r.Info.Status)
	case r.Torn:
		return fmt.Sprintf("%s: the recording is cut off", name)
	case len(r.Exchanges) == 0:
		return fmt.Sprintf("%s: no exchange was recorded", name)
	}
	return ""
}

func (j *judge) invalid() bool {
	for _, r := range j.report.Runs {
		if r.Problem != "" {
			j.report.Reasons = append(j.report.Reasons, r.Problem)
		}
	}
	if len(j.report.Reasons) == 0 && len(j.before) < 2 {
		j.report.Reasons = append(j.report.Reasons, "BEFORE was run only once: what it does differently by itself is not known; record it a second time")
	}
	return len(j.report.Reasons) > 0
}
