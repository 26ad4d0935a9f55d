package cli

import (
	"context"
	"errors"
	"fmt"
	"os/user"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/strangler-proxy/admin"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
	"github.com/stranglerfig/toolkit/strangler-proxy/steer"
)

// steerFlags are the flags of every command that changes the file.
type steerFlags struct {
	dryRun, yes, force bool
	reason             string
	compared           *string // of a command that shows how the last comparison ended: the file that knows
}

func (f *steerFlags) add(t *tool, cmd *cobra.Command) {
	cmd.Flags().StringVar(&t.admin, "admin", "", "the proxy's admin address, instead of the one in the configuration")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "show the change without making it")
	cmd.Flags().BoolVarP(&f.yes, "yes", "y", false, "accepted for scripts; this command never asks")
	cmd.Flags().StringVar(&f.reason, "reason", "", "why, for the audit log")
}

func (f *steerFlags) addForce(t *tool, cmd *cobra.Command) {
	f.add(t, cmd)
	cmd.Flags().BoolVar(&f.force, "force", false, "overrule the guard; needs --reason")
}

func (t *tool) file() *steer.File { return steer.New(t.config, steer.Options{LookupEnv: t.lookup}) }

func (t *tool) order(f steerFlags) steer.Order {
	return steer.Order{Actor: actor(), Reason: f.reason, Force: f.force, DryRun: f.dryRun}
}

// actor names the user in the audit log.
func actor() string {
	if u, err := user.Current(); err == nil {
		return "cli:" + u.Username
	}
	return "cli"
}

// A moved route as JSON.
type moved struct {
	Route   string `json:"route"`
	From    string `json:"from"`
	To      string `json:"to"`
	Changed bool   `json:"changed"`
	Line    int    `json:"line"`
}

// steered is what a command that changed the file prints as JSON.
type steered struct {
	Schema     int               `json:"schema"`
	*moved                       // of a command about one route
	Routes     []moved           `json:"routes,omitempty"` // of a command about several
	Panic      string            `json:"panic,omitempty"`
	Changed    bool              `json:"changed"`
	DryRun     bool              `json:"dry_run"`
	File       string            `json:"file"`
	OldHash    string            `json:"old_config_hash"`
	NewHash    string            `json:"new_config_hash"`
	Proxy      string            `json:"proxy"` // active, rejected or absent
	Objections []route.Objection `json:"objections,omitempty"`
	Impact     *impact           `json:"impact,omitempty"` // of a dry run while a proxy runs
	Compared   []standing        `json:"compared,omitempty"`
	Compare    string            `json:"compare,omitempty"` // the command that would compare what has to be
	Undo       string            `json:"undo,omitempty"`
	Next       []string          `json:"next_steps"`
}

// printSteered prints what an order did: talk tells it to a person, undo is the command
// that reverses it.
func (t *tool) printSteered(cmd *cobra.Command, f steerFlags, r *steer.Result, err error, undo func(*steer.Result) string, talk func(dry string)) error {
	if err != nil {
		t.printPatch(cmd, err)
		return err
	}
	s := steered{
		Schema: 1, Changed: r.Changed(), DryRun: f.dryRun, File: t.config, OldHash: r.Before.Hash, NewHash: r.After.Hash,
		Panic: r.After.Panic, Proxy: "absent", Objections: r.Objections, Next: []string{t.command("status")},
	}
	for _, c := range r.Changes {
		s.Routes = append(s.Routes, moved{c.Name, c.From.String(), c.To.String(), c.Changed(), c.Line})
	}
	if len(s.Routes) == 1 {
		s.moved, s.Routes = &s.Routes[0], nil
	}
	if s.Changed {
		s.Undo = undo(r)
	}
	if r.NotNoted != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "warning: the change was made, but not noted: %v\n", r.NotNoted)
	}
	if s.Changed && f.dryRun {
		s.Impact = impactOf(t.running(cmd.Context(), r.Before), r.Before, r.Changes)
	}
	s.Compared, s.Compare = t.standings(cmd, f, r)
	var state proxyState
	if s.Changed && !f.dryRun {
		state = t.askToFollow(cmd, s.NewHash)
		s.Proxy = state.word
	}
	if t.json() {
		return printJSON(cmd, s)
	}
	dry := ""
	if f.dryRun {
		dry = "dry run, nothing was changed: "
	}
	talk(dry)
	out := cmd.OutOrStdout()
	if s.Impact != nil && len(r.Changes) > 0 {
		fmt.Fprintln(out, s.Impact)
	}
	for _, o := range r.Objections {
		word := "overruled"
		if f.dryRun && !f.force {
			word = "would be refused"
		}
		fmt.Fprintf(out, "%s: %s\n", word, o.Text)
	}
	printStandings(out, s.Compared)
	if r.Before.Panic != "" && r.After.Panic != "" && len(r.Changes) > 0 {
		fmt.Fprintln(out, "A panic keeps every route but those at done on the monolith until it ends: "+t.command("route", "panic", "--end"))
	}
	if state.text != "" {
		fmt.Fprintln(out, state.text)
	}
	if s.Undo != "" && !f.dryRun {
		fmt.Fprintln(out, "undo: "+s.Undo)
	}
	if s.Compare != "" && !f.dryRun {
		fmt.Fprintln(out, "compare: "+s.Compare)
	}
	return nil
}

// printPatch prints what a read-only file needs, ready for the program patch.
func (t *tool) printPatch(cmd *cobra.Command, err error) {
	var readOnly *config.ReadOnlyError
	if errors.As(err, &readOnly) && !t.json() {
		fmt.Fprint(cmd.OutOrStdout(), readOnly.Patch)
	}
}

func (t *tool) printChanges(cmd *cobra.Command, dry string, r *steer.Result) {
	out := cmd.OutOrStdout()
	for _, c := range r.Changes {
		if !c.Changed() {
			fmt.Fprintf(out, "%s is at %s already; nothing was changed\n", c.Name, c.To)
			continue
		}
		fmt.Fprintf(out, "%s%s: %s -> %s\n", dry, c.Name, c.From, c.To)
		fmt.Fprintf(out, "%s:%d\n- %s\n+ %s\n", t.config, c.Line, c.Before, c.After)
	}
}

// evidence is what the running proxy knows about the routes' copies. Without a proxy
// there is none, which unheard then says.
func (t *tool) evidence(ctx context.Context, unheard *error) func(name string) route.Evidence {
	status := sync.OnceValue(func() (st admin.Status) {
		*unheard = t.get(ctx, t.adminAddress(), "/status", &st)
		return st
	})
	return func(name string) route.Evidence { return status().Evidence(name) }
}

// blind adds to what the guard objects that nobody could be asked for the evidence.
func blind(err, unheard error) error {
	var refused *steer.RefusedError
	if unheard == nil || !errors.As(err, &refused) || !slices.ContainsFunc(refused.Objections, func(o route.Objection) bool { return o.Rule == route.RuleEvidence }) {
		return err
	}
	return fmt.Errorf("%w; nothing is known of copies because %w", err, unheard)
}

func (t *tool) routeRollback() *cobra.Command {
	var f steerFlags
	cmd := &cobra.Command{
		Use:   "rollback NAME",
		Short: "Move a route back to the stage it had before",
		Long: "Move a route back to the stage that it had before, as the audit log knows. Again, and it goes\n" +
			"further back, never forward; without an earlier stage it goes to the monolith. From then on\n" +
			"automation leaves the route alone until somebody moves it.\n\n" +
			"It needs no answer of the service or the proxy: the file is edited, and a running proxy follows.",
		Example:           "  strangler route rollback product-recommendations --reason 'wrong prices'",
		Args:              exactly("NAME"),
		ValidArgsFunction: t.completeRoutes,
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := t.file().Rollback(cmd.Context(), args[0], t.order(f))
			return t.printSteered(cmd, f, r, err, t.undo, func(dry string) { t.printChanges(cmd, dry, r) })
		},
	}
	f.addForce(t, cmd)
	return cmd
}

// undo is the command that moves routes back, or several joined by && if they came from
// different stages.
func (t *tool) undo(r *steer.Result) string {
	var froms []route.Stage
	for _, c := range r.Changes {
		if c.Changed() && !slices.Contains(froms, c.From) {
			froms = append(froms, c.From)
		}
	}
	commands := make([]string, len(froms))
	for i, from := range froms {
		commands[i] = t.undoTo(from, r)
	}
	return strings.Join(commands, " && ")
}

// undoTo moves those back that came from one stage.
func (t *tool) undoTo(from route.Stage, r *steer.Result) string {
	words := []string{"route", "set"}
	objections := 0
	for _, c := range r.Changes {
		if !c.Changed() || c.From != from {
			continue
		}
		words = append(words, c.Name)
		for _, name := range c.Routes {
			objections += len(r.After.Objections(r.After.Route(name), c.From, route.Evidence{}))
		}
	}
	words = append(words, from.String())
	if objections > 0 {
		words = append(words, "--force", "--reason", "undo")
	}
	return t.command(words...)
}

func (t *tool) routePanic() *cobra.Command {
	var f steerFlags
	var end bool
	cmd := &cobra.Command{
		Use:   "panic",
		Short: "Send every route to the monolith",
		Long: "Send every route to the monolith at once, whatever its stage, the client's cookie or a forced side;\n" +
			"automation rests. Only routes at stage done stay on their service: the monolith may not know\n" +
			"any more how to answer them. So does what needs the tables that a split has given to a service:\n" +
			"the monolith's are closed.\n\n" +
			"It is one line at the top of the file (panic: \"why\") and leaves the stages alone, so --end\n" +
			"brings everything back. Writing that line by hand does the same.",
		Example: "  strangler route panic --reason 'orders are lost'\n  strangler route panic --end --reason 'found it'",
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			change, undo := t.file().Panic, []string{"route", "panic", "--end"}
			if end {
				change, undo = t.file().Calm, []string{"route", "panic", "--reason", "again"}
			}
			r, err := change(cmd.Context(), t.order(f))
			back := func(*steer.Result) string { return t.command(undo...) }
			return t.printSteered(cmd, f, r, err, back, func(dry string) { t.printPanic(cmd, dry, r, end) })
		},
	}
	f.add(t, cmd)
	cmd.Flags().BoolVar(&end, "end", false, "let every route go back to its stage")
	return cmd
}

func (t *tool) printPanic(cmd *cobra.Command, dry string, r *steer.Result, end bool) {
	out := cmd.OutOrStdout()
	var away, done []string
	for _, c := range r.After.Routes {
		switch {
		case c.Stage == route.Done:
			done = append(done, c.Name)
		case c.Stage > route.Monolith:
			away = append(away, c.Name)
		}
	}
	switch {
	case !r.Changed() && end:
		fmt.Fprintln(out, "there is no panic; nothing was changed")
	case end:
		fmt.Fprintf(out, "%sthe panic is over: %s away from the monolith again\n", dry, count(len(away), "route"))
	case !r.Changed():
		fmt.Fprintf(out, "every route is on the monolith already (%q); nothing was changed\n", r.After.Panic)
	default:
		fmt.Fprintf(out, "%severy route is on the monolith; for %s that is not what the stage says\n", dry, count(len(away), "route"))
	}
	if !end {
		for _, name := range done {
			fmt.Fprintf(out, "%s stays on its service: it is at stage done, the monolith may not know any more how to answer it\n", name)
		}
		for i := range r.After.Routes {
			if why := r.After.Held(&r.After.Routes[i]); why != "" {
				fmt.Fprintf(out, "%s: %s\n", r.After.Routes[i].Name, why)
			}
		}
	}
}
