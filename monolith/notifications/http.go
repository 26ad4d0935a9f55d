package notifications

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/stranglerfig/toolkit/internal/web"
	"github.com/stranglerfig/toolkit/monolith/identity"
)

// Routes adds the endpoints of notifications to r.
func Routes(r chi.Router, s *Store) {
	h := &handler{s}
	r.With(identity.SignedIn).Get("/api/notifications", h.list)
}

type handler struct{ store *Store }

func (h *handler) list(w http.ResponseWriter, r *http.Request) {
	paging, err := web.PagingOf(r, 20)
	if err != nil {
		web.Fail(w, r, 0, err)
		return
	}
	user, _ := identity.Current(r.Context())
	page, err := h.store.List(r.Context(), user.ID, paging)
	if err != nil {
		web.Fail(w, r, http.StatusInternalServerError, err)
		return
	}
	web.JSON(w, http.StatusOK, page)
}
