package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/stranglerfig/toolkit/internal/program"
)

// ServeOptions tune Serve. The zero value is fit for production.
type ServeOptions struct {
	Log      *slog.Logger   // nil discards
	Listener net.Listener   // from Listen, to find a taken port before anything is changed; nil listens on addr
	Ready    func(net.Addr) // called once the server accepts connections
	Drain    time.Duration  // how long requests in flight may take to end; 0 means 10 s
}

// Listen listens on addr (host:port, port 0 picks one) or explains why it cannot.
func Listen(ctx context.Context, addr string) (net.Listener, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, program.Listen(addr, err)
	}
	return listener, nil
}

// Serve listens on addr (host:port, port 0 picks one) and serves handler until ctx
// ends; then it stops accepting, lets the requests in flight end, and returns nil.
func Serve(ctx context.Context, addr string, handler http.Handler, opts ServeOptions) error {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Drain == 0 {
		opts.Drain = 10 * time.Second
	}
	listener := opts.Listener
	if listener == nil {
		var err error
		if listener, err = Listen(ctx, addr); err != nil {
			return err
		}
	}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(opts.Log.Handler(), slog.LevelWarn),
	}
	if opts.Ready != nil {
		opts.Ready(listener.Addr())
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve %s: %w", addr, err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), opts.Drain)
	defer cancel()
	err := server.Shutdown(stop)
	if errors.Is(err, context.DeadlineExceeded) {
		_ = server.Close() // what did not end in time is cut off
		return fmt.Errorf("stop: requests were still in flight after %s", opts.Drain)
	}
	// Serve has returned as soon as Shutdown began; any other word of it is news.
	if serveErr := <-served; !errors.Is(serveErr, http.ErrServerClosed) {
		err = errors.Join(err, serveErr)
	}
	return err
}
