// Package service is the frame of the shop's programs, the monolith and the services
// alike: a command line that refuses what it does not know, a database that is opened
// and brought to its schema, and the commands that each of them has.
package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/internal/sqlite"
	"github.com/stranglerfig/toolkit/migrations"
)

// Main runs the command line that build returns and ends the process with its exit
// code. build gets the look-up of environment variables.
func Main(name string, build func(getenv func(string) string) *cobra.Command) {
	os.Exit(program.Run(name, os.Stderr, func(ctx context.Context) error {
		return Run(ctx, build(os.Getenv), os.Args[1:], os.Stdout)
	}))
}

// Run runs root with args; help and results go to stdout.
func Run(ctx context.Context, root *cobra.Command, args []string, stdout io.Writer) error {
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stdout)
	return root.ExecuteContext(ctx)
}

// Frame makes each error of root's command line a usage error that names the help,
// and adds --version and the command version. Call it when all commands are added;
// each needs its Args.
func Frame(root *cobra.Command) *cobra.Command {
	name := root.Name()
	root.SilenceErrors, root.SilenceUsage = true, true
	root.Version = program.Version(name)
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return Usage(name, err) })
	root.AddCommand(&cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			fmt.Fprintln(cmd.OutOrStdout(), root.Version)
			return nil
		},
	})
	for _, cmd := range append(root.Commands(), root) {
		check := cmd.Args
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return Usage(name, err)
			}
			return nil
		}
	}
	return root
}

// Usage makes err an error of the command line of the program name.
func Usage(name string, err error) error {
	return program.Fail(program.Usage, fmt.Sprintf("see %q", name+" --help"), "%w", err)
}

// Open opens the database of owner at path and brings it to the newest schema. Of the
// default path it makes the folder; other folders are the user's business.
func Open(ctx context.Context, owner, path, defaultPath string) (*sqlite.DB, error) {
	if err := MakeDefaultFolder(path, defaultPath); err != nil {
		return nil, err
	}
	db, err := sqlite.Open(ctx, path, sqlite.Options{})
	if err != nil {
		return nil, err
	}
	if err := migrations.Up(ctx, db.Writer(), owner); err != nil {
		return nil, errors.Join(sqlite.Explain(path, err), db.Close())
	}
	return db, nil
}

// MakeDefaultFolder makes the folder of path if that is the default path.
func MakeDefaultFolder(path, defaultPath string) error {
	if path != defaultPath {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return program.Fail(program.Usage, "create the folder or give another path", "%w", err)
	}
	return nil
}
