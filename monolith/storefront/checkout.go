package storefront

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/stranglerfig/toolkit/internal/web"
	"github.com/stranglerfig/toolkit/monolith/cart"
	"github.com/stranglerfig/toolkit/monolith/identity"
	"github.com/stranglerfig/toolkit/monolith/orders"
	"github.com/stranglerfig/toolkit/monolith/payments"
	"github.com/stranglerfig/toolkit/monolith/pricing"
)

// newAddress in place of an address's id asks for the one in the form's fields.
const newAddress = "new"

type checkoutPage struct {
	Cart      cart.Cart
	Key       string // makes sending the form twice one order
	Addresses []identity.Address
	Address   string // the chosen one: an id, or new
	Method    string
	Quote     *pricing.Quote
}

func (s *shop) showCheckout(w http.ResponseWriter, r *http.Request) error {
	v, err := s.checkoutView(r, url.Values{})
	if err != nil {
		return s.notEmpty(w, r, err)
	}
	return s.show(w, r, http.StatusOK, "checkout", v)
}

// notEmpty leads who has nothing to order to the cart.
func (s *shop) notEmpty(w http.ResponseWriter, r *http.Request, err error) error {
	if !isCode(err, "empty_cart") {
		return err
	}
	setFlash(w, r, "empty_cart")
	seeOther(w, r, "/cart")
	return nil
}

// checkoutView is the page for what has been chosen so far. It shows a total as far
// as the choices allow one.
func (s *shop) checkoutView(r *http.Request, form url.Values) (view, error) {
	ctx := r.Context()
	c, err := s.cart(r)
	if err != nil {
		return view{}, err
	}
	if len(c.Items) == 0 {
		return view{}, web.Problemf(http.StatusConflict, "empty_cart", "the cart is empty")
	}
	page := checkoutPage{
		Cart: c, Key: cmp.Or(form.Get("idempotency_key"), rand.Text()),
		Address: form.Get("address_id"), Method: cmp.Or(form.Get("shipping_method"), pricing.Standard),
	}
	if page.Addresses, err = s.Identity.Addresses(ctx, userID(r)); err != nil {
		return view{}, err
	}
	if page.Address == "" && len(page.Addresses) > 0 {
		page.Address = strconv.FormatInt(page.Addresses[0].ID, 10)
	}
	shown := url.Values{}
	for name, values := range form {
		if name != "card_number" { // it is typed again, never sent back
			shown[name] = values
		}
	}
	if shown.Get("country") == "" {
		shown.Set("country", countries()[0].Code)
	}
	to := pricing.Destination{Country: shown.Get("country"), Region: shown.Get("region"), Method: page.Method}
	if a, ok := addressWithID(page.Addresses, page.Address); ok {
		to.Country, to.Region = a.Country, a.Region
	}
	quote, err := s.Cart.Quote(ctx, c.ID, userID(r), to)
	switch {
	case err == nil:
		page.Quote = &quote
	case formProblem(err) == nil:
		return view{}, err
	}
	return view{Title: "Checkout", Form: shown, Page: page}, nil
}

func addressWithID(list []identity.Address, id string) (identity.Address, bool) {
	for _, a := range list {
		if strconv.FormatInt(a.ID, 10) == id {
			return a, true
		}
	}
	return identity.Address{}, false
}

func (s *shop) checkout(w http.ResponseWriter, r *http.Request) error {
	if r.PostForm.Get("update") != "" {
		v, err := s.checkoutView(r, r.PostForm)
		if err != nil {
			return s.notEmpty(w, r, err)
		}
		return s.show(w, r, http.StatusOK, "checkout", v)
	}
	order, err := s.place(r)
	switch {
	case isCode(err, "idempotency_key_reused"): // sent again with another choice: it is ordered already
		seeOther(w, r, "/orders")
		return nil
	case err != nil:
		v, viewErr := s.checkoutView(r, r.PostForm)
		if viewErr != nil {
			return s.notEmpty(w, r, viewErr)
		}
		return s.again(w, r, err, "checkout", v)
	}
	setFlash(w, r, paymentFlash(order.Status, order.Payment.Status))
	seeOther(w, r, fmt.Sprintf("/orders/%d", order.ID))
	return nil
}

// place orders what the form says: first it checks what can be checked, then it
// keeps a new address, then it orders.
func (s *shop) place(r *http.Request) (orders.Order, error) {
	form := r.PostForm
	card := payments.Card{Number: cardDigits(form)}
	if err := card.Check(); err != nil {
		return orders.Order{}, err
	}
	cartID := form.Get("cart_id")
	if cartID == "" {
		c, err := s.cart(r)
		if err != nil {
			return orders.Order{}, err
		}
		cartID = c.ID
	}
	address, err := s.shippingAddress(r)
	if err != nil {
		return orders.Order{}, err
	}
	form.Set("address_id", strconv.FormatInt(address.ID, 10))
	method := cmp.Or(form.Get("shipping_method"), pricing.Standard)
	if err := s.sameTotal(r, cartID, pricing.Destination{Country: address.Country, Region: address.Region, Method: method}); err != nil {
		return orders.Order{}, err
	}
	key := cmp.Or(form.Get("idempotency_key"), "cart-"+cartID) // a cart is ordered once
	if len(key) > 100 {
		return orders.Order{}, web.Problemf(http.StatusBadRequest, "bad_request", "the form is damaged; please begin again")
	}
	order, _, err := s.Orders.Place(r.Context(), userID(r), key, orders.Checkout{
		CartID: cartID, AddressID: address.ID, ShippingMethod: method, Card: card,
	})
	return order, err
}

// shippingAddress is the chosen address, or the new one of the form, which is kept
// unless the user has it already.
func (s *shop) shippingAddress(r *http.Request) (identity.Address, error) {
	ctx, form := r.Context(), r.PostForm
	list, err := s.Identity.Addresses(ctx, userID(r))
	if err != nil {
		return identity.Address{}, err
	}
	if form.Get("address_id") != newAddress {
		if a, ok := addressWithID(list, form.Get("address_id")); ok {
			return a, nil
		}
		return identity.Address{}, web.Invalid(web.Field{Name: "address_id", Message: "must be one of your addresses"})
	}
	wanted := addressFrom(form)
	for _, a := range list {
		id := a.ID
		if a.ID = 0; a == wanted {
			a.ID = id
			return a, nil
		}
	}
	return s.Identity.AddAddress(ctx, userID(r), wanted)
}

// sameTotal refuses an order at another price than the one that was shown.
func (s *shop) sameTotal(r *http.Request, cartID string, to pricing.Destination) error {
	shown := r.PostForm.Get("total_cents")
	if shown == "" {
		return nil
	}
	quote, err := s.Cart.Quote(r.Context(), cartID, userID(r), to)
	if isStatus(err, http.StatusNotFound) {
		return nil // it may be ordered already: the key will tell
	}
	if err != nil {
		return err
	}
	if strconv.FormatInt(quote.TotalCents, 10) != shown {
		return web.Problemf(http.StatusConflict, "total_changed",
			"the total is now %s. Nothing has been ordered yet; please look and pay again", dollars(quote.TotalCents))
	}
	return nil
}
