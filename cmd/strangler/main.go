// Command strangler is the whole toolkit: the proxy, its routes and configuration, the
// split engine, and the demonstration.
package main

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/compare/state"
	"github.com/stranglerfig/toolkit/internal/demo"
	"github.com/stranglerfig/toolkit/internal/postgres"
	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/internal/sqlite"
	split "github.com/stranglerfig/toolkit/migrations/split/cli"
	"github.com/stranglerfig/toolkit/strangler-proxy/cli"
)

func main() {
	os.Exit(program.Run("strangler", os.Stderr, func(ctx context.Context) error {
		return cli.Execute(ctx, root(), os.Args[1:])
	}))
}

// root is the command with everything below it.
func root() *cobra.Command {
	root := cli.New("strangler", cli.Options{
		LookupEnv: os.LookupEnv, CopySQLite: sqlite.Copy,
		States: map[string]state.Reader{ // also by the names that plan files use
			"sqlite": sqlite.Dump, "sqlite3": sqlite.Dump,
			"postgres": postgres.Dump, "pgx": postgres.Dump,
		},
	})
	root.AddCommand(demo.Command(), split.Command(split.Options{LookupEnv: os.LookupEnv}))
	return root
}
