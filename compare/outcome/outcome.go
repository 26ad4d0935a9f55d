// Package outcome reads what test runners say of their tests (go test -json, JUnit XML,
// TAP, or only an exit code) and compares the outcomes of the runs before and after.
//
// It promises that every test of a report is there once, under a name that is the same in
// each run, and that a report it cannot read is an error with its place and never an empty
// list. It reads no more than its limits.
package outcome

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Status is how a test ended.
type Status string

// The ends of a test.
const (
	Pass Status = "pass"
	Fail Status = "fail"
	Skip Status = "skip"
)

// A Test is one test and how it ended.
type Test struct {
	Name    string  `json:"name"`
	Status  Status  `json:"status"`
	Seconds float64 `json:"seconds,omitempty"`
	Message string  `json:"message,omitempty"` // of one that failed, shortened
}

// A Window is a time in which a test ran, by the clock of the runner.
type Window struct {
	Test string    `json:"test"`
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// Outcomes are the tests of one run.
type Outcomes struct {
	Tests   []Test   `json:"tests"`             // by name
	Cached  []string `json:"cached,omitempty"`  // packages whose tests did not run
	Windows []Window `json:"windows,omitempty"` // of go test -json
}

// Limits of what is read.
const (
	maxTests   = 200_000
	maxMessage = 2000
)

// add notes a test; one whose name was seen gets a number.
type gather struct {
	tests []Test
	seen  map[string]int
}

func (g *gather) add(t Test) error {
	if len(g.tests) >= maxTests {
		return fmt.Errorf("more than %d tests", maxTests)
	}
	if g.seen == nil {
		g.seen = map[string]int{}
	}
	g.seen[t.Name]++
	if n := g.seen[t.Name]; n > 1 {
		t.Name = fmt.Sprintf("%s #%d", t.Name, n)
	}
	t.Message = strings.ToValidUTF8(t.Message, "\ufffd")
	if len(t.Message) > maxMessage {
		t.Message = strings.ToValidUTF8(t.Message[:maxMessage], "") + "…"
	}
	g.tests = append(g.tests, t)
	return nil
}

func (g *gather) outcomes() Outcomes {
	slices.SortFunc(g.tests, func(a, b Test) int { return strings.Compare(a.Name, b.Name) })
	return Outcomes{Tests: g.tests}
}

// Exit is the outcome of a command that says no more than its exit code.
func Exit(code int) Outcomes {
	t := Test{Name: "the test command", Status: Pass}
	if code != 0 {
		t.Status, t.Message = Fail, fmt.Sprintf("exit code %d", code)
	}
	return Outcomes{Tests: []Test{t}}
}

// Has reports whether any test has the status.
func (o *Outcomes) Has(s Status) bool {
	return slices.ContainsFunc(o.Tests, func(t Test) bool { return t.Status == s })
}
