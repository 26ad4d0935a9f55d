package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/admin"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/promote"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// running is the status of the proxy that serves cfg, nil if none answers.
func (t *tool) running(ctx context.Context, cfg *config.Config) *admin.Status {
	var st admin.Status
	if err := call(ctx, http.MethodGet, t.adminAddress(), "/status", &st); err != nil || st.Config.Hash != cfg.Hash {
		return nil
	}
	return &st
}

func routeOf(st *admin.Status, name string) *admin.Route {
	if st == nil {
		return nil
	}
	for i := range st.Routes {
		if st.Routes[i].Name == name {
			return &st.Routes[i]
		}
	}
	return nil
}

// liveRows are what a running proxy says about a route, for a table.
func liveRows(r *admin.Route) [][]string {
	if r == nil {
		return nil
	}
	var rows [][]string
	if r.Traffic.Total() > 0 {
		rows = append(rows, []string{"traffic", trafficText(r.Traffic)})
	}
	a := r.Automation
	if a == nil {
		return rows
	}
	if a.Promotes {
		rows = append(rows, []string{"verdict", verdictText(a)})
		for _, checks := range a.Checks {
			for _, c := range checks.Checks {
				name := c.Name
				if len(a.Checks) > 1 {
					name = checks.Route + " " + name
				}
				rows = append(rows, []string{name, fmt.Sprintf("%s: %s", c.Verdict, c.Text)})
			}
		}
	}
	for _, row := range [][]string{{"lease", a.LeaseLeft}, {"held", cmp.Or(a.Held, a.Frozen)}, {"problem", a.Problem}} {
		if row[1] != "" {
			rows = append(rows, []string{row[0], printable(row[1])})
		}
	}
	return rows
}

func trafficText(t admin.Traffic) string {
	return fmt.Sprintf("%s a minute, %.1f %% of all; %.0f %% of them read", requests(t.Total()), 100*t.Share, 100*t.Reads/t.Total())
}

func requests(perMinute float64) string {
	if perMinute < 9.95 {
		return fmt.Sprintf("%.1f requests", perMinute)
	}
	return fmt.Sprintf("%.0f requests", perMinute)
}

func verdictText(a *promote.Status) string {
	text := fmt.Sprintf("%s: %s", a.Verdict, a.Why)
	switch {
	case a.Failing > 0:
		text += fmt.Sprintf("; %d of %d checks in a row failed", a.Failing, a.Threshold)
	case a.NextIn != "":
		text += fmt.Sprintf("; %s in %s", a.Next, a.NextIn)
	case a.Next != "":
		text += "; next " + a.Next
	}
	return text
}

// printAutomation says what moves by itself and what stands in its way.
func printAutomation(out io.Writer, routes []admin.Route) {
	said := map[string]bool{}
	for _, r := range routes {
		a := r.Automation
		if a == nil || said[a.Name] {
			continue
		}
		said[a.Name] = true
		if a.Promotes {
			fmt.Fprintf(out, "promotes  %s: %s\n", a.Name, verdictText(a))
		}
		if a.LeaseLeft != "" {
			fmt.Fprintf(out, "lease     %s: goes back in %s unless it is confirmed\n", a.Name, a.LeaseLeft)
		}
		if a.Held != "" {
			fmt.Fprintf(out, "held      %s: %s\n", a.Name, printable(a.Held))
		}
		if a.Problem != "" {
			fmt.Fprintf(out, "problem   %s: %s\n", a.Name, printable(a.Problem))
		}
	}
}

func printAdvice(out io.Writer, advice []promote.Advice) {
	for _, a := range advice {
		fmt.Fprintf(out, "advice    %s: %s\n", a.Text, a.Remedy)
	}
}

// An impact is how many requests another side would answer.
type impact struct {
	PerMinute float64 `json:"requests_per_minute"`
	Share     float64 `json:"share"` // of all requests
}

// impactOf is what the changes of stages would move, nil if no proxy knows.
func impactOf(st *admin.Status, cfg *config.Config, changes []config.Change) *impact {
	if st == nil {
		return nil
	}
	sum := &impact{}
	for _, c := range changes {
		for _, name := range c.Routes {
			sum.add(routeOf(st, name), cfg.Route(name), c.From, c.To)
		}
	}
	return sum
}

func (i *impact) add(seen *admin.Route, r *config.Route, from, to route.Stage) {
	if seen == nil || r == nil || seen.Traffic.Total() == 0 {
		return
	}
	moved := seen.Traffic.Moved(from, to, r.Data)
	i.PerMinute += moved
	i.Share += seen.Traffic.Share * moved / seen.Traffic.Total()
}

func (i *impact) String() string {
	return fmt.Sprintf("about %s a minute (%.1f %% of all) would change sides", requests(i.PerMinute), 100*i.Share)
}

// promoteValue is a promotion as JSON, in the words of the file; nil if there is none.
func promoteValue(s *promote.Settings) any {
	if s == nil {
		return nil
	}
	value := map[string]any{
		"steps": config.StepTexts(s), "every": s.Every.String(), "for": s.For.String(), "check": s.Check.String(),
		"min_requests": s.MinRequests, "threshold": s.Threshold, "require": config.RequireTexts(s.Require),
	}
	if s.ThenLive {
		value["then"] = route.Live.String()
	}
	return value
}

func expiresValue(d time.Duration) any {
	if d == 0 {
		return nil
	}
	return d.String()
}

func automationYAML(s *promote.Settings, expires time.Duration) []string {
	var parts []string
	if s != nil {
		parts = append(parts, "promote: "+config.PromoteText(s))
	}
	if expires > 0 {
		parts = append(parts, "expires: "+expires.String())
	}
	return parts
}
