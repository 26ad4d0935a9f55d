package compare

import (
	"slices"

	"github.com/stranglerfig/toolkit/compare/glob"
	"github.com/stranglerfig/toolkit/compare/report"
)

// coverage counts how the suite exercised each route of the proxy in the last run of AFTER.
func (j *judge) coverage() {
	at := map[string]int{}
	for _, r := range j.opts.Table {
		at[r.Name] = len(j.report.Coverage)
		required := slices.ContainsFunc(j.opts.Required, func(p string) bool { return glob.Match(p, r.Name) })
		j.report.Coverage = append(j.report.Coverage, report.Coverage{Name: r.Name, Match: r.Match, Required: required})
	}
	for _, pattern := range j.opts.Required { // one that names no route is not covered, either
		if !slices.ContainsFunc(j.opts.Table, func(r Route) bool { return glob.Match(pattern, r.Name) }) {
			j.report.Coverage = append(j.report.Coverage, report.Coverage{Name: pattern, Required: true})
		}
	}
	if len(j.after) == 0 {
		return
	}
	for i := range j.after[0].rec.Exchanges {
		e := &j.after[0].rec.Exchanges[i]
		name := e.Route
		if name == "" {
			name = j.nameOf(e.Method, e.Path)
		}
		n, ok := at[name]
		if !ok {
			continue
		}
		c := &j.report.Coverage[n]
		c.Requests++
		switch {
		case e.Status >= 200 && e.Status < 400:
			c.Success++
		case e.Status >= 400 && e.Status < 500:
			c.Error++
		}
	}
	for i := range j.report.Coverage {
		c := &j.report.Coverage[i]
		c.Covered = c.Success > 0 && c.Error > 0
	}
}
