package cli

import (
	"cmp"
	"fmt"
	"net/http"
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
	var headers []string
	var host string
	cmd := &cobra.Command{
		Use:     "explain METHOD PATH",
		Short:   "Say who would answer a request, and why",
		Long:    "Say which route a request would take, who would answer it, which other routes match and why\nthey lose. It reads the file; no request is sent.",
		Example: "  strangler route explain GET /api/products/7/recommendations\n  strangler route explain GET '/orders?page=2' --host shop.example -H 'X-Beta: yes'",
		Args:    exactly("METHOD", "PATH"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := t.read()
			if err != nil {
				return err
			}
			head, err := headOf(args[0], args[1], host, headers)
			if err != nil {
				return err
			}
			e, err := t.explain(cfg, head)
			if err != nil {
				return err
			}
			if t.json() {
				return printJSON(cmd, e)
			}
			return e.print(cmd)
		},
	}
	cmd.Flags().StringArrayVarP(&headers, "header", "H", nil, "a header of the request, 'Name: value'; may be given again")
	cmd.Flags().StringVar(&host, "host", "", "the request's Host")
	return cmd
}

// headOf is the request that the words of a command line describe. The target may be
// a whole url; what --host says comes first.
func headOf(method, target, host string, headers []string) (route.Head, error) {
	head := route.Head{Method: strings.ToUpper(method), Host: host, Header: http.Header{}}
	head.Path, head.Query, _ = strings.Cut(target, "?")
	if u, err := url.Parse(target); err == nil && u.Host != "" && u.Scheme != "" {
		head.Path, head.Query = cmp.Or(u.EscapedPath(), "/"), u.RawQuery
		head.Host = cmp.Or(host, u.Host)
	}
	if !strings.HasPrefix(head.Path, "/") {
		return head, program.Fail(program.Usage, "e.g. /orders/42", "path %q does not start with /", target)
	}
	for _, h := range headers {
		name, value, found := strings.Cut(h, ":")
		if !found || strings.TrimSpace(name) == "" {
			return head, program.Fail(program.Usage, "e.g. -H 'X-Beta: yes'", "%q is no header", h)
		}
		if name = strings.TrimSpace(name); strings.EqualFold(name, "host") {
			head.Host = cmp.Or(host, strings.TrimSpace(value))
			continue
		}
		head.Header.Add(name, strings.TrimSpace(value))
	}
	return head, nil
}

func (t *tool) explain(cfg *config.Config, head route.Head) (explanation, error) {
	e := explanation{Schema: 1, Method: head.Method, Path: head.Path, Candidates: []candidate{}, Next: []string{}}
	d, err := route.Decide(cfg.Table, head)
	if err != nil {
		e.Refused = err.Error()
		return e, nil
	}
	e.ServedBy, e.Route, e.Stage, e.Reason = config.MonolithName, d.Name(), d.Stage().String(), string(d.Reason)
	if d.Side == route.ToService {
		e.ServedBy = d.Route.Service
	}
	all, err := cfg.Table.Explain(head)
	if err != nil {
		return e, err
	}
	for _, c := range all {
		e.Candidates = append(e.Candidates, candidate{c.Route.Name, c.Route.Match.String(), c.Route.Stage.String(), c.Matches, c.Why})
	}
	if d.Route != nil && d.Route.Service != "" {
		e.Next = append(e.Next, t.command("route", "set", d.Route.Name, otherStage(config.Route{Route: *d.Route}).String()))
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
