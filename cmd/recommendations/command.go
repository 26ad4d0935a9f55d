package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/extracted/recommendations"
	"github.com/stranglerfig/toolkit/internal/follow"
	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/internal/service"
	"github.com/stranglerfig/toolkit/internal/sqlite"
)

const (
	owner     = "recommendations"
	defaultDB = "var/recommendations.db"
)

func command(getenv func(string) string) *cobra.Command {
	root := &cobra.Command{
		Use:   "recommendations",
		Short: "The shop's recommendations service",
		Long: `The shop's recommendations service: GET /api/products/{id}/recommendations out of
its own database, which follows the monolith through its read API.

Environment:
  SHOP_INTERNAL_TOKEN  the monolith's token for services
  SHOP_BUG             a fault to rehearse: recommendations-slow (five seconds an answer),
                       recommendations-garbage (no HTTP at all), recommendations-wrong
                       (prices one cent too high), recommendations-image (no image)`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.AddCommand(serveCommand(getenv), service.MigrateCommand(owner, defaultDB))
	return service.Frame(root)
}

func serveCommand(getenv func(string) string) *cobra.Command {
	var f service.Beside
	cmd := &cobra.Command{
		Use: "serve", Short: "Serve recommendations and follow the monolith", Args: cobra.NoArgs,
		Long: `Serve recommendations and follow the monolith.

Until the first copy of the monolith's data is complete each request is answered with
503. From then on the service answers with or without the monolith; GET /healthz tells
how the feed is, GET /readyz whether the copy is complete.

SHOP_BUG rehearses a fault: recommendations-slow, recommendations-garbage,
recommendations-wrong or recommendations-image.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f.Token = getenv("SHOP_INTERNAL_TOKEN")
			return serve(cmd.Context(), &f, getenv("SHOP_BUG"), cmd.OutOrStdout())
		},
	}
	f.Add(cmd.Flags(), "127.0.0.1:9002", defaultDB)
	return cmd
}

func serve(ctx context.Context, f *service.Beside, rehearsed string, stdout io.Writer) error {
	bug, err := recommendations.ParseBug(rehearsed)
	if err != nil {
		return program.Fail(program.Usage, fmt.Sprintf("use one of %v", recommendations.Bugs()), "SHOP_BUG: %w", err)
	}
	return f.Serve(ctx, owner, stdout, func(db *sqlite.DB, log *slog.Logger) (service.Service, error) {
		store := recommendations.New(db, time.Now)
		feed, err := recommendations.NewFeed(store, f.Monolith, follow.Options{Token: f.Token, Refresh: f.Refresh, Log: log})
		if err != nil {
			return service.Service{}, err
		}
		if bug != "" {
			log.Warn("a fault is rehearsed", "bug", string(bug))
		}
		return service.Service{Run: feed.Run, Handler: recommendations.Handler(store, feed, recommendations.ServiceOptions{Log: log, Bug: bug})}, nil
	})
}
