package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/compare"
	"github.com/stranglerfig/toolkit/internal/program"
)

func (t *tool) selftest() *cobra.Command {
	var rules string
	var failUnder float64
	cmd := &cobra.Command{
		Use:   "selftest BEFORE1 BEFORE2 [AFTER]",
		Short: "Say how much of what could go wrong a comparison would see",
		Long: "Change single values in the recorded answers of AFTER (drop, null, another type, off by one, another text, another\n" +
			"row's id, another format, another status), one at a time, and count which changes a comparison finds. The\n" +
			"places where changes are missed are listed: they are noisy, or a rule ignores them. Nothing is sent.",
		Example: "  strangler compare selftest compare-out/before-1 compare-out/before-2 compare-out/after-1",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 2 {
				return exactly("BEFORE1", "BEFORE2", "[AFTER]")(cmd, args)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := readRules(rules)
			if err != nil {
				return err
			}
			in, err := openAll(args, min(1, len(args)-2))
			if err != nil {
				return err
			}
			s, err := compare.TestItself(in, compare.Options{Rules: r})
			if err != nil {
				return program.Fail(program.Unreachable, "", "%w", err)
			}
			if err := printSelfTest(cmd, s); err != nil {
				return err
			}
			if s.Total.Percent() < failUnder {
				return program.Fail(program.Differs, "look at the blind places", "%.1f %% of the changes are found, less than %v %%", s.Total.Percent(), failUnder)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&rules, "rules", "", "file of rules for what may differ (default "+defaultRules+", if it is there)")
	cmd.Flags().Float64Var(&failUnder, "fail-under", 0, "the percentage of changes that has to be found")
	return cmd
}

func printSelfTest(cmd *cobra.Command, s *compare.SelfTest) error {
	out := cmd.OutOrStdout()
	if isJSON(cmd) {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(s)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CHANGE\tTRIED\tFOUND\tPERCENT")
	for _, d := range append(s.Kinds, s.Total) {
		fmt.Fprintf(w, "%s\t%d\t%d\t%.1f\n", d.Kind, d.Tried, d.Found, d.Percent())
	}
	if len(s.Blind) > 0 {
		fmt.Fprintln(w, "\nBLIND\tMISSED\tCHANGES")
	}
	const most = 25
	for _, b := range s.Blind[:min(most, len(s.Blind))] {
		fmt.Fprintf(w, "%s %s\t%d\t%s\n", b.Route, b.Class, b.Missed, strings.Join(b.Kinds, ", "))
	}
	if more := len(s.Blind) - most; more > 0 {
		fmt.Fprintf(w, "… and %d more places; -o json lists all\n", more)
	}
	return w.Flush()
}
