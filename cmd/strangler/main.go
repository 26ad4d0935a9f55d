// Command strangler is the whole toolkit: the proxy, its routes and configuration,
// and the demonstration.
package main

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/internal/demo"
	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/strangler-proxy/cli"
)

func main() {
	os.Exit(program.Run("strangler", os.Stderr, func(ctx context.Context) error {
		return cli.Execute(ctx, root(), os.Args[1:])
	}))
}

// root is the command with everything below it.
func root() *cobra.Command {
	root := cli.New("strangler", cli.Options{LookupEnv: os.LookupEnv})
	root.AddCommand(demo.Command())
	return root
}
