package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/internal/sqlite"
	"github.com/stranglerfig/toolkit/migrations"
	"github.com/stranglerfig/toolkit/monolith/seed"
)

const (
	owner       = "monolith"
	defaultDB   = "var/monolith.db"
	defaultSink = "var/notifications.jsonl"
)

func command(getenv func(string) string) *cobra.Command {
	root := &cobra.Command{
		Use:   "monolith",
		Short: "The shop before it is taken apart",
		Long: `The shop before it is taken apart: pages, JSON API and one SQLite database.
Without a command it serves.

Environment:
  SHOP_WEBHOOK_SECRET  signs the payment provider's webhooks
  SHOP_INTERNAL_TOKEN  opens the read API for services`,
		SilenceErrors: true, SilenceUsage: true,
	}
	serve := serveCommand(getenv)
	root.Args, root.RunE = serve.Args, serve.RunE
	root.Flags().AddFlagSet(serve.Flags())
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(err) })
	root.AddCommand(serve, migrateCommand(), seedCommand(), versionCommand())
	for _, cmd := range append(root.Commands(), root) {
		check := cmd.Args
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usage(err)
			}
			return nil
		}
	}
	return root
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			fmt.Fprintln(cmd.OutOrStdout(), program.Version("monolith"))
			return nil
		},
	}
}

func seedCommand() *cobra.Command {
	var path string
	var scale int
	cmd := &cobra.Command{
		Use: "seed", Short: "Fill an empty shop with products, customers and orders", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			start := time.Now()
			if scale < 1 { // 0 would be the library's default
				return usage(fmt.Errorf("--scale %d: must be at least 1", scale))
			}
			if err := (seed.Options{Scale: scale}).Check(); err != nil {
				return err
			}
			db, err := open(cmd.Context(), path)
			if err != nil {
				return err
			}
			defer db.Close()
			if err := seed.Run(cmd.Context(), db, seed.Options{Scale: scale}); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "seeded %s at scale %d in %.1f s\n", path, scale, time.Since(start).Seconds())
			return nil
		},
	}
	cmd.Flags().StringVar(&path, "db", defaultDB, "database `file`")
	cmd.Flags().IntVar(&scale, "scale", 1, "1 is 200 products, 100 is 20,000")
	return cmd
}

func migrateCommand() *cobra.Command {
	var path, output string
	var statusOnly bool
	cmd := &cobra.Command{
		Use: "migrate", Short: "Bring the database to the newest schema", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "table" && output != "json" {
				return usage(fmt.Errorf("unknown output %q: use table or json", output))
			}
			db, err := openForMigrate(cmd.Context(), path, statusOnly)
			if err != nil {
				return err
			}
			defer db.Close()
			steps, err := migrations.Status(cmd.Context(), db.Writer(), owner)
			if err != nil {
				return err
			}
			return printSteps(cmd.OutOrStdout(), output, path, steps)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&path, "db", defaultDB, "database `file`")
	flags.BoolVar(&statusOnly, "status", false, "only show which migrations have been applied")
	flags.StringVarP(&output, "output", "o", "table", "table or json")
	return cmd
}

// openForMigrate opens the database; to look only, it must exist and stays as it is.
func openForMigrate(ctx context.Context, path string, statusOnly bool) (*sqlite.DB, error) {
	if !statusOnly {
		return open(ctx, path)
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, program.Fail(program.Usage, `make it by "monolith migrate --db `+path+`"`, "there is no database %s", path)
	}
	return sqlite.Open(ctx, path, sqlite.Options{})
}

func printSteps(w io.Writer, output, path string, steps []migrations.Step) error {
	if output == "json" {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(struct {
			Schema   int               `json:"schema"`
			Database string            `json:"database"`
			Steps    []migrations.Step `json:"steps"`
		}{1, path, steps})
	}
	for _, step := range steps {
		state := "pending"
		if step.Applied {
			state = "applied"
		}
		fmt.Fprintf(w, "%04d  %-8s %s\n", step.Version, state, step.Source)
	}
	return nil
}

// open opens the database and brings it to the newest schema.
func open(ctx context.Context, path string) (*sqlite.DB, error) {
	if err := makeDefaultFolder(path, defaultDB); err != nil {
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

// makeDefaultFolder makes the folder of the default path; other folders are the
// user's business.
func makeDefaultFolder(path, defaultPath string) error {
	if path != defaultPath {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return program.Fail(program.Usage, "create the folder or give another path", "%w", err)
	}
	return nil
}
