package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/migrations/split"
)

func (t *tool) pauseCommand() *cobra.Command {
	return &cobra.Command{
		Use: "pause PLAN", Short: "Let a running engine do nothing until it is resumed; changes go on being logged",
		RunE: func(cmd *cobra.Command, args []string) error {
			return t.ask(cmd.Context(), cmd, args, split.AskPause, nil)
		},
	}
}

func (t *tool) resumeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "resume PLAN", Short: "Let a paused engine go on",
		RunE: func(cmd *cobra.Command, args []string) error {
			return t.ask(cmd.Context(), cmd, args, split.AskResume, nil)
		},
	}
}

func (t *tool) throttleCommand() *cobra.Command {
	var rows int
	cmd := &cobra.Command{
		Use: "throttle PLAN --rows N", Short: "Bound how many rows a running engine copies a second; 0 takes the bound away",
		RunE: func(cmd *cobra.Command, args []string) error {
			return t.ask(cmd.Context(), cmd, args, split.AskThrottle, split.Throttle{Rows: rows})
		},
	}
	cmd.Flags().IntVar(&rows, "rows", 0, "rows a second")
	_ = cmd.MarkFlagRequired("rows")
	return cmd
}

func (t *tool) abortCommand() *cobra.Command {
	var yes, dry bool
	var o split.AbortOptions
	cmd := &cobra.Command{
		Use:   "abort PLAN",
		Short: "Take everything of a split out of both databases, as if it had never been",
		Long: "Remove the engine's triggers and tables from both databases, and what was copied from the target.\n" +
			"The source is then as it was. It is refused once the target owns the tables.",
		RunE: func(cmd *cobra.Command, args []string) error { return t.abort(cmd, args, o, yes, dry) },
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only say what would be done")
	cmd.Flags().StringVar(&o.Reason, "reason", "", "why, for the report")
	return cmd
}

func (t *tool) abort(cmd *cobra.Command, args []string, o split.AbortOptions, yes, dry bool) error {
	j, err := t.open(cmd, args, dryNeed(dry))
	if err != nil {
		return err
	}
	defer j.close()
	ctx, out, name := cmd.Context(), cmd.OutOrStdout(), j.Plan.Split
	s, err := j.Status(ctx)
	if err != nil {
		return err
	}
	if s.SourceState.Move == "" && s.TargetState.Move == "" {
		fmt.Fprintf(out, "split %s: nothing of it is in either database\n", name)
		next(out, "strangler split plan "+j.Name())
		return nil
	}
	fmt.Fprintf(out, "from %s: the engine's triggers and tables\n", s.Source.Name)
	if made := s.TargetState.Created; len(made) > 0 {
		fmt.Fprintf(out, "from %s: the engine's tables, and %v, which it made\n", s.Target.Name, made)
	} else {
		fmt.Fprintf(out, "from %s: the engine's tables, and the rows that were copied\n", s.Target.Name)
	}
	if dry {
		return nil
	}
	if err := confirm(cmd, yes, "remove this?"); err != nil {
		return err
	}
	if s.Running != nil && s.Running.Doing == "run" {
		o.By = actor()
		_, err = j.Ask(ctx, split.AskAbort, o)
	} else {
		err = abortHere(cmd, j, o)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "split %s: aborted; the source is as it was\n", name)
	next(out, "strangler split plan "+j.Name())
	return nil
}

func abortHere(cmd *cobra.Command, j *job, o split.AbortOptions) error {
	w, err := j.Begin(cmd.Context(), "abort", split.Any)
	if err != nil {
		return err
	}
	defer w.End() //nolint:errcheck // the lease ends with the process anyway
	return w.Abort(cmd.Context(), o)
}
