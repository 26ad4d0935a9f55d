package reviews

import (
	"fmt"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/stranglerfig/toolkit/internal/web"
	"github.com/stranglerfig/toolkit/monolith/identity"
)

// Routes adds the endpoints of reviews to r.
func Routes(r chi.Router, s *Store) {
	h := &handler{s}
	r.Get("/api/products/{id}/reviews", h.list)
	r.With(identity.SignedIn).Post("/api/products/{id}/reviews", h.create)
	r.Get("/api/products/{id}/reviews/{review}", h.review)
}

// Internal adds to r, which must be for services only, what the reviews service tells.
func Internal(r chi.Router, s *Store) {
	h := &handler{s}
	r.Post("/internal/reviews/changes", h.changed)
}

type handler struct{ store *Store }

func fail(w http.ResponseWriter, r *http.Request, err error) {
	web.Fail(w, r, http.StatusInternalServerError, err)
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
	page, err := h.store.List(r.Context(), id, paging)
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
	review, err := h.store.Review(r.Context(), product, id)
	if err != nil {
		fail(w, r, err)
		return
	}
	web.JSON(w, http.StatusOK, review)
}

func (h *handler) create(w http.ResponseWriter, r *http.Request) {
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
	user, _ := identity.Current(r.Context())
	review, err := h.store.Create(r.Context(), product, user, req)
	if err != nil {
		fail(w, r, err)
		return
	}
	w.Header().Set("Location", fmt.Sprintf("/api/products/%d/reviews/%d", product, review.ID))
	web.JSON(w, http.StatusCreated, review)
}

func (h *handler) changed(w http.ResponseWriter, r *http.Request) {
	var c Change
	if err := web.Decode(w, r, &c); err != nil {
		fail(w, r, err)
		return
	}
	if err := h.store.Changed(r.Context(), c); err != nil {
		fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
