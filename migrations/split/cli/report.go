package cli

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/migrations/split"
)

func (t *tool) reportCommand() *cobra.Command {
	var move string
	cmd := &cobra.Command{
		Use:   "report PLAN",
		Short: "Tell what happened in a move, for whoever has to answer for it",
		Long: "Print the story of a move: its phases, what was copied and compared, every cut-over and rollback\n" +
			"with how long clients and writers waited, who gave the commands and why, the writes that were\n" +
			"refused, and where the move is now. It comes from the control file beside the plan and from both\n" +
			"databases; what is known to be missing is named. -o md prints it as Markdown, to be pasted into a\n" +
			"ticket. Nothing is changed.",
		Example:     "  strangler split report reviews\n  strangler split report reviews -o md > reviews.md",
		Annotations: map[string]string{"formats": "md"},
		RunE: func(cmd *cobra.Command, args []string) error {
			j, err := t.open(cmd, args, look)
			if err != nil {
				return err
			}
			defer j.close()
			r, err := j.Report(cmd.Context(), move)
			switch {
			case err != nil:
				return err
			case isJSON(cmd):
				return printJSON(cmd.OutOrStdout(), r)
			case format(cmd) == "md":
				return story(r).markdown(cmd.OutOrStdout())
			}
			if err := story(r).text(cmd.OutOrStdout()); err != nil {
				return err
			}
			next(cmd.OutOrStdout(), r.Next...)
			return nil
		},
	}
	cmd.Flags().StringVar(&move, "move", "", "an earlier move of the split, as earlier moves are named in the report of the last")
	return cmd
}

// A page is text in sections that can be printed in several forms. The first row of a
// section heads its columns.
type page struct {
	title    string
	facts    [][]string // a name and a value
	sections []section
}

type section struct {
	title string
	rows  [][]string
}

func (p page) text(out io.Writer) error {
	if err := table(out, p.facts); err != nil {
		return err
	}
	for _, s := range p.sections {
		fmt.Fprintf(out, "\n%s\n", s.title)
		if err := table(out, s.rows); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(out)
	return err
}

func (p page) markdown(out io.Writer) error {
	cell := strings.NewReplacer("|", `\|`, "\n", " ", "<", `\<`, "*", `\*`, "_", `\_`, "`", "\\`")
	row := func(cells []string) {
		for _, c := range cells {
			fmt.Fprintf(out, "| %s ", cell.Replace(c))
		}
		fmt.Fprintln(out, "|")
	}
	fmt.Fprintf(out, "# %s\n\n| | |\n| --- | --- |\n", p.title)
	for _, fact := range p.facts {
		row(fact)
	}
	for _, s := range p.sections {
		fmt.Fprintf(out, "\n## %s\n\n", s.title)
		for i, cells := range s.rows {
			if row(cells); i == 0 {
				fmt.Fprintln(out, strings.Repeat("| --- ", len(cells))+"|")
			}
		}
	}
	_, err := fmt.Fprintln(out)
	return err
}

// story puts a report into words.
func story(r *split.Report) page {
	p := page{title: "Split " + r.Split, facts: [][]string{
		{"split", r.Split},
		{"move", r.Move},
		{"phase", r.Phase},
		{"owner", fmt.Sprintf("%s (epoch %d)", r.Owner, r.Epoch)},
		{"source", r.Source.Name + " (" + r.Source.Version + ")"},
		{"target", r.Target.Name + " (" + r.Target.Version + ")"},
		{"copied", fmt.Sprintf("%s in %s", count(int(r.Totals.Rows), "row"), count(int(r.Totals.Chunks), "chunk"))},
		{"followed", count(int(r.Totals.Entries), "change")},
		{"compared", fmt.Sprintf("%s; a whole table found equal %s; %s repaired", count(int(r.Totals.Compared), "row"), count(int(r.Totals.Passes), "time"), count(int(r.Totals.Repaired), "row"))},
		{"waited", count(int(r.Totals.Waits), "time") + " for a lock, a disk or a server"},
		{"refused", refusedBy("source", r.Refused.Source) + "; " + refusedBy("target", r.Refused.Target)},
		{"made", instant(r.At) + " (all times are UTC)"},
	}}
	for _, move := range r.Earlier {
		p.facts = append(p.facts, []string{"earlier", move})
	}
	for _, what := range r.Missing {
		p.facts = append(p.facts, []string{"missing", what})
	}
	p.sections = []section{{"Phases", phaseRows(r)}, {"Commands", commandRows(r)}, {"Runs", runRows(r)}, {"Tables", tableRows(r)}}
	return p
}

func refusedBy(side string, r split.Refused) string {
	s := count(int(r.Writes), "write") + " by the " + side
	if r.AtLeast {
		s = "at least " + s
	}
	if !r.Last.IsZero() {
		s += ", the last at " + instant(r.Last)
	}
	return s
}

func phaseRows(r *split.Report) [][]string {
	rows := [][]string{{"PHASE", "FROM", "UNTIL", "TOOK"}}
	for _, p := range r.Phases {
		took := "-"
		if !p.Until.IsZero() {
			took = short(p.Took)
		}
		rows = append(rows, []string{p.Phase, instant(p.From), instant(p.Until), took})
	}
	return rows
}

func commandRows(r *split.Report) [][]string {
	rows := [][]string{{"COMMAND", "FROM", "TOOK", "BY", "CLIENTS HELD", "WRITERS HELD", "REASON", "RESULT"}}
	for _, s := range r.Switches {
		result := fmt.Sprintf("the %s owns (epoch %d)", s.To, s.Epoch)
		if s.Failed != "" {
			result = "gave up: " + strings.ReplaceAll(s.Failed, "\n", "; ")
		}
		if s.Attempts > 1 {
			result += ", " + count(s.Attempts, "attempt")
		}
		reason := dash(s.Reason)
		if s.Forced != "" {
			reason = "forced: " + s.Forced
		}
		rows = append(rows, []string{s.Command, instant(s.Began), short(s.Until.Sub(s.Began)), dash(s.By), short(s.Held), short(s.Fenced), reason, result})
	}
	for _, c := range r.Complete {
		result := count(int(c.Rows), "row") + " deleted in the source"
		if c.Kept {
			result = "kept in the source: " + strings.Join(c.Tables, ", ")
		}
		if c.Confirm {
			result += ", confirmed before its time"
		}
		rows = append(rows, []string{"complete", instant(c.Began), short(c.Until.Sub(c.Began)), dash(c.By), "-", "-", dash(c.Reason), result})
	}
	for _, a := range r.Abort {
		rows = append(rows, []string{"abort", instant(a.Began), short(a.Until.Sub(a.Began)), dash(a.By), "-", "-", dash(a.Reason), "the source is as it was"})
	}
	return rows
}

func runRows(r *split.Report) [][]string {
	rows := [][]string{{"FROM", "TOOK", "BY", "COPIED", "APPLIED", "COMPARED", "LAG P99", "END"}}
	for _, run := range r.Runs {
		end := "it ended"
		switch {
		case run.Failed != "":
			end = run.Failed
		case !run.Ended:
			end = "it goes on, or was killed"
		}
		rows = append(rows, []string{
			instant(run.Began), short(run.Until.Sub(run.Began)), dash(run.By), strconv.FormatInt(run.Rows, 10), strconv.FormatInt(run.Entries, 10),
			strconv.FormatInt(run.Compared, 10), lag(run.LagP99, run.LagOf), end,
		})
	}
	return rows
}

func tableRows(r *split.Report) [][]string {
	rows := [][]string{{"TABLE", "ROWS COPIED", "FOUND EQUAL", "LAST", "REPAIRED"}}
	for _, t := range r.Tables {
		rows = append(rows, []string{t.Name, strconv.FormatInt(t.Rows, 10), count(int(t.Passes), "time"), instant(t.PassedAt), strconv.FormatInt(t.Repaired, 10)})
	}
	return rows
}

// instant is a moment for people; a zero one is none.
func instant(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// short is a duration for people.
func short(d time.Duration) string {
	switch {
	case d <= 0:
		return "-"
	case d > time.Minute:
		return d.Round(time.Second).String()
	}
	return d.Round(100 * time.Microsecond).String()
}
