// Package cli is the command line of the split engine: strangler split …. Commands write
// data to standard output and talk to standard error, say what they changed, and name the
// next sensible command.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/migrations/split"
	"github.com/stranglerfig/toolkit/migrations/split/control"
	"github.com/stranglerfig/toolkit/migrations/split/plan"
)

// Options tune the commands. The zero value is fit for tests.
type Options struct {
	LookupEnv func(string) (string, bool) // nil knows no variables
}

// A tool is what the commands share.
type tool struct {
	plan   string // --plan
	plans  string // --plans
	lookup func(string) (string, bool)
}

// Command returns the command split with all that belongs to it.
func Command(o Options) *cobra.Command {
	t := &tool{lookup: o.LookupEnv}
	cmd := &cobra.Command{
		Use:   "split",
		Short: "Move tables out of the monolith's database, and back",
		Long: "Move tables out of the monolith's database into a service's, while applications go on writing,\n" +
			"and back. What moves where stands in a plan file; commands take its path, or its name in the\n" +
			"folder of plans.",
		Args:        cobra.ArbitraryArgs,
		RunE:        func(cmd *cobra.Command, args []string) error { return group(cmd, args) },
		Annotations: map[string]string{"group": "yes"},
	}
	cmd.PersistentFlags().StringVar(&t.plan, "plan", "", "plan file, or name of a plan; the same as the argument")
	cmd.PersistentFlags().StringVar(&t.plans, "plans", "migrations/plans", "folder in which plans are looked up by name")
	cmd.AddCommand(t.initCommand(), t.planCommand(), t.runCommand(), t.statusCommand(), t.reportCommand(), t.verifyCommand(), t.abortCommand())
	cmd.AddCommand(t.cutoverCommand(), t.rollbackCommand(), t.completeCommand())
	cmd.AddCommand(t.pauseCommand(), t.resumeCommand(), t.throttleCommand())
	t.completion(cmd)
	return cmd
}

func group(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	return program.Fail(program.Usage, "see "+cmd.CommandPath()+" --help", "unknown command %q", cmd.CommandPath()+" "+args[0])
}

// file is the plan file that the command line names.
func (t *tool) file(args []string) (string, error) {
	name := t.plan
	switch {
	case len(args) > 1:
		return "", program.Fail(program.Usage, "", "unexpected argument %q", args[1])
	case len(args) == 1 && name != "" && name != args[0]:
		return "", program.Fail(program.Usage, "give one of them", "two plans: %s and %s", name, args[0])
	case len(args) == 1:
		name = args[0]
	case name == "":
		return "", program.Fail(program.Usage, "name a plan file, or a plan in the folder "+t.plans, "the plan is missing")
	}
	if strings.ContainsRune(name, filepath.Separator) || strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml") {
		return name, nil
	}
	return filepath.Join(t.plans, name+".yaml"), nil
}

// variable is one of the environment; empty where nothing is known of it.
func (t *tool) variable(name string) string {
	if t.lookup == nil {
		return ""
	}
	value, _ := t.lookup(name)
	return value
}

// token is for the proxies' admin addresses.
func (t *tool) token() string { return t.variable("STRANGLER_TOKEN") }

// called is what the user calls the plan.
func (t *tool) called(args []string) string {
	if len(args) == 1 {
		return args[0]
	}
	return t.plan
}

// read reads the plan that the command line names.
func (t *tool) read(args []string) (*plan.Plan, error) {
	path, err := t.file(args)
	if err != nil {
		return nil, err
	}
	source, err := os.ReadFile(path)
	if err != nil {
		return nil, program.Fail(program.Usage, "name a plan file, or a plan in the folder "+t.plans, "read the plan: %w", err)
	}
	return plan.Parse(path, source, plan.Options{LookupEnv: t.lookup})
}

// A job is a command at work: the plan, both databases and the control file.
type job struct {
	*split.Engine
	store  *control.Store // nil: there is none
	screen *screen
}

func (j *job) close() {
	j.Close()
	if j.store != nil {
		j.store.Close()
	}
}

// A need says what a command needs besides the plan and its databases.
type need int

const (
	look   need = iota // to know what runs and what happened, if that can be known; it makes no file
	speak              // to ask whoever runs
	work               // to be the only one who works on the split
	expand             // and to make the target's file
)

// open opens what the command line names.
func (t *tool) open(cmd *cobra.Command, args []string, n need) (*job, error) {
	p, err := t.read(args)
	if err != nil {
		return nil, err
	}
	ctx := cmd.Context()
	screen := newScreen(cmd.ErrOrStderr(), t.variable("TERM"))
	log, err := program.Logger(screen, "text", "info")
	if err != nil {
		return nil, err
	}
	open := control.Look
	if n >= work {
		open = control.Open
	}
	file, err := open(ctx, filepath.Join(filepath.Dir(p.Name), control.File), control.Options{})
	switch {
	case err != nil && n > look:
		return nil, err
	case err != nil: // what the databases say can be said without it
		fmt.Fprintf(cmd.ErrOrStderr(), "what runs at the moment, and the history, are not known: %v\n", err)
	}
	e, err := split.Open(ctx, p, n == expand, split.Options{Log: log, Store: file, Name: t.called(args), Actor: actor()})
	if err != nil {
		if file != nil {
			file.Close()
		}
		return nil, err
	}
	return &job{Engine: e, store: file, screen: screen}, nil
}

// dryNeed is what a command needs that only says what it would do if dry.
func dryNeed(dry bool) need {
	if dry {
		return look
	}
	return work
}

// format is what -o asks for, a flag of the program's root.
func format(cmd *cobra.Command) string {
	if f := cmd.Flag("output"); f != nil {
		return f.Value.String()
	}
	return ""
}

func isJSON(cmd *cobra.Command) bool { return format(cmd) == "json" }

// actor names the user and the machine in the history.
func actor() string {
	name, host := "somebody", "an unknown machine"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if h, err := os.Hostname(); err == nil {
		host = h
	}
	return name + " on " + host
}

func printJSON(out io.Writer, v any) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// table prints rows in columns.
func table(out io.Writer, rows [][]string) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(w, strings.TrimRight(strings.Join(row, "\t"), "\t"))
	}
	return w.Flush()
}

func next(out io.Writer, commands ...string) {
	for i, c := range commands {
		lead := "next: "
		if i > 0 {
			lead = "      "
		}
		fmt.Fprintln(out, lead+c)
	}
}

// confirm asks on a terminal, and refuses where there is none and --yes was not given.
func confirm(cmd *cobra.Command, yes bool, question string) error {
	if yes {
		return nil
	}
	in, ok := cmd.InOrStdin().(*os.File)
	if !ok || !program.IsTerminal(in) {
		return program.Fail(program.Usage, "add --yes", "this changes the databases, and there is no terminal to ask on")
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%s [y/N] ", question)
	var answer string
	if _, err := fmt.Fscanln(in, &answer); err != nil || !strings.EqualFold(answer, "y") && !strings.EqualFold(answer, "yes") {
		return program.Fail(program.Interrupted, "", "nothing was changed")
	}
	return nil
}

// ask asks the running engine of a split for something.
func (t *tool) ask(ctx context.Context, cmd *cobra.Command, args []string, kind string, data any) error {
	j, err := t.open(cmd, args, speak)
	if err != nil {
		return err
	}
	defer j.close()
	live, err := j.Ask(ctx, kind, data)
	if errors.Is(err, control.ErrNobody) {
		return program.Fail(program.Refused, "start it with: strangler split run "+j.Name(), "no engine runs for split %s", j.Plan.Split)
	}
	if err != nil {
		return err
	}
	if isJSON(cmd) {
		return printJSON(cmd.OutOrStdout(), live)
	}
	state := live.Doing
	if live.Waiting != "" {
		state = live.Waiting
	}
	if live.Limit > 0 {
		state += fmt.Sprintf(", at most %d rows a second", live.Limit)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "split %s: %s\n", j.Plan.Split, state)
	next(cmd.OutOrStdout(), "strangler split status "+j.Name())
	return nil
}
