package compare

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/stranglerfig/toolkit/compare/align"
	"github.com/stranglerfig/toolkit/compare/differ"
	"github.com/stranglerfig/toolkit/compare/report"
)

type groupKey struct {
	route string
	part  differ.Part
	class string
	kind  differ.Kind
	level differ.Severity
}

func (k groupKey) id() string {
	return idOf(k.route, string(k.part), k.class, string(k.kind), k.level.String())
}

// idOf names a finding by what it is about, so that it has the same name in each comparison.
func idOf(words ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(words, "\x00")))
	return hex.EncodeToString(sum[:4])
}

// A routeSeen gathers what is seen of one route.
type routeSeen struct {
	report.Route
	before, after []time.Duration
	others        [][]time.Duration // of the further runs of BEFORE
}

const (
	namedTests  = 5
	maxExamples = 200
)

// pair takes in the result of one pair.
func (j *judge) pair(before, after *side, p align.Pair, r differ.Result) {
	b, a := &before.rec.Exchanges[p.Before], &after.rec.Exchanges[p.After]
	route := before.items[p.Before].Route
	seen := j.routes[route]
	if seen == nil {
		seen = &routeSeen{Route: report.Route{Route: route, Name: cmp.Or(a.Route, j.nameOf(a.Method, a.Path)), Statuses: map[int]int{}, ServedBy: map[string]int{}}, others: j.took[route]}
		j.routes[route] = seen
	}
	seen.Exchanges++
	seen.Statuses[a.Status]++
	if a.ServedBy != "" {
		seen.ServedBy[a.ServedBy]++
	}
	seen.Leaves += r.Leaves
	seen.Relaxed += len(r.Relaxed)
	seen.before, seen.after = append(seen.before, b.Duration), append(seen.after, a.Duration)
	t := &j.report.Totals
	t.Exchanges++
	t.Leaves += r.Leaves
	t.Relaxed += len(r.Relaxed)
	t.Dropped += r.Dropped
	if b.Test == "" {
		t.Unattributed++
	}
	in := map[groupKey]bool{}
	for i := range r.Findings {
		f := r.Findings[i]
		if p.Raced || f.Chance {
			f = raced(f)
		}
		j.finding(groupKey{route, f.Part, f.Class, f.Kind, f.Severity}, f, before, after, p, in)
	}
	if len(r.Findings) > 0 {
		j.example(before, after, p, r)
	}
}

const racedWhy = "; sent at the same time as others, so chance decides"

// raced lowers a finding of requests that a test sent at once: which of them came first is
// chance, so another answer of the same status and shape says nothing about AFTER.
func raced(f differ.Finding) differ.Finding {
	switch f.Kind {
	case differ.Value, differ.Identity, differ.Text, differ.Order, differ.Format:
		f.Severity = differ.Info
		f.Explanation += racedWhy
	}
	return f
}

func (j *judge) nameOf(method, path string) string {
	if j.opts.NameOf == nil {
		return ""
	}
	return j.opts.NameOf(method, path)
}

// finding takes in one difference; rows of databases have no exchange, and before is nil.
func (j *judge) finding(k groupKey, f differ.Finding, before, after *side, p align.Pair, in map[groupKey]bool) {
	g := j.groups[k]
	if g == nil {
		g = &report.Finding{
			ID: k.id(), Route: k.route, Kind: f.Kind, Severity: f.Severity, Part: f.Part, Class: f.Class,
			Samples: f.Samples, Varied: f.Varied, Pointer: f.Pointer, Before: f.Before, After: f.After,
			Explanation: f.Explanation, Diff: f.Diff, Compared: 1,
		}
		j.groups[k] = g
	}
	g.Count++
	if !in[k] {
		g.Exchanges++
		in[k] = true
	}
	if before == nil {
		return
	}
	b, a := &before.rec.Exchanges[p.Before], &after.rec.Exchanges[p.After]
	if g.Count == 1 {
		g.Name, g.Example = cmp.Or(a.Route, j.nameOf(a.Method, a.Path)), b.Seq
		g.Curl = [2]string{curl(before.rec.Info.TargetOf(b.Service), b), curl(after.rec.Info.TargetOf(a.Service), a)}
	}
	if b.Test != "" && len(g.Tests) < namedTests && !slices.Contains(g.Tests, b.Test) {
		g.Tests = append(g.Tests, b.Test)
	}
	if a.ServedBy != "" && !slices.Contains(g.ServedBy, a.ServedBy) {
		g.ServedBy = append(g.ServedBy, a.ServedBy)
		slices.Sort(g.ServedBy)
	}
}

type callKey struct{ side, route string }

func callKeyOf(name string, s *side, i int) callKey { return callKey{name, s.items[i].Route} }

// call notes a request that only one side made.
func (j *judge) call(name string, s *side, i int) {
	k := callKeyOf(name, s, i)
	c := j.calls[k]
	if c == nil {
		c = &report.Call{ID: idOf("call", k.side, k.route), Side: name, Route: k.route, Tests: []string{}, Noisy: j.noisy[k]}
		j.calls[k] = c
	}
	c.Count++
	if test := s.items[i].Test; test != "" && len(c.Tests) < namedTests && !slices.Contains(c.Tests, test) {
		c.Tests = append(c.Tests, test)
	}
}

// example keeps an exchange with a finding, as long as there is room.
func (j *judge) example(before, after *side, p align.Pair, r differ.Result) {
	b, a := &before.rec.Exchanges[p.Before], &after.rec.Exchanges[p.After]
	if len(j.marks) >= maxExamples || j.marks[b.Seq] != nil || !j.shown(b.Seq) {
		return
	}
	e := &report.Example{
		Number: b.Seq, Test: b.Test, Route: before.items[p.Before].Route, Method: b.Method,
		Before: sideOf(b.Path, b.Status, b.Response), After: sideOf(a.Path, a.Status, a.Response),
	}
	for _, f := range r.Findings {
		e.Marks = append(e.Marks, report.Mark{Pointer: f.Pointer, Why: fmt.Sprintf("%s: %s", f.Kind, f.Explanation)})
	}
	for _, x := range r.Relaxed {
		e.Marks = append(e.Marks, report.Mark{Pointer: x.Pointer, Why: x.Why, Relaxed: true})
	}
	const most = 200
	e.Marks = e.Marks[:min(len(e.Marks), most)]
	j.marks[b.Seq] = e
}

// shown reports whether a finding has this exchange as its example.
func (j *judge) shown(seq int) bool {
	for _, g := range j.groups {
		if g.Example == seq {
			return true
		}
	}
	return false
}

// gathered puts everything into the report, sorted.
func (j *judge) gathered() {
	r := j.report
	for _, k := range slices.SortedFunc(maps.Keys(j.groups), compareGroups) {
		f := j.groups[k]
		if seen := j.routes[f.Route]; seen != nil {
			f.Compared = seen.Exchanges
		}
		if j.chance(f) {
			r.Chance = append(r.Chance, *f)
		} else {
			r.Findings = append(r.Findings, *f)
		}
	}
	j.tallied()
	for _, k := range slices.SortedFunc(maps.Keys(j.calls), func(a, b callKey) int {
		return cmp.Or(cmp.Compare(a.route, b.route), cmp.Compare(a.side, b.side))
	}) {
		r.Calls = append(r.Calls, *j.calls[k])
	}
	for _, seq := range slices.Sorted(maps.Keys(j.marks)) {
		r.Examples = append(r.Examples, *j.marks[seq])
	}
	for _, c := range j.noise.Classes() {
		r.Noise = append(r.Noise, report.Noise{NoisyClass: c, Few: c.Samples < enoughSamples})
	}
}

// tallied counts the findings of each table, without those that are left to chance.
func (j *judge) tallied() {
	if j.report.State == nil {
		return
	}
	tables := j.report.State.Tables
	for i := range tables {
		tables[i].Findings = 0
		for _, f := range j.report.Findings {
			if f.Part == inState && f.Route == tableRoute(tables[i].Name) {
				tables[i].Findings += f.Count
			}
		}
	}
}

// chance reports whether a finding says nothing about AFTER: it is about requests that were
// sent at once, or about identifiers and no more frequent than between two runs of BEFORE
// (a list of everything, say, in which other tests leave their traces).
func (j *judge) chance(f *report.Finding) bool {
	const times = 2
	runs := len(j.before) - 1
	switch {
	case f.Severity == differ.Info && strings.HasSuffix(f.Explanation, racedWhy):
		return true
	case f.Kind == differ.Identity && f.Varied > 0 && f.Count*runs <= times*f.Varied:
		f.Severity = differ.Info
		f.Explanation += "; no more often than between two runs of BEFORE"
		return true
	}
	return false
}

// enoughSamples of a class tell its kinds; with fewer, chance may hide one.
const enoughSamples = 3

func compareGroups(a, b groupKey) int {
	return cmp.Or(cmp.Compare(b.level, a.level), cmp.Compare(a.route, b.route), cmp.Compare(a.part, b.part), cmp.Compare(a.class, b.class), cmp.Compare(a.kind, b.kind))
}
