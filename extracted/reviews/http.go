package reviews

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/stranglerfig/toolkit/internal/web"
)

// Routes adds the endpoints of reviews to r.
func Routes(r chi.Router, s *Service) {
	h := &handler{s}
	for _, get := range []func(string, http.HandlerFunc){r.Get, r.Head} {
		get("/api/products/{id}/reviews", h.whenBegun(h.list))
		get("/api/products/{id}/reviews/{review}", h.whenBegun(h.review))
	}
	r.Post("/api/products/{id}/reviews", h.create)
}

// Internal adds to r, which must be for the monolith only, what that asks while the
// service owns the reviews.
func Internal(r chi.Router, s *Service) {
	h := &handler{s}
	r.Get("/internal/products/{id}/reviews", h.entries)
	r.Post("/internal/products/{id}/reviews", h.createFor)
	r.Get("/internal/products/{id}/reviews/by/{user}", h.reviewed)
	r.Get("/internal/reviews/average", h.average)
	r.Get("/internal/reviews/{id}", h.entry)
	r.Post("/internal/settle", h.settle)
}

type handler struct{ service *Service }

func fail(w http.ResponseWriter, r *http.Request, err error) {
	web.Fail(w, r, http.StatusInternalServerError, err)
}

// whenBegun keeps an empty table from being shown: as long as no split has begun to
// fill it the answer is 503, at which a proxy falls back to the monolith.
func (h *handler) whenBegun(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		begun, err := h.service.store.Begun(r.Context())
		if err == nil && !begun {
			err = ErrNotOwner
		}
		if err != nil {
			w.Header().Set("Retry-After", "1")
			fail(w, r, err)
			return
		}
		next(w, r)
	}
}

func (h *handler) list(w http.ResponseWriter, r *http.Request) {
	id, err := web.ID(r, "id")
	if err != nil {
		fail(w, r, err)
		return
	}
	paging, err := web.PagingOf(r, 10)
	if err != nil {
		fail(w, r, err)
		return
	}
	page, err := h.service.List(r.Context(), id, paging)
	if err != nil {
		fail(w, r, err)
		return
	}
	web.JSON(w, http.StatusOK, page)
}

func (h *handler) review(w http.ResponseWriter, r *http.Request) {
	product, err := web.ID(r, "id")
	if err != nil {
		fail(w, r, err)
		return
	}
	id, err := web.ID(r, "review")
	if err != nil {
		fail(w, r, err)
		return
	}
	review, err := h.service.Review(r.Context(), product, id)
	if err != nil {
		fail(w, r, err)
		return
	}
	web.JSON(w, http.StatusOK, review)
}

func (h *handler) create(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	user, err := h.service.SignedIn(r.Context(), sessionToken(r))
	if err != nil {
		fail(w, r, err)
		return
	}
	product, err := web.ID(r, "id")
	if err != nil {
		fail(w, r, err)
		return
	}
	var req Draft
	if err := web.Decode(w, r, &req); err != nil {
		fail(w, r, err)
		return
	}
	review, err := h.service.Create(r.Context(), product, user, req)
	if err != nil {
		fail(w, r, err)
		return
	}
	w.Header().Set("Location", fmt.Sprintf("/api/products/%d/reviews/%d", product, review.ID))
	web.JSON(w, http.StatusCreated, review)
}

// sessionToken returns the token in the monolith's cookie, or "".
func sessionToken(r *http.Request) string {
	cookie, err := r.Cookie("session")
	if err != nil {
		return ""
	}
	return cookie.Value
}

func (h *handler) entries(w http.ResponseWriter, r *http.Request) {
	id, err := web.ID(r, "id")
	if err != nil {
		fail(w, r, err)
		return
	}
	paging, err := web.PagingOf(r, 10)
	if err != nil {
		fail(w, r, err)
		return
	}
	list, err := h.service.store.List(r.Context(), id, paging)
	if err != nil {
		fail(w, r, err)
		return
	}
	web.JSON(w, http.StatusOK, list)
}

// createFor adds a review on behalf of a user whom the monolith has recognised.
func (h *handler) createFor(w http.ResponseWriter, r *http.Request) {
	product, err := web.ID(r, "id")
	if err != nil {
		fail(w, r, err)
		return
	}
	var req struct {
		Draft
		UserID int64  `json:"user_id"`
		Author string `json:"author"`
	}
	if err := web.Decode(w, r, &req); err != nil {
		fail(w, r, err)
		return
	}
	review, err := h.service.Create(r.Context(), product, User{req.UserID, req.Author}, req.Draft)
	if err != nil {
		fail(w, r, err)
		return
	}
	web.JSON(w, http.StatusCreated, review)
}

func (h *handler) reviewed(w http.ResponseWriter, r *http.Request) {
	product, err := web.ID(r, "id")
	if err != nil {
		fail(w, r, err)
		return
	}
	user, err := web.ID(r, "user")
	if err != nil {
		fail(w, r, err)
		return
	}
	is, err := h.service.store.Reviewed(r.Context(), product, user)
	if err != nil {
		fail(w, r, err)
		return
	}
	web.JSON(w, http.StatusOK, map[string]bool{"reviewed": is})
}

func (h *handler) average(w http.ResponseWriter, r *http.Request) {
	mean, err := h.service.store.Average(r.Context())
	if err != nil {
		fail(w, r, err)
		return
	}
	web.JSON(w, http.StatusOK, map[string]float64{"average_rating": mean})
}

func (h *handler) entry(w http.ResponseWriter, r *http.Request) {
	id, err := web.ID(r, "id")
	if err != nil {
		fail(w, r, err)
		return
	}
	e, err := h.service.store.Review(r.Context(), id)
	if err != nil {
		fail(w, r, err)
		return
	}
	web.JSON(w, http.StatusOK, e)
}

// settleTimeout bounds how long the monolith waits for the service to catch up.
const settleTimeout = 5 * time.Second

func (h *handler) settle(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), settleTimeout)
	defer cancel()
	if err := h.service.Settle(ctx); err != nil {
		web.Fail(w, r, http.StatusServiceUnavailable, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
