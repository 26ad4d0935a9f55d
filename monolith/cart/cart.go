// Package cart keeps what people mean to buy: guests, who know their cart by an id
// that cannot be guessed, and users, who have one open cart each. It reads products,
// stock and coupons where they lie. It never reserves stock: that is checkout's.
package cart

import (
	"fmt"
	"net/http"

	"github.com/stranglerfig/toolkit/internal/instant"
	"github.com/stranglerfig/toolkit/internal/web"
)

// Limits of a cart.
const (
	MaxQty   = 99 // pieces of one product
	MaxItems = 50 // different products
)

// A Cart is an open cart with its prices of now.
type Cart struct {
	ID            string          `db:"id" json:"id"`
	UserID        *int64          `db:"user_id" json:"user_id"` // nil for a guest's
	Items         []Item          `db:"-" json:"items"`
	Coupon        *Coupon         `db:"-" json:"coupon"`
	SubtotalCents int64           `db:"-" json:"subtotal_cents"`
	DiscountCents int64           `db:"-" json:"discount_cents"`
	TotalCents    int64           `db:"-" json:"total_cents"`
	UpdatedAt     instant.Instant `db:"updated_at" json:"updated_at"`
}

// An Item is one product in a cart.
type Item struct {
	ID             int64  `db:"id" json:"id"`
	ProductID      int64  `db:"product_id" json:"product_id"`
	Name           string `db:"name" json:"name"`
	ImageURL       string `db:"image_url" json:"image_url"`
	UnitPriceCents int64  `db:"unit_price_cents" json:"unit_price_cents"`
	Qty            int64  `db:"qty" json:"qty"`
	LineCents      int64  `db:"line_cents" json:"line_cents"`
	Available      int64  `db:"available" json:"available"` // how many can be bought now
}

// A Coupon is what a cart shows of its coupon.
type Coupon struct {
	Code  string `json:"code"`
	Kind  string `json:"kind"`
	Value int64  `json:"value"`
}

// Pieces is the number of pieces in the cart.
func (c Cart) Pieces() int64 {
	var n int64
	for _, item := range c.Items {
		n += item.Qty
	}
	return n
}

func checkQty(qty int64) error {
	if qty < 1 || qty > MaxQty {
		return web.Invalid(web.Field{Name: "qty", Message: fmt.Sprintf("must be from 1 to %d", MaxQty)})
	}
	return nil
}

func noCart() error {
	return web.Problemf(http.StatusNotFound, "not_found", "there is no such open cart")
}

func noItem() error {
	return web.Problemf(http.StatusNotFound, "not_found", "there is no such item in the cart")
}

func tooMany() error {
	return web.Problemf(http.StatusConflict, "quantity_limit", "a cart holds at most %d pieces of one product", MaxQty)
}

func badCode(why string) error {
	return web.Invalid(web.Field{Name: "code", Message: why})
}
