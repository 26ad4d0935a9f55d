package follow

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/stranglerfig/toolkit/internal/web"
)

// NewRouter returns web's router with the metrics of s and with GET /healthz and
// /readyz telling how the copy is. A nil log discards.
func (s *State) NewRouter(log *slog.Logger) chi.Router {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	r := web.NewRouter(log, func(context.Context) error { return nil }, s.Collectors()...)
	// Without the monolith the service is alive: its health tells more than web's does.
	r.Get("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		web.JSON(w, http.StatusOK, s.Status())
	})
	r.Get("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		status := http.StatusOK
		if !s.Ready() {
			status = http.StatusServiceUnavailable
		}
		web.JSON(w, status, s.Status())
	})
	return r
}

// OnlyWhenReady keeps half a copy from being served: until it is complete the answer
// is 503, at which the proxy falls back to the monolith.
func (s *State) OnlyWhenReady(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.Ready() {
			w.Header().Set("Retry-After", "1")
			web.Fail(w, r, 0, web.Problemf(http.StatusServiceUnavailable, "unavailable", "the first copy of the shop's data is not complete yet"))
			return
		}
		next.ServeHTTP(w, r)
	})
}
