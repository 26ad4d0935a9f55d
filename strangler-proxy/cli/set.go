package cli

import (
	"errors"
	"fmt"
	"os/user"
	"time"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
	"github.com/stranglerfig/toolkit/strangler-proxy/yamldoc"
)

type setFlags struct {
	dryRun, yes bool
	reason      string
}

// setResult is what route set prints as JSON.
type setResult struct {
	Schema  int      `json:"schema"`
	Route   string   `json:"route"`
	From    string   `json:"from"`
	To      string   `json:"to"`
	Changed bool     `json:"changed"`
	DryRun  bool     `json:"dry_run"`
	File    string   `json:"file"`
	Line    int      `json:"line"`
	OldHash string   `json:"old_config_hash"`
	NewHash string   `json:"new_config_hash"`
	Proxy   string   `json:"proxy"` // active, rejected or absent
	Undo    string   `json:"undo,omitempty"`
	Next    []string `json:"next_steps"`
}

func (t *tool) routeSet() *cobra.Command {
	var f setFlags
	cmd := &cobra.Command{
		Use:   "set NAME STAGE",
		Short: "Move a route to another stage",
		Long: "Move a route to another stage: monolith or live. One line of the configuration file changes;\n" +
			"comments and every other byte stay. A running proxy follows at once.\n\n" +
			"It does not ask first, also without --yes: one route is one word, the command prints how to\n" +
			"undo it, and --dry-run shows the line beforehand. Each change is noted in CONFIG.audit.jsonl.",
		Example: "  strangler route set product-recommendations live --reason 'figures agree'",
		Args:    exactly("NAME", "STAGE"),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 1 {
				return []string{route.Monolith.String(), route.Live.String()}, cobra.ShellCompDirectiveNoFileComp
			}
			return t.completeRoutes(cmd, args, word)
		},
		RunE: func(cmd *cobra.Command, args []string) error { return t.set(cmd, args[0], args[1], f) },
	}
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "show the change without making it")
	cmd.Flags().BoolVarP(&f.yes, "yes", "y", false, "accepted for scripts; this command never asks")
	cmd.Flags().StringVar(&f.reason, "reason", "", "why, for the audit log")
	return cmd
}

func (t *tool) set(cmd *cobra.Command, name, stage string, f setFlags) error {
	change, err := config.SetStage(t.config, name, stage, f.dryRun, config.Options{LookupEnv: t.lookup})
	switch {
	case errors.Is(err, yamldoc.ErrChanged):
		return program.Fail(program.Refused, "try again", "%w", err)
	case err != nil:
		return err
	}
	result := setResult{
		Schema: 1, Route: name, From: change.From.String(), To: change.To.String(), Changed: change.Changed(),
		DryRun: f.dryRun, File: t.config, Line: change.Line, OldHash: change.OldHash, NewHash: change.NewHash,
		Proxy: "absent", Next: []string{t.command("status")},
	}
	if change.Changed() {
		result.Undo = t.command("route", "set", name, change.From.String())
	}
	var state proxyState
	if change.Changed() && !f.dryRun {
		if err := t.audit(change, f.reason); err != nil {
			fmt.Fprintf(cmd.ErrOrStderr(), "warning: the change was made, but %v\n", err)
		}
		state = t.askToFollow(cmd, change.NewHash)
		result.Proxy = state.word
	}
	if t.json() {
		return printJSON(cmd, result)
	}
	printChange(cmd, t.config, change, f.dryRun)
	if state.text != "" {
		fmt.Fprintln(cmd.OutOrStdout(), state.text)
	}
	if result.Undo != "" && !f.dryRun {
		fmt.Fprintln(cmd.OutOrStdout(), "undo: "+result.Undo)
	}
	return nil
}

func printChange(cmd *cobra.Command, file string, c config.Change, dryRun bool) {
	out := cmd.OutOrStdout()
	if !c.Changed() {
		fmt.Fprintf(out, "%s is at %s already; nothing was changed\n", c.Route, c.To)
		return
	}
	lead := ""
	if dryRun {
		lead = "dry run, nothing was changed: "
	}
	fmt.Fprintf(out, "%s%s: %s -> %s\n", lead, c.Route, c.From, c.To)
	fmt.Fprintf(out, "%s:%d\n- %s\n+ %s\n", file, c.Line, c.Before, c.After)
}

func (t *tool) audit(c config.Change, reason string) error {
	actor := "cli"
	if u, err := user.Current(); err == nil {
		actor = "cli:" + u.Username
	}
	return config.AppendAudit(t.config, config.AuditEntry{
		Time: time.Now().UTC(), Actor: actor, Route: c.Route, From: c.From.String(), To: c.To.String(),
		Reason: reason, OldHash: c.OldHash, NewHash: c.NewHash,
	})
}
