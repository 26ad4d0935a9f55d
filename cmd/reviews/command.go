package main

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/extracted/reviews"
	"github.com/stranglerfig/toolkit/internal/service"
	"github.com/stranglerfig/toolkit/internal/sqlite"
)

const (
	owner     = "reviews"
	defaultDB = "var/reviews.db"
)

func command(getenv func(string) string) *cobra.Command {
	root := &cobra.Command{
		Use:   "reviews",
		Short: "The shop's reviews service",
		Long: `The shop's reviews service: /api/products/{id}/reviews out of its own database, once
"strangler split" has moved the table there. It asks the monolith for users, products
and purchases, and tells it how products are rated.

Environment:
  SHOP_INTERNAL_TOKEN  the monolith's token for services`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.AddCommand(serveCommand(getenv), service.MigrateCommand(owner, defaultDB))
	return service.Frame(root)
}

func serveCommand(getenv func(string) string) *cobra.Command {
	var f service.Beside
	cmd := &cobra.Command{
		Use: "serve", Short: "Serve reviews beside the monolith", Args: cobra.NoArgs,
		Long: `Serve reviews beside the monolith.

Until a split has begun to copy the table here each read is answered with 503, and
until the table belongs to the service each write. Without the monolith the service
shows what it knows and takes no reviews.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f.Token = getenv("SHOP_INTERNAL_TOKEN")
			return serve(cmd.Context(), &f, cmd.OutOrStdout())
		},
	}
	f.Add(cmd.Flags(), "127.0.0.1:9003", defaultDB)
	return cmd
}

func serve(ctx context.Context, f *service.Beside, stdout io.Writer) error {
	return f.Serve(ctx, owner, stdout, func(db *sqlite.DB, log *slog.Logger) (service.Service, error) {
		reviewing, err := reviews.NewService(reviews.New(db, time.Now), f.Monolith, reviews.Options{Token: f.Token, Refresh: f.Refresh, Log: log})
		if err != nil {
			return service.Service{}, err
		}
		return service.Service{Run: reviewing.Run, Handler: reviewing.Handler()}, nil
	})
}
