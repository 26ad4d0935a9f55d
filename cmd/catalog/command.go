package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/extracted/catalog"
	"github.com/stranglerfig/toolkit/internal/follow"
	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/internal/service"
	"github.com/stranglerfig/toolkit/internal/sqlite"
)

const (
	owner     = "catalog"
	defaultDB = "var/catalog.db"
)

func command(getenv func(string) string) *cobra.Command {
	root := &cobra.Command{
		Use:   "catalog",
		Short: "The shop's catalog service",
		Long: `The shop's catalog service: GET /api/categories, /api/products and /api/products/{id}
out of its own database, which follows the monolith through its read API. It edits
nothing, and it does not count who looks at a product: the monolith's counts of views,
and so its recommendations, lack what this service shows.

Environment:
  SHOP_INTERNAL_TOKEN  the monolith's token for services
  SHOP_BUG             a fault to rehearse: catalog-price (prices one cent too high),
                       catalog-slow (five seconds an answer), catalog-order (each page
                       of products the wrong way round)`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.AddCommand(serveCommand(getenv), service.MigrateCommand(owner, defaultDB))
	return service.Frame(root)
}

func serveCommand(getenv func(string) string) *cobra.Command {
	var f service.Beside
	cmd := &cobra.Command{
		Use: "serve", Short: "Serve the catalog and follow the monolith", Args: cobra.NoArgs,
		Long: `Serve the catalog and follow the monolith.

Until the first copy of the monolith's data is complete each request is answered with
503. From then on the service answers with or without the monolith; GET /healthz tells
how the feed is, GET /readyz whether the copy is complete.

SHOP_BUG rehearses a fault: catalog-price, catalog-slow or catalog-order.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f.Token = getenv("SHOP_INTERNAL_TOKEN")
			return serve(cmd.Context(), &f, getenv("SHOP_BUG"), cmd.OutOrStdout())
		},
	}
	f.Add(cmd.Flags(), "127.0.0.1:9004", defaultDB)
	return cmd
}

func serve(ctx context.Context, f *service.Beside, rehearsed string, stdout io.Writer) error {
	bug, err := catalog.ParseBug(rehearsed)
	if err != nil {
		return program.Fail(program.Usage, fmt.Sprintf("use one of %v", catalog.Bugs()), "SHOP_BUG: %w", err)
	}
	return f.Serve(ctx, owner, stdout, func(db *sqlite.DB, log *slog.Logger) (service.Service, error) {
		store := catalog.New(db, time.Now)
		feed, err := catalog.NewFeed(store, f.Monolith, follow.Options{Token: f.Token, Refresh: f.Refresh, Log: log})
		if err != nil {
			return service.Service{}, err
		}
		if bug != "" {
			log.Warn("a fault is rehearsed", "bug", string(bug))
		}
		return service.Service{Run: feed.Run, Handler: catalog.Handler(store, feed, catalog.ServiceOptions{Log: log, Bug: bug})}, nil
	})
}
