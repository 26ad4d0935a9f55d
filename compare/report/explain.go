package report

import (
	"io"
	"strings"
)

// Explain writes all that is known of the finding with the id; false if there is none.
func (r *Report) Explain(w io.Writer, id string) (bool, error) {
	if f, ok := r.Find(id); ok {
		return true, r.explain(w, f)
	}
	for _, c := range r.Calls {
		if c.ID == id {
			p := &printer{w: w}
			p.line("%s  only %s sent %s, %d×", c.ID, strings.ToUpper(c.Side), c.Route, c.Count)
			p.line("in tests: %s", strings.Join(c.Tests, ", "))
			if c.Noisy {
				p.line("BEFORE's own runs differ in it, too.")
			}
			return true, p.err
		}
	}
	return false, nil
}

func (r *Report) explain(w io.Writer, f *Finding) error {
	p := &printer{w: w}
	p.line("%s  %s %s in %s of %s%s", f.ID, f.Severity, f.Kind, f.place(), f.Route, by(*f))
	p.line("\n%s", kindMeans[string(f.Kind)])
	p.line("\nWhat: %s", f.Explanation)
	p.line("Where: %s (all of %s)", f.Pointer, f.place())
	p.line("Before: %s\nAfter:  %s", orAbsent(f.Before), orAbsent(f.After))
	p.line("How often: %s in %d of %s of the route", many(f.Count, "time"), f.Exchanges, many(f.Compared, "exchange"))
	if f.Samples == 0 {
		p.line("Evidence: the runs of BEFORE never had this place side by side.")
	} else {
		p.line("Evidence: between runs of BEFORE it differed in %d of %s.", f.Varied, many(f.Samples, "sample"))
	}
	if len(f.Tests) > 0 {
		p.line("Tests: %s", strings.Join(f.Tests, ", "))
	}
	if f.Diff != "" {
		p.line("\n%s", f.Diff)
	}
	if f.Accept != nil {
		p.line("\nAccepted: %s", f.Accept.Reason)
	}
	if f.Curl[0] != "" {
		p.line("\nSee it again:\n  %s\n  %s", f.Curl[0], f.Curl[1])
	}
	return p.err
}

// kindMeans says for each kind of finding what it is and what usually causes it.
var kindMeans = map[string]string{
	"status":        "AFTER answers with another status. Everything that reads the status behaves differently now.",
	"missing":       "BEFORE has this and AFTER has not: a field that was forgotten or renamed, an element that is not there.",
	"added":         "AFTER has something that BEFORE has not. A new field harms few clients; a new element in a list is other data.",
	"type":          "The JSON type changed: a number became text, or a value became null. Typed clients fail on it.",
	"value":         "The value is another one, and BEFORE was not seen to vary here.",
	"identity":      "The identifier belongs to something else than it did in BEFORE: identifiers are matched between the runs one to one,\nand this one breaks the match. The usual cause is an answer with another row's data.",
	"shape":         "The value varies from run to run, so only its kind is compared, and the kind is another one.",
	"format":        "The same value, written differently (1 and 1.0, two spellings of a time).",
	"order":         "The same elements in another order. Look for a missing ORDER BY.",
	"duplicate-key": "A name stands in an object more than once; readers differ in which value they take.",
	"malformed":     "The body is not what its content type says, on one side only.",
	"text":          "Text bodies differ.",
	"binary":        "The bytes of the bodies differ.",
	"cookie":        "A cookie is set with other attributes.",
}
