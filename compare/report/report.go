// Package report holds what a comparison found, as versioned JSON, and renders it: for a
// terminal, as one HTML page that needs nothing else, as JUnit XML, as Markdown and as
// annotations for GitHub. Whatever a rendering shows stands in the JSON, so a report can be
// rendered again without the recordings. It decides nothing, and the same report gives the
// same bytes.
package report

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/stranglerfig/toolkit/compare/differ"
	"github.com/stranglerfig/toolkit/compare/outcome"
)

// Schema is the version of the JSON that this package reads and writes.
const Schema = 1

// A Verdict is what the comparison came to.
type Verdict string

// The verdicts.
const (
	Same         Verdict = "same"
	Differs      Verdict = "differs"
	Invalid      Verdict = "invalid"      // the runs cannot be compared
	Inconclusive Verdict = "inconclusive" // too noisy, flaky or not covered
)

// A Report is the result of a comparison.
type Report struct {
	Schema    int              `json:"schema"`
	Verdict   Verdict          `json:"verdict"`
	Reasons   []string         `json:"reasons"` // why the verdict is what it is
	FailOn    []string         `json:"fail_on"` // severities that make it differ
	Runs      []Run            `json:"runs"`
	Totals    Totals           `json:"totals"`
	Findings  []Finding        `json:"findings"`
	Accepted  []Finding        `json:"accepted"`
	Chance    []Finding        `json:"chance"`   // what runs of BEFORE differ in as often, or requests sent at once
	Calls     []Call           `json:"calls"`    // that only one side made
	Outcomes  []outcome.Row    `json:"outcomes"` // one for each test
	Routes    []Route          `json:"routes"`
	Noise     []Noise          `json:"noise"`
	Coverage  []Coverage       `json:"coverage"`
	State     *State           `json:"state,omitempty"`
	Examples  []Example        `json:"examples"`
	Warnings  []string         `json:"warnings"`
	Unmatched []differ.RuleUse `json:"unused_rules"`
	Next      []string         `json:"next_steps"`
}

// A Run is one recording.
type Run struct {
	Name      string    `json:"name"`
	Side      string    `json:"side"` // before or after
	Dir       string    `json:"dir"`
	Target    string    `json:"target"`
	Command   []string  `json:"command,omitempty"`
	Started   time.Time `json:"started,omitzero"`
	Seconds   float64   `json:"seconds"`
	Exchanges int       `json:"exchanges"`
	Tests     int       `json:"tests"`
	Problem   string    `json:"problem,omitempty"`
}

// Totals count what was compared.
type Totals struct {
	Exchanges    int                     `json:"exchanges"` // pairs that were compared
	Leaves       int                     `json:"leaves"`    // values within them
	Relaxed      int                     `json:"relaxed"`   // of the values: noise, compared by kind
	Findings     map[string]int          `json:"findings"`  // groups by severity
	Tests        map[outcome.Verdict]int `json:"tests"`
	Unattributed int                     `json:"unattributed"` // exchanges that belong to no known test
	Dropped      int                     `json:"dropped"`      // differences beyond the limit of one exchange
}

// A Finding is all differences of one kind at one place of a route.
type Finding struct {
	ID          string          `json:"id"`
	Route       string          `json:"route"`
	Name        string          `json:"name,omitempty"` // of the proxy's route
	ServedBy    []string        `json:"served_by,omitempty"`
	Kind        differ.Kind     `json:"kind"`
	Severity    differ.Severity `json:"severity"`
	Part        differ.Part     `json:"part"`
	Class       string          `json:"class"`
	Count       int             `json:"count"`     // differences
	Exchanges   int             `json:"exchanges"` // in how many exchanges
	Compared    int             `json:"compared"`  // of how many of the route
	Samples     int             `json:"samples"`   // see differ.Finding
	Varied      int             `json:"varied"`
	Pointer     string          `json:"pointer"` // of the example
	Before      string          `json:"before,omitempty"`
	After       string          `json:"after,omitempty"`
	Explanation string          `json:"explanation"`
	Diff        string          `json:"diff,omitempty"`
	Tests       []string        `json:"tests,omitempty"` // the first few
	Example     int             `json:"example"`         // number of the exchange of BEFORE
	Curl        [2]string       `json:"curl"`            // to see it again: before, after
	Accept      *Accept         `json:"accept,omitempty"`
}

// Accept says why a finding is accepted.
type Accept struct {
	Reason string `json:"reason"`
	Owner  string `json:"owner,omitempty"`
	Until  string `json:"until,omitempty"`
}

// A Call is a request that only one side made.
type Call struct {
	ID    string   `json:"id"`
	Side  string   `json:"side"` // that made it
	Route string   `json:"route"`
	Count int      `json:"count"`
	Tests []string `json:"tests"`
	Noisy bool     `json:"noisy"` // BEFORE's own runs differ in it, too
}

// A Route is what was seen of one route.
type Route struct {
	Route     string         `json:"route"`
	Name      string         `json:"name,omitempty"`
	Exchanges int            `json:"exchanges"`
	Statuses  map[int]int    `json:"statuses"` // of AFTER
	ServedBy  map[string]int `json:"served_by,omitempty"`
	Leaves    int            `json:"leaves"`
	Relaxed   int            `json:"relaxed"`
	Findings  int            `json:"findings"`
	Verdict   Verdict        `json:"verdict"`
	Reason    string         `json:"reason,omitempty"`
	Before    Latency        `json:"before"`
	After     Latency        `json:"after"`
	Slower    bool           `json:"slower,omitempty"`
}

// A Latency sums up how long answers took, in milliseconds.
type Latency struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
}

// Noise is a class in which BEFORE differs from itself.
type Noise struct {
	differ.NoisyClass
	Few bool `json:"few,omitempty"` // too few samples to know its kinds
}

// Coverage says how a route of the proxy was exercised.
type Coverage struct {
	Name     string         `json:"name"`
	Match    string         `json:"match,omitempty"`
	Requests int            `json:"requests"`
	Success  int            `json:"success"`
	Error    int            `json:"error"`
	ServedBy map[string]int `json:"served_by,omitempty"` // requests by who answered, as the proxy says
	Required bool           `json:"required"`
	Covered  bool           `json:"covered"` // a success and an error, if there can be one
	// Of an operation of an OpenAPI file: the statuses that it documents, and those not seen.
	Operation  bool     `json:"operation,omitempty"`
	Documented []string `json:"documented,omitempty"`
	Unseen     []string `json:"unseen,omitempty"`
}

// State says what was compared of the databases.
type State struct {
	Tables []Table `json:"tables"`
}

// A Table is one table on both sides.
type Table struct {
	Name     string `json:"name"`
	Before   int    `json:"before"` // rows
	After    int    `json:"after"`
	Owner    string `json:"owner"` // the database of AFTER that it was read from
	Findings int    `json:"findings"`
}

// An Example is one exchange with a finding, whole as far as it fits.
type Example struct {
	Number int    `json:"number"` // of the exchange of BEFORE
	Test   string `json:"test,omitempty"`
	Route  string `json:"route"`
	Method string `json:"method"`
	Before Side   `json:"before"`
	After  Side   `json:"after"`
	Marks  []Mark `json:"marks"`
}

// A Side is one side's answer.
type Side struct {
	Path   string `json:"path"`
	Status int    `json:"status"`
	Body   string `json:"body"`
	Cut    bool   `json:"cut,omitempty"`
}

// A Mark says what was noticed at a place of an example.
type Mark struct {
	Pointer string `json:"pointer"`
	Why     string `json:"why"`
	Relaxed bool   `json:"relaxed"` // noise; else a finding
}

// Write writes the report as JSON to a file.
func (r *Report) Write(path string) error {
	text, err := r.JSON()
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

// JSON returns the report as it is written.
func (r *Report) JSON() ([]byte, error) {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	return append(text, '\n'), nil
}

// Read reads a report that Write wrote.
func Read(path string) (*Report, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var r Report
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("%s is no report: %w", path, err)
	}
	if r.Schema != Schema {
		return nil, fmt.Errorf("%s: schema %d, but this program reads %d", path, r.Schema, Schema)
	}
	return &r, nil
}

// Find returns the finding with the id, accepted or not.
func (r *Report) Find(id string) (*Finding, bool) {
	for _, list := range [...][]Finding{r.Findings, r.Accepted, r.Chance} {
		for i := range list {
			if list[i].ID == id {
				return &list[i], true
			}
		}
	}
	return nil, false
}

// Exit is the exit code that stands for the verdict.
func (r *Report) Exit() int {
	return map[Verdict]int{Same: 0, Differs: 1, Invalid: 3, Inconclusive: 4}[r.Verdict]
}
