package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/stranglerfig/toolkit/compare/outcome"
)

// maxShown bounds the findings that a terminal is shown; the files hold all.
const maxShown = 25

// printer writes until the first error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = io.WriteString(p.w, clean(fmt.Sprintf(format+"\n", args...))) // what a service sent must not steer a terminal
	}
}

// Terminal writes the report for a person at a terminal: the verdict in three lines, then
// what it rests on.
func (r *Report) Terminal(w io.Writer) error {
	p := &printer{w: w}
	p.line("%s", r.headline())
	p.line("%s", r.compared())
	p.line("%s", r.tests())
	r.terminalOutcomes(p)
	r.terminalFindings(p)
	r.terminalCalls(p)
	r.terminalCoverage(p)
	for _, warning := range r.Warnings {
		p.line("note: %s", warning)
	}
	for i, next := range r.Next {
		lead := "next: "
		if i > 0 {
			lead = "      "
		}
		p.line("%s%s", lead, next)
	}
	return p.err
}

// headline is the verdict and why, in one line.
func (r *Report) headline() string {
	word := map[Verdict]string{
		Same: "SAME: AFTER does what BEFORE did", Differs: "DIFFERENT", Invalid: "INVALID: nothing was compared", Inconclusive: "INCONCLUSIVE",
	}[r.Verdict]
	if len(r.Reasons) == 0 {
		return word
	}
	const most = 3
	text := strings.Join(r.Reasons[:min(most, len(r.Reasons))], "; ")
	if more := len(r.Reasons) - most; more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return word + ": " + text
}

func (r *Report) compared() string {
	t := r.Totals
	text := fmt.Sprintf("%s compared, %s, %d of them noise that was compared by kind", many(t.Exchanges, "exchange"), many(t.Leaves, "value"), t.Relaxed)
	if n := len(r.Accepted); n > 0 {
		text += fmt.Sprintf("; %s accepted", many(n, "difference"))
	}
	if n := len(r.Chance); n > 0 {
		text += fmt.Sprintf("; %s left to chance", many(n, "difference"))
	}
	return text
}

// verdictOrder is the order in which reports name what became of tests.
var verdictOrder = []outcome.Verdict{
	outcome.NewlyFailing, outcome.MissingAfter, outcome.FlakyAfter, outcome.SkipChanged, outcome.FlakyBefore,
	outcome.FailingBefore, outcome.NewlyPassing, outcome.New, outcome.Same,
}

func (r *Report) tests() string {
	var parts []string
	for _, v := range verdictOrder {
		if n := r.Totals.Tests[v]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, v))
		}
	}
	if len(parts) == 0 {
		return "no tests"
	}
	return many(len(r.Outcomes), "test") + ": " + strings.Join(parts, ", ")
}

func (r *Report) terminalOutcomes(p *printer) {
	shown := 0
	for _, row := range r.Outcomes {
		if !row.Verdict.Worse() && row.Verdict != outcome.FlakyBefore {
			continue
		}
		if shown++; shown > maxShown {
			continue
		}
		p.line("\n%s: %s", row.Verdict, row.Name)
		if row.Message != "" {
			p.line("%s", indent(firstLines(row.Message, 6), "    "))
		}
	}
	if shown > maxShown {
		p.line("… and %d more tests", shown-maxShown)
	}
}

func (r *Report) terminalFindings(p *printer) {
	route := ""
	for i, f := range byRoute(r.Findings) {
		if i == maxShown {
			p.line("\n… and %s in the report", many(len(r.Findings)-maxShown, "more finding"))
			return
		}
		if f.Route != route {
			route = f.Route
			p.line("\n%s%s", route, by(f))
		}
		p.line("  %s %s %s  %s  (%d×, in %d of %s)", f.Severity, f.Kind, f.place(), f.ID, f.Count, f.Exchanges, many(f.Compared, "exchange"))
		p.line("      before  %s", orAbsent(f.Before))
		p.line("      after   %s", orAbsent(f.After))
		p.line("      %s", f.Explanation)
		if f.Curl[0] != "" {
			p.line("      $ %s\n      $ %s", clip(f.Curl[0], 300), clip(f.Curl[1], 300))
		}
	}
}

// byRoute sorts findings for reading: by route, the worst first.
func byRoute(list []Finding) []Finding {
	list = slices.Clone(list)
	worst := map[string]int{}
	for _, f := range list {
		worst[f.Route] = max(worst[f.Route], int(f.Severity))
	}
	slices.SortStableFunc(list, func(a, b Finding) int {
		if n := worst[b.Route] - worst[a.Route]; n != 0 {
			return n
		}
		return strings.Compare(a.Route, b.Route)
	})
	return list
}

func (f *Finding) place() string {
	if f.Class == "" {
		return string(f.Part)
	}
	return string(f.Part) + " " + f.Class
}

func by(f Finding) string {
	text := ""
	if f.Name != "" {
		text += "  route " + f.Name
	}
	if len(f.ServedBy) > 0 {
		text += "  answered by " + strings.Join(f.ServedBy, ", ")
	}
	return text
}

func (r *Report) terminalCalls(p *printer) {
	for i, c := range r.Calls {
		if i == 0 {
			p.line("")
		}
		if i == maxShown {
			p.line("… and %d more", len(r.Calls)-i)
			return
		}
		why := ""
		if c.Noisy {
			why = ", as between runs of BEFORE"
		}
		p.line("only %s: %d× %s%s", strings.ToUpper(c.Side), c.Count, c.Route, why)
	}
}

func (r *Report) terminalCoverage(p *printer) {
	for _, thing := range [...]string{"route", "operation"} {
		var all, covered, required, documented, unseen int
		for _, c := range r.Coverage {
			if c.Operation != (thing == "operation") {
				continue
			}
			all++
			documented += len(c.Documented)
			unseen += len(c.Unseen)
			if c.Covered {
				covered++
			}
			if c.Required {
				required++
			}
		}
		if all == 0 {
			continue
		}
		text := fmt.Sprintf("%d of %s covered by a success and an error; %d required", covered, many(all, thing), required)
		if documented > 0 {
			text += fmt.Sprintf("; %d of %s seen", documented-unseen, many(documented, "documented answer"))
		}
		p.line("\n%s", text)
	}
}

func many(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

func orAbsent(s string) string {
	if s == "" {
		return "(absent)"
	}
	return s
}

func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

func firstLines(s string, most int) string {
	lines := strings.SplitN(s, "\n", most+1)
	return strings.Join(lines[:min(most, len(lines))], "\n")
}

func indent(s, by string) string { return by + strings.ReplaceAll(s, "\n", "\n"+by) }
