package cli

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/strangler-proxy/trace"
)

func (t *tool) tracesCommand() *cobra.Command {
	var address string
	var limit int
	cmd := &cobra.Command{
		Use:   "traces",
		Short: "Show the last requests with every attempt to get them answered",
		Long: "Ask a running proxy for the last requests that it traced: who was asked, how long each attempt took and\n" +
			"why the monolith answered. The configuration has to have tracing: {}.",
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 {
				return program.Fail(program.Usage, "e.g. --limit 10", "--limit must be 1 or more")
			}
			var report trace.Report
			if err := t.ask(cmd, address, "/traces?limit="+strconv.Itoa(limit), &report); err != nil {
				return err
			}
			if !report.On {
				report.Next = []string{"write tracing: {} into " + t.config + " and start the proxy again"}
			}
			if t.json() {
				return printJSON(cmd, report)
			}
			return printTraces(cmd, report)
		},
	}
	cmd.Flags().StringVar(&address, "admin", "", "the proxy's admin address, instead of the one in the configuration")
	cmd.Flags().IntVar(&limit, "limit", 20, "how many to show, the newest first")
	return cmd
}

func printTraces(cmd *cobra.Command, report trace.Report) error {
	if !report.On {
		fmt.Fprintln(cmd.OutOrStdout(), "The proxy does not trace requests.")
		steps(cmd, report.Next)
		return nil
	}
	var rows [][]string
	for _, r := range report.Traces {
		path, _ := r.Attributes["url.path"].(string)
		rows = append(rows, []string{r.Start.Local().Format(time.TimeOnly), r.Name, plainText(path), outcome(r.Step), milliseconds(r.TookMS), r.TraceID})
		for _, a := range r.Attempts {
			rows = append(rows, []string{"", "  " + a.Name, plainText(fmt.Sprint(a.Attributes["server.address"])), outcome(a.Step), milliseconds(a.TookMS), "after " + milliseconds(a.AfterMS)})
		}
	}
	if err := table(cmd, []string{"TIME", "SPAN", "WHAT", "ANSWER", "TOOK", "TRACE"}, rows); err != nil {
		return err
	}
	if report.Lost > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s did not reach the collector\n", count(int(min(report.Lost, 1<<31)), "span")) //nolint:gosec // bounded
	}
	return nil
}

// outcome is a step's status, or why it has none.
func outcome(s trace.Step) string {
	if reason, failed := s.Attributes["error.type"].(string); failed {
		return reason
	}
	return fmt.Sprint(s.Attributes["http.response.status_code"])
}

func milliseconds(ms float64) string { return fmt.Sprintf("%.1f ms", ms) }

// plainText keeps what clients sent from steering the terminal.
func plainText(s string) string {
	quoted := strconv.Quote(s)
	return quoted[1 : len(quoted)-1]
}
