package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/internal/service"
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
	}
	serve := serveCommand(getenv)
	root.Args, root.RunE = serve.Args, serve.RunE
	root.Flags().AddFlagSet(serve.Flags())
	root.AddCommand(serve, service.MigrateCommand(owner, defaultDB), seedCommand())
	return service.Frame(root)
}

func seedCommand() *cobra.Command {
	var path string
	var scale int
	cmd := &cobra.Command{
		Use: "seed", Short: "Fill an empty shop with products, customers and orders", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			start := time.Now()
			if scale < 1 { // 0 would be the library's default
				return service.Usage(owner, fmt.Errorf("--scale %d: must be at least 1", scale))
			}
			if err := (seed.Options{Scale: scale}).Check(); err != nil {
				return err
			}
			db, err := service.Open(cmd.Context(), owner, path, defaultDB)
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
