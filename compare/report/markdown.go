package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/stranglerfig/toolkit/compare/outcome"
)

// Markdown writes the report as a comment for a pull request.
func (r *Report) Markdown(w io.Writer) error {
	p := &printer{w: w}
	p.line("## Compare: %s\n", strings.ToUpper(string(r.Verdict)))
	for _, reason := range r.Reasons[:min(10, len(r.Reasons))] {
		p.line("- %s", plain(reason))
	}
	p.line("\n%s. %s.\n", r.compared(), r.tests())
	r.markdownTests(p)
	r.markdownFindings(p)
	if len(r.Accepted) > 0 {
		p.line("### Accepted\n\n| place | reason | until |\n| --- | --- | --- |")
		for _, f := range r.Accepted {
			p.line("| %s %s %s | %s | %s |", code(f.Route), f.Kind, code(f.place()), plain(f.Accept.Reason), plain(f.Accept.Until))
		}
		p.line("")
	}
	for _, warning := range r.Warnings {
		p.line("> %s\n", plain(warning))
	}
	return p.err
}

func (r *Report) markdownTests(p *printer) {
	shown := 0
	for _, row := range r.Outcomes {
		if !row.Verdict.Worse() && row.Verdict != outcome.FlakyBefore {
			continue
		}
		if shown++; shown > maxShown {
			break
		}
		p.line("- %s: %s", row.Verdict, code(row.Name))
	}
	if shown > 0 {
		p.line("")
	}
}

func (r *Report) markdownFindings(p *printer) {
	route := ""
	for i, f := range byRoute(r.Findings) {
		if i == maxShown {
			p.line("… and %d more.\n", len(r.Findings)-i)
			return
		}
		if f.Route != route {
			route = f.Route
			p.line("### %s\n\n| id | what | place | before | after | times |\n| --- | --- | --- | --- | --- | --- |", code(route))
		}
		p.line("| `%s` | %s %s | %s | %s | %s | %d |", f.ID, f.Severity, f.Kind, code(f.place()), code(clip(orAbsent(f.Before), 80)), code(clip(orAbsent(f.After), 80)), f.Count)
		if i+1 == len(r.Findings) || i+1 == maxShown || byRoute(r.Findings)[i+1].Route != route {
			p.line("")
		}
	}
}

// code quotes a text for a cell of a table.
func code(s string) string {
	s = strings.NewReplacer("\n", " ", "|", `\|`).Replace(s)
	fence := "`"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	if len(fence) > 1 {
		return fence + " " + s + " " + fence
	}
	return fence + s + fence
}

// plain keeps a text from being read as markup.
func plain(s string) string {
	return strings.NewReplacer("\n", " ", "|", `\|`, "<", "&lt;", "*", `\*`, "_", `\_`, "`", "\\`", "[", `\[`).Replace(s)
}

// GitHub writes the report as annotations of a GitHub workflow.
func (r *Report) GitHub(w io.Writer) error {
	p := &printer{w: w}
	escape := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace
	title := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace
	level := map[Verdict]string{Same: "notice", Differs: "error", Invalid: "error", Inconclusive: "warning"}[r.Verdict]
	p.line("::%s title=compare::%s", level, escape(r.headline()))
	for _, row := range r.Outcomes {
		if row.Verdict.Worse() {
			p.line("::error title=%s::%s", title(string(row.Verdict)), escape(row.Name))
		}
	}
	for i, f := range byRoute(r.Findings) {
		if i == maxShown {
			break
		}
		level := "warning"
		if r.fails(f.Severity.String()) {
			level = "error"
		}
		p.line("::%s title=%s::%s", level, title(fmt.Sprintf("%s %s %s", f.Route, f.Kind, f.place())),
			escape(fmt.Sprintf("%s: %s -> %s (%s)", f.ID, orAbsent(f.Before), orAbsent(f.After), f.Explanation)))
	}
	return p.err
}
