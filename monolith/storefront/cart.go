package storefront

import (
	"errors"
	"net/http"
	"time"

	"github.com/stranglerfig/toolkit/internal/web"
	"github.com/stranglerfig/toolkit/monolith/cart"
	"github.com/stranglerfig/toolkit/monolith/identity"
)

const cartLife = 90 * 24 * time.Hour // of a guest's cookie

func userID(r *http.Request) int64 {
	user, _ := identity.Current(r.Context())
	return user.ID
}

// cart returns the open cart of who asks; a cart without an id if there is none.
func (s *shop) cart(r *http.Request) (cart.Cart, error) {
	if id := userID(r); id != 0 {
		c, _, err := s.Cart.Current(r.Context(), id)
		return c, err
	}
	id := cookieValue(r, cartCookie)
	if id == "" {
		return cart.Cart{}, nil
	}
	c, err := s.Cart.Cart(r.Context(), id, 0)
	if isStatus(err, http.StatusNotFound) {
		return cart.Cart{}, nil // ordered, merged or made up
	}
	return c, err
}

func isStatus(err error, status int) bool {
	var p *web.Problem
	return errors.As(err, &p) && p.Status == status
}

// openCart is cart, or a new one, which a guest's browser is told of.
func (s *shop) openCart(w http.ResponseWriter, r *http.Request) (cart.Cart, error) {
	c, err := s.cart(r)
	if err != nil || c.ID != "" {
		return c, err
	}
	id := userID(r)
	if c, _, err = s.Cart.Open(r.Context(), id); err != nil {
		return c, err
	}
	if id == 0 {
		setCookie(w, r, cartCookie, c.ID, cartLife)
	}
	return c, nil
}

func (s *shop) showCart(w http.ResponseWriter, r *http.Request) error {
	v, err := s.cartView(r)
	if err != nil {
		return err
	}
	return s.show(w, r, http.StatusOK, "cart", v)
}

func (s *shop) cartView(r *http.Request) (view, error) {
	c, err := s.cart(r)
	return view{Title: "Your cart", Page: c}, err
}

func (s *shop) addItem(w http.ResponseWriter, r *http.Request) error {
	product, err := number(r.PostForm, "product_id")
	if err != nil {
		return err
	}
	if err := s.add(w, r, product); err != nil {
		v, viewErr := s.productViewOf(r, product)
		if viewErr != nil {
			return viewErr
		}
		v.Form = r.PostForm
		return s.again(w, r, err, "product", v)
	}
	setFlash(w, r, "added")
	seeOther(w, r, "/cart")
	return nil
}

func (s *shop) add(w http.ResponseWriter, r *http.Request, product int64) error {
	qty := int64(1)
	if r.PostForm.Get("qty") != "" {
		var err error
		if qty, err = number(r.PostForm, "qty"); err != nil {
			return err
		}
	}
	if _, err := s.Catalog.Product(r.Context(), product); err != nil {
		return err // before a cart is made for it
	}
	c, err := s.openCart(w, r)
	if err != nil {
		return err
	}
	_, _, err = s.Cart.Add(r.Context(), c.ID, userID(r), product, qty)
	return err
}

func (s *shop) changeItem(w http.ResponseWriter, r *http.Request) error {
	item, err := web.ID(r, "item")
	if err != nil {
		return err
	}
	return s.changeCart(w, r, func(c cart.Cart) (string, error) {
		qty := int64(0)
		if r.PostForm.Get("remove") == "" {
			if qty, err = number(r.PostForm, "qty"); err != nil {
				return "", err
			}
		}
		if qty == 0 {
			_, err := s.Cart.Remove(r.Context(), c.ID, userID(r), item)
			return "removed", err
		}
		_, err := s.Cart.SetQty(r.Context(), c.ID, userID(r), item, qty)
		return "cart", err
	})
}

func (s *shop) changeCoupon(w http.ResponseWriter, r *http.Request) error {
	return s.changeCart(w, r, func(c cart.Cart) (string, error) {
		if r.PostForm.Get("remove") != "" {
			_, err := s.Cart.DropCoupon(r.Context(), c.ID, userID(r))
			return "coupon_off", err
		}
		_, err := s.Cart.SetCoupon(r.Context(), c.ID, userID(r), r.PostForm.Get("code"))
		return "coupon", err
	})
}

// changeCart changes the open cart and shows it with the message that change names,
// or with what was wrong.
func (s *shop) changeCart(w http.ResponseWriter, r *http.Request, change func(cart.Cart) (string, error)) error {
	c, err := s.cart(r)
	if err != nil {
		return err
	}
	message, err := change(c)
	if err != nil {
		v, viewErr := s.cartView(r)
		if viewErr != nil {
			return viewErr
		}
		v.Form = r.PostForm
		return s.again(w, r, err, "cart", v)
	}
	setFlash(w, r, message)
	seeOther(w, r, "/cart")
	return nil
}
