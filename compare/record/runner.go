package record

import (
	"path/filepath"
	"slices"
	"strings"
)

// uncached tells the runners that cache results not to. What the user set stays.
func uncached(env []string) []string {
	flags := "-count=1"
	for _, e := range env { // the last one counts
		if have, ok := strings.CutPrefix(e, "GOFLAGS="); ok && have != "" {
			flags = have + " -count=1"
		}
	}
	return append(env, "GOFLAGS="+flags)
}

// goTestFlags returns the flags of a plain go test, up to those of the tests themselves.
func goTestFlags(args []string) ([]string, bool) {
	if len(args) < 2 || strings.TrimSuffix(filepath.Base(args[0]), ".exe") != "go" || args[1] != "test" {
		return nil, false
	}
	flags := args[2:]
	for i, a := range flags {
		if a == "-args" || a == "--args" {
			return flags[:i], true
		}
	}
	return flags, true
}

// asEvents lets a plain go test say what becomes of each test.
func asEvents(args []string) []string {
	flags, ok := goTestFlags(args)
	if !ok || hasFlag(flags, "json") {
		return args
	}
	return slices.Insert(slices.Clone(args), 2, "-json")
}

// oneByOne lets a plain go test run one test at a time and in the same order each time: tests
// that run at once see each other's data, which then counts as noise. Flags that the user
// set stay. -cpu 1 is what makes the order of parallel tests the same.
func oneByOne(args []string) []string {
	flags, ok := goTestFlags(args)
	if !ok {
		return args
	}
	args = slices.Clone(args)
	for _, f := range [...]string{"cpu", "parallel", "p"} {
		if !hasFlag(flags, f) && (f == "p" || !hasFlag(flags, "test."+f)) {
			args = slices.Insert(args, 2, "-"+f+"=1")
		}
	}
	return args
}

func hasFlag(flags []string, name string) bool {
	return slices.ContainsFunc(flags, func(f string) bool {
		flag, _, _ := strings.Cut(strings.TrimLeft(f, "-"), "=")
		return strings.HasPrefix(f, "-") && flag == name
	})
}
