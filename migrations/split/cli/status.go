package cli

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/migrations/split"
)

func (t *tool) statusCommand() *cobra.Command {
	var exitCode bool
	cmd := &cobra.Command{
		Use:   "status PLAN",
		Short: "Say where a split is and what to do next",
		Long: "Read from both databases where a split is, and ask the running engine how it goes. Nothing is\n" +
			"changed.",
		RunE: func(cmd *cobra.Command, args []string) error {
			j, err := t.open(cmd, args, look)
			if err != nil {
				return err
			}
			defer j.close()
			s, err := j.Status(cmd.Context())
			if err != nil {
				return err
			}
			if isJSON(cmd) {
				err = printJSON(cmd.OutOrStdout(), s)
			} else {
				err = printStatus(cmd.OutOrStdout(), s)
			}
			if err == nil && exitCode && (s.Lost != "" || s.Phase == "conflict") {
				err = program.Fail(program.Differs, "", "split %s needs a person", s.Split)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&exitCode, "exit-code", false, "exit with 1 when a person is needed")
	return cmd
}

// refused says how many writes were, and when last.
func refused(r split.Refused, now time.Time) string {
	s := count(int(r.Writes), "write") + " of the side that follows"
	if r.AtLeast {
		s = "at least " + s
	}
	if !r.Last.IsZero() {
		s += ", the last " + now.Sub(r.Last).Round(time.Second).String() + " ago"
	}
	return s
}

func printStatus(out io.Writer, s *split.Status) error {
	fmt.Fprintf(out, "split    %s\nphase    %s\nowner    %s (epoch %d)\nsource   %s\ntarget   %s\n", s.Split, s.Phase, s.Owner, s.Epoch, s.Source.Name, s.Target.Name)
	if s.Running != nil {
		fmt.Fprintf(out, "running  %s\n", s.Running)
	} else if s.Move != "" {
		fmt.Fprintf(out, "running  nothing: changes are logged, and nobody applies them\n")
	}
	if s.Move != "" {
		fmt.Fprintf(out, "log      %s not applied, %s to compare\n", count(int(s.Pending), "change"), count(int(s.Dirty), "row"))
	}
	if r := s.Refused; r.Writes > 0 {
		fmt.Fprintf(out, "refused  %s\n", refused(r, time.Now()))
	}
	if l := s.Live; l != nil {
		fmt.Fprintf(out, "now      %s\n", summary(*l))
	}
	if s.Lost != "" {
		fmt.Fprintf(out, "LOST     %s\n", s.Lost)
	}
	fmt.Fprintln(out)
	rows := [][]string{{"TABLE", "ROWS COPIED", "COPIED", "EQUAL", "REPAIRED"}}
	for _, t := range s.Tables {
		copied, equal := "no", "-"
		if t.Copied {
			copied = "yes"
		}
		if t.Passes > 0 {
			equal = fmt.Sprintf("%s ago", time.Since(t.PassedAt).Round(time.Second))
		}
		rows = append(rows, []string{t.Name, strconv.FormatInt(t.Rows, 10), copied, equal, strconv.FormatInt(t.Repaired, 10)})
	}
	if err := table(out, rows); err != nil {
		return err
	}
	next(out, s.Next...)
	return nil
}
