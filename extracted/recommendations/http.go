package recommendations

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/stranglerfig/toolkit/internal/web"
)

// ServiceOptions tune a Service. The zero value is fit for production.
type ServiceOptions struct {
	Log *slog.Logger // nil discards
	Bug Bug          // a fault to rehearse; empty for none
}

// A Service answers for a Store that a Feed keeps current.
type Service struct {
	store *Store
	feed  *Feed
	opts  ServiceOptions
}

// NewService returns a Service. The caller runs the feed.
func NewService(store *Store, feed *Feed, opts ServiceOptions) *Service {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{store: store, feed: feed, opts: opts}
}

// Handler serves the endpoints that left the monolith, and how the service is.
func (s *Service) Handler() http.Handler {
	r := web.NewRouter(s.opts.Log, func(context.Context) error { return nil }, s.feed.Collectors()...)
	Routes(r, s)
	return r
}

// Routes adds the endpoints to r. Its /healthz replaces that of web.NewRouter and
// tells how the feed is: the service is alive without the monolith.
func Routes(r chi.Router, s *Service) {
	r.Get("/healthz", s.health)
	r.Get("/readyz", s.readiness)
	r.Get("/api/products/{id}/recommendations", s.opts.Bug.rehearse(s.list))
}

func (s *Service) health(w http.ResponseWriter, _ *http.Request) {
	web.JSON(w, http.StatusOK, s.feed.Status())
}

func (s *Service) readiness(w http.ResponseWriter, _ *http.Request) {
	if !s.feed.Ready() {
		web.JSON(w, http.StatusServiceUnavailable, s.feed.Status())
		return
	}
	web.JSON(w, http.StatusOK, s.feed.Status())
}

// errLoading keeps half a copy from being served: the proxy falls back to the monolith.
var errLoading = web.Problemf(http.StatusServiceUnavailable, "unavailable", "the first copy of the shop's data is not complete yet")

func (s *Service) list(w http.ResponseWriter, r *http.Request) {
	if !s.feed.Ready() {
		w.Header().Set("Retry-After", "1")
		web.Fail(w, r, 0, errLoading)
		return
	}
	id, err := web.ID(r, "id")
	if err != nil {
		web.Fail(w, r, http.StatusNotFound, err)
		return
	}
	limit, err := web.Int(r, "limit", DefaultLimit, 1, MaxLimit)
	if err != nil {
		web.Fail(w, r, http.StatusUnprocessableEntity, err)
		return
	}
	items, err := s.store.For(r.Context(), id, limit)
	if err != nil {
		web.Fail(w, r, statusOf(err), err)
		return
	}
	s.opts.Bug.spoil(items)
	answer(w, r, List{ProductID: id, Items: items})
}

func statusOf(err error) int {
	if errors.Is(err, ErrNotFound) {
		return http.StatusNotFound
	}
	return http.StatusInternalServerError
}
