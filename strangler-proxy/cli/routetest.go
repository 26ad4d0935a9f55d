package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
)

type testReport struct {
	Schema   int           `json:"schema"`
	Tests    int           `json:"tests"`
	Failed   []failedTest  `json:"failed"`
	Coverage coverage      `json:"coverage"`
	Routes   []testedRoute `json:"routes"`
	Next     []string      `json:"next_steps"`
}

type failedTest struct {
	File   string   `json:"file"`
	Line   int      `json:"line"`
	Column int      `json:"column"`
	Test   string   `json:"test"`
	Want   []string `json:"want"`
	Owner  string   `json:"owner"`
	Route  string   `json:"route"`
	Stage  string   `json:"stage"`
}

type coverage struct {
	Routes  int     `json:"routes"`
	Tested  int     `json:"tested"`
	Percent float64 `json:"percent"`
}

type testedRoute struct {
	Route string `json:"route"`
	Match string `json:"match"`
	Line  int    `json:"line"`
	Tests int    `json:"tests"` // that the route takes
}

func (t *tool) routeTest() *cobra.Command {
	var failUnder float64
	cmd := &cobra.Command{
		Use:   "test",
		Short: "Run the tests of the configuration file",
		Long: "Decide the request of each line under tests and compare who would answer it. It reads the file;\n" +
			"no request is sent. A route is covered when it takes the request of at least one test. Exit code 1\n" +
			"when a test fails or fewer routes are covered than --fail-under asks for.",
		Example: "  strangler route test --fail-under 100",
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if failUnder < 0 || failUnder > 100 {
				return program.Fail(program.Usage, "give a percentage from 0 to 100", "--fail-under %v", failUnder)
			}
			cfg, err := t.read()
			if err != nil {
				return err
			}
			report := reportOf(cfg)
			if t.json() {
				err = printJSON(cmd, report)
			} else {
				err = report.print(cmd)
			}
			if err != nil {
				return err
			}
			return report.verdict(failUnder)
		},
	}
	cmd.Flags().Float64Var(&failUnder, "fail-under", 0, "the percentage of routes that the tests have to cover")
	return cmd
}

func reportOf(cfg *config.Config) testReport {
	report := testReport{Schema: 1, Tests: len(cfg.Tests), Failed: []failedTest{}, Routes: []testedRoute{}, Next: []string{}}
	taken := map[string]int{}
	for _, r := range cfg.RunTests() {
		if r.Owner != config.Refused {
			taken[r.Route]++
		}
		if !r.Passed {
			report.Failed = append(report.Failed, failedTest{cfg.Name, r.Line, r.Column, r.Text, r.Owners, r.Owner, r.Route, r.Stage.String()})
		}
	}
	for _, r := range cfg.Routes {
		report.Routes = append(report.Routes, testedRoute{r.Name, r.Match.String(), r.Line, taken[r.Name]})
		if taken[r.Name] > 0 {
			report.Coverage.Tested++
		}
	}
	report.Coverage.Routes, report.Coverage.Percent = len(cfg.Routes), 100
	if len(cfg.Routes) > 0 {
		report.Coverage.Percent = 100 * float64(report.Coverage.Tested) / float64(len(cfg.Routes))
	}
	return report
}

func (f failedTest) String() string {
	got := f.Owner
	if f.Owner != config.Refused {
		got = fmt.Sprintf("%s (route %s, stage %s)", f.Owner, f.Route, f.Stage)
	}
	return fmt.Sprintf("%s:%d:%d: %s: got %s", f.File, f.Line, f.Column, f.Test, got)
}

func (r testReport) print(cmd *cobra.Command) error {
	out := cmd.OutOrStdout()
	for _, f := range r.Failed {
		fmt.Fprintln(out, f)
	}
	if len(r.Failed) > 0 {
		fmt.Fprintln(out)
	}
	var rows [][]string
	for _, route := range r.Routes {
		tests := fmt.Sprint(route.Tests)
		if route.Tests == 0 {
			tests = "none"
		}
		rows = append(rows, []string{route.Route, route.Match, tests})
	}
	if err := table(cmd, []string{"ROUTE", "MATCH", "TESTS"}, rows); err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%s, %d failed; %d of %s covered (%.0f %%)\n",
		count(r.Tests, "test"), len(r.Failed), r.Coverage.Tested, count(r.Coverage.Routes, "route"), r.Coverage.Percent)
	return nil
}

func (r testReport) verdict(failUnder float64) error {
	if len(r.Failed) > 0 {
		return program.Fail(program.Differs, "mend the routes or the tests", "%s of %d failed", count(len(r.Failed), "test"), r.Tests)
	}
	if r.Coverage.Percent < failUnder {
		var untested []string
		for _, route := range r.Routes {
			if route.Tests == 0 {
				untested = append(untested, route.Route)
			}
		}
		return program.Fail(program.Differs, "add tests for "+strings.Join(untested[:min(5, len(untested))], ", "),
			"the tests cover %.1f %% of the routes, less than %v %%", r.Coverage.Percent, failUnder)
	}
	return nil
}
