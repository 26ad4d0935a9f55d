package cart

import (
	"cmp"
	"fmt"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/stranglerfig/toolkit/internal/web"
	"github.com/stranglerfig/toolkit/monolith/identity"
	"github.com/stranglerfig/toolkit/monolith/pricing"
)

// Routes adds the carts' endpoints to r, behind identity's sessions.
func Routes(r chi.Router, s *Store) {
	h := handler{s}
	r.Post("/api/carts", h.open)
	r.Get("/api/carts/{id}", h.get)
	r.Post("/api/carts/{id}/items", h.add)
	r.Patch("/api/carts/{id}/items/{item}", h.setQty)
	r.Delete("/api/carts/{id}/items/{item}", h.remove)
	r.Post("/api/carts/{id}/coupon", h.setCoupon)
	r.Delete("/api/carts/{id}/coupon", h.dropCoupon)
	r.Get("/api/carts/{id}/quote", h.quote)
}

type handler struct{ carts *Store }

func (h handler) open(w http.ResponseWriter, r *http.Request) {
	cart, created, err := h.carts.Open(r.Context(), userID(r))
	status := http.StatusOK
	if created {
		status = http.StatusCreated
		w.Header().Set("Location", "/api/carts/"+cart.ID)
	}
	answer(w, r, status, cart, err)
}

func (h handler) get(w http.ResponseWriter, r *http.Request) {
	cart, err := h.carts.Cart(r.Context(), chi.URLParam(r, "id"), userID(r))
	answer(w, r, http.StatusOK, cart, err)
}

func (h handler) add(w http.ResponseWriter, r *http.Request) {
	var req struct {
		ProductID int64 `json:"product_id"`
		Qty       int64 `json:"qty"`
	}
	if err := web.Decode(w, r, &req); err != nil {
		web.Fail(w, r, http.StatusBadRequest, err)
		return
	}
	cart, item, err := h.carts.Add(r.Context(), chi.URLParam(r, "id"), userID(r), req.ProductID, req.Qty)
	if err == nil {
		w.Header().Set("Location", fmt.Sprintf("/api/carts/%s/items/%d", cart.ID, item))
	}
	answer(w, r, http.StatusCreated, cart, err)
}

func (h handler) setQty(w http.ResponseWriter, r *http.Request) {
	item, err := web.ID(r, "item")
	if err != nil {
		web.Fail(w, r, http.StatusNotFound, err)
		return
	}
	var req struct {
		Qty int64 `json:"qty"`
	}
	if err := web.Decode(w, r, &req); err != nil {
		web.Fail(w, r, http.StatusBadRequest, err)
		return
	}
	cart, err := h.carts.SetQty(r.Context(), chi.URLParam(r, "id"), userID(r), item, req.Qty)
	answer(w, r, http.StatusOK, cart, err)
}

func (h handler) remove(w http.ResponseWriter, r *http.Request) {
	item, err := web.ID(r, "item")
	if err != nil {
		web.Fail(w, r, http.StatusNotFound, err)
		return
	}
	cart, err := h.carts.Remove(r.Context(), chi.URLParam(r, "id"), userID(r), item)
	answer(w, r, http.StatusOK, cart, err)
}

func (h handler) setCoupon(w http.ResponseWriter, r *http.Request) {
	var req struct {
		Code string `json:"code"`
	}
	if err := web.Decode(w, r, &req); err != nil {
		web.Fail(w, r, http.StatusBadRequest, err)
		return
	}
	cart, err := h.carts.SetCoupon(r.Context(), chi.URLParam(r, "id"), userID(r), req.Code)
	answer(w, r, http.StatusOK, cart, err)
}

func (h handler) dropCoupon(w http.ResponseWriter, r *http.Request) {
	cart, err := h.carts.DropCoupon(r.Context(), chi.URLParam(r, "id"), userID(r))
	answer(w, r, http.StatusOK, cart, err)
}

func (h handler) quote(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	quote, err := h.carts.Quote(r.Context(), chi.URLParam(r, "id"), userID(r), pricing.Destination{
		Country: query.Get("country"),
		Region:  query.Get("region"),
		Method:  cmp.Or(query.Get("shipping"), pricing.Standard),
	})
	answer(w, r, http.StatusOK, quote, err)
}

// answer sends v, which is personal, or err.
func answer(w http.ResponseWriter, r *http.Request, status int, v any, err error) {
	w.Header().Set("Cache-Control", "no-store")
	if err != nil {
		web.Fail(w, r, http.StatusInternalServerError, err)
		return
	}
	web.JSON(w, status, v)
}

func userID(r *http.Request) int64 {
	user, _ := identity.Current(r.Context())
	return user.ID
}
