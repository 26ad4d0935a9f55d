package compare

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stranglerfig/toolkit/compare/glob"
	"github.com/stranglerfig/toolkit/compare/openapi"
	"github.com/stranglerfig/toolkit/compare/record"
	"github.com/stranglerfig/toolkit/compare/report"
)

// coverage counts how the suite exercised each route of the proxy, and each operation of the
// OpenAPI files, in the first run of AFTER.
func (j *judge) coverage() {
	at := map[string]int{}
	for _, r := range j.opts.Table {
		at[r.Name] = len(j.report.Coverage)
		j.report.Coverage = append(j.report.Coverage, report.Coverage{Name: r.Name, Match: r.Match})
	}
	operations := j.operations()
	for i := range j.report.Coverage {
		c := &j.report.Coverage[i]
		c.Required = slices.ContainsFunc(j.opts.Required, func(p string) bool { return glob.Match(p, c.Name) })
	}
	for _, pattern := range j.opts.Required { // one that names no route is not covered, either
		if !slices.ContainsFunc(j.report.Coverage, func(c report.Coverage) bool { return glob.Match(pattern, c.Name) }) {
			j.report.Coverage = append(j.report.Coverage, report.Coverage{Name: pattern, Required: true})
		}
	}
	if len(j.after) == 0 {
		return
	}
	unknown := map[string]int{}
	for i := range j.after[0].rec.Exchanges {
		e := &j.after[0].rec.Exchanges[i]
		name := e.Route
		if name == "" {
			name = j.nameOf(e.Method, e.Path)
		}
		if n, ok := at[name]; ok {
			counted(&j.report.Coverage[n], e)
		}
		if doc := j.opts.Described[e.Service]; doc != nil {
			if o := doc.Find(e.Method, e.Path); o != nil {
				j.exercised(&j.report.Coverage[operations[o]], o, e)
			} else {
				unknown[j.after[0].items[i].Route]++
			}
		}
	}
	for i := range j.report.Coverage {
		c := &j.report.Coverage[i]
		c.Covered = c.Success > 0 && (c.Error > 0 || c.Operation && !documentsErrors(c.Documented))
	}
	for _, route := range slices.Sorted(maps.Keys(unknown)) {
		j.warn("%s, which no OpenAPI file describes, was asked for %s", route, count(unknown[route], "time"))
	}
}

// operations puts those of the OpenAPI files on the list, and says where each is.
func (j *judge) operations() map[*openapi.Operation]int {
	places := map[*openapi.Operation]int{}
	for _, service := range slices.Sorted(maps.Keys(j.opts.Described)) {
		doc := j.opts.Described[service]
		for i := range doc.Operations {
			o := &doc.Operations[i]
			match := record.Exchange{Service: service, Path: o.Path}
			places[o] = len(j.report.Coverage)
			j.report.Coverage = append(j.report.Coverage, report.Coverage{
				Name: o.ID, Match: o.Method + " " + match.Named(), Operation: true, Documented: o.Statuses, Unseen: slices.Clone(o.Statuses),
			})
		}
	}
	return places
}

func counted(c *report.Coverage, e *record.Exchange) {
	c.Requests++
	if e.ServedBy != "" {
		if c.ServedBy == nil {
			c.ServedBy = map[string]int{}
		}
		c.ServedBy[e.ServedBy]++
	}
	switch status := e.Status; {
	case status >= 200 && status < 400:
		c.Success++
	case status >= 400 && status < 500:
		c.Error++
	}
}

// exercised counts an answer of an operation. One that nothing documents is what default
// stands for, or worth a word.
func (j *judge) exercised(c *report.Coverage, o *openapi.Operation, e *record.Exchange) {
	counted(c, e)
	status := e.Status
	documented := slices.ContainsFunc(o.Statuses, func(s string) bool { return o.Has(s, status) })
	c.Unseen = slices.DeleteFunc(c.Unseen, func(s string) bool { return o.Has(s, status) || s == "default" && !documented })
	if documented || slices.Contains(o.Statuses, "default") || len(o.Statuses) == 0 || status == 0 {
		return
	}
	warning := fmt.Sprintf("%s answers %d, which is not documented", c.Match, status)
	if !slices.Contains(j.report.Warnings, warning) {
		j.report.Warnings = append(j.report.Warnings, warning)
	}
}

// documentsErrors reports whether an operation may answer with a client's error.
func documentsErrors(statuses []string) bool {
	return slices.ContainsFunc(statuses, func(s string) bool { return strings.HasPrefix(s, "4") || s == "default" })
}
