package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/internal/yamldoc"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
	"github.com/stranglerfig/toolkit/strangler-proxy/splits"
)

func (t *tool) routeCommand() *cobra.Command {
	cmd := newGroup("route", "Show, explain and move routes")
	cmd.AddCommand(t.routeList(), t.routeShow(), t.routeSet(), t.routeExplain(), t.routeTest(), t.routeDiscover(), t.routeDeletable(), t.routeMismatches())
	cmd.AddCommand(t.routeRollback(), t.routePanic(), t.routePause(), t.routeResume(), t.routeConfirm())
	return cmd
}

// read parses the configuration file for a look, also outside the proxy's environment.
func (t *tool) read() (*config.Config, error) { return t.readFile(t.config) }

func (t *tool) readFile(path string) (*config.Config, error) {
	source, err := yamldoc.ReadFile(path)
	if err != nil {
		remedy := ""
		if path == t.config {
			remedy = "name the file with --config"
		}
		return nil, program.Fail(program.Usage, remedy, "configuration: %w", err)
	}
	owners, err := splits.Read(path)
	if err != nil {
		return nil, err
	}
	cfg, _, err := config.Parse(path, source, config.Options{LookupEnv: t.lookup, Owned: owners.Owned, AllowUnset: true})
	if err != nil {
		return nil, &program.Error{Code: program.Usage, Err: err}
	}
	return cfg, nil
}

type routeView struct {
	Name     string   `json:"name"`
	Match    string   `json:"match"`
	To       string   `json:"to,omitempty"`
	Stage    string   `json:"stage"`
	Group    string   `json:"group,omitempty"`
	Split    string   `json:"split,omitempty"`
	Data     string   `json:"data,omitempty"`
	Sticky   []string `json:"sticky"`
	Cohorts  []string `json:"cohorts,omitempty"`
	Timeout  string   `json:"timeout"`
	Try      string   `json:"try_timeout,omitempty"`
	Deadline string   `json:"deadline,omitempty"`
	Fallback string   `json:"fallback"`
	Retry    string   `json:"retry"`
	Line     int      `json:"line"`
	URLs     []string `json:"urls,omitempty"`
}

func viewOf(cfg *config.Config, r config.Route) routeView {
	v := routeView{
		Name: r.Name, Match: r.Match.String(), To: r.Service, Stage: r.Stage.String(),
		Timeout: r.Timeout.String(), Line: r.Line, Group: r.Group, Split: r.Split,
		Data: dataText(r), Sticky: stickyTexts(r.Sticky), Cohorts: cohortTexts(r),
	}
	v.troubles(&r)
	if s := cfg.Service(r.Service); s != nil {
		for _, u := range s.URLs {
			v.URLs = append(v.URLs, u.String())
		}
	}
	return v
}

func (t *tool) routeList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the routes and their stages", Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := t.read()
			if err != nil {
				return err
			}
			views, rows, next := []routeView{}, [][]string{}, []string{}
			for _, r := range cfg.Routes {
				views = append(views, viewOf(cfg, r))
				rows = append(rows, []string{r.Name, r.Match.String(), dash(r.Service), r.Stage.String(), dash(r.Group)})
				if r.Stage < route.Live && len(next) == 0 {
					next = t.nextMove(cfg, &r)
				}
			}
			if len(views) == 0 {
				next = append(next, "add a route to "+t.config)
			}
			if t.json() {
				return printJSON(cmd, map[string]any{"schema": 1, "routes": views, "next_steps": next})
			}
			if err := table(cmd, withoutEmpty([]string{"ROUTE", "MATCH", "TO", "STAGE", "GROUP"}, rows), rows); err != nil {
				return err
			}
			steps(cmd, next)
			return nil
		},
	}
}

func (t *tool) routeShow() *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "Show one route", Args: exactly("NAME"), ValidArgsFunction: t.completeRoutes,
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := t.read()
			if err != nil {
				return err
			}
			r := cfg.Route(args[0])
			if r == nil {
				return config.UnknownRoute(cfg, args[0])
			}
			next := t.nextMove(cfg, r)
			v := viewOf(cfg, *r)
			live := routeOf(t.running(cmd.Context(), cfg), r.Name)
			if t.json() {
				view := map[string]any{"schema": 1, "route": v, "next_steps": next}
				if live != nil {
					view["traffic"], view["automation"] = live.Traffic, live.Automation
				}
				return printJSON(cmd, view)
			}
			rows := slices.Concat(v.rows(), automationRows(cfg, r), [][]string{{"file", fmt.Sprintf("%s:%d", t.config, v.Line)}}, liveRows(live))
			if err := table(cmd, []string{"route", v.Name}, rows); err != nil {
				return err
			}
			steps(cmd, next)
			return nil
		},
	}
}

// rows are the route's properties; what only canaries have is left out elsewhere.
func (v routeView) rows() [][]string {
	rows := [][]string{
		{"match", v.Match},
		{"to", dash(v.To) + " " + strings.Join(v.URLs, " ")},
		{"stage", v.Stage},
	}
	for _, row := range [][]string{{"group", v.Group}, {"split", v.Split}, {"data", v.Data}, {"cohorts", strings.Join(v.Cohorts, " or ")}} {
		if row[1] != "" {
			rows = append(rows, row)
		}
	}
	if strings.HasPrefix(v.Stage, "canary") {
		rows = append(rows, []string{"sticky", strings.Join(v.Sticky, ", ")})
	}
	for _, row := range [][]string{{"timeout", v.Timeout}, {"try_timeout", v.Try}, {"deadline", v.Deadline}} {
		if row[1] != "" {
			rows = append(rows, row)
		}
	}
	return append(rows, []string{"fallback", v.Fallback}, []string{"retry", v.Retry})
}

// withoutEmpty cuts the last column off when no row has anything in it.
func withoutEmpty(head []string, rows [][]string) []string {
	last := len(head) - 1
	for _, row := range rows {
		if row[last] != dash("") {
			return head
		}
	}
	for i := range rows {
		rows[i] = rows[i][:last]
	}
	return head[:last]
}

func (t *tool) completeRoutes(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	cfg, err := t.read()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return cfg.RouteNames(), cobra.ShellCompDirectiveNoFileComp
}
