package cli

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/migrations/split"
)

func (t *tool) planCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "plan PLAN",
		Short: "Say what a plan would do to both databases, and what stands against it",
		Long: "Look at both databases and print what a run of the plan would do: the tables with their keys, the\n" +
			"foreign keys that the split cuts, what goes on reading the tables, and what it costs. Nothing is\n" +
			"changed. Exit code 4 when a run would refuse the plan.",
		Example: "  strangler split plan reviews\n  strangler split plan migrations/plans/reviews.yaml -o json",
		RunE:    func(cmd *cobra.Command, args []string) error { return t.survey(cmd, args) },
	}
}

// survey prints what a run would do.
func (t *tool) survey(cmd *cobra.Command, args []string) error {
	j, err := t.open(cmd, args, look)
	if err != nil {
		return err
	}
	defer j.close()
	s, err := j.Survey(cmd.Context())
	if err != nil {
		return err
	}
	if isJSON(cmd) {
		err = printJSON(cmd.OutOrStdout(), s)
	} else {
		err = printSurvey(cmd.OutOrStdout(), s)
	}
	if err == nil && len(s.Refuse) > 0 {
		err = program.Fail(program.Refused, "mend what is named and ask again", "split %s would be refused for %s", s.Split, count(len(s.Refuse), "reason"))
	}
	return err
}

func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

func printSurvey(out io.Writer, s *split.Survey) error {
	fmt.Fprintf(out, "split   %s\nsource  %s (%s)\ntarget  %s (%s)\n\n", s.Split, s.Source.Name, s.Source.Version, s.Target.Name, s.Target.Version)
	rows := [][]string{{"TABLE", "KEY", "ROWS", "SIZE", "UNIQUE", "INDEXES", "TARGET"}}
	for _, t := range s.Tables {
		n := strconv.FormatInt(t.Rows, 10)
		if !t.Exact {
			n = "≈ " + n
		}
		target := "there"
		if t.Made {
			target = "is made"
		}
		rows = append(rows, []string{t.Name, strings.Join(t.Key, ", "), n, size(t.Bytes), strconv.Itoa(t.Uniques), strconv.Itoa(t.Indexes), target})
	}
	if err := table(out, rows); err != nil {
		return err
	}
	for _, t := range s.Tables {
		if len(t.Computed) > 0 {
			fmt.Fprintf(out, "computed    %s.%s: not copied, but compared\n", t.Name, strings.Join(t.Computed, ", "))
		}
		if t.Sequence != "" {
			fmt.Fprintf(out, "sequence    %s.%s: goes on in the target beyond every value handed out\n", t.Name, t.Sequence)
		}
		if len(t.Triggers) > 0 {
			fmt.Fprintf(out, "triggers    %s: %s; they fire only on the side that owns the table\n", t.Name, strings.Join(t.Triggers, ", "))
		}
	}
	for _, k := range s.Cut {
		declared := k.Declared
		if declared == "" {
			declared = "not declared"
		}
		fmt.Fprintf(out, "cut         %s → %s: %s\n", k.From, k.To, declared)
	}
	for _, r := range s.Readers {
		fmt.Fprintln(out, "still reads", r)
	}
	for _, t := range s.Tables {
		fmt.Fprintf(out, "capture     %s: %s\n", t.Name, t.Capture)
	}
	fmt.Fprintf(out, "disk        about %s in the target\n", size(s.Disk))
	for _, n := range s.Notes {
		fmt.Fprintln(out, "note       ", n)
	}
	for _, r := range s.Refuse {
		fmt.Fprintln(out, "refused    ", r)
	}
	if len(s.Refuse) == 0 {
		fmt.Fprintln(out)
		next(out, s.Next...)
	}
	return nil
}

// size prints bytes for people.
func size(n int64) string {
	switch f := float64(n); {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", f/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", f/(1<<20))
	default:
		return fmt.Sprintf("%.1f GiB", f/(1<<30))
	}
}
