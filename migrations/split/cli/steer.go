package cli

import (
	"fmt"
	"io"
	"strings"

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
	s, err := j.Status(cmd.Context())
	if err != nil {
		return err
	}
	r := AbortResult{
		Schema: 1, Split: j.Plan.Split, Source: s.Source, Target: s.Target, Begun: s.Move != "", Dropped: append([]string{}, s.TargetState.Created...),
		Next: []string{"strangler split plan " + j.Name()},
	}
	switch {
	case r.Begun && dry:
		r.Next = []string{"strangler split abort " + j.Name()}
	case r.Begun:
		printAbort(cmd.ErrOrStderr(), r)
		if err := confirm(cmd, yes, "remove this?"); err != nil {
			return err
		}
		if err := abortBy(cmd, j, s, o); err != nil {
			return err
		}
		r.Done = true
	}
	if isJSON(cmd) {
		return printJSON(cmd.OutOrStdout(), r)
	}
	printAbort(cmd.OutOrStdout(), r)
	if r.Begun && dry {
		fmt.Fprintln(cmd.OutOrStdout(), "nothing was changed")
	}
	next(cmd.OutOrStdout(), r.Next...)
	return nil
}

func printAbort(out io.Writer, r AbortResult) {
	switch {
	case !r.Begun:
		fmt.Fprintf(out, "split %s: nothing of it is in either database\n", r.Split)
		return
	case r.Done:
		fmt.Fprintf(out, "split %s: aborted; the source is as it was\n", r.Split)
		return
	}
	fmt.Fprintf(out, "from %s: the engine's triggers and tables\n", r.Source.Name)
	if len(r.Dropped) > 0 {
		fmt.Fprintf(out, "from %s: the engine's tables, and %s, which it made\n", r.Target.Name, strings.Join(r.Dropped, ", "))
	} else {
		fmt.Fprintf(out, "from %s: the engine's tables, and the rows that were copied\n", r.Target.Name)
	}
}

// abortBy lets the running engine do it, or does it here.
func abortBy(cmd *cobra.Command, j *job, s *split.Status, o split.AbortOptions) error {
	if s.Running != nil && s.Running.Doing == "run" {
		o.By = actor()
		_, err := j.Ask(cmd.Context(), split.AskAbort, o)
		return err
	}
	return abortHere(cmd, j, o)
}

func abortHere(cmd *cobra.Command, j *job, o split.AbortOptions) error {
	w, err := j.Begin(cmd.Context(), "abort", split.Any)
	if err != nil {
		return err
	}
	defer w.End() //nolint:errcheck // the lease ends with the process anyway
	return w.Abort(cmd.Context(), o)
}
