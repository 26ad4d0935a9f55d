package orders

import (
	"bytes"
	"fmt"
	"io"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/stranglerfig/toolkit/internal/web"
	"github.com/stranglerfig/toolkit/monolith/identity"
	"github.com/stranglerfig/toolkit/monolith/payments"
)

// Routes adds the orders' endpoints to r, behind identity's sessions.
func Routes(r chi.Router, s *Store) {
	h := handler{s}
	own, admin := r.With(identity.SignedIn), r.With(identity.Admin)
	own.Post("/api/checkout", h.checkout)
	own.Get("/api/orders", h.list)
	own.Get("/api/orders/{id}", one(h.get))
	own.Get("/api/orders/{id}/events", one(h.events))
	own.Post("/api/orders/{id}/cancel", one(h.cancel))
	own.Post("/api/orders/{id}/returns", one(h.takeBack))
	admin.Post("/api/admin/orders/{id}/pack", one(h.pack))
	admin.Post("/api/admin/orders/{id}/ship", one(h.ship))
	admin.Post("/api/admin/orders/{id}/deliver", one(h.deliver))
}

type handler struct{ orders *Store }

func (h handler) checkout(w http.ResponseWriter, r *http.Request) {
	key, err := payments.IdempotencyKey(r)
	if err != nil {
		web.Fail(w, r, http.StatusBadRequest, err)
		return
	}
	var req Checkout
	if err := web.Decode(w, r, &req); err != nil {
		web.Fail(w, r, http.StatusBadRequest, err)
		return
	}
	user, _ := identity.Current(r.Context())
	order, replayed, err := h.orders.Place(r.Context(), user.ID, key, req)
	if err != nil {
		web.Fail(w, r, http.StatusInternalServerError, err)
		return
	}
	status := http.StatusCreated
	if replayed {
		status = http.StatusOK
		w.Header().Set("Idempotency-Replayed", "true")
	}
	w.Header().Set("Location", fmt.Sprintf("/api/orders/%d", order.ID))
	web.JSON(w, status, order)
}

func (h handler) list(w http.ResponseWriter, r *http.Request) {
	paging, err := web.PagingOf(r, 20)
	if err != nil {
		web.Fail(w, r, http.StatusUnprocessableEntity, err)
		return
	}
	user, _ := identity.Current(r.Context())
	page, err := h.orders.List(r.Context(), user.ID, paging)
	if err != nil {
		web.Fail(w, r, http.StatusInternalServerError, err)
		return
	}
	web.JSON(w, http.StatusOK, page)
}

// one answers with what fn returns for the order of the path and the user.
func one[T any](fn func(w http.ResponseWriter, r *http.Request, id, userID int64) (T, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, err := web.ID(r, "id")
		if err != nil {
			web.Fail(w, r, http.StatusNotFound, err)
			return
		}
		user, _ := identity.Current(r.Context())
		v, err := fn(w, r, id, user.ID)
		if err != nil {
			web.Fail(w, r, http.StatusInternalServerError, err)
			return
		}
		web.JSON(w, http.StatusOK, v)
	}
}

func (h handler) get(_ http.ResponseWriter, r *http.Request, id, userID int64) (Order, error) {
	return h.orders.Order(r.Context(), id, userID)
}

func (h handler) events(_ http.ResponseWriter, r *http.Request, id, userID int64) (web.List[Event], error) {
	list, err := h.orders.Events(r.Context(), id, userID)
	return web.NewList(list), err
}

func (h handler) cancel(_ http.ResponseWriter, r *http.Request, id, userID int64) (Order, error) {
	return h.orders.Cancel(r.Context(), id, userID)
}

func (h handler) takeBack(w http.ResponseWriter, r *http.Request, id, userID int64) (Order, error) {
	var req struct {
		Reason string `json:"reason"`
	}
	body, err := web.ReadBody(w, r)
	if err != nil {
		return Order{}, err
	}
	if len(body) > 0 { // the reason is optional, and so is the body
		r.Body = io.NopCloser(bytes.NewReader(body))
		if err := web.Decode(w, r, &req); err != nil {
			return Order{}, err
		}
	}
	return h.orders.Return(r.Context(), id, userID, req.Reason)
}

func (h handler) pack(_ http.ResponseWriter, r *http.Request, id, adminID int64) (Order, error) {
	return h.orders.Pack(r.Context(), adminID, id)
}

func (h handler) ship(w http.ResponseWriter, r *http.Request, id, adminID int64) (Order, error) {
	var req struct {
		Carrier  string `json:"carrier"`
		Tracking string `json:"tracking"`
	}
	if err := web.Decode(w, r, &req); err != nil {
		return Order{}, err
	}
	return h.orders.Ship(r.Context(), adminID, id, req.Carrier, req.Tracking)
}

func (h handler) deliver(_ http.ResponseWriter, r *http.Request, id, adminID int64) (Order, error) {
	return h.orders.Deliver(r.Context(), adminID, id)
}
