package storefront

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"github.com/stranglerfig/toolkit/internal/web"
	"github.com/stranglerfig/toolkit/monolith/identity"
	"github.com/stranglerfig/toolkit/monolith/notifications"
)

// showEntry shows the login or the registration page, or leads on who is signed in.
func (s *shop) showEntry(w http.ResponseWriter, r *http.Request, page, title string) error {
	next := localPath(r.URL.Query().Get("next"), "")
	if userID(r) != 0 {
		seeOther(w, r, localPath(next, "/account"))
		return nil
	}
	return s.show(w, r, http.StatusOK, page, view{Title: title, Form: url.Values{"next": {next}}})
}

func (s *shop) showLogin(w http.ResponseWriter, r *http.Request) error {
	return s.showEntry(w, r, "login", "Sign in")
}

func (s *shop) showRegister(w http.ResponseWriter, r *http.Request) error {
	return s.showEntry(w, r, "register", "Make an account")
}

func (s *shop) login(w http.ResponseWriter, r *http.Request) error {
	form := r.PostForm
	_, token, err := s.Identity.Login(r.Context(), form.Get("email"), form.Get("password"), cookieValue(r, cartCookie))
	if err != nil {
		var throttled *identity.ThrottledError
		if errors.As(err, &throttled) {
			w.Header().Set("Retry-After", strconv.Itoa(throttled.Seconds()))
		}
		return s.again(w, r, err, "login", view{Title: "Sign in", Form: entryForm(form)})
	}
	s.enter(w, r, token, "signed_in")
	return nil
}

func (s *shop) register(w http.ResponseWriter, r *http.Request) error {
	form := r.PostForm
	_, token, err := s.Identity.Register(r.Context(), identity.Registration{
		Email: form.Get("email"), Password: form.Get("password"), Name: form.Get("name"), CartID: cookieValue(r, cartCookie),
	})
	if err != nil {
		return s.again(w, r, err, "register", view{Title: "Make an account", Form: entryForm(form)})
	}
	s.enter(w, r, token, "welcome")
	return nil
}

// entryForm is what the form may show again: never the password, and no way out of
// the shop.
func entryForm(form url.Values) url.Values {
	return url.Values{
		"email": {form.Get("email")}, "name": {form.Get("name")}, "next": {localPath(form.Get("next"), "")},
	}
}

// enter begins the session; the guest's cart has become the user's.
func (s *shop) enter(w http.ResponseWriter, r *http.Request, token, message string) {
	identity.SetSession(w, r, token)
	setCookie(w, r, cartCookie, "", -1)
	setFlash(w, r, message)
	seeOther(w, r, localPath(r.PostForm.Get("next"), "/"))
}

func (s *shop) logout(w http.ResponseWriter, r *http.Request) error {
	if token := identity.SessionToken(r); token != "" {
		if err := s.Identity.Logout(r.Context(), token); err != nil {
			return err
		}
	}
	identity.ClearSession(w, r)
	setFlash(w, r, "signed_out")
	seeOther(w, r, "/")
	return nil
}

type accountPage struct {
	Addresses []identity.Address
	Messages  []notifications.Notification
}

func (s *shop) account(w http.ResponseWriter, r *http.Request) error {
	v, err := s.accountView(r)
	if err != nil {
		return err
	}
	return s.show(w, r, http.StatusOK, "account", v)
}

func (s *shop) accountView(r *http.Request) (view, error) {
	ctx, id := r.Context(), userID(r)
	addresses, err := s.Identity.Addresses(ctx, id)
	if err != nil {
		return view{}, err
	}
	messages, err := s.Notifications.List(ctx, id, web.Paging{Page: 1, PerPage: 8})
	if err != nil {
		return view{}, err
	}
	return view{Title: "Your account", Page: accountPage{addresses, messages.Items}}, nil
}

func (s *shop) addAddress(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.Identity.AddAddress(r.Context(), userID(r), addressFrom(r.PostForm)); err != nil {
		v, viewErr := s.accountView(r)
		if viewErr != nil {
			return viewErr
		}
		v.Form = r.PostForm
		return s.again(w, r, err, "account", v)
	}
	setFlash(w, r, "address")
	seeOther(w, r, "/account")
	return nil
}

func (s *shop) deleteAddress(w http.ResponseWriter, r *http.Request) error {
	id, err := web.ID(r, "id")
	if err != nil {
		return err
	}
	if err := s.Identity.DeleteAddress(r.Context(), userID(r), id); err != nil {
		return err
	}
	setFlash(w, r, "address_off")
	seeOther(w, r, "/account")
	return nil
}
