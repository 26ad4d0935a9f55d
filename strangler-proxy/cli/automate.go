package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/strangler-proxy/audit"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
)

// A note is a command that tells automation something without moving a route.
type note struct {
	action, short, long, said string
	undo                      string // the command that takes it back; empty if nothing does
}

func (t *tool) routePause() *cobra.Command {
	return t.routeNote(note{
		audit.Pause, "Stop automation from moving a route",
		"Stop automation from moving a route, or a group, until somebody resumes it, confirms it or moves it:\n" +
			"it is neither promoted nor rolled back, and its canary does not expire. It goes on being judged. This is a\n" +
			"line in the audit log, so it holds for every proxy on the file, and over restarts.",
		"automation leaves it where it is", "resume",
	})
}

func (t *tool) routeResume() *cobra.Command {
	return t.routeNote(note{
		audit.Resume, "Let automation move a route again",
		"Let automation move a route, or a group, again: after a pause, or after it was rolled back and is\nfrozen. What passed until then counts for nothing.",
		"automation may move it again", "pause",
	})
}

func (t *tool) routeConfirm() *cobra.Command {
	return t.routeNote(note{
		audit.Confirm, "Confirm that a canary shall stay where it is",
		"Confirm that a canary with expires shall stay where it is: its time begins anew. Otherwise it goes\n" +
			"back to the stage before when the time is over. It lets automation move the route again, too, if it\nwas frozen.",
		"it may stay where it is", "",
	})
}

func (t *tool) routeNote(n note) *cobra.Command {
	var f steerFlags
	cmd := &cobra.Command{
		Use: n.action + " NAME", Short: n.short, Long: n.long, Args: exactly("NAME"), ValidArgsFunction: t.completeAutomated,
		RunE: func(cmd *cobra.Command, args []string) error { return t.note(cmd, n, args[0], f) },
	}
	f.add(t, cmd)
	return cmd
}

func (t *tool) note(cmd *cobra.Command, n note, name string, f steerFlags) error {
	cfg, err := t.read()
	if err != nil {
		return err
	}
	if err := checkNote(cfg, n.action, name); err != nil {
		return err
	}
	r, err := t.file().Note(cmd.Context(), n.action, name, t.order(f))
	if err != nil {
		return err
	}
	if r.NotNoted != nil { // the note is all that there is
		return program.Fail(program.Unreachable, "see that "+audit.Path(t.config)+" can be written", "%w", r.NotNoted)
	}
	undo := ""
	if n.undo != "" {
		undo = t.command("route", n.undo, name)
	}
	if t.json() {
		return printJSON(cmd, map[string]any{
			"schema": 1, "name": name, "action": n.action, "dry_run": f.dryRun, "file": t.config, "undo": undo,
			"next_steps": []string{t.command("route", "show", showable(cfg, name))},
		})
	}
	dry := ""
	if f.dryRun {
		dry = "dry run, nothing was noted: "
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s%s: %s\n", dry, name, n.said)
	if undo != "" && !f.dryRun {
		fmt.Fprintln(cmd.OutOrStdout(), "undo: "+undo)
	}
	return nil
}

// showable is a route that route show can tell about.
func showable(cfg *config.Config, name string) string {
	if g := cfg.Group(name); g != nil {
		return g.Routes[0]
	}
	return name
}

// checkNote refuses notes that nobody would read.
func checkNote(cfg *config.Config, action, name string) error {
	g, r := cfg.Group(name), cfg.Route(name)
	if g == nil && r == nil {
		return config.UnknownRoute(cfg, name)
	}
	members := []string{name}
	if g != nil {
		members = g.Routes
	}
	automated, expiring := false, false
	for _, member := range members {
		m := cfg.Route(member)
		expires := cfg.ExpiryOf(m) > 0
		automated = automated || expires || cfg.PromotionOf(m) != nil
		expiring = expiring || expires && m.Stage.IsCanary()
	}
	switch {
	case !automated:
		return program.Fail(program.Usage, "add promote: or expires: to it", "%s does not move by itself", name)
	case action == audit.Confirm && !expiring:
		return program.Fail(program.Usage, "only a canary with expires: has to be confirmed", "there is nothing to confirm about %s", name)
	}
	return nil
}

// completeAutomated offers what moves by itself.
func (t *tool) completeAutomated(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	cfg, err := t.read()
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for i := range cfg.Routes {
		r := &cfg.Routes[i]
		if name := cfg.Mover(r); !slices.Contains(names, name) && (cfg.PromotionOf(r) != nil || cfg.ExpiryOf(r) > 0) {
			names = append(names, name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// automationRows say in a table how a route is to move by itself.
func automationRows(cfg *config.Config, r *config.Route) [][]string {
	var rows [][]string
	if p := cfg.PromotionOf(r); p != nil {
		text := strings.Join(config.StepTexts(p), ", ")
		if p.ThenLive {
			text += ", then live"
		}
		rows = append(rows, []string{"promote", fmt.Sprintf("%s; every %s, at least %d requests", text, p.Every, p.MinRequests)})
	}
	if d := cfg.ExpiryOf(r); d > 0 {
		rows = append(rows, []string{"expires", d.String() + " after it was last moved or confirmed"})
	}
	return rows
}
