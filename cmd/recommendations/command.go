package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/stranglerfig/toolkit/extracted/recommendations"
	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/internal/service"
	"github.com/stranglerfig/toolkit/internal/web"
)

const (
	owner        = "recommendations"
	defaultDB    = "var/recommendations.db"
	defaultToken = "dev-internal-token"
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
                       (prices one cent too high)`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.AddCommand(serveCommand(getenv), service.MigrateCommand(owner, defaultDB))
	return service.Frame(root)
}

type serveFlags struct {
	addr, db, monolith, logFormat, logLevel string
	refresh                                 time.Duration
	token                                   string
	bug                                     string
}

func serveCommand(getenv func(string) string) *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use: "serve", Short: "Serve recommendations and follow the monolith", Args: cobra.NoArgs,
		Long: `Serve recommendations and follow the monolith.

Until the first copy of the monolith's data is complete each request is answered with
503. From then on the service answers with or without the monolith; GET /healthz tells
how the feed is, GET /readyz whether the copy is complete.

SHOP_BUG rehearses a fault: recommendations-slow, recommendations-garbage or
recommendations-wrong.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f.token, f.bug = getenv("SHOP_INTERNAL_TOKEN"), getenv("SHOP_BUG")
			return serve(cmd.Context(), f, cmd.OutOrStdout())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.addr, "addr", "127.0.0.1:9002", "`host:port` to listen on; port 0 picks one")
	flags.StringVar(&f.db, "db", defaultDB, "database `file`")
	flags.StringVar(&f.monolith, "monolith", "http://127.0.0.1:9000", "`URL` of the monolith")
	flags.DurationVar(&f.refresh, "refresh", time.Second, "pause between two looks at the monolith")
	flags.StringVar(&f.logFormat, "log-format", "auto", "text, json, or auto: text on a terminal")
	flags.StringVar(&f.logLevel, "log-level", "info", "debug, info, warn or error")
	return cmd
}

func serve(ctx context.Context, f serveFlags, stdout io.Writer) error {
	log, err := program.Logger(os.Stderr, f.logFormat, f.logLevel)
	if err != nil {
		return err
	}
	bug, err := recommendations.ParseBug(f.bug)
	if err != nil {
		return program.Fail(program.Usage, fmt.Sprintf("use one of %v", recommendations.Bugs()), "SHOP_BUG: %w", err)
	}
	if err := recommendations.CheckAddress(f.monolith); err != nil {
		return service.Usage(owner, fmt.Errorf("--monolith: %w", err))
	}
	if f.refresh <= 0 {
		return service.Usage(owner, fmt.Errorf("--refresh %s: must be more than nothing", f.refresh))
	}
	listener, err := web.Listen(ctx, f.addr) // first of all: a taken port changes nothing
	if err != nil {
		return err
	}
	defer listener.Close()
	db, err := service.Open(ctx, owner, f.db, defaultDB)
	if err != nil {
		return err
	}
	defer db.Close()
	store := recommendations.New(db, time.Now)
	feed, err := recommendations.NewFeed(store, f.monolith, recommendations.FeedOptions{
		Token: cmp.Or(f.token, defaultToken), Refresh: f.refresh, Log: log,
	})
	if err != nil {
		return service.Usage(owner, fmt.Errorf("--monolith: %w", err))
	}
	handler := recommendations.Handler(store, feed, recommendations.ServiceOptions{Log: log, Bug: bug})
	if bug != "" {
		log.Warn("a fault is rehearsed", "bug", string(bug))
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return feed.Run(ctx) })
	group.Go(func() error {
		return web.Serve(ctx, f.addr, handler, web.ServeOptions{Log: log, Listener: listener, Ready: func(a net.Addr) {
			fmt.Fprintf(stdout, "recommendations ready on http://%s\n", a)
		}})
	})
	return group.Wait()
}
