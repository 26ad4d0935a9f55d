package cli

import (
	"cmp"
	"fmt"
	"net/http"
	"net/netip"
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
	ServedBy   string      `json:"served_by"` // empty when the request is refused; "orders or monolith" when it depends on the client
	Route      string      `json:"route"`
	Stage      string      `json:"stage"`
	Reason     string      `json:"reason"`
	Why        string      `json:"why,omitempty"`      // within the stage
	Key        *clientKey  `json:"key,omitempty"`      // by which a canary decided
	Copy       string      `json:"copy,omitempty"`     // the side that may get a copy to be compared
	Fallback   bool        `json:"fallback,omitempty"` // the monolith may answer if the service cannot
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
	var host, from string
	cmd := &cobra.Command{
		Use:     "explain METHOD PATH",
		Short:   "Say who would answer a request, and why",
		Long:    "Say which route a request would take, who would answer it, which other routes match and why\nthey lose. It reads the file; no request is sent.",
		Example: "  strangler route explain GET /api/products/7/recommendations\n  strangler route explain GET '/orders?page=2' --host shop.example -H 'X-Beta: yes'\n  strangler route explain GET /orders/7 -H 'X-User-Id: 42' --from 10.0.0.7",
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
			if head.Peer, err = peerOf(from); err != nil {
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
	cmd.Flags().StringVar(&from, "from", "", "the address of the client, for cohorts and force")
	return cmd
}

func peerOf(address string) (netip.Addr, error) {
	if address == "" {
		return netip.Addr{}, nil
	}
	peer, err := netip.ParseAddr(address)
	if err != nil {
		return peer, program.Fail(program.Usage, "e.g. --from 10.0.0.7", "%q is no address", address)
	}
	return peer, nil
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
	e.ServedBy, e.Route, e.Stage, e.Reason = strings.Join(config.Owners(d), " or "), d.Name(), d.Stage().String(), string(d.Reason)
	e.Key = keyOf(d, &head)
	e.Why, e.Copy, e.Fallback = whyStage(d, e.Key), copyWord(d), d.Fallback && !cfg.Route(d.Route.Name).Fallback.None()
	all, err := cfg.Table.Explain(head)
	if err != nil {
		return e, err
	}
	for _, c := range all {
		e.Candidates = append(e.Candidates, candidate{c.Route.Name, c.Route.Match.String(), c.Route.Stage.String(), c.Matches, c.Why})
	}
	if d.Route != nil && d.Route.Service != "" {
		e.Next = append(e.Next, t.nextMove(cfg, cfg.Route(d.Route.Name))...)
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
		why := e.Why
		if why != "" {
			why = ": " + why
		}
		fmt.Fprintf(out, "%s %s -> %s (route %s, stage %s%s)\n", e.Method, e.Path, e.ServedBy, e.Route, e.Stage, why)
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
