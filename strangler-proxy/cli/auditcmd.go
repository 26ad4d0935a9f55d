package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/internal/yamldoc"
	"github.com/stranglerfig/toolkit/strangler-proxy/audit"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
)

func (t *tool) auditCommand() *cobra.Command {
	var name string
	var limit int
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Show who changed the routes, when and why",
		Long: "Show the audit log of the configuration file, CONFIG.audit.jsonl, the newest change last: those of\n" +
			"commands, of the admin API, of automation, and those that somebody made in the file itself.",
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return group(cmd, args)
			}
			return t.listAudit(cmd, name, limit)
		},
	}
	cmd.Flags().StringVar(&name, "route", "", "only the changes of this route")
	cmd.Flags().IntVarP(&limit, "limit", "n", 50, "at most so many, the newest; 0 means all")
	_ = cmd.RegisterFlagCompletionFunc("route", t.completeRoutes)
	cmd.AddCommand(t.auditVerify())
	return cmd
}

func (t *tool) listAudit(cmd *cobra.Command, name string, limit int) error {
	history, err := audit.Read(audit.Path(t.config))
	if err != nil {
		return program.Fail(program.Unreachable, "", "audit log: %w", err)
	}
	if name != "" {
		history = history.Of(name)
	}
	if limit > 0 && len(history) > limit {
		history = history[len(history)-limit:]
	}
	next := []string{t.command("audit", "verify")}
	if t.json() {
		if history == nil {
			history = audit.History{}
		}
		return printJSON(cmd, map[string]any{"schema": 1, "file": audit.Path(t.config), "entries": history, "next_steps": next})
	}
	if len(history) == 0 {
		fmt.Fprintln(cmd.OutOrStdout(), "nothing is noted in "+audit.Path(t.config))
		return nil
	}
	rows := [][]string{}
	for _, e := range history {
		rows = append(rows, []string{e.Time.Local().Format(time.DateTime), printable(e.Actor), dash(printable(e.Route + e.Group)), printable(whatOf(e)), printable(e.Reason)})
	}
	if err := table(cmd, []string{"TIME", "WHO", "ROUTE", "WHAT", "WHY"}, rows); err != nil {
		return err
	}
	steps(cmd, next)
	return nil
}

// whatOf says what an entry is about in a few words.
func whatOf(e audit.Entry) string {
	text := e.From + " -> " + e.To
	switch {
	case e.Action == audit.Rollback:
		text += " (rollback)"
	case e.Action == audit.Edit:
		text = "the file was edited"
	case e.Action != audit.Move:
		text = e.Action
	case e.From == "":
		text = "new, " + e.To
	}
	if len(e.Forced) > 0 {
		text += " (overruled: " + strings.Join(e.Forced, ", ") + ")"
	}
	return text
}

// printable keeps what somebody wrote into the log from steering the terminal or the
// table.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
}

func (t *tool) auditVerify() *cobra.Command {
	var head string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check that no line of the audit log was changed",
		Long: "Check that no line of the audit log was changed, taken out or moved, and that the newest one is\n" +
			"about the configuration file as it is now. Exit code 1 names the first line that is not in order.\n\n" +
			"It prints the hash of the newest line. Keep that elsewhere and give it to --head later: then\n" +
			"a log that was cut at its end, or written anew, is found too.",
		Example: "  strangler audit verify --head 5f7c…",
		Args:    exactly(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return t.verifyAudit(cmd, head) },
	}
	cmd.Flags().StringVar(&head, "head", "", "the hash of a line that must be there")
	return cmd
}

func (t *tool) verifyAudit(cmd *cobra.Command, head string) error {
	path := audit.Path(t.config)
	report, err := audit.Verify(path, head)
	if err != nil {
		return program.Fail(program.Unreachable, "", "audit log: %w", err)
	}
	problems := slices.Clone(report.Problems)
	if head != "" && !report.Seen {
		problems = append(problems, audit.Problem{Line: report.Lines + 1, Text: "no line has the hash " + head + ": lines are missing"})
	}
	if source, err := yamldoc.ReadFile(t.config); err == nil && report.NewHash != "" && len(problems) == 0 && config.HashOf(source) != report.NewHash {
		problems = append(problems, audit.Problem{
			Line: report.Lines + 1, Text: fmt.Sprintf("%s has hash %s, but the newest line left it at %s: a line is missing, or nobody noted yet that the file was edited", t.config, config.HashOf(source), report.NewHash),
		})
	}
	if t.json() {
		if problems == nil {
			problems = []audit.Problem{}
		}
		err = printJSON(cmd, map[string]any{
			"schema": 1, "ok": len(problems) == 0, "file": path, "lines": report.Lines, "without_chain": report.Unlinked,
			"torn": report.Torn, "problems": problems, "head": report.Head,
		})
		if err != nil {
			return err
		}
	} else {
		printReport(cmd, path, report, problems)
	}
	if len(problems) > 0 {
		return program.Fail(program.Differs, "", "%s:%d: %s", path, problems[0].Line, problems[0].Text)
	}
	return nil
}

func printReport(cmd *cobra.Command, path string, report audit.Report, problems []audit.Problem) {
	out := cmd.OutOrStdout()
	for _, n := range report.Torn {
		fmt.Fprintf(out, "%s:%d: note: torn, its writer was stopped; the line after vouches for it\n", path, n)
	}
	for _, p := range problems {
		fmt.Fprintf(out, "%s:%d: %s\n", path, p.Line, p.Text)
	}
	if len(problems) > 0 {
		return
	}
	fmt.Fprintf(out, "%s is in order: %s", path, count(report.Lines, "line"))
	if report.Unlinked > 0 {
		fmt.Fprintf(out, ", the first %d from a version without a chain", report.Unlinked)
	}
	fmt.Fprintln(out)
	if report.Head != "" {
		fmt.Fprintln(out, "head: "+report.Head)
	}
}
