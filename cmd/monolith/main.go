// Command monolith runs the shop before it is taken apart.
package main

import (
	"context"
	"io"
	"os"

	"github.com/stranglerfig/toolkit/internal/program"
)

func main() {
	os.Exit(program.Run("monolith", os.Stderr, func(ctx context.Context) error {
		return run(ctx, os.Args[1:], os.Getenv, os.Stdout)
	}))
}

func run(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) error {
	root := command(getenv)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stdout)
	return root.ExecuteContext(ctx)
}

// usage makes each error of the command line a usage error that names the help.
func usage(err error) error {
	return program.Fail(program.Usage, `see "monolith --help"`, "%w", err)
}
