package recommendations

import (
	"log/slog"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/stranglerfig/toolkit/internal/follow"
)

// ServiceOptions tune Handler. The zero value is fit for production.
type ServiceOptions struct {
	Log *slog.Logger // nil discards
	Bug Bug          // a fault to rehearse; empty for none
}

// Handler serves what left the monolith out of store, and how feed is. The caller
// runs the feed.
func Handler(store *Store, feed *follow.Feed, opts ServiceOptions) http.Handler {
	r := feed.NewRouter(opts.Log)
	r.Group(func(r chi.Router) {
		r.Use(feed.OnlyWhenReady)
		Routes(r, store, opts.Bug)
	})
	return r
}
