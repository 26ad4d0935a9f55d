package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/internal/pause"
	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/migrations/split"
	"github.com/stranglerfig/toolkit/migrations/split/state"
)

func (t *tool) statusCommand() *cobra.Command {
	var exitCode, watch bool
	var interval time.Duration
	cmd := &cobra.Command{
		Use:   "status PLAN",
		Short: "Say where a split is and what to do next",
		Long: "Read from both databases where a split is, and ask the running engine how it goes. Nothing is\n" +
			"changed. With --watch again and again until it is interrupted; -o json is then one object a line.",
		Example: "  strangler split status reviews\n  strangler split status reviews --watch\n  strangler split status reviews -o json",
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case watch && exitCode:
				return program.Fail(program.Usage, "leave one of them out", "--watch and --exit-code exclude each other")
			case interval < 100*time.Millisecond:
				return program.Fail(program.Usage, "e.g. --interval 1s", "--interval %s is less than 100ms", interval)
			}
			if watch {
				return t.watchStatus(cmd, args, interval)
			}
			s, err := t.status(cmd, args, cmd.OutOrStdout(), isJSON(cmd))
			if err == nil && exitCode && (s.Lost != "" || s.Phase == string(state.Conflict)) {
				err = program.Fail(program.Differs, "", "split %s needs a person", s.Split)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&exitCode, "exit-code", false, "exit with 1 when a person is needed")
	cmd.Flags().BoolVar(&watch, "watch", false, "again and again, until it is interrupted")
	cmd.Flags().DurationVar(&interval, "interval", time.Second, "between two looks")
	return cmd
}

// status looks once and prints what it found.
func (t *tool) status(cmd *cobra.Command, args []string, out io.Writer, asJSON bool) (*split.Status, error) {
	j, err := t.open(cmd, args, look)
	if err != nil {
		return nil, err
	}
	defer j.close()
	s, err := j.Status(cmd.Context())
	switch {
	case err != nil:
		return nil, err
	case asJSON:
		return s, printJSON(out, s)
	}
	return s, printStatus(out, s)
}

// watchStatus looks again and again. On a terminal each look takes the place of the last.
func (t *tool) watchStatus(cmd *cobra.Command, args []string, interval time.Duration) error {
	ctx, out := cmd.Context(), cmd.OutOrStdout()
	redraw := program.IsTerminal(out) && t.variable("TERM") != "dumb"
	for {
		var text bytes.Buffer
		s, err := t.status(cmd, args, &text, false)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && program.Code(err) == program.Usage:
			return err
		case err != nil: // it may pass, e.g. a server that restarts
			text.Reset()
			fmt.Fprintln(&text, err)
		}
		switch {
		case isJSON(cmd) && err == nil:
			err = json.NewEncoder(out).Encode(s)
		case isJSON(cmd):
			err = json.NewEncoder(out).Encode(map[string]any{"schema": 1, "error": err.Error()})
		case redraw:
			_, err = fmt.Fprintf(out, "\x1b[H\x1b[2J%s", text.String())
		default:
			_, err = fmt.Fprintf(out, "%s\n", text.String())
		}
		if err != nil {
			return err
		}
		if pause.For(ctx, interval) != nil {
			return nil
		}
	}
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
		} else if s.Live != nil {
			for _, live := range s.Live.Tables {
				if live.Name == t.Name {
					copied = percent(live.Percent, live.Guess)
				}
			}
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
