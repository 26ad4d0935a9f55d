package inventory

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/stranglerfig/toolkit/internal/web"
	"github.com/stranglerfig/toolkit/monolith/identity"
)

// Routes adds the endpoints of the inventory to r.
func Routes(r chi.Router, s *Store) {
	h := &handler{s}
	r.Get("/api/products/{id}/stock", h.stock)
	r.Group(func(r chi.Router) {
		r.Use(identity.Admin)
		r.Post("/api/admin/products/{id}/stock", h.adjust)
		r.Get("/api/admin/products/{id}/movements", h.movements)
	})
}

type handler struct{ store *Store }

func fail(w http.ResponseWriter, r *http.Request, err error) {
	web.Fail(w, r, http.StatusInternalServerError, err)
}

func (h *handler) stock(w http.ResponseWriter, r *http.Request) {
	id, err := web.ID(r, "id")
	if err != nil {
		fail(w, r, err)
		return
	}
	stock, err := h.store.Stock(r.Context(), id)
	if err != nil {
		fail(w, r, err)
		return
	}
	web.JSON(w, http.StatusOK, stock)
}

func (h *handler) adjust(w http.ResponseWriter, r *http.Request) {
	id, err := web.ID(r, "id")
	if err != nil {
		fail(w, r, err)
		return
	}
	var req Correction
	if err := web.Decode(w, r, &req); err != nil {
		fail(w, r, err)
		return
	}
	shelf, err := h.store.Adjust(r.Context(), id, req)
	if err != nil {
		fail(w, r, err)
		return
	}
	web.JSON(w, http.StatusOK, shelf)
}

func (h *handler) movements(w http.ResponseWriter, r *http.Request) {
	id, err := web.ID(r, "id")
	if err != nil {
		fail(w, r, err)
		return
	}
	list, err := h.store.Movements(r.Context(), id)
	if err != nil {
		fail(w, r, err)
		return
	}
	web.JSON(w, http.StatusOK, web.NewList(list))
}
