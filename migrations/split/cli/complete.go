package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/migrations/split"
	"github.com/stranglerfig/toolkit/migrations/split/dialect"
)

func (t *tool) completeCommand() *cobra.Command {
	var yes, dry bool
	var o split.CompleteOptions
	cmd := &cobra.Command{
		Use:   "complete PLAN",
		Short: "Give up the way back, and remove the source's tables and all of the engine",
		Long: "End a move whose tables the target owns. The engine's triggers and tables go from both databases;\n" +
			"the source's tables are renamed, emptied a few rows at a time, and dropped. There is no rollback\n" +
			"after that, so it is refused while the window of the plan is open, and while something in the\n" +
			"source still reads the tables. An interrupted command goes on when it is given again. The records\n" +
			"of who owns the tables, _strangler_owner, stay: applications read them.",
		Example: "  strangler split complete reviews --dry-run\n  strangler split complete reviews --yes --confirm --reason 'a week without a finding'",
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.Confirm && o.Reason == "" {
				return program.Fail(program.Usage, "add --reason", "--confirm needs a reason, for the history")
			}
			j, err := t.open(cmd, args, dryNeed(dry))
			if err != nil {
				return err
			}
			defer j.close()
			return complete(cmd, j, o, yes, dry)
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only say what would be done, and what stands against it")
	cmd.Flags().BoolVar(&o.KeepData, "keep-data", false, "leave the source's tables and their rows under the names "+dialect.Retired("NAME")+"; not with foreign keys of SQLite to tables that stay")
	cmd.Flags().BoolVar(&o.Confirm, "confirm", false, "although the window for a rollback is still open")
	cmd.Flags().StringVar(&o.Reason, "reason", "", "why, for the report; needed with --confirm")
	return cmd
}

func complete(cmd *cobra.Command, j *job, o split.CompleteOptions, yes, dry bool) error {
	p, err := j.PrepareComplete(cmd.Context(), o)
	if err != nil {
		return err
	}
	switch {
	case dry && isJSON(cmd):
		err = printJSON(cmd.OutOrStdout(), p)
	case dry:
		printCompletion(cmd.OutOrStdout(), p)
	default:
		printCompletion(cmd.ErrOrStderr(), p)
	}
	switch {
	case err != nil:
		return err
	case len(p.Against) > 0:
		return program.Fail(program.Refused, "", "complete of split %s is refused:\n  %s", p.Split, strings.Join(p.Against, "\n  "))
	case dry && !isJSON(cmd):
		fmt.Fprintln(cmd.OutOrStdout(), "nothing was changed")
		next(cmd.OutOrStdout(), p.Next...)
		return nil
	case dry:
		return nil
	}
	if err := confirm(cmd, yes, "give up the way back and remove this?"); err != nil {
		return err
	}
	report, err := j.CompleteBy(cmd.Context(), o)
	if err != nil {
		return err
	}
	steps := afterCompletion(j, report)
	if isJSON(cmd) {
		return printJSON(cmd.OutOrStdout(), CompleteResult{report, steps})
	}
	fmt.Fprintf(cmd.OutOrStdout(), "split %s: complete; %d rows deleted in the source\n", p.Split, report.Rows)
	if report.Kept {
		fmt.Fprintf(cmd.OutOrStdout(), "kept there: %s\n", strings.Join(report.Tables, ", "))
	}
	next(cmd.OutOrStdout(), steps...)
	return nil
}

func printCompletion(out io.Writer, p *split.CompletePlan) {
	fmt.Fprintf(out, "from %s: the engine's triggers and tables; nothing leads back after that\n", p.Target.Name)
	what := strings.Join(p.Tables, ", ")
	if p.Keep {
		what = "the names of " + what + ": they stay as " + dialect.Retired("NAME")
	}
	fmt.Fprintf(out, "from %s: the engine's triggers and tables, and %s\n", p.Source.Name, what)
	for _, a := range p.Against {
		fmt.Fprintln(out, "against it:", a)
	}
}

// afterCompletion is what is left to do: the routes may be told that there is no way back.
func afterCompletion(j *job, r split.CompleteReport) []string {
	steps := []string{}
	for _, name := range j.Plan.Routes.Flip {
		steps = append(steps, "strangler route set "+name+" done   # when the monolith's code for it goes, too")
	}
	return append(steps, "strangler split status "+j.Name())
}
