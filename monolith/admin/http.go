package admin

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/stranglerfig/toolkit/internal/web"
	"github.com/stranglerfig/toolkit/monolith/identity"
)

// Routes adds the back office's endpoints to r, behind identity's sessions.
func Routes(r chi.Router, s *Store) {
	h := handler{s}
	r = r.With(identity.Admin)
	r.Get("/api/admin/orders", h.orders)
	r.Get("/api/admin/dashboard", h.dashboard)
	r.Get("/api/admin/audit", h.audit)
}

type handler struct{ office *Store }

func (h handler) orders(w http.ResponseWriter, r *http.Request) {
	paging, err := web.PagingOf(r, 20)
	if err != nil {
		web.Fail(w, r, http.StatusUnprocessableEntity, err)
		return
	}
	page, err := h.office.Orders(r.Context(), r.URL.Query().Get("status"), paging)
	if err != nil {
		web.Fail(w, r, http.StatusInternalServerError, err)
		return
	}
	web.JSON(w, http.StatusOK, page)
}

func (h handler) dashboard(w http.ResponseWriter, r *http.Request) {
	d, err := h.office.Dashboard(r.Context())
	if err != nil {
		web.Fail(w, r, http.StatusInternalServerError, err)
		return
	}
	web.JSON(w, http.StatusOK, d)
}

func (h handler) audit(w http.ResponseWriter, r *http.Request) {
	paging, err := web.PagingOf(r, 50)
	if err != nil {
		web.Fail(w, r, http.StatusUnprocessableEntity, err)
		return
	}
	query := r.URL.Query()
	page, err := h.office.Audit(r.Context(), query.Get("entity"), query.Get("entity_id"), paging)
	if err != nil {
		web.Fail(w, r, http.StatusInternalServerError, err)
		return
	}
	web.JSON(w, http.StatusOK, page)
}
