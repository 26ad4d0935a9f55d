// Package storefront is the shop as people see it: pages made on the server over
// the stores of the other domains, whole without JavaScript; htmx only saves round
// trips. It holds no rules and no SQL of its own, trusts no input further than its
// stores do, and never lets a page depend on anything that the page fetches later.
package storefront

import (
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/stranglerfig/toolkit/internal/web"
	"github.com/stranglerfig/toolkit/monolith/admin"
	"github.com/stranglerfig/toolkit/monolith/cart"
	"github.com/stranglerfig/toolkit/monolith/catalog"
	"github.com/stranglerfig/toolkit/monolith/identity"
	"github.com/stranglerfig/toolkit/monolith/inventory"
	"github.com/stranglerfig/toolkit/monolith/notifications"
	"github.com/stranglerfig/toolkit/monolith/orders"
	"github.com/stranglerfig/toolkit/monolith/payments"
	"github.com/stranglerfig/toolkit/monolith/recommendations"
	"github.com/stranglerfig/toolkit/monolith/reviews"
)

// Stores are the domains that the pages show and change. All are needed.
type Stores struct {
	Identity        *identity.Store
	Catalog         *catalog.Store
	Inventory       *inventory.Store
	Reviews         *reviews.Store
	Recommendations *recommendations.Store
	Cart            *cart.Store
	Orders          *orders.Store
	Payments        *payments.Store
	Notifications   *notifications.Store
	Admin           *admin.Store
}

type shop struct {
	Stores
	static assets
	pages  map[string]*template.Template
}

// contentPolicy lets a page load its own files and nothing else, run no inline
// script and send forms only home.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Routes adds the pages to r, which must be inside of identity's Sessions and a
// cross-origin protection. It also answers for what r does not know: a page for
// browsers, JSON for programs.
func Routes(r chi.Router, stores Stores) {
	static, err := newAssets()
	if err != nil {
		panic(err) // they are part of the program
	}
	pages, err := loadTemplates(static)
	if err != nil {
		panic(err)
	}
	s := &shop{Stores: stores, static: static, pages: pages}
	r.NotFound(s.unknown(http.StatusNotFound, "not_found", "there is nothing at %s"))
	r.MethodNotAllowed(s.unknown(http.StatusMethodNotAllowed, "method_not_allowed", "this cannot be done at %s"))

	r.Group(func(r chi.Router) {
		r.Use(pageHeaders)
		s.public(r)
		r.Group(func(r chi.Router) {
			r.Use(s.signedIn)
			s.personal(r)
		})
		r.Group(func(r chi.Router) {
			r.Use(s.signedIn, s.adminOnly)
			s.administration(r)
		})
	})
}

func (s *shop) public(r chi.Router) {
	r.Get("/static/*", s.page(s.file))
	r.Get("/", s.page(s.home))
	r.Get("/p/{id}", s.page(s.product))
	r.Get("/cart", s.page(s.showCart))
	r.Post("/cart/items", s.form(s.addItem))
	r.Post("/cart/items/{item}", s.form(s.changeItem))
	r.Post("/cart/coupon", s.form(s.changeCoupon))
	r.Get("/login", s.page(s.showLogin))
	r.Post("/login", s.form(s.login))
	r.Get("/register", s.page(s.showRegister))
	r.Post("/register", s.form(s.register))
	r.Post("/logout", s.form(s.logout))
}

func (s *shop) personal(r chi.Router) {
	r.Get("/checkout", s.page(s.showCheckout))
	r.Post("/checkout", s.form(s.checkout))
	r.Get("/orders", s.page(s.history))
	r.Get("/orders/{id}", s.page(s.showOrder))
	r.Post("/orders/{id}/pay", s.form(s.pay))
	r.Post("/orders/{id}/cancel", s.form(s.cancel))
	r.Post("/orders/{id}/return", s.form(s.sendBack))
	r.Post("/p/{id}/reviews", s.form(s.review))
	r.Get("/account", s.page(s.account))
	r.Post("/account/addresses", s.form(s.addAddress))
	r.Post("/account/addresses/{id}/delete", s.form(s.deleteAddress))
}

func (s *shop) administration(r chi.Router) {
	r.Get("/admin", s.page(s.dashboard))
	r.Get("/admin/products", s.page(s.adminProducts))
	r.Post("/admin/products/{id}/stock", s.form(s.adjustStock))
	r.Get("/admin/orders", s.page(s.adminOrders))
	r.Post("/admin/orders/{id}/pack", s.form(s.pack))
	r.Post("/admin/orders/{id}/ship", s.form(s.ship))
	r.Post("/admin/orders/{id}/deliver", s.form(s.deliver))
}

// page turns a handler that may fail into one that shows why.
func (s *shop) page(handle func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(v) // the server knows what to do
			}
			s.fail(w, r, fmt.Errorf("panic: %v\n%s", v, debug.Stack()))
		}()
		if err := handle(w, r); err != nil {
			s.fail(w, r, err)
		}
	}
}

// form is page for posts: the form has been read.
func (s *shop) form(handle func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return s.page(func(w http.ResponseWriter, r *http.Request) error {
		if err := readForm(w, r); err != nil {
			return err
		}
		return handle(w, r)
	})
}

func (s *shop) file(w http.ResponseWriter, r *http.Request) error {
	if !s.static.has(r) {
		return web.Problemf(http.StatusNotFound, "not_found", "there is nothing at %s", r.URL.Path)
	}
	s.static.ServeHTTP(w, r)
	return nil
}

func pageHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", contentPolicy)
		next.ServeHTTP(w, r)
	})
}

// unknown answers for an address or method there is not.
func (s *shop) unknown(status int, code, format string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if status == http.StatusMethodNotAllowed {
			web.Allow(w, r)
		}
		problem := web.Problemf(status, code, format, r.URL.Path)
		forPrograms := strings.HasPrefix(r.URL.Path, "/api/") || strings.HasPrefix(r.URL.Path, "/internal/")
		if forPrograms || !strings.Contains(r.Header.Get("Accept"), "text/html") {
			web.Fail(w, r, status, problem)
			return
		}
		pageHeaders(s.page(func(http.ResponseWriter, *http.Request) error { return problem })).ServeHTTP(w, r)
	}
}

func (s *shop) signedIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := identity.Current(r.Context()); !ok {
			s.toLogin(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *shop) adminOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, _ := identity.Current(r.Context()); !user.IsAdmin() {
			s.fail(w, r, web.Problemf(http.StatusForbidden, "forbidden", "it is for the people who run the shop"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// toLogin sends who is not signed in to the login page, and from there back: to
// this page, or for a form to the page that it stood on.
func (s *shop) toLogin(w http.ResponseWriter, r *http.Request) {
	next := r.URL.RequestURI()
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		next = "/"
		if from, err := url.Parse(r.Referer()); err == nil && from.Host == r.Host {
			next = from.RequestURI()
		}
	}
	seeOther(w, r, link("/login", nil, "next", localPath(next, "/")))
}

func seeOther(w http.ResponseWriter, r *http.Request, address string) {
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, address, http.StatusSeeOther)
}
