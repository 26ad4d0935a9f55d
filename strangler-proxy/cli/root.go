// Package cli is the proxy's command line, for the toolkit's program and for the
// proxy's own. Commands write data to standard output and talk to standard error;
// what they change they show, and they name the next sensible command.
package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/stranglerfig/toolkit/compare/state"
	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/internal/yamldoc"
)

// Options tune the commands. The zero value is fit for tests.
type Options struct {
	LookupEnv func(string) (string, bool) // nil knows no variables
	States    map[string]state.Reader     // of databases, for compare --state, by driver; may be empty
	// CopySQLite puts one SQLite file into another, for compare --reset; may be nil.
	CopySQLite func(ctx context.Context, from, to string) error
}

// A tool is what the commands share.
type tool struct {
	name      string // of the program
	config    string // --config
	output    string // --output
	tokenFile string // --token-file
	admin     string // --admin of a command that changes the file
	lookup    func(string) (string, bool)
	states    map[string]state.Reader

	copySQLite func(ctx context.Context, from, to string) error
}

// New returns the root command of the program name with every command of the proxy.
// The caller may add commands of its own and then calls Execute.
func New(name string, opts Options) *cobra.Command {
	t := &tool{name: name, lookup: opts.LookupEnv, states: opts.States, copySQLite: opts.CopySQLite}
	if t.lookup == nil {
		t.lookup = func(string) (string, bool) { return "", false }
	}
	root := &cobra.Command{
		Use:   name,
		Short: "Take a monolith apart while it keeps running",
		Long: "Take a monolith apart while it keeps running, one endpoint at a time.\n\n" +
			"A proxy stands in front of the monolith. Each route in its configuration file has a\n" +
			"stage; changing that one word moves the route to a service, or back.",
		Version:           program.Version(name),
		SilenceUsage:      true,
		SilenceErrors:     true,
		Args:              cobra.ArbitraryArgs,
		RunE:              group,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return t.prepare(cmd) },
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: false},
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return program.Fail(program.Usage, "see "+cmd.CommandPath()+" --help", "%w", err)
	})
	root.PersistentFlags().StringVarP(&t.config, "config", "c", "strangler.yaml", "configuration file")
	root.PersistentFlags().StringVar(&t.tokenFile, "token-file", "", "file with the token for the proxy's admin address, if it asks for one; STRANGLER_TOKEN holds the token itself")
	root.PersistentFlags().StringVarP(&t.output, "output", "o", "table", "how to print: table or json")
	_ = root.RegisterFlagCompletionFunc("output", func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return outputs(cmd), cobra.ShellCompDirectiveNoFileComp
	})
	root.AddCommand(t.proxyCommand(), t.routeCommand(), t.configCommand(), t.statusCommand(), t.tracesCommand(), t.doctorCommand(), t.versionCommand())
	root.AddCommand(t.auditCommand(), t.waitCommand(), t.compareCommand(root))
	return root
}

// Execute runs the command that args name. The problems of a configuration file are
// printed in full; the error that is returned then only counts them.
func Execute(ctx context.Context, root *cobra.Command, args []string) error {
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var problems *yamldoc.ProblemsError
	if errors.As(err, &problems) {
		fmt.Fprintln(root.ErrOrStderr(), problems)
		return program.Fail(program.Usage, "", "%s has %s; nothing was changed", problems.Name, count(len(problems.Problems)+problems.More, "problem"))
	}
	return err
}

func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// prepare fills flags that were not given from STRANGLER_… variables and checks the
// output format.
func (t *tool) prepare(cmd *cobra.Command) error {
	var bad error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		variable := "STRANGLER_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value, _ := t.lookup(variable)
		if f.Changed || value == "" || bad != nil {
			return
		}
		if err := cmd.Flags().Set(f.Name, value); err != nil {
			bad = program.Fail(program.Usage, "", "environment variable %s: %w", variable, err)
		}
		f.Changed = false // it stands for a default: what the command line says comes first
	})
	if formats := outputs(cmd); bad == nil && !slices.Contains(formats, t.output) {
		last := len(formats) - 1
		bad = program.Fail(program.Usage, "use "+strings.Join(formats[:last], ", ")+" or "+formats[last], "unknown output format %q", t.output)
	}
	t.carryToken(cmd)
	return bad
}

// moreFormats annotates commands that print in one format besides those of all.
const moreFormats = "formats"

// outputs are what -o of a command takes.
func outputs(cmd *cobra.Command) []string {
	formats := []string{"table", "json"}
	if more := cmd.Annotations[moreFormats]; more != "" {
		formats = append(formats, more)
	}
	return formats
}

// onlyGroup annotates commands that only hold others.
const onlyGroup = "group"

func newGroup(use, short string) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.ArbitraryArgs, RunE: group, Annotations: map[string]string{onlyGroup: "yes"},
	}
}

// group is what a command does that only holds others.
func group(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	remedy := "see " + cmd.CommandPath() + " --help"
	if near := yamldoc.Nearest(args[0], names); near != "" {
		remedy = fmt.Sprintf("did you mean %q?", cmd.CommandPath()+" "+near)
	}
	return program.Fail(program.Usage, remedy, "unknown command %q", cmd.CommandPath()+" "+args[0])
}

// exactly checks that a command got one argument for each name.
func exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		usage := "usage: " + cmd.CommandPath() + " " + strings.Join(names, " ")
		switch {
		case len(args) > len(names):
			return program.Fail(program.Usage, strings.TrimSpace(usage), "unexpected argument %q", args[len(names)])
		case len(args) < len(names):
			return program.Fail(program.Usage, usage, "%s is missing", names[len(args)])
		}
		return nil
	}
}

func (t *tool) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if t.json() {
				return printJSON(cmd, map[string]any{"schema": 1, "version": program.Version(t.name), "config_version": 1})
			}
			fmt.Fprintln(cmd.OutOrStdout(), program.Version(t.name))
			return nil
		},
	}
}
