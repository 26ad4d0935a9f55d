package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/stranglerfig/toolkit/compare/outcome"
)

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name      string        `xml:"name,attr"`
	ClassName string        `xml:"classname,attr"`
	Failure   *junitMessage `xml:"failure,omitempty"`
	Error     *junitMessage `xml:"error,omitempty"`
	Skipped   *junitMessage `xml:"skipped,omitempty"`
}

type junitMessage struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

func (s *junitSuite) add(c junitCase) {
	s.Tests++
	switch {
	case c.Failure != nil:
		s.Failures++
	case c.Error != nil:
		s.Errors++
	case c.Skipped != nil:
		s.Skipped++
	}
	s.Cases = append(s.Cases, c)
}

// JUnit writes the report as JUnit XML: a case for the verdict, one for each route, and one
// for each test of the suite. A case fails where AFTER is worse than BEFORE.
func (r *Report) JUnit(w io.Writer) error {
	all := junitSuites{Name: "compare", Suites: []junitSuite{r.junitVerdict(), r.junitRoutes(), r.junitTests()}}
	for _, s := range all.Suites {
		all.Tests += s.Tests
		all.Failures += s.Failures
		all.Errors += s.Errors
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(all); err != nil {
		return fmt.Errorf("junit report: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func (r *Report) junitVerdict() junitSuite {
	s := junitSuite{Name: "compare"}
	c := junitCase{Name: "verdict", ClassName: "compare"}
	why := &junitMessage{Message: clean(r.headline()), Text: clean(strings.Join(r.Reasons, "\n"))}
	switch r.Verdict {
	case Differs:
		c.Failure = why
	case Invalid, Inconclusive:
		c.Error = why
	}
	s.add(c)
	return s
}

func (r *Report) junitRoutes() junitSuite {
	s := junitSuite{Name: "routes"}
	for _, route := range r.Routes {
		c := junitCase{Name: clean(route.Route), ClassName: "routes"}
		var text []string
		worst := ""
		for _, f := range r.Findings {
			if f.Route == route.Route && r.fails(f.Severity.String()) {
				line := fmt.Sprintf("%s %s %s at %s: %s -> %s (%s)", f.ID, f.Severity, f.Kind, f.place(), orAbsent(f.Before), orAbsent(f.After), f.Explanation)
				text = append(text, line)
				if worst == "" {
					worst = line
				}
			}
		}
		switch {
		case len(text) > 0:
			c.Failure = &junitMessage{Message: clean(worst), Text: clean(strings.Join(text, "\n"))}
		case route.Verdict == Inconclusive:
			c.Error = &junitMessage{Message: clean(route.Reason)}
		}
		s.add(c)
	}
	return s
}

// fails reports whether a severity makes the verdict "differs".
func (r *Report) fails(severity string) bool {
	for _, s := range r.FailOn {
		if s == severity {
			return true
		}
	}
	return false
}

func (r *Report) junitTests() junitSuite {
	s := junitSuite{Name: "tests"}
	for _, row := range r.Outcomes {
		c := junitCase{Name: clean(row.Name), ClassName: "tests"}
		switch {
		case row.Verdict.Worse():
			c.Failure = &junitMessage{Message: string(row.Verdict), Text: clean(row.Message)}
		case row.Verdict == outcome.FlakyBefore || row.Verdict == outcome.FailingBefore:
			c.Skipped = &junitMessage{Message: string(row.Verdict)}
		}
		s.add(c)
	}
	return s
}

// clean drops the characters that XML cannot hold.
func clean(s string) string {
	return strings.Map(func(c rune) rune {
		if c == '\t' || c == '\n' || c >= ' ' && c != 0xFFFE && c != 0xFFFF && c != 0x7F {
			return c
		}
		return -1
	}, strings.ToValidUTF8(s, "\ufffd"))
}
