package catalog

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/stranglerfig/toolkit/internal/web"
)

// ServiceOptions tune Handler. The zero value is fit for production.
type ServiceOptions struct {
	Log *slog.Logger // nil discards
	Bug Bug          // a fault to rehearse; empty for none
}

// Handler serves what left the monolith out of store, and how feed is. The caller
// runs the feed.
func Handler(store *Store, feed *Feed, opts ServiceOptions) http.Handler {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	r := web.NewRouter(opts.Log, func(context.Context) error { return nil }, feed.Collectors()...)
	// Without the monolith the service is alive: its health tells more than web's does.
	r.Get("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		web.JSON(w, http.StatusOK, feed.Status())
	})
	r.Get("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		status := http.StatusOK
		if !feed.Ready() {
			status = http.StatusServiceUnavailable
		}
		web.JSON(w, status, feed.Status())
	})
	r.Group(func(r chi.Router) {
		r.Use(onlyWhenReady(feed))
		Routes(r, store, opts.Bug)
	})
	return r
}

// errLoading keeps half a copy from being served: the proxy falls back to the monolith.
var errLoading = web.Problemf(http.StatusServiceUnavailable, "unavailable", "the first copy of the shop's data is not complete yet")

func onlyWhenReady(feed *Feed) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !feed.Ready() {
				w.Header().Set("Retry-After", "1")
				web.Fail(w, r, 0, errLoading)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}
