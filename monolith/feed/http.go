package feed

import (
	"net/http"
	"regexp"
	"strconv"

	"github.com/go-chi/chi/v5"

	"github.com/stranglerfig/toolkit/internal/instant"
	"github.com/stranglerfig/toolkit/internal/web"
)

// Routes adds the read API to r, for those who know token.
func Routes(r chi.Router, s *Store, token string) {
	h := &handler{s}
	r.Group(func(r chi.Router) {
		r.Use(web.Bearer(token))
		r.Get("/internal/changes", h.changes)
		r.Get("/internal/products", h.products)
		r.Get("/internal/products/{id}", h.product)
		r.Get("/internal/purchases", h.purchases)
		r.Get("/internal/orders/{id}/purchase", h.orderPurchase)
		r.Get("/internal/orders/purchased", h.purchased)
		r.Get("/internal/product-views", h.views)
		r.Get("/internal/catalog/categories", h.categories)
		r.Get("/internal/catalog/products", h.catalogProducts)
		r.Get("/internal/catalog/products/{id}", h.catalogProduct)
		r.Get("/internal/catalog/ratings", h.ratings)
		r.Get("/internal/reviews/{id}/product", h.reviewed)
	})
}

type handler struct{ store *Store }

// answer sends v, or what went wrong on the way to it.
func answer(w http.ResponseWriter, r *http.Request, v any, err error) {
	if err != nil {
		web.Fail(w, r, http.StatusInternalServerError, err)
		return
	}
	web.JSON(w, http.StatusOK, v)
}

// position reads the number that a reader saw last; 0 is the beginning.
func position(r *http.Request, name string) (int64, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, web.Invalid(web.Field{Name: name, Message: "must be a whole number from 0"})
	}
	return n, nil
}

// part reads after and limit.
func part(r *http.Request) (after int64, limit int, err error) {
	if after, err = position(r, "after"); err != nil {
		return 0, 0, err
	}
	limit, err = web.Int(r, "limit", DefaultLimit, 1, MaxLimit)
	return after, limit, err
}

func (h *handler) changes(w http.ResponseWriter, r *http.Request) {
	after, limit, err := part(r)
	if err != nil {
		answer(w, r, nil, err)
		return
	}
	changes, err := h.store.Changes(r.Context(), after, limit)
	answer(w, r, changes, err)
}

func (h *handler) products(w http.ResponseWriter, r *http.Request) {
	after, limit, err := part(r)
	if err != nil {
		answer(w, r, nil, err)
		return
	}
	list, err := h.store.Products(r.Context(), after, limit)
	answer(w, r, web.NewList(list), err)
}

func (h *handler) product(w http.ResponseWriter, r *http.Request) {
	id, err := web.ID(r, "id")
	if err != nil {
		answer(w, r, nil, err)
		return
	}
	product, err := h.store.Product(r.Context(), id)
	answer(w, r, product, err)
}

func (h *handler) purchases(w http.ResponseWriter, r *http.Request) {
	after, limit, err := part(r)
	if err != nil {
		answer(w, r, nil, err)
		return
	}
	list, err := h.store.Purchases(r.Context(), after, limit)
	answer(w, r, web.NewList(list), err)
}

func (h *handler) orderPurchase(w http.ResponseWriter, r *http.Request) {
	id, err := web.ID(r, "id")
	if err != nil {
		answer(w, r, nil, err)
		return
	}
	purchase, err := h.store.OrderPurchase(r.Context(), id)
	answer(w, r, purchase, err)
}

// purchased answers one question about orders without showing any: did this user buy
// this product?
func (h *handler) purchased(w http.ResponseWriter, r *http.Request) {
	user, err := position(r, "user")
	if err != nil {
		answer(w, r, nil, err)
		return
	}
	product, err := position(r, "product")
	if err != nil {
		answer(w, r, nil, err)
		return
	}
	is, err := h.store.Purchased(r.Context(), user, product)
	answer(w, r, Bought{user, product, is}, err)
}

var dayForm = regexp.MustCompile(`^(\d{4}-\d{2}-\d{2})?$`)

func (h *handler) views(w http.ResponseWriter, r *http.Request) {
	since, err := position(r, "since")
	if err != nil {
		answer(w, r, nil, err)
		return
	}
	product, err := position(r, "after_product")
	if err != nil {
		answer(w, r, nil, err)
		return
	}
	limit, err := web.Int(r, "limit", DefaultLimit, 1, MaxLimit)
	if err != nil {
		answer(w, r, nil, err)
		return
	}
	day := r.URL.Query().Get("after_day")
	if !dayForm.MatchString(day) {
		answer(w, r, nil, web.Invalid(web.Field{Name: "after_day", Message: "must look like 2026-01-31"}))
		return
	}
	views, err := h.store.Views(r.Context(), ViewPosition{instant.Instant(since), product, day}, limit)
	answer(w, r, views, err)
}
