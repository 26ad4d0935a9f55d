// Package cli is the command line of the comparison: strangler compare. It only reads
// flags, calls the packages below compare, and prints. What is particular to the caller's
// program (its routes, its databases) comes in through [Options].
package cli

import (
	"context"
	"encoding/json"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/compare"
	"github.com/stranglerfig/toolkit/compare/differ"
	"github.com/stranglerfig/toolkit/compare/report"
	"github.com/stranglerfig/toolkit/compare/state"
	"github.com/stranglerfig/toolkit/internal/program"
)

// A Table is what the proxy's configuration says about routes.
type Table struct {
	Routes []compare.Route
	// NameOf returns the name of the route that takes a request; empty if none does.
	NameOf func(method, path string) string
}

// Options tune the commands. The zero value knows no routes and no databases.
type Options struct {
	// Routes reads the routes of the configuration file that the program was given; ok is
	// false if there is no such file and none was asked for.
	Routes func() (table Table, ok bool, err error)
	// CopySQLite puts the contents of one SQLite file into another, which programs may have open;
	// nil knows no --reset sqlite:FILE.
	CopySQLite func(ctx context.Context, from, to string) error
	// Note remembers what a comparison says about the routes, in a file that the user may
	// name; nil: nobody remembers.
	Note func(file string, r *report.Report) error
	// States read the databases of --state, by the name of the driver.
	States map[string]state.Reader
}

// tool is what the commands share.
type tool struct {
	opts Options
	name string // of the program
}

// Command returns compare with its commands, for the program name.
func Command(name string, opts Options) *cobra.Command {
	t := &tool{opts: opts, name: name}
	cmd := &cobra.Command{
		Use:         "compare",
		Short:       "Run one test suite before and after, and judge what changed",
		Annotations: map[string]string{"group": "yes"},
		Args:        cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return program.Fail(program.Usage, "see "+cmd.CommandPath()+" --help", "unknown command %q", cmd.CommandPath()+" "+args[0])
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(t.run(), t.record(), t.diff(), t.explain(), t.accept(), t.selftest(), t.replay())
	return cmd
}

func isJSON(cmd *cobra.Command) bool {
	f := cmd.Flags().Lookup("output")
	return f != nil && f.Value.String() == "json"
}

// verdictError is the exit code of a verdict; the report has said all there is to say.
func verdictError(r *report.Report) error {
	if r.Exit() == program.OK {
		return nil
	}
	return program.Fail(r.Exit(), "", "%s", map[report.Verdict]string{
		report.Differs: "AFTER differs from BEFORE", report.Invalid: "the comparison is invalid", report.Inconclusive: "the comparison is inconclusive",
	}[r.Verdict])
}

// readRules reads a file of differ.Rules; without a name, defaultRules if it is there.
func readRules(path string) (differ.Rules, error) {
	var rules differ.Rules
	name := path
	if name == "" {
		name = defaultRules
	}
	text, err := os.ReadFile(name)
	if path == "" && os.IsNotExist(err) {
		return rules, nil
	}
	if err != nil {
		return rules, program.Fail(program.Usage, "", "rules: %w", err)
	}
	dec := json.NewDecoder(strings.NewReader(string(text)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&rules); err != nil {
		return rules, program.Fail(program.Usage, "", "rules %s: %w", name, err)
	}
	return rules, nil
}

const defaultRules = "compare.rules.json"

// quote makes a word safe to paste into a shell.
func quote(w string) string {
	if w != "" && !strings.ContainsFunc(w, func(r rune) bool {
		return !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./:=@%+,", r)
	}) {
		return w
	}
	return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
}

func (t *tool) next(words ...string) string {
	for i, w := range words {
		words[i] = quote(w)
	}
	return t.name + " compare " + strings.Join(words, " ")
}

func exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		usage := strings.TrimSpace("usage: " + cmd.CommandPath() + " " + strings.Join(names, " "))
		switch {
		case len(args) > len(names):
			return program.Fail(program.Usage, usage, "unexpected argument %q", args[len(names)])
		case len(args) < len(names):
			return program.Fail(program.Usage, usage, "%s is missing", names[len(args)])
		}
		return nil
	}
}
