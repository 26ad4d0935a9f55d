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

	"github.com/stranglerfig/toolkit/extracted/reviews"
	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/internal/service"
	"github.com/stranglerfig/toolkit/internal/web"
)

const (
	owner        = "reviews"
	defaultDB    = "var/reviews.db"
	defaultToken = "dev-internal-token"
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

type serveFlags struct {
	addr, db, monolith, logFormat, logLevel string
	refresh                                 time.Duration
	token                                   string
}

func serveCommand(getenv func(string) string) *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use: "serve", Short: "Serve reviews beside the monolith", Args: cobra.NoArgs,
		Long: `Serve reviews beside the monolith.

Until a split has begun to copy the table here each read is answered with 503, and
until the table belongs to the service each write. Without the monolith the service
shows what it knows and takes no reviews.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f.token = getenv("SHOP_INTERNAL_TOKEN")
			return serve(cmd.Context(), f, cmd.OutOrStdout())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.addr, "addr", "127.0.0.1:9003", "`host:port` to listen on; port 0 picks one")
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
	if err := reviews.CheckAddress(f.monolith); err != nil {
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
	reviewing, err := reviews.NewService(reviews.New(db, time.Now), f.monolith, reviews.Options{
		Token: cmp.Or(f.token, defaultToken), Refresh: f.refresh, Log: log,
	})
	if err != nil {
		return service.Usage(owner, fmt.Errorf("--monolith: %w", err))
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return reviewing.Run(ctx) })
	group.Go(func() error {
		return web.Serve(ctx, f.addr, reviewing.Handler(), web.ServeOptions{Log: log, Listener: listener, Ready: func(a net.Addr) {
			fmt.Fprintf(stdout, "reviews ready on http://%s\n", a)
		}})
	})
	return group.Wait()
}
