package cli

import (
	"errors"
	"fmt"
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
			j, err := t.open(cmd, args, false)
			if err != nil {
				return err
			}
			defer j.close()
			return complete(cmd, j, o, yes, dry)
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only say what would be done, and what stands against it")
	cmd.Flags().BoolVar(&o.KeepData, "keep-data", false, "leave the source's tables and their rows under the names "+dialect.Retired("NAME"))
	cmd.Flags().BoolVar(&o.Confirm, "confirm", false, "although the window for a rollback is still open")
	cmd.Flags().StringVar(&o.Reason, "reason", "", "why it is confirmed")
	return cmd
}

func complete(cmd *cobra.Command, j *job, o split.CompleteOptions, yes, dry bool) error {
	ctx, talk, name := cmd.Context(), cmd.ErrOrStderr(), j.Plan.Split
	if dry {
		talk = cmd.OutOrStdout()
	}
	against, err := j.AgainstComplete(ctx, o)
	if err != nil {
		return err
	}
	fmt.Fprintf(talk, "from %s: the engine's triggers and tables; nothing leads back after that\n", j.Target.Info().Name)
	fmt.Fprintf(talk, "from %s: the engine's triggers and tables, and %s\n", j.Source.Info().Name, strings.Join(j.Plan.TableNames(), ", "))
	for _, a := range against {
		fmt.Fprintln(talk, "against it:", a)
	}
	switch {
	case len(against) > 0:
		return program.Fail(program.Refused, "", "complete of split %s is refused: %w", name, errors.Join(against...))
	case dry:
		fmt.Fprintln(talk, "nothing was changed")
		return nil
	}
	if err := confirm(cmd, yes, "give up the way back and remove this?"); err != nil {
		return err
	}
	w, err := j.Begin(ctx, "complete", split.Any)
	if err != nil {
		return err
	}
	report, err := w.Complete(w.Context(), o)
	if err := errors.Join(err, w.End()); err != nil {
		return err
	}
	if isJSON(cmd) {
		return printJSON(cmd.OutOrStdout(), report)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "split %s: complete; %d rows deleted in the source\n", name, report.Rows)
	if report.Kept {
		fmt.Fprintf(cmd.OutOrStdout(), "kept there: %s\n", strings.Join(report.Tables, ", "))
	}
	return nil
}
