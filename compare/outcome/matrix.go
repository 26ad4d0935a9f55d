package outcome

import (
	"maps"
	"slices"
)

// A Verdict says what became of a test from before to after.
type Verdict string

// The verdicts. Only the first three and Missing say that AFTER is worse.
const (
	Same          Verdict = "same"
	NewlyFailing  Verdict = "newly failing"
	NewlyPassing  Verdict = "newly passing"
	FailingBefore Verdict = "failing before, too"
	FlakyBefore   Verdict = "flaky before" // the runs of BEFORE disagree: it cannot regress
	FlakyAfter    Verdict = "flaky after"
	MissingAfter  Verdict = "missing"
	New           Verdict = "new"
	SkipChanged   Verdict = "skipped differently"
	notThere      Status  = ""
)

// Worse reports whether the verdict says that AFTER is worse than BEFORE.
func (v Verdict) Worse() bool {
	return v == NewlyFailing || v == MissingAfter || v == FlakyAfter || v == SkipChanged
}

// A Row is one test over all runs.
type Row struct {
	Name    string   `json:"name"`
	Verdict Verdict  `json:"verdict"`
	Before  []Status `json:"before"`
	After   []Status `json:"after"`
	Message string   `json:"message,omitempty"` // of AFTER's failure
}

// Matrix compares the outcomes of the runs, test by test, sorted by name.
func Matrix(before, after []Outcomes) []Row {
	rows := map[string]*Row{}
	row := func(name string) *Row {
		if rows[name] == nil {
			rows[name] = &Row{Name: name, Before: make([]Status, len(before)), After: make([]Status, len(after))}
		}
		return rows[name]
	}
	for i, o := range before {
		for _, t := range o.Tests {
			row(t.Name).Before[i] = t.Status
		}
	}
	for i, o := range after {
		for _, t := range o.Tests {
			r := row(t.Name)
			r.After[i] = t.Status
			if t.Status == Fail {
				r.Message = t.Message
			}
		}
	}
	list := make([]Row, 0, len(rows))
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		r := rows[name]
		r.Verdict = r.judge()
		list = append(list, *r)
	}
	return list
}

func (r *Row) judge() Verdict {
	before, steady := agreed(r.Before)
	after, steadyAfter := agreed(r.After)
	switch {
	case !steady:
		return FlakyBefore
	case !steadyAfter:
		return FlakyAfter
	case before == notThere:
		if after == Fail {
			return NewlyFailing // a test that only AFTER has, and fails: a package that no longer builds
		}
		return New
	case after == notThere:
		return MissingAfter
	case before == Fail && after == Fail:
		return FailingBefore
	case after == Fail:
		return NewlyFailing
	case before == Fail:
		return NewlyPassing
	case before != after:
		return SkipChanged
	}
	return Same
}

// agreed returns the status if all runs have the same.
func agreed(list []Status) (Status, bool) {
	for _, s := range list {
		if s != list[0] {
			return "", false
		}
	}
	if len(list) == 0 {
		return notThere, true
	}
	return list[0], true
}
