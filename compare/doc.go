// Package compare judges whether a system still does what it did: it takes the recordings of
// a test suite, run against BEFORE at least twice and against AFTER, and makes a report.
//
// The way of an exchange: recording → align → bind identifiers → relax noise → differ →
// findings → report. Each station is a function of values; [record] and the renderings in
// [report] alone touch the world.
//
// It promises that runs which cannot be compared never come out as the same, that what differs
// between two runs of BEFORE is compared by its kind and never dropped, and that the same
// recordings give the same report.
package compare

import (
	"time"

	"github.com/stranglerfig/toolkit/compare/accept"
	"github.com/stranglerfig/toolkit/compare/differ"
	"github.com/stranglerfig/toolkit/compare/openapi"
)

// Options tune a comparison. The zero value is fit for use.
type Options struct {
	Rules  differ.Rules
	FailOn []string // severities and "latency"; nil means breaking and order
	Accept []accept.Rule
	// Today is the day on which accepted differences are looked at; they hold through the day
	// they name. The zero time lets none expire.
	Today time.Time
	// Table holds the proxy's routes, for coverage; Required are patterns of names among them.
	Table    []Route
	Required []string
	// NameOf returns the name of the proxy's route that takes a request; nil knows none.
	NameOf func(method, path string) string
	// Described are the operations of OpenAPI files, by service: for path templates and coverage.
	Described map[string]*openapi.Document
	// Owners name, by table, the database of AFTER whose rows count.
	Owners map[string]string
	// NoisyShare is the share of relaxed values above which a route is inconclusive; 0 means 0.3.
	NoisyShare float64
}

// A Route is one of the proxy's routes.
type Route struct{ Name, Match string }
