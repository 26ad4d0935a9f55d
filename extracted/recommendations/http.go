package recommendations

import (
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/stranglerfig/toolkit/internal/web"
)

// Routes adds the endpoint of recommendations to r; bug is a fault to rehearse, or
// empty.
func Routes(r chi.Router, s *Store, bug Bug) {
	h := &handler{s, bug}
	r.Get("/api/products/{id}/recommendations", bug.rehearse(h.list))
	r.Head("/api/products/{id}/recommendations", bug.rehearse(h.list))
}

type handler struct {
	store *Store
	bug   Bug
}

func (h *handler) list(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Vary", "Accept")
	id, err := web.ID(r, "id")
	if err != nil {
		web.Fail(w, r, 0, err)
		return
	}
	limit, err := web.Int(r, "limit", DefaultLimit, 1, MaxLimit)
	if err != nil {
		web.Fail(w, r, 0, err)
		return
	}
	list, err := h.store.For(r.Context(), id, limit)
	if err != nil {
		web.Fail(w, r, http.StatusInternalServerError, err)
		return
	}
	h.bug.spoil(list.Items)
	if !wantsHTML(r) {
		web.JSON(w, http.StatusOK, list)
		return
	}
	fragment, err := list.HTML()
	if err != nil {
		web.Fail(w, r, http.StatusInternalServerError, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(fragment)))
	w.Header().Set("X-Fragment", "recommendations")
	w.Write([]byte(fragment)) //nolint:errcheck // the client is gone
}

// wantsHTML reports whether the client names text/html, and not JSON before it.
func wantsHTML(r *http.Request) bool {
	best := map[string]float64{}
	for kind := range strings.SplitSeq(r.Header.Get("Accept"), ",") {
		name, params, err := mime.ParseMediaType(kind)
		if err != nil {
			continue
		}
		quality := 1.0
		if q, err := strconv.ParseFloat(params["q"], 64); err == nil {
			quality = q
		}
		best[name] = max(best[name], quality)
	}
	return best["text/html"] > 0 && best["text/html"] >= best["application/json"]
}
