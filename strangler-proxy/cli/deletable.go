package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/strangler-proxy/discover"
)

// deletion is what route deletable prints as JSON.
type deletion struct {
	Schema     int                 `json:"schema"`
	Since      time.Time           `json:"since"`
	QuietAfter string              `json:"quiet_after"`
	Routes     []discover.RouteUse `json:"routes"`
	Dead       []string            `json:"dead_routes"`
	Next       []string            `json:"next_steps"`
}

func (t *tool) routeDeletable() *cobra.Command {
	var address string
	var check bool
	cmd := &cobra.Command{
		Use:   "deletable",
		Short: "List what the monolith is no longer needed for",
		Long: "Ask a running proxy, route by route, when the monolith was last called, and whether its code for the\n" +
			"route can be deleted: the route is at done, and nothing called the monolith for it for as long as\n" +
			"discovery.quiet_after says while a proxy was there to see it. Calls are requests, fallbacks and\n" +
			"copies for comparison. It knows what passed the proxy, and no caller that goes around it.",
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var report discover.Report
			if err := t.ask(cmd, address, "/discover", &report); err != nil {
				return err
			}
			if err := t.printDeletable(cmd, report); err != nil {
				return err
			}
			return checkDeletable(check, report)
		},
	}
	cmd.Flags().StringVar(&address, "admin", "", "the proxy's admin address, instead of the one in the configuration")
	cmd.Flags().BoolVar(&check, "exit-code", false, "exit with 1 unless every route can be deleted")
	return cmd
}

func checkDeletable(check bool, report discover.Report) error {
	needed := 0
	for _, r := range report.Routes {
		if !r.Deletable {
			needed++
		}
	}
	if !check || needed == 0 {
		return nil
	}
	return program.Fail(program.Differs, "", "the monolith is needed for %d of %s", needed, count(len(report.Routes), "route"))
}

func (t *tool) printDeletable(cmd *cobra.Command, report discover.Report) error {
	d := deletion{Schema: 1, Since: report.Since, QuietAfter: report.QuietAfter, Routes: report.Routes, Dead: []string{}, Next: []string{}}
	rows := [][]string{}
	for _, r := range report.Routes {
		answer := "no"
		if r.Deletable {
			answer = "yes"
		}
		if r.Dead {
			d.Dead = append(d.Dead, r.Route)
		}
		rows = append(rows, []string{r.Route, r.Match, r.Stage, ago(r.LastCall, false), answer, r.Why})
	}
	if len(report.Endpoints) > 0 {
		d.Next = append(d.Next, t.command("route", "discover"))
	}
	if t.json() {
		return printJSON(cmd, d)
	}
	if err := table(cmd, []string{"ROUTE", "MATCH", "STAGE", "MONOLITH CALLED", "DELETE", "WHY"}, rows); err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "known since %s\n", report.Since.Local().Format(time.DateTime))
	for _, r := range report.Routes {
		if r.Dead {
			fmt.Fprintf(out, "dead: %s had no request for %s (last: %s)\n", r.Route, report.QuietAfter, ago(r.LastRequest, false))
		}
	}
	if n := len(report.Endpoints); n > 0 {
		fmt.Fprintf(out, "besides, the monolith answers %s without a route\n", count(n, "endpoint"))
	}
	steps(cmd, d.Next)
	return nil
}
