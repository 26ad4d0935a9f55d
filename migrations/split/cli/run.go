package cli

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/migrations/split"
)

func (t *tool) runCommand() *cobra.Command {
	var until string
	var dry bool
	var o split.RunOptions
	cmd := &cobra.Command{
		Use:   "run PLAN",
		Short: "Copy the tables, follow their changes, compare, until it is stopped",
		Long: "Copy the tables of a plan, apply what changes meanwhile, and compare both sides. It goes on from\n" +
			"where it was when it last ended, however that was, and runs until it is stopped. After a cut-over\n" +
			"it follows in the other direction.",
		Example: "  strangler split run reviews\n  strangler split run reviews --until verified",
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Until = split.Until(until)
			if o.Until != split.Stopped && o.Until != split.ByCopied && o.Until != split.ByVerified {
				return program.Fail(program.Usage, "use copied or verified", "unknown end of a run %q", until)
			}
			if dry {
				return t.survey(cmd, args)
			}
			return t.run(cmd, args, o)
		},
	}
	cmd.Flags().StringVar(&until, "until", "", "end when everything is copied, or verified")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "say what would be done and what stands against it, as strangler split plan does, and change nothing")
	cmd.Flags().BoolVar(&o.Resync, "resync", false, "copy everything anew, after changes may have been missed")
	return cmd
}

func (t *tool) run(cmd *cobra.Command, args []string, o split.RunOptions) (err error) {
	j, err := t.open(cmd, args, expand)
	if err != nil {
		return err
	}
	defer j.close()
	mode := split.Make
	if o.Resync {
		mode = split.Anew
	}
	w, err := j.Begin(cmd.Context(), "run", mode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.End()) }()
	o.Handle = split.Switches()
	o.Watch = j.screen.progress()
	o.Token = t.token()
	err = w.Run(cmd.Context(), o)
	j.screen.settle()
	if err == nil && o.Until != split.Stopped {
		err = cmd.Context().Err() // what it was to reach may not be
	}
	if err != nil {
		return err
	}
	r := result(j, w, o.Until)
	if isJSON(cmd) {
		return printJSON(cmd.OutOrStdout(), r)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "split %s: %s\n", r.Split, map[string]string{
		"verified": "everything is copied and equal",
		"copied":   "everything is copied",
		"stopped":  "stopped; nothing follows the changes until it runs again",
		"abort":    "stopped, because strangler split abort was given elsewhere",
		"complete": "stopped, because strangler split complete was given elsewhere",
	}[r.End])
	next(cmd.OutOrStdout(), r.Next...)
	return nil
}

// result is how a run ended, and what to do then.
func result(j *job, w *split.Work, until split.Until) RunResult {
	r := RunResult{Schema: 1, Split: j.Plan.Split, End: cmp.Or(w.Over, string(until), "stopped"), Run: w.Did}
	again := "strangler split run " + j.Name()
	switch r.End {
	case string(split.ByVerified):
		r.Next = []string{"strangler split cutover " + j.Name(), again + "   # follow until then"}
	case string(split.ByCopied):
		r.Next = []string{again + " --until verified"}
	case "stopped":
		r.Next = []string{again}
	default:
		r.Next = []string{"strangler split status " + j.Name()}
	}
	return r
}
