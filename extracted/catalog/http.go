package catalog

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/stranglerfig/toolkit/internal/web"
)

// Routes adds the endpoints of the catalog to r; bug is a fault to rehearse, or empty.
func Routes(r chi.Router, s *Store, bug Bug) {
	h := &handler{s, bug}
	get := func(path string, handle http.HandlerFunc) {
		r.Get(path, bug.rehearse(handle))
		r.Head(path, bug.rehearse(handle))
	}
	get("/api/categories", h.categories)
	get("/api/products", h.list)
	get("/api/products/{id}", h.product)
}

type handler struct {
	store *Store
	bug   Bug
}

func fail(w http.ResponseWriter, r *http.Request, err error) {
	web.Fail(w, r, http.StatusInternalServerError, err)
}

func (h *handler) categories(w http.ResponseWriter, r *http.Request) {
	list, err := h.store.Categories(r.Context())
	if err != nil {
		fail(w, r, err)
		return
	}
	web.JSON(w, http.StatusOK, web.NewList(list))
}

func (h *handler) list(w http.ResponseWriter, r *http.Request) {
	paging, err := web.PagingOf(r, 24)
	if err != nil {
		fail(w, r, err)
		return
	}
	query := r.URL.Query()
	page, err := h.store.List(r.Context(), Query{
		Text: query.Get("q"), Category: query.Get("category"), Sort: query.Get("sort"), Page: paging,
	})
	if err != nil {
		fail(w, r, err)
		return
	}
	h.bug.spoilPage(page.Items)
	web.JSON(w, http.StatusOK, page)
}

func (h *handler) product(w http.ResponseWriter, r *http.Request) {
	id, err := web.ID(r, "id")
	if err != nil {
		fail(w, r, err)
		return
	}
	product, err := h.store.Product(r.Context(), id)
	if err != nil {
		fail(w, r, err)
		return
	}
	h.bug.spoil(&product.Summary)
	w.Header().Set("Cache-Control", "no-cache") // keep it, but ask each time
	if web.NotModified(w, r, product.ETag()) {
		return
	}
	web.JSON(w, http.StatusOK, product)
}
