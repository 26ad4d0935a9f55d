// Command strangler-proxy is the proxy alone: the same commands as strangler without
// those that touch databases, so it builds without a C compiler.
package main

import (
	"context"
	"os"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/strangler-proxy/cli"
)

func main() {
	os.Exit(program.Run("strangler-proxy", os.Stderr, func(ctx context.Context) error {
		root := cli.New("strangler-proxy", cli.Options{LookupEnv: os.LookupEnv})
		return cli.Execute(ctx, root, os.Args[1:])
	}))
}
