package payments

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"

	"github.com/stranglerfig/toolkit/internal/web"
	"github.com/stranglerfig/toolkit/monolith/identity"
)

// Routes adds the payments' endpoints to r, behind identity's sessions. The provider
// signs its webhooks with webhookSecret; while that is empty they are all refused.
func Routes(r chi.Router, s *Store, webhookSecret string) {
	h := handler{s, []byte(webhookSecret)}
	r.With(identity.SignedIn).Get("/api/payments/{id}", h.get)
	r.With(identity.SignedIn).Post("/api/payments/{id}/confirm", h.confirm)
	r.With(identity.Admin).Post("/api/payments/{id}/refunds", h.refund)
	r.Post("/api/payments/webhook", h.webhook)
}

type handler struct {
	payments *Store
	secret   []byte
}

func (h handler) get(w http.ResponseWriter, r *http.Request) {
	id, err := web.ID(r, "id")
	if err != nil {
		web.Fail(w, r, http.StatusNotFound, err)
		return
	}
	user, _ := identity.Current(r.Context())
	p, err := h.payments.Payment(r.Context(), id, user.ID)
	if err != nil {
		web.Fail(w, r, http.StatusInternalServerError, err)
		return
	}
	web.JSON(w, http.StatusOK, p)
}

func (h handler) confirm(w http.ResponseWriter, r *http.Request) {
	id, err := web.ID(r, "id")
	if err != nil {
		web.Fail(w, r, http.StatusNotFound, err)
		return
	}
	var req struct {
		Card Card `json:"card"`
	}
	if err := web.Decode(w, r, &req); err != nil {
		web.Fail(w, r, http.StatusBadRequest, err)
		return
	}
	user, _ := identity.Current(r.Context())
	p, err := h.payments.Confirm(r.Context(), id, user.ID, req.Card)
	if err != nil {
		web.Fail(w, r, http.StatusInternalServerError, err)
		return
	}
	web.JSON(w, http.StatusOK, p)
}

func (h handler) refund(w http.ResponseWriter, r *http.Request) {
	id, err := web.ID(r, "id")
	if err != nil {
		web.Fail(w, r, http.StatusNotFound, err)
		return
	}
	key, err := IdempotencyKey(r)
	if err != nil {
		web.Fail(w, r, http.StatusBadRequest, err)
		return
	}
	var req struct {
		AmountCents int64  `json:"amount_cents"`
		Reason      string `json:"reason"`
	}
	if err := web.Decode(w, r, &req); err != nil {
		web.Fail(w, r, http.StatusBadRequest, err)
		return
	}
	if utf8.RuneCountInString(req.Reason) > 500 {
		web.Fail(w, r, 0, web.Invalid(web.Field{Name: "reason", Message: "must have at most 500 characters"}))
		return
	}
	user, _ := identity.Current(r.Context())
	refund, replayed, err := h.payments.Refund(r.Context(), user.ID, id, key, req.AmountCents, req.Reason)
	if err != nil {
		web.Fail(w, r, http.StatusInternalServerError, err)
		return
	}
	if replayed {
		w.Header().Set("Idempotency-Replayed", "true")
		web.JSON(w, http.StatusOK, refund)
		return
	}
	w.Header().Set("Location", "/api/payments/"+chi.URLParam(r, "id"))
	web.JSON(w, http.StatusCreated, refund)
}

// IdempotencyKey returns the request's Idempotency-Key, or a 400.
func IdempotencyKey(r *http.Request) (string, error) {
	key := r.Header.Get("Idempotency-Key")
	printable := strings.IndexFunc(key, func(c rune) bool { return c < ' ' || c > '~' }) < 0
	if key == "" || len(key) > 100 || !printable {
		return "", web.Problemf(http.StatusBadRequest, "bad_request", "send the header Idempotency-Key with 1 to 100 printable characters")
	}
	return key, nil
}

func (h handler) webhook(w http.ResponseWriter, r *http.Request) {
	body, err := web.ReadBody(w, r)
	if err != nil {
		web.Fail(w, r, http.StatusBadRequest, err)
		return
	}
	signature, err := hex.DecodeString(r.Header.Get("X-Signature"))
	if err != nil || len(h.secret) == 0 || !hmac.Equal(signature, sign(h.secret, body)) {
		web.Fail(w, r, 0, web.Problemf(http.StatusUnauthorized, "unauthenticated", "X-Signature does not fit the body"))
		return
	}
	var req struct {
		Ref     string `json:"provider_ref"`
		Outcome string `json:"outcome"`
		Reason  string `json:"reason"`
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if err := web.Decode(w, r, &req); err != nil {
		web.Fail(w, r, http.StatusBadRequest, err)
		return
	}
	if req.Outcome != Accepted && req.Outcome != Declined {
		web.Fail(w, r, 0, web.Invalid(web.Field{Name: "outcome", Message: "must be accepted or declined"}))
		return
	}
	err = h.payments.Settle(r.Context(), req.Ref, Outcome{Status: req.Outcome, Reason: req.Reason})
	if errors.Is(err, ErrUnknownRef) {
		web.Fail(w, r, 0, web.Problemf(http.StatusNotFound, "not_found", "there is no attempt of that provider_ref"))
		return
	}
	if err != nil {
		web.Fail(w, r, http.StatusInternalServerError, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func sign(secret, body []byte) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write(body)
	return mac.Sum(nil)
}
