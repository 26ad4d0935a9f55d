package cli

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/migrations/split"
)

func (t *tool) runCommand() *cobra.Command {
	var until string
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
			return t.run(cmd, args, o)
		},
	}
	cmd.Flags().StringVar(&until, "until", "", "end when everything is copied, or verified")
	cmd.Flags().BoolVar(&o.Resync, "resync", false, "copy everything anew, after changes may have been missed")
	_ = cmd.RegisterFlagCompletionFunc("until", cobra.FixedCompletions([]string{"copied", "verified"}, cobra.ShellCompDirectiveNoFileComp))
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
	o.Watch = progress(cmd.ErrOrStderr())
	if err := w.Run(cmd.Context(), o); err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	if w.Over != "" {
		fmt.Fprintf(out, "split %s: stopped, because strangler split %s was given elsewhere\n", j.Plan.Split, w.Over)
		next(out, "strangler split status "+j.Name())
		return nil
	}
	switch o.Until {
	case split.ByVerified:
		fmt.Fprintf(out, "split %s: everything is copied and equal\n", j.Plan.Split)
		next(out, "strangler split cutover "+j.Name(), "strangler split run "+j.Name()+"   # follow until then")
	case split.ByCopied:
		fmt.Fprintf(out, "split %s: everything is copied\n", j.Plan.Split)
		next(out, "strangler split run "+j.Name()+" --until verified")
	default:
		fmt.Fprintf(out, "split %s: stopped; nothing follows the changes until it runs again\n", j.Plan.Split)
		next(out, "strangler split run "+j.Name())
	}
	return nil
}

// progress shows how a run goes: on a terminal one line that is written over, elsewhere
// a line of keys and values, dense at first and then every 30 seconds.
func progress(out io.Writer) func(split.Live) {
	tty := program.IsTerminal(out)
	var shown, begun time.Time
	var doing string
	return func(l split.Live) {
		if tty {
			fmt.Fprintf(out, "\r\x1b[K%s", summary(l))
			return
		}
		if begun.IsZero() {
			begun = l.At
		}
		every := 30 * time.Second
		if l.At.Sub(begun) < time.Minute {
			every = 5 * time.Second
		}
		if state := l.Doing + l.Waiting; state == doing && l.At.Sub(shown) < every {
			return
		} else { //nolint:revive // state is needed in the condition
			doing, shown = state, l.At
		}
		fmt.Fprintf(out, "state=%s table=%s rows=%d total=%d percent=%s rate=%d/s eta=%s applied=%d lag=%s dirty=%d waiting=%q\n",
			word(l.Doing), dash(l.Table), l.Rows, l.Total, percent(l), l.Rate, eta(l), l.Applied, l.Lag, l.Dirty, l.Waiting)
	}
}

func summary(l split.Live) string {
	s := fmt.Sprintf("%s %s  %s  %d rows/s  lag %s  dirty %d", l.Doing, l.Table, percent(l), l.Rate, l.Lag, l.Dirty)
	if l.ETA > 0 {
		s += "  about " + l.ETA.String() + " left"
	}
	if l.Waiting != "" {
		s += "  waiting: " + l.Waiting
	}
	return s
}

// percent marks a guess as one.
func percent(l split.Live) string {
	if l.Guess {
		return fmt.Sprintf("≈%.1f%%", l.Percent)
	}
	return fmt.Sprintf("%.1f%%", l.Percent)
}

func eta(l split.Live) string {
	if l.ETA == 0 {
		return "-"
	}
	return l.ETA.String()
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// word makes one word of several, for keys and values.
func word(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c == ' ' {
			b[i] = '-'
		}
	}
	return string(b)
}
