package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/internal/yamldoc"
	"github.com/stranglerfig/toolkit/strangler-proxy/discover"
)

type discoverFlags struct {
	admin    string
	minCount uint64
	to       string
}

func (t *tool) routeDiscover() *cobra.Command {
	var f discoverFlags
	cmd := &cobra.Command{
		Use:   "discover",
		Short: "List the endpoints that no route takes, from live traffic",
		Long: "Ask a running proxy which endpoints the monolith was asked for that no route takes: what is\n" +
			"left to move. Ids in paths become placeholders. -o yaml prints them as routes at stage monolith,\n" +
			"to be pasted into the configuration file.",
		Example:     "  strangler route discover --min-count 100\n  strangler route discover -o yaml --to orders > routes.yaml",
		Args:        exactly(),
		Annotations: map[string]string{moreFormats: "yaml"},
		RunE:        func(cmd *cobra.Command, _ []string) error { return t.discover(cmd, f) },
	}
	cmd.Flags().StringVar(&f.admin, "admin", "", "the proxy's admin address, instead of the one in the configuration")
	cmd.Flags().Uint64Var(&f.minCount, "min-count", 1, "leave out endpoints with fewer requests")
	cmd.Flags().StringVar(&f.to, "to", "", "the service that the routes shall move to, for -o yaml")
	return cmd
}

func (t *tool) discover(cmd *cobra.Command, f discoverFlags) error {
	if err := t.knownService(f.to); err != nil {
		return err
	}
	var report discover.Report
	if err := t.ask(cmd, f.admin, "/discover", &report); err != nil {
		return err
	}
	known := report.Endpoints
	var names []string
	if cfg, err := t.read(); err == nil { // it may have routes that the proxy does not know yet
		known, names = discover.Unclaimed(known, cfg.Table), cfg.RouteNames()
	}
	kept := []discover.Endpoint{}
	for _, e := range known {
		if e.Requests >= f.minCount {
			kept = append(kept, e)
		}
	}
	report.Endpoints = kept
	switch {
	case t.json():
		return printJSON(cmd, report)
	case t.output == "yaml":
		_, err := fmt.Fprint(cmd.OutOrStdout(), discover.YAML(discover.Propose(kept, names), f.to))
		return err
	}
	return t.printEndpoints(cmd, report)
}

// knownService checks that the file declares a service, if it can be read.
func (t *tool) knownService(name string) error {
	if name == "" {
		return nil
	}
	cfg, err := t.read()
	if err != nil {
		return err
	}
	if cfg.Service(name) != nil {
		return nil
	}
	var names []string
	for _, s := range cfg.Services {
		names = append(names, s.Name)
	}
	remedy := yamldoc.DidYouMean(name, names)
	if remedy == "" {
		remedy = "declare it under services"
	}
	return program.Fail(program.Usage, remedy, "%s has no service %q", t.config, name)
}

func (t *tool) printEndpoints(cmd *cobra.Command, report discover.Report) error {
	rows := [][]string{}
	for _, e := range report.Endpoints {
		rows = append(rows, []string{
			e.Method, e.Path, strconv.FormatUint(e.Requests, 10), discover.Short(time.Duration(e.P95)),
			fmt.Sprintf("%.1f %%", 100*e.ErrorRate), ago(e.Last, e.Silent),
		})
	}
	if len(rows) == 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "No endpoint without a route was asked for since %s.\n", report.Since.Local().Format(time.DateTime))
		return nil
	}
	if err := table(cmd, []string{"METHOD", "PATH", "REQUESTS", "P95", "ERRORS", "LAST"}, rows); err != nil {
		return err
	}
	var asides []string
	for _, aside := range []struct {
		n    uint64
		text string
	}{
		{report.Unknown, "to unknown paths"}, {report.Other, "that no template describes"}, {report.Dropped, "not looked at"},
	} {
		if aside.n > 0 {
			asides = append(asides, fmt.Sprintf("%d %s", aside.n, aside.text))
		}
	}
	if len(asides) > 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "besides: requests %s\n", strings.Join(asides, ", "))
	}
	steps(cmd, []string{t.command("route", "discover", "-o", "yaml")})
	return nil
}

// ago says how long ago something was.
func ago(at time.Time, silent bool) string {
	text := "never"
	if !at.IsZero() {
		text = discover.Short(max(time.Since(at), time.Second).Truncate(time.Second)) + " ago"
	}
	if silent {
		text += " (silent)"
	}
	return text
}

// ask gets a page of a running proxy's admin address.
func (t *tool) ask(cmd *cobra.Command, address, path string, answer any) error {
	if address == "" {
		address = t.adminAddress()
	}
	return t.get(cmd.Context(), address, path, answer)
}
