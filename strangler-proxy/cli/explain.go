package cli

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

type explanation struct {
	Schema     int         `json:"schema"`
	Method     string      `json:"method"`
	Path       string      `json:"path"`
	ServedBy   string      `json:"served_by"` // empty when the request is refused
	Route      string      `json:"route"`
	Stage      string      `json:"stage"`
	Reason     string      `json:"reason"`
	Refused    string      `json:"refused,omitempty"`
	Candidates []candidate `json:"candidates"`
	Next       []string    `json:"next_steps"`
}

type candidate struct {
	Route   string `json:"route"`
	Match   string `json:"match"`
	Stage   string `json:"stage"`
	Matches bool   `json:"matches"`
	Why     string `json:"why"`
}

func (t *tool) routeExplain() *cobra.Command {
	return &cobra.Command{
		Use:     "explain METHOD PATH",
		Short:   "Say who would answer a request, and why",
		Long:    "Say which route a request would take, who would answer it, which other routes match and why\nthey lose. It reads the file; no request is sent.",
		Example: "  strangler route explain GET /api/products/7/recommendations",
		Args:    exactly("METHOD", "PATH"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := t.read()
			if err != nil {
				return err
			}
			e, err := t.explain(cfg, strings.ToUpper(args[0]), args[1])
			if err != nil {
				return err
			}
			if t.json() {
				return printJSON(cmd, e)
			}
			return e.print(cmd)
		},
	}
}

func (t *tool) explain(cfg *config.Config, method, target string) (explanation, error) {
	path, _, _ := strings.Cut(target, "?")
	if u, err := url.Parse(target); err == nil && u.Host != "" && u.Scheme != "" {
		path = u.EscapedPath()
	}
	if !strings.HasPrefix(path, "/") {
		return explanation{}, program.Fail(program.Usage, "e.g. /orders/42", "path %q does not start with /", target)
	}
	e := explanation{Schema: 1, Method: method, Path: path, Candidates: []candidate{}, Next: []string{}}
	d, err := route.Decide(cfg.Table, route.Head{Method: method, Path: path})
	if err != nil {
		e.Refused = err.Error()
		return e, nil
	}
	e.ServedBy, e.Route, e.Stage, e.Reason = config.MonolithName, d.Name(), string(d.Stage()), string(d.Reason)
	if d.Side == route.ToService {
		e.ServedBy = d.Route.Service
	}
	all, err := cfg.Table.Explain(method, path)
	if err != nil {
		return e, err
	}
	for _, c := range all {
		e.Candidates = append(e.Candidates, candidate{c.Route.Name, c.Route.Match.String(), string(c.Route.Stage), c.Matches, c.Why})
	}
	if d.Route != nil && d.Route.Service != "" {
		e.Next = append(e.Next, t.command("route", "set", d.Route.Name, string(otherStage(config.Route{Route: *d.Route}))))
	}
	return e, nil
}

func (e explanation) print(cmd *cobra.Command) error {
	out := cmd.OutOrStdout()
	if e.Refused != "" {
		fmt.Fprintf(out, "%s %s -> 400, never forwarded: %s\n", e.Method, e.Path, e.Refused)
		return nil
	}
	if e.Reason == string(route.NoRoute) {
		fmt.Fprintf(out, "%s %s -> monolith (no route matches)\n", e.Method, e.Path)
	} else {
		fmt.Fprintf(out, "%s %s -> %s (route %s, stage %s)\n", e.Method, e.Path, e.ServedBy, e.Route, e.Stage)
	}
	var rows [][]string
	for i, c := range e.Candidates {
		verdict := "loses"
		switch {
		case !c.Matches:
			verdict = "no"
		case i == 0:
			verdict = "wins"
		}
		rows = append(rows, []string{verdict, c.Route, c.Match, c.Why})
	}
	if len(rows) > 0 {
		fmt.Fprintln(out)
		if err := table(cmd, []string{"", "ROUTE", "MATCH", "WHY"}, rows); err != nil {
			return err
		}
	}
	steps(cmd, e.Next)
	return nil
}
