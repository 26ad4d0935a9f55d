package outcome

import (
	"encoding/xml"
	"strings"
)

// A junitSuite is a <testsuite> that is being read.
type junitSuite struct {
	name   string
	broken bool // it counts errors or failures
	failed bool // a test in it says so itself
}

// junitSuites are within each other.
type junitSuites []junitSuite

// faulty reports whether a suite counts errors or failures.
func faulty(t xml.StartElement) bool {
	for _, name := range [...]string{"errors", "failures"} {
		if n := attribute(t, name); strings.Trim(n, "0") != "" {
			return true
		}
	}
	return false
}

// path returns the names of the suites; some producers leave them empty.
func (s junitSuites) path() string {
	var names []string
	for _, one := range s {
		if one.name != "" {
			names = append(names, one.name)
		}
	}
	return strings.Join(names, "/")
}

func (s junitSuites) ended(status Status) {
	if status != Fail {
		return
	}
	for i := range s {
		s[i].failed = true
	}
}

// suite adds a test for the innermost suite if it broke and none of its tests says so, as when a
// script of Postman throws after its tests have passed.
func (g *gather) suite(s junitSuites) error {
	if last := s[len(s)-1]; !last.broken || last.failed {
		return nil
	}
	t := Test{Name: s.path() + " (suite)", Status: Fail, Message: "the suite counts errors or failures, but no test in it failed"}
	s.ended(Fail)
	return g.add(t)
}
