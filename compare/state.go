package compare

import (
	"bytes"
	"maps"
	"net/http"
	"slices"

	"github.com/stranglerfig/toolkit/compare/align"
	"github.com/stranglerfig/toolkit/compare/differ"
	"github.com/stranglerfig/toolkit/compare/record"
	"github.com/stranglerfig/toolkit/compare/report"
	"github.com/stranglerfig/toolkit/compare/state"
)

// inState is the part of findings about rows.
const inState differ.Part = "state"

// noState stands in a finding for a whole table.
var noState = []byte("[]")

// tables pairs the tables of two recordings, in the order of their names. The primary keys
// that no exchange showed are bound here, so the pairs count as writes.
func (j *judge) tables(before, after *record.Recording) (names []string, pairs []differ.Pair) {
	if len(before.State) == 0 || len(after.State) == 0 {
		return nil, nil
	}
	b, a := state.Union(before.State, nil), state.Union(after.State, j.opts.Owners)
	all := maps.Clone(b)
	maps.Copy(all, a)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		names = append(names, name)
		pairs = append(pairs, differ.Pair{Before: asExchange(name, b[name]), After: asExchange(name, a[name])})
	}
	return names, pairs
}

func tableRoute(name string) string { return "TABLE /" + name }

func asExchange(name string, t state.Table) differ.Exchange {
	body := noState
	if len(t.Rows) > 0 {
		raw := make([][]byte, len(t.Rows))
		for i, r := range t.Rows {
			raw[i] = r
		}
		body = slices.Concat([]byte("["), bytes.Join(raw, []byte(",")), []byte("]"))
	}
	return differ.Exchange{
		Method: http.MethodPost, Path: "/" + name, Route: tableRoute(name), Status: http.StatusOK,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: body, Rows: true,
	}
}

// learnState learns where the databases of two runs of BEFORE differ; suite knows the
// identifiers of their exchanges.
func (j *judge) learnState(suite *differ.Suite, first, other *side) {
	_, pairs := j.tables(first.rec, other.rec)
	for _, p := range pairs {
		suite.Bind(p)
	}
	for _, p := range pairs {
		suite.Learn(&j.noise, p)
	}
}

// ofRows reports whether a finding is about the order of a table's rows. They come in the
// order of their keys, which each run makes up anew, so it says nothing.
func ofRows(f differ.Finding) bool { return f.Kind == differ.Order && f.Pointer == "" }

// state compares the end state after BEFORE with the one after AFTER.
func (j *judge) state() {
	before, after := j.before[0], j.after[len(j.after)-1]
	names, pairs := j.tables(before.rec, after.rec)
	if len(pairs) == 0 {
		return
	}
	b, a := state.Union(before.rec.State, nil), state.Union(after.rec.State, j.opts.Owners)
	for _, p := range pairs {
		j.suite.Bind(p)
	}
	j.report.State = &report.State{}
	for i, name := range names {
		t := report.Table{Name: name, Before: len(b[name].Rows), After: len(a[name].Rows), Owner: a[name].Database}
		r := j.suite.Compare(pairs[i])
		r.Findings = slices.DeleteFunc(r.Findings, ofRows)
		j.report.Totals.Leaves += r.Leaves
		j.report.Totals.Relaxed += len(r.Relaxed)
		j.report.Totals.Dropped += r.Dropped
		in := map[groupKey]bool{}
		for _, f := range r.Findings {
			f.Part = inState
			if f.Chance {
				f = raced(f)
			}
			j.finding(groupKey{pairs[i].Before.Route, f.Part, f.Class, f.Kind, f.Severity}, f, nil, nil, align.Pair{}, in)
		}
		j.report.State.Tables = append(j.report.State.Tables, t)
	}
}
