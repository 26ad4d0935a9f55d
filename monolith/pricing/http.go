package pricing

import (
	"fmt"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/stranglerfig/toolkit/internal/instant"
	"github.com/stranglerfig/toolkit/internal/web"
	"github.com/stranglerfig/toolkit/monolith/identity"
)

// Routes adds the administration of coupons to r, behind identity's sessions.
func Routes(r chi.Router, s *Store) {
	h := handler{s}
	r = r.With(identity.Admin)
	r.Get("/api/admin/coupons", h.list)
	r.Post("/api/admin/coupons", h.create)
	r.Patch("/api/admin/coupons/{id}", h.update)
	r.Delete("/api/admin/coupons/{id}", h.remove)
}

type handler struct{ coupons *Store }

func (h handler) list(w http.ResponseWriter, r *http.Request) {
	list, err := h.coupons.Coupons(r.Context())
	if err != nil {
		web.Fail(w, r, http.StatusInternalServerError, err)
		return
	}
	web.JSON(w, http.StatusOK, web.NewList(list))
}

func (h handler) create(w http.ResponseWriter, r *http.Request) {
	var req struct {
		Code           string  `json:"code"`
		Kind           string  `json:"kind"`
		Value          int64   `json:"value"`
		MinOrderCents  int64   `json:"min_order_cents"`
		MaxRedemptions *int64  `json:"max_redemptions"`
		PerUserLimit   *int64  `json:"per_user_limit"`
		StartsAt       *string `json:"starts_at"`
		EndsAt         *string `json:"ends_at"`
	}
	if err := web.Decode(w, r, &req); err != nil {
		web.Fail(w, r, http.StatusBadRequest, err)
		return
	}
	starts, err := moment("starts_at", req.StartsAt)
	if err != nil {
		web.Fail(w, r, http.StatusUnprocessableEntity, err)
		return
	}
	ends, err := moment("ends_at", req.EndsAt)
	if err != nil {
		web.Fail(w, r, http.StatusUnprocessableEntity, err)
		return
	}
	limit := int64(1)
	if req.PerUserLimit != nil {
		limit = *req.PerUserLimit
	}
	c, err := h.coupons.Create(r.Context(), actor(r), Coupon{
		Code: req.Code, Kind: req.Kind, Value: req.Value, MinOrderCents: req.MinOrderCents,
		MaxRedemptions: req.MaxRedemptions, PerUserLimit: limit, StartsAt: starts, EndsAt: ends,
	})
	if err != nil {
		web.Fail(w, r, http.StatusInternalServerError, err)
		return
	}
	w.Header().Set("Location", fmt.Sprintf("/api/admin/coupons/%d", c.ID))
	web.JSON(w, http.StatusCreated, c)
}

func (h handler) update(w http.ResponseWriter, r *http.Request) {
	id, err := web.ID(r, "id")
	if err != nil {
		web.Fail(w, r, http.StatusNotFound, err)
		return
	}
	var req struct {
		Active         *bool   `json:"active"`
		MaxRedemptions *int64  `json:"max_redemptions"`
		EndsAt         *string `json:"ends_at"`
	}
	if err := web.Decode(w, r, &req); err != nil {
		web.Fail(w, r, http.StatusBadRequest, err)
		return
	}
	ends, err := moment("ends_at", req.EndsAt)
	if err != nil {
		web.Fail(w, r, http.StatusUnprocessableEntity, err)
		return
	}
	c, err := h.coupons.Update(r.Context(), actor(r), id, Change{req.Active, req.MaxRedemptions, ends})
	if err != nil {
		web.Fail(w, r, http.StatusInternalServerError, err)
		return
	}
	web.JSON(w, http.StatusOK, c)
}

func (h handler) remove(w http.ResponseWriter, r *http.Request) {
	id, err := web.ID(r, "id")
	if err == nil {
		err = h.coupons.Delete(r.Context(), actor(r), id)
	}
	if err != nil {
		web.Fail(w, r, http.StatusInternalServerError, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// moment reads a time, if there is one.
func moment(name string, text *string) (*instant.Instant, error) {
	if text == nil {
		return nil, nil //nolint:nilnil // no time is a fine answer
	}
	t, err := time.Parse(time.RFC3339, *text)
	if err != nil {
		return nil, web.Invalid(web.Field{Name: name, Message: "must be a time such as 2026-01-31T09:30:00Z"})
	}
	at := instant.From(t)
	return &at, nil
}

func actor(r *http.Request) int64 {
	user, _ := identity.Current(r.Context())
	return user.ID
}
