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

	"github.com/stranglerfig/toolkit/extracted/catalog"
	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/internal/service"
	"github.com/stranglerfig/toolkit/internal/web"
)

const (
	owner        = "catalog"
	defaultDB    = "var/catalog.db"
	defaultToken = "dev-internal-token"
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

type serveFlags struct {
	addr, db, monolith, logFormat, logLevel string
	refresh                                 time.Duration
	token                                   string
	bug                                     string
}

func serveCommand(getenv func(string) string) *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use: "serve", Short: "Serve the catalog and follow the monolith", Args: cobra.NoArgs,
		Long: `Serve the catalog and follow the monolith.

Until the first copy of the monolith's data is complete each request is answered with
503. From then on the service answers with or without the monolith; GET /healthz tells
how the feed is, GET /readyz whether the copy is complete.

SHOP_BUG rehearses a fault: catalog-price, catalog-slow or catalog-order.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f.token, f.bug = getenv("SHOP_INTERNAL_TOKEN"), getenv("SHOP_BUG")
			return serve(cmd.Context(), f, cmd.OutOrStdout())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.addr, "addr", "127.0.0.1:9004", "`host:port` to listen on; port 0 picks one")
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
	bug, err := catalog.ParseBug(f.bug)
	if err != nil {
		return program.Fail(program.Usage, fmt.Sprintf("use one of %v", catalog.Bugs()), "SHOP_BUG: %w", err)
	}
	if err := catalog.CheckAddress(f.monolith); err != nil {
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
	store := catalog.New(db, time.Now)
	feed, err := catalog.NewFeed(store, f.monolith, catalog.FeedOptions{
		Token: cmp.Or(f.token, defaultToken), Refresh: f.refresh, Log: log,
	})
	if err != nil {
		return service.Usage(owner, fmt.Errorf("--monolith: %w", err))
	}
	handler := catalog.Handler(store, feed, catalog.ServiceOptions{Log: log, Bug: bug})
	if bug != "" {
		log.Warn("a fault is rehearsed", "bug", string(bug))
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return feed.Run(ctx) })
	group.Go(func() error {
		return web.Serve(ctx, f.addr, handler, web.ServeOptions{Log: log, Listener: listener, Ready: func(a net.Addr) {
			fmt.Fprintf(stdout, "catalog ready on http://%s\n", a)
		}})
	})
	return group.Wait()
}
