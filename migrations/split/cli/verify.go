package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/migrations/split"
	"github.com/stranglerfig/toolkit/migrations/split/control"
	"github.com/stranglerfig/toolkit/migrations/split/transfer"
)

func (t *tool) verifyCommand() *cobra.Command {
	var repair bool
	cmd := &cobra.Command{
		Use:   "verify PLAN",
		Short: "Compare every row of both sides once more, while writes go on",
		Long: "Compare every row by kind and bytes, after what is in the log was applied. Exit code 1 when rows\n" +
			"differ; they are named with key, column and both values. With --repair they are copied again.",
		RunE: func(cmd *cobra.Command, args []string) error {
			j, err := t.open(cmd, args, work)
			if err != nil {
				return err
			}
			defer j.close()
			s, err := j.Status(cmd.Context())
			if err != nil {
				return err
			}
			if s.Running != nil && s.Running.Doing == "run" && !repair {
				err = verifyThere(cmd.Context(), j)
			} else {
				err = verifyHere(cmd, j, repair)
			}
			return printVerdict(cmd, j, err)
		},
	}
	cmd.Flags().BoolVar(&repair, "repair", false, "copy rows that differ again; stop a running engine first")
	return cmd
}

// printVerdict prints what a comparison found; one that could not be made is only an error.
func printVerdict(cmd *cobra.Command, j *job, err error) error {
	r := VerifyResult{Schema: 1, Split: j.Plan.Split, Equal: err == nil, Findings: []transfer.Finding{}, Next: []string{"strangler split status " + j.Name()}}
	var differ *transfer.DifferError
	switch {
	case errors.As(err, &differ):
		r.Findings, r.Next = differ.Findings, []string{"strangler split verify " + j.Name() + " --repair"}
	case err != nil:
		return err
	}
	if isJSON(cmd) {
		return errors.Join(err, printJSON(cmd.OutOrStdout(), r))
	}
	if err == nil {
		fmt.Fprintf(cmd.OutOrStdout(), "split %s: both sides are equal\n", j.Plan.Split)
		next(cmd.OutOrStdout(), r.Next...)
	}
	return err
}

// verifyThere lets the running engine compare, and waits for it.
func verifyThere(ctx context.Context, j *job) error {
	live, err := j.Ask(ctx, split.AskVerify, nil)
	for err == nil && !live.Verified {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
		live, err = j.Ask(ctx, split.AskStatus, nil)
	}
	if errors.Is(err, control.ErrNobody) {
		return program.Fail(program.Differs, "see what it said, and verify again", "the running engine ended while it compared")
	}
	return err
}

func verifyHere(cmd *cobra.Command, j *job, repair bool) (err error) {
	j.SetTransfer(transfer.Options{Repair: repair})
	w, err := j.Begin(cmd.Context(), "verify", split.Begun)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.End()) }()
	err = w.Run(cmd.Context(), split.RunOptions{Until: split.ByVerified, Verify: true, Watch: j.screen.progress()})
	j.screen.settle()
	if err == nil {
		err = cmd.Context().Err()
	}
	return err
}
