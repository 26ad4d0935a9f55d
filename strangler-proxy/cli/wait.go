package cli

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/strangler-proxy/admin"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// waitPause is how long wait rests before it asks again.
const waitPause = 100 * time.Millisecond

func (t *tool) waitCommand() *cobra.Command {
	var address, stage string
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "wait NAME --stage STAGE",
		Short: "Wait until a running proxy has a route at a stage",
		Long: "Wait until a running proxy has a route at a stage, for scripts: the exit code is 0 then, 1 when the\n" +
			"time is over, 3 when no proxy answered by then. While a panic keeps the route on the monolith, it\n" +
			"has not arrived anywhere else.",
		Example:           "  strangler wait product-recommendations --stage live --timeout 10m",
		Args:              exactly("NAME"),
		ValidArgsFunction: t.completeRoutes,
		RunE: func(cmd *cobra.Command, args []string) error {
			if stage == "" {
				return program.Fail(program.Usage, "add --stage live, or another", "--stage is missing")
			}
			to, err := config.ParseStage(stage)
			if err != nil {
				return err
			}
			if address == "" {
				address = t.adminAddress()
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			if err := t.wait(ctx, address, args[0], to); err != nil {
				return cmp.Or(cmd.Context().Err(), err) // Ctrl-C comes first
			}
			if t.json() {
				return printJSON(cmd, map[string]any{"schema": 1, "route": args[0], "stage": to.String(), "next_steps": []string{t.command("status")}})
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is at %s\n", args[0], to)
			return nil
		},
	}
	cmd.Flags().StringVar(&stage, "stage", "", "the stage to wait for")
	cmd.Flags().DurationVar(&timeout, "timeout", time.Minute, "how long to wait")
	cmd.Flags().StringVar(&address, "admin", "", "the proxy's admin address, instead of the one in the configuration")
	_ = cmd.RegisterFlagCompletionFunc("stage", cobra.FixedCompletions(stageExamples(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// wait asks the proxy until it has the route at the stage or ctx ends.
func (t *tool) wait(ctx context.Context, address, name string, to route.Stage) error {
	last := program.Fail(program.Unreachable, "start one with "+t.command("proxy"), "no proxy answered at %s", address)
	for {
		var st admin.Status
		switch err := call(ctx, http.MethodGet, address, "/status", &st); {
		case err == nil:
			now, known := stageIn(st, name)
			switch {
			case !known:
				return program.Fail(program.Usage, t.command("route", "list")+" shows the names", "the proxy at %s has no route %q", address, name)
			case now == to.String() && (st.Panic == "" || to == route.Monolith || to == route.Done):
				return nil
			case now == to.String():
				last = program.Fail(program.Differs, t.command("route", "panic", "--end")+" ends it", "%s is at %s, but a panic keeps it on the monolith", name, now)
			default:
				last = program.Fail(program.Differs, "", "%s is at %s, not at %s", name, now, to)
			}
		case ctx.Err() == nil:
			last = t.unheard(address, err)
		}
		select {
		case <-ctx.Done():
			return last
		case <-time.After(waitPause):
		}
	}
}

func stageIn(st admin.Status, name string) (stage string, known bool) {
	for _, r := range st.Routes {
		if r.Name == name {
			return r.Stage, true
		}
	}
	return "", false
}
