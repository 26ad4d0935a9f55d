package demo

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/internal/program"
)

// Command returns "strangler demo" with its subcommands.
func Command() *cobra.Command {
	var opts Options
	var background bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run the shop behind the proxy: monolith, extracted services, proxy",
		Long: `Run the shop behind the proxy: the monolith, the extracted services recommendations,
reviews and catalog, and the strangler proxy, each as a process of its own, until Ctrl-C.

Everything they write is in one folder: databases, logs, process ids (NAME.pid) and the
routes, strangler.yaml, which are written the first time and yours from then on. Started
again, the demo goes on with the same data.

A program that ends is reported and not started again by itself, so that you can see what
the others do without it; "strangler demo start" brings it back.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			opts.Out = cmd.OutOrStdout()
			if background {
				return detach(cmd.Context(), opts, opts.arguments())
			}
			return Run(cmd.Context(), opts)
		},
	}
	cmd.PersistentFlags().StringVar(&opts.Dir, "dir", filepath.Join("var", "demo"), "`folder` for everything that is written")
	flags := cmd.Flags()
	flags.IntVar(&opts.Scale, "scale", 1, "size of the seed of a new database: 1 (200 products) or 100")
	flags.StringVar(&opts.Proxy, "proxy", address("PROXY", "127.0.0.1:8080"), "`host:port` of the shop behind the proxy")
	flags.StringVar(&opts.Admin, "admin", address("ADMIN", "127.0.0.1:8081"), "`host:port` of the proxy's admin")
	flags.StringVar(&opts.Monolith, "monolith", address("MONOLITH", "127.0.0.1:9000"), "`host:port` of the monolith")
	flags.StringVar(&opts.Recommendations, "recommendations", address("RECOMMENDATIONS", "127.0.0.1:9002"), "`host:port` of the recommendations service")
	flags.StringVar(&opts.Reviews, "reviews", address("REVIEWS", "127.0.0.1:9003"), "`host:port` of the reviews service")
	flags.StringVar(&opts.Catalog, "catalog", address("CATALOG", "127.0.0.1:9004"), "`host:port` of the catalog service")
	flags.BoolVar(&background, "detach", false, "run in the background; return once everything is ready")
	flags.BoolVar(&opts.Detached, "detached", false, "")
	flags.MarkHidden("detached") //nolint:errcheck // the flag exists
	cmd.AddCommand(statusCommand(&opts), stopCommand(&opts), startCommand(&opts))
	return cmd
}

// address is the default of an address flag: that of the environment, or fallback.
func address(name, fallback string) string {
	return cmp.Or(os.Getenv("STRANGLER_DEMO_"+name), fallback)
}

// arguments are those of the background process.
func (o Options) arguments() []string {
	return []string{
		"demo", "--detached", "--dir", o.Dir, "--scale", strconv.Itoa(o.Scale), "--proxy", o.Proxy, "--admin", o.Admin,
		"--monolith", o.Monolith, "--recommendations", o.Recommendations,
		"--reviews", o.Reviews, "--catalog", o.Catalog,
	}
}

func statusCommand(opts *Options) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use: "status", Short: "Show the programs of a running demo", Args: noArguments,
		Long: `Show the programs of a running demo. Exits 1 if none is running.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			status, err := Look(cmd.Context(), opts.Dir)
			if err != nil {
				return err
			}
			if err := status.print(cmd.OutOrStdout(), format); err != nil {
				return err
			}
			if !status.Running {
				return &program.Error{Code: program.Differs, Err: errSaid}
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&format, "output", "o", "table", "table or json")
	return cmd
}

func stopCommand(opts *Options) *cobra.Command {
	return &cobra.Command{
		Use: "stop", Short: "Stop a running demo", Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ran, err := Stop(cmd.Context(), opts.Dir)
			if err != nil {
				return err
			}
			others, err := StopOthers(cmd.Context(), opts.Dir)
			for _, o := range others {
				fmt.Fprintln(cmd.OutOrStdout(), o)
			}
			if err != nil {
				return err
			}
			if !ran {
				fmt.Fprintf(cmd.OutOrStdout(), "no demo is running in %s\n", opts.Dir)
				return nil
			}
			fmt.Fprintf(cmd.OutOrStdout(), "stopped; the data stays in %s\n", opts.Dir)
			return nil
		},
	}
}

func startCommand(opts *Options) *cobra.Command {
	return &cobra.Command{
		Use: "start", Short: "Start again what has stopped in a running demo", Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := Start(cmd.Context(), opts.Dir); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), "every program runs")
			return nil
		},
	}
}

func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return program.Fail(program.Usage, "see "+cmd.CommandPath()+" --help", "%s takes no argument %q", cmd.CommandPath(), args[0])
}

// errSaid is for an exit code whose reason was printed already.
var errSaid = quiet{}

type quiet struct{}

func (quiet) Error() string { return "" }
