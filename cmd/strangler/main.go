// Command strangler is the whole toolkit: the proxy, its routes and configuration,
// and the demonstration.
package main

import (
	"context"
	"os"

	"github.com/stranglerfig/toolkit/internal/demo"
	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/strangler-proxy/cli"
)

func main() {
	os.Exit(program.Run("strangler", os.Stderr, func(ctx context.Context) error {
		root := cli.New("strangler", cli.Options{LookupEnv: os.LookupEnv})
		root.AddCommand(demo.Command())
		return cli.Execute(ctx, root, os.Args[1:])
	}))
}
