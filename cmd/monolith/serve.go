package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/internal/service"
	"github.com/stranglerfig/toolkit/internal/sqlite"
	"github.com/stranglerfig/toolkit/internal/web"
	"github.com/stranglerfig/toolkit/monolith"
	"github.com/stranglerfig/toolkit/monolith/identity"
	"github.com/stranglerfig/toolkit/monolith/seed"
)

type serveFlags struct {
	addr, db, sink, ledger string
	reviews                string
	logFormat, logLevel    string
	passwordMemory         int    // KiB
	seedScale              int    // 0: leave an empty shop empty
	secret, token          string // from the environment
}

func serveCommand(getenv func(string) string) *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use: "serve", Short: "Serve the shop", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f.secret, f.token = getenv("SHOP_WEBHOOK_SECRET"), getenv("SHOP_INTERNAL_TOKEN")
			return serve(cmd.Context(), f, cmd.OutOrStdout())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.addr, "addr", "127.0.0.1:9000", "`host:port` to listen on; port 0 picks one")
	flags.StringVar(&f.db, "db", defaultDB, "database `file`")
	flags.StringVar(&f.sink, "notifications", defaultSink, "`file` that notifications are delivered to")
	flags.StringVar(&f.ledger, "ledger", "", "`file` in which the payment provider remembers (default: the database's name with .ledger)")
	flags.StringVar(&f.reviews, "reviews", "http://127.0.0.1:9003", "`URL` of the service that may own the reviews one day; asked only once it does")
	flags.IntVar(&f.seedScale, "seed-scale", 0, "fill an empty shop: `scale` 1 is 200 products, 100 is 20,000")
	flags.IntVar(&f.passwordMemory, "password-memory", identity.DefaultMemory, "`KiB` that the hash of a new password takes; less is for tests, which make many")
	flags.StringVar(&f.logFormat, "log-format", "auto", "text, json, or auto: text on a terminal")
	flags.StringVar(&f.logLevel, "log-level", "info", "debug, info, warn or error")
	return cmd
}

// The bounds of --password-memory in KiB: what the algorithm needs, and 1 GiB.
const (
	leastPasswordMemory = 8
	mostPasswordMemory  = 1 << 20
)

// heapLimit makes the collector work before the garbage of password hashes, 19 MiB
// each, piles up. It is no hard limit; the variable GOMEMLIMIT overrides it.
const heapLimit = 80 << 20

func serve(ctx context.Context, f serveFlags, stdout io.Writer) (err error) {
	log, err := program.Logger(os.Stderr, f.logFormat, f.logLevel)
	if err != nil {
		return err
	}
	if err := (seed.Options{Scale: f.seedScale}).Check(); err != nil {
		return err
	}
	if f.passwordMemory < leastPasswordMemory || f.passwordMemory > mostPasswordMemory {
		return service.Usage(owner, fmt.Errorf("--password-memory %d: must be from %d to %d", f.passwordMemory, leastPasswordMemory, mostPasswordMemory))
	}
	if debug.SetMemoryLimit(-1) == math.MaxInt64 { // not set by GOMEMLIMIT
		debug.SetMemoryLimit(heapLimit)
	}
	listener, err := web.Listen(ctx, f.addr) // first of all: a taken port changes nothing
	if err != nil {
		return err
	}
	defer listener.Close()
	warnOfDefaults(log, listener.Addr(), f)
	db, err := service.Open(ctx, owner, f.db, defaultDB)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := seedIfEmpty(ctx, db, f.seedScale); err != nil {
		return err
	}
	if err := service.MakeDefaultFolder(f.sink, defaultSink); err != nil {
		return err
	}
	shop, err := monolith.New(db, monolith.Options{
		PasswordMemory: f.passwordMemory,
		Log:            log, WebhookSecret: f.secret, InternalToken: f.token,
		Sink: f.sink, Ledger: cmp.Or(f.ledger, f.db+".ledger"), ReviewsURL: f.reviews,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, shop.Close()) }()
	return runUntil(ctx, shop, func(ctx context.Context) error {
		return web.Serve(ctx, f.addr, shop.Handler(), web.ServeOptions{
			Log: log, Listener: listener,
			Ready: func(a net.Addr) { fmt.Fprintf(stdout, "monolith ready on http://%s\n", a) },
		})
	})
}

func seedIfEmpty(ctx context.Context, db *sqlite.DB, scale int) error {
	if scale == 0 {
		return nil
	}
	err := seed.Run(ctx, db, seed.Options{Scale: scale})
	if errors.Is(err, seed.ErrNotEmpty) {
		return nil
	}
	return err
}

// runUntil runs what the shop does by itself until serve returns, so that what the
// last requests left is still taken care of. A shop that does nothing by itself any
// more stops serving, too.
func runUntil(ctx context.Context, shop *monolith.Shop, serve func(context.Context) error) error {
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ctx, stopServing := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		defer stopServing()
		ended <- shop.Run(background)
	}()
	err := serve(ctx)
	stop()
	return errors.Join(err, <-ended)
}

// warnOfDefaults says so when secrets that everybody knows are reachable from afar.
func warnOfDefaults(log *slog.Logger, addr net.Addr, f serveFlags) {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok || tcp.IP.IsLoopback() {
		return
	}
	for name, value := range map[string]string{"SHOP_WEBHOOK_SECRET": f.secret, "SHOP_INTERNAL_TOKEN": f.token} {
		if value == "" {
			log.Warn("a secret that everybody knows is in use", "set", name, "address", addr.String())
		}
	}
}
