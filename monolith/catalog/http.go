package catalog

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/stranglerfig/toolkit/internal/web"
	"github.com/stranglerfig/toolkit/monolith/identity"
)

// A ViewCounter is told which products customers look at.
type ViewCounter interface {
	Viewed(productID int64)
}

// Routes adds the endpoints of the catalog to r; views counts who looks.
func Routes(r chi.Router, s *Store, views ViewCounter) {
	h := &handler{s, views}
	r.Get("/api/categories", h.categories)
	r.Get("/api/products", h.list)
	r.Get("/api/products/{id}", h.product)
	r.Group(func(r chi.Router) {
		r.Use(identity.Admin)
		r.Get("/api/admin/products", h.managedList)
		r.Post("/api/admin/products", h.create)
		r.Patch("/api/admin/products/{id}", h.update)
		r.Delete("/api/admin/products/{id}", h.delete)
	})
}

type handler struct {
	store *Store
	views ViewCounter
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
	h.views.Viewed(id)
	w.Header().Set("Cache-Control", "no-cache") // keep it, but ask each time
	if web.NotModified(w, r, product.ETag()) {
		return
	}
	web.JSON(w, http.StatusOK, product)
}

func (h *handler) managedList(w http.ResponseWriter, r *http.Request) {
	paging, err := web.PagingOf(r, 24)
	if err != nil {
		fail(w, r, err)
		return
	}
	page, err := h.store.ManagedList(r.Context(), r.URL.Query().Get("q"), paging)
	if err != nil {
		fail(w, r, err)
		return
	}
	web.JSON(w, http.StatusOK, page)
}

func (h *handler) create(w http.ResponseWriter, r *http.Request) {
	var req Draft
	if err := web.Decode(w, r, &req); err != nil {
		fail(w, r, err)
		return
	}
	product, err := h.store.Create(r.Context(), req)
	if err != nil {
		fail(w, r, err)
		return
	}
	w.Header().Set("Location", fmt.Sprintf("/api/products/%d", product.ID))
	web.JSON(w, http.StatusCreated, product)
}

func (h *handler) update(w http.ResponseWriter, r *http.Request) {
	id, err := web.ID(r, "id")
	if err != nil {
		fail(w, r, err)
		return
	}
	version, err := ifMatch(r)
	if err != nil {
		fail(w, r, err)
		return
	}
	var req Draft
	if err := web.Decode(w, r, &req); err != nil {
		fail(w, r, err)
		return
	}
	product, err := h.store.Update(r.Context(), id, req, version)
	if err != nil {
		fail(w, r, err)
		return
	}
	w.Header().Set("ETag", product.ETag())
	web.JSON(w, http.StatusOK, product)
}

// ifMatch returns the version that the client's If-Match names, by an ETag of the
// product or by the bare number, and 0 if any version will do. What is neither
// cannot be the current version.
func ifMatch(r *http.Request) (int64, error) {
	header := strings.TrimSpace(r.Header.Get("If-Match"))
	if header == "" || header == "*" {
		return 0, nil
	}
	number, _, _ := strings.Cut(strings.Trim(strings.TrimPrefix(header, "W/"), `"`), "-")
	version, err := strconv.ParseInt(number, 10, 64)
	if err != nil || version < 1 {
		return 0, ErrOtherVersion
	}
	return version, nil
}

func (h *handler) delete(w http.ResponseWriter, r *http.Request) {
	id, err := web.ID(r, "id")
	if err != nil {
		fail(w, r, err)
		return
	}
	if err := h.store.Delete(r.Context(), id); err != nil {
		fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
