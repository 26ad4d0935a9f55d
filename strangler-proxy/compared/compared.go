// Package compared keeps beside a configuration file how the last comparison of each route
// with its service ended: CONFIG.compared.json. It is there to be shown when a route is
// about to move on; it decides nothing and stands in nobody's way. A comparison in which
// only the monolith answered a route says nothing about the service and is not kept, and
// an older one never replaces a newer one. Readers see all of the file or nothing of it.
package compared

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	"github.com/stranglerfig/toolkit/compare/report"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
)

// An Entry is how the last comparison of a route ended.
type Entry struct {
	When      time.Time      `json:"when"` // the run of AFTER began
	Verdict   report.Verdict `json:"verdict"`
	Findings  int            `json:"findings"`
	Worse     int            `json:"worse,omitempty"` // tests of the whole suite that ended worse than before
	Exchanges int            `json:"exchanges"`       // of AFTER
	Errors    int            `json:"errors"`          // of them, answers from 400 to 499
	Service   int            `json:"service"`         // of them, not answered by the monolith
	// Definition is a hash of what the route was, see Definition.
	Definition string `json:"definition"`
}

// A File is what is known of all routes.
type File struct {
	Schema  int              `json:"schema"`
	Command []string         `json:"command,omitempty"` // of the last comparison
	Routes  map[string]Entry `json:"routes"`
}

// Path is the file that belongs to the configuration file at path.
func Path(path string) string { return path + ".compared.json" }

// Definition tells whether a route is still what it was when it was compared: it takes the
// same requests to the same service. Where the service's instances are does not matter.
func Definition(r *config.Route) string {
	text, _ := json.Marshal([]string{r.Match.Key(), r.Service}) // strings cannot fail
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// add takes in what a report says about the routes of cfg, and forgets routes that are gone.
// It reports whether anything changed.
func (f *File) add(cfg *config.Config, r *report.Report) bool {
	when := began(r)
	if r.Verdict == report.Invalid || when.IsZero() {
		return false
	}
	changed := false
	for _, c := range r.Coverage {
		configured := cfg.Route(c.Name)
		service := c.Requests - c.ServedBy[config.MonolithName] - c.ServedBy[config.ProxyName]
		if have, known := f.Routes[c.Name]; configured == nil || service <= 0 || known && have.When.After(when) {
			continue
		}
		e := entryOf(r, c)
		e.When, e.Service, e.Definition = when, service, Definition(configured)
		f.Routes[c.Name], changed = e, true
	}
	if changed {
		f.Command = commandOf(r)
	}
	for name := range f.Routes {
		if cfg.Route(name) == nil {
			delete(f.Routes, name)
			changed = true
		}
	}
	return changed
}

// entryOf sums up what a report says about one route.
func entryOf(r *report.Report, c report.Coverage) Entry {
	e := Entry{Verdict: report.Same, Exchanges: c.Requests, Errors: c.Error}
	for verdict, n := range r.Totals.Tests {
		if verdict.Worse() {
			e.Worse += n
		}
	}
	for _, seen := range r.Routes {
		if seen.Name == c.Name && seen.Verdict == report.Inconclusive {
			e.Verdict = report.Inconclusive
		}
	}
	for _, f := range r.Findings {
		if f.Name != c.Name {
			continue
		}
		e.Findings++
		if slices.Contains(r.FailOn, f.Severity.String()) {
			e.Verdict = report.Differs
		}
	}
	return e
}

// began is when the last run of AFTER began.
func began(r *report.Report) (when time.Time) {
	for _, run := range r.Runs {
		if run.Side == "after" {
			when = run.Started
		}
	}
	return when
}

func commandOf(r *report.Report) (command []string) {
	for _, run := range r.Runs {
		if run.Side == "after" {
			command = run.Command
		}
	}
	return command
}
