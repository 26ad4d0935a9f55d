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
			if err == nil {
				fmt.Fprintf(cmd.OutOrStdout(), "split %s: both sides are equal\n", j.Plan.Split)
				next(cmd.OutOrStdout(), "strangler split status "+j.Name())
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&repair, "repair", false, "copy rows that differ again; stop a running engine first")
	return cmd
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
