package identity

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/stranglerfig/toolkit/internal/web"
)

const cookieName = "session"

// Routes adds the endpoints of identity to r, which must be inside of Sessions.
func Routes(r chi.Router, s *Store) {
	h := &handler{s}
	r.Post("/api/register", h.register)
	r.Post("/api/login", h.login)
	r.Post("/api/logout", h.logout)
	r.Post("/api/password-resets", h.requestReset)
	r.Post("/api/password-resets/{token}", h.resetPassword)
	r.Group(func(r chi.Router) {
		r.Use(SignedIn)
		r.Get("/api/me", h.me)
		r.Patch("/api/me", h.update)
		r.Delete("/api/me", h.deleteMe)
		r.Get("/api/me/addresses", h.addresses)
		r.Post("/api/me/addresses", h.addAddress)
		r.Delete("/api/me/addresses/{id}", h.deleteAddress)
	})
}

// Internal adds to r, which must be for services only, who is who: the little that a
// service may know of a user.
func Internal(r chi.Router, s *Store) {
	h := &handler{s}
	r.Post("/internal/sessions", h.session)
	r.Get("/internal/users", h.names)
}

type handler struct{ store *Store }

// Sessions puts the user whose session cookie the request carries into its
// context; a cookie that is no session is as good as none.
func (s *Store) Sessions(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := SessionToken(r)
		if token == "" {
			next.ServeHTTP(w, r)
			return
		}
		u, ok, err := s.SessionUser(r.Context(), token)
		if err != nil {
			web.Fail(w, r, http.StatusInternalServerError, err)
			return
		}
		if ok {
			r = r.WithContext(WithUser(r.Context(), u))
		}
		next.ServeHTTP(w, r)
	})
}

// SignedIn answers 401 unless somebody is signed in.
func SignedIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if _, ok := Current(r.Context()); !ok {
			web.Fail(w, r, 0, errSignIn)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Admin answers 401 unless somebody is signed in, and 403 unless that is an
// administrator.
func Admin(next http.Handler) http.Handler {
	return SignedIn(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u, _ := Current(r.Context()); !u.IsAdmin() {
			web.Fail(w, r, 0, errNotAdmin)
			return
		}
		next.ServeHTTP(w, r)
	}))
}

// SetSession sends the cookie of a session that has just begun.
func SetSession(w http.ResponseWriter, r *http.Request, token string) {
	setCookie(w, r, token, int(SessionLife.Seconds()))
}

// ClearSession makes the browser forget its session.
func ClearSession(w http.ResponseWriter, r *http.Request) { setCookie(w, r, "", -1) }

func setCookie(w http.ResponseWriter, r *http.Request, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https",
	})
}

// SessionToken returns the token that the request's cookie carries, or "".
func SessionToken(r *http.Request) string {
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return ""
	}
	return cookie.Value
}

func fail(w http.ResponseWriter, r *http.Request, err error) {
	var throttled *ThrottledError
	if errors.As(err, &throttled) {
		w.Header().Set("Retry-After", strconv.Itoa(throttled.Seconds()))
	}
	web.Fail(w, r, http.StatusInternalServerError, err)
}

func invalidPassword(password string) error {
	return web.Invalid(checkPassword("password", password)...)
}

func (h *handler) register(w http.ResponseWriter, r *http.Request) {
	var req Registration
	if err := web.Decode(w, r, &req); err != nil {
		fail(w, r, err)
		return
	}
	u, token, err := h.store.Register(r.Context(), req)
	if err != nil {
		fail(w, r, err)
		return
	}
	SetSession(w, r, token)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", "/api/me")
	web.JSON(w, http.StatusCreated, u)
}

func (h *handler) login(w http.ResponseWriter, r *http.Request) {
	var req struct {
		Email    string `json:"email"`
		Password string `json:"password"`
		CartID   string `json:"cart_id"`
	}
	if err := web.Decode(w, r, &req); err != nil {
		fail(w, r, err)
		return
	}
	u, token, err := h.store.Login(r.Context(), req.Email, req.Password, req.CartID)
	if err != nil {
		fail(w, r, err)
		return
	}
	SetSession(w, r, token)
	w.Header().Set("Cache-Control", "no-store")
	web.JSON(w, http.StatusOK, u)
}

func (h *handler) logout(w http.ResponseWriter, r *http.Request) {
	if token := SessionToken(r); token != "" {
		if err := h.store.Logout(r.Context(), token); err != nil {
			fail(w, r, err)
			return
		}
	}
	ClearSession(w, r)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
}

func (h *handler) requestReset(w http.ResponseWriter, r *http.Request) {
	var req struct {
		Email string `json:"email"`
	}
	if err := web.Decode(w, r, &req); err != nil {
		fail(w, r, err)
		return
	}
	if err := web.Invalid(checkEmail(NormalEmail(req.Email))...); err != nil {
		fail(w, r, err)
		return
	}
	if err := h.store.RequestReset(r.Context(), req.Email); err != nil {
		fail(w, r, err)
		return
	}
	web.JSON(w, http.StatusAccepted, map[string]string{"status": "accepted"})
}

func (h *handler) resetPassword(w http.ResponseWriter, r *http.Request) {
	var req struct {
		Password string `json:"password"`
	}
	if err := web.Decode(w, r, &req); err != nil {
		fail(w, r, err)
		return
	}
	if err := h.store.ResetPassword(r.Context(), chi.URLParam(r, "token"), req.Password); err != nil {
		fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (h *handler) me(w http.ResponseWriter, r *http.Request) {
	u, _ := Current(r.Context())
	web.JSON(w, http.StatusOK, u)
}

func (h *handler) update(w http.ResponseWriter, r *http.Request) {
	var req Change
	if err := web.Decode(w, r, &req); err != nil {
		fail(w, r, err)
		return
	}
	u, _ := Current(r.Context())
	u, err := h.store.Update(r.Context(), u, SessionToken(r), req)
	if err != nil {
		fail(w, r, err)
		return
	}
	web.JSON(w, http.StatusOK, u)
}

func (h *handler) deleteMe(w http.ResponseWriter, r *http.Request) {
	var req struct {
		CurrentPassword string `json:"current_password"`
	}
	if err := web.Decode(w, r, &req); err != nil {
		fail(w, r, err)
		return
	}
	u, _ := Current(r.Context())
	if err := h.store.Delete(r.Context(), u, req.CurrentPassword); err != nil {
		fail(w, r, err)
		return
	}
	ClearSession(w, r)
	w.WriteHeader(http.StatusNoContent)
}

func (h *handler) addresses(w http.ResponseWriter, r *http.Request) {
	u, _ := Current(r.Context())
	list, err := h.store.Addresses(r.Context(), u.ID)
	if err != nil {
		fail(w, r, err)
		return
	}
	web.JSON(w, http.StatusOK, web.NewList(list))
}

func (h *handler) addAddress(w http.ResponseWriter, r *http.Request) {
	var req struct {
		Name       string `json:"name"`
		Street     string `json:"street"`
		City       string `json:"city"`
		PostalCode string `json:"postal_code"`
		Region     string `json:"region"`
		Country    string `json:"country"`
	}
	if err := web.Decode(w, r, &req); err != nil {
		fail(w, r, err)
		return
	}
	u, _ := Current(r.Context())
	a, err := h.store.AddAddress(r.Context(), u.ID, Address{
		Name: req.Name, Street: req.Street, City: req.City, PostalCode: req.PostalCode, Region: req.Region, Country: req.Country,
	})
	if err != nil {
		fail(w, r, err)
		return
	}
	w.Header().Set("Location", fmt.Sprintf("/api/me/addresses/%d", a.ID))
	web.JSON(w, http.StatusCreated, a)
}

func (h *handler) deleteAddress(w http.ResponseWriter, r *http.Request) {
	id, err := web.ID(r, "id")
	if err != nil {
		fail(w, r, err)
		return
	}
	u, _ := Current(r.Context())
	if err := h.store.DeleteAddress(r.Context(), u.ID, id); err != nil {
		fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// session tells whose session a token is: 404 if nobody's.
func (h *handler) session(w http.ResponseWriter, r *http.Request) {
	var req struct {
		Token string `json:"token"`
	}
	if err := web.Decode(w, r, &req); err != nil {
		fail(w, r, err)
		return
	}
	u, ok, err := h.store.SessionUser(r.Context(), req.Token)
	if err == nil && !ok {
		err = errNoSession
	}
	if err != nil {
		fail(w, r, err)
		return
	}
	web.JSON(w, http.StatusOK, Name{u.ID, u.Name})
}

// names tells the names of up to 100 users, as they stand below what they wrote.
func (h *handler) names(w http.ResponseWriter, r *http.Request) {
	var ids []int64
	for text := range strings.SplitSeq(r.URL.Query().Get("ids"), ",") {
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil || len(ids) == maxNames {
			fail(w, r, web.Invalid(web.Field{Name: "ids", Message: fmt.Sprintf("must be 1 to %d numbers with commas between them", maxNames)}))
			return
		}
		ids = append(ids, id)
	}
	names, err := h.store.Names(r.Context(), ids)
	if err != nil {
		fail(w, r, err)
		return
	}
	web.JSON(w, http.StatusOK, web.NewList(names))
}
