package service

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"github.com/stranglerfig/toolkit/internal/peer"
	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/internal/sqlite"
	"github.com/stranglerfig/toolkit/internal/web"
)

// devToken is the monolith's token where nobody has set one.
const devToken = "dev-internal-token"

// Beside are the flags of a service that runs beside the monolith and asks it.
type Beside struct {
	Monolith string        // its address
	Refresh  time.Duration // pause between two looks at it
	Token    string        // that it asks for; from the environment, not a flag

	addr, db, logFormat, logLevel string
	defaultDB                     string
}

// Add adds the flags.
func (b *Beside) Add(flags *pflag.FlagSet, defaultAddr, defaultDB string) {
	b.defaultDB = defaultDB
	flags.StringVar(&b.addr, "addr", defaultAddr, "`host:port` to listen on; port 0 picks one")
	flags.StringVar(&b.db, "db", defaultDB, "database `file`")
	flags.StringVar(&b.Monolith, "monolith", "http://127.0.0.1:9000", "`URL` of the monolith")
	flags.DurationVar(&b.Refresh, "refresh", time.Second, "pause between two looks at the monolith")
	flags.StringVar(&b.logFormat, "log-format", "auto", "text, json, or auto: text on a terminal")
	flags.StringVar(&b.logLevel, "log-level", "info", "debug, info, warn or error")
}

// A Service is what Serve runs.
type Service struct {
	Run     func(ctx context.Context) error // until ctx ends
	Handler http.Handler
}

// Serve opens the database of owner, makes the service with it and runs it until ctx
// ends.
func (b *Beside) Serve(ctx context.Context, owner string, stdout io.Writer, build func(*sqlite.DB, *slog.Logger) (Service, error)) error {
	log, err := program.Logger(os.Stderr, b.logFormat, b.logLevel)
	if err != nil {
		return err
	}
	if _, err := peer.Address("monolith", b.Monolith); err != nil {
		return Usage(owner, fmt.Errorf("--monolith: %w", err))
	}
	if b.Refresh <= 0 {
		return Usage(owner, fmt.Errorf("--refresh %s: must be more than nothing", b.Refresh))
	}
	listener, err := web.Listen(ctx, b.addr) // first of all: a taken port changes nothing
	if err != nil {
		return err
	}
	defer listener.Close()
	db, err := Open(ctx, owner, b.db, b.defaultDB)
	if err != nil {
		return err
	}
	defer db.Close()
	b.Token = cmp.Or(b.Token, devToken)
	s, err := build(db, log)
	if err != nil {
		return Usage(owner, fmt.Errorf("--monolith: %w", err))
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.Run(ctx) })
	group.Go(func() error {
		return web.Serve(ctx, b.addr, s.Handler, web.ServeOptions{Log: log, Listener: listener, Ready: func(a net.Addr) {
			fmt.Fprintf(stdout, "%s ready on http://%s\n", owner, a)
		}})
	})
	return group.Wait()
}
