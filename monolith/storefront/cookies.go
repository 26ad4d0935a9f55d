package storefront

import (
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	cartCookie  = "cart"  // the id of a guest's cart
	flashCookie = "flash" // the name of a message for the next page
)

// A flash is a message that the page after a redirect shows once.
type flash struct {
	Kind string // good, bad or wait: its look
	Text string
}

// flashes are all messages there are. The cookie holds a name of this list, never
// a text, so that nobody can put words into the shop's mouth.
func flashes(name string) (flash, bool) {
	f, ok := map[string]flash{
		"added":          {"good", "Added to your cart."},
		"cart":           {"good", "Your cart is up to date."},
		"removed":        {"good", "Removed from your cart."},
		"coupon":         {"good", "The coupon is on your cart."},
		"coupon_off":     {"good", "The coupon is off your cart."},
		"welcome":        {"good", "Welcome! Your account is ready."},
		"signed_in":      {"good", "You are signed in."},
		"signed_out":     {"good", "You are signed out."},
		"address":        {"good", "The address is saved."},
		"address_off":    {"good", "The address is gone."},
		"review":         {"good", "Thank you for your review."},
		"paid":           {"good", "Thank you! Your order is paid and on its way to our packers."},
		"waiting":        {"wait", "Your order is placed. The bank has not answered yet; this page shows when it has."},
		"declined":       {"bad", "Your order is placed, but the card was declined. Please pay with another card."},
		"declined_again": {"bad", "That card was declined as well. Nothing was taken; please try another one."},
		"cancelled":      {"good", "The order is cancelled."},
		"returned":       {"good", "The return is booked and your money is on its way back."},
		"empty_cart":     {"bad", "Your cart is empty: there is nothing to order."},
		"order_packed":   {"good", "The order is packed."},
		"order_shipped":  {"good", "The order is on its way."},
		"order_arrived":  {"good", "The order is delivered."},
		"stock":          {"good", "The stock is adjusted."},
	}[name]
	return f, ok
}

func setFlash(w http.ResponseWriter, r *http.Request, name string) {
	setCookie(w, r, flashCookie, name, time.Minute)
}

// takeFlash returns the message for this page, if there is one, and forgets it.
func takeFlash(w http.ResponseWriter, r *http.Request) *flash {
	c, err := r.Cookie(flashCookie)
	if err != nil {
		return nil
	}
	setCookie(w, r, flashCookie, "", -1)
	if f, ok := flashes(c.Value); ok {
		return &f
	}
	return nil
}

func setCookie(w http.ResponseWriter, r *http.Request, name, value string, life time.Duration) {
	c := &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: int(life / time.Second),
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https",
	}
	if life < 0 {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

func cookieValue(r *http.Request, name string) string {
	if c, err := r.Cookie(name); err == nil {
		return c.Value
	}
	return ""
}

// localPath returns next if it leads to a page of this shop, otherwise fallback: a
// link to the login page must not send people elsewhere.
func localPath(next, fallback string) string {
	if !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || !utf8.ValidString(next) {
		return fallback
	}
	for _, c := range next {
		if c == '\\' || c < ' ' || c == 0x7f {
			return fallback // browsers read "/\" as "//" and skip tabs and newlines
		}
	}
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || strings.HasPrefix(u.Path, "//") {
		return fallback
	}
	return next
}
