// Package pricing says what a cart costs: coupons, shipping and tax. The rules are
// pure functions of integer cents; the store reads the rates and keeps the coupons.
// It never touches carts or orders.
package pricing

import (
	"fmt"
	"net/http"
	"regexp"

	"github.com/stranglerfig/toolkit/internal/instant"
	"github.com/stranglerfig/toolkit/internal/web"
)

// The kinds of a coupon.
const (
	Percent = "percent" // Value is a percentage of the subtotal
	Fixed   = "fixed"   // Value is an amount in cents
)

// The shipping methods.
const (
	Standard = "standard"
	Express  = "express"
)

// A Coupon takes something off the subtotal of an order.
type Coupon struct {
	ID             int64            `db:"id" json:"id"`
	Code           string           `db:"code" json:"code"`
	Kind           string           `db:"kind" json:"kind"`
	Value          int64            `db:"value" json:"value"`
	MinOrderCents  int64            `db:"min_order_cents" json:"min_order_cents"`
	MaxRedemptions *int64           `db:"max_redemptions" json:"max_redemptions"`
	PerUserLimit   int64            `db:"per_user_limit" json:"per_user_limit"`
	Redeemed       int64            `db:"redeemed" json:"redeemed"`
	Active         bool             `db:"active" json:"active"`
	StartsAt       *instant.Instant `db:"starts_at" json:"starts_at"`
	EndsAt         *instant.Instant `db:"ends_at" json:"ends_at"`
	CreatedAt      instant.Instant  `db:"created_at" json:"created_at"`
}

// Unusable says in a few words why the coupon does not apply at now to a subtotal,
// for a customer who has redeemed it used times before; "" means that it applies.
func (c Coupon) Unusable(now instant.Instant, subtotalCents, used int64) string {
	switch {
	case !c.Active:
		return "is not active"
	case c.StartsAt != nil && now < *c.StartsAt:
		return "is not valid yet"
	case c.EndsAt != nil && now >= *c.EndsAt:
		return "has expired"
	case c.MaxRedemptions != nil && c.Redeemed >= *c.MaxRedemptions:
		return "is used up"
	case used >= c.PerUserLimit:
		return "has been used already"
	case subtotalCents < c.MinOrderCents:
		return fmt.Sprintf("needs an order of at least %d.%02d", c.MinOrderCents/100, c.MinOrderCents%100)
	}
	return ""
}

// Discount is what the coupon takes off a subtotal: a percentage rounded half up,
// or the fixed value, and never more than the subtotal.
func (c Coupon) Discount(subtotalCents int64) int64 {
	if c.Kind == Percent {
		return min(share(subtotalCents, c.Value, 100), subtotalCents)
	}
	return min(c.Value, subtotalCents)
}

// A ShippingRate is the price of one method to one country.
type ShippingRate struct {
	BaseCents     int64  `db:"base_cents"`
	PerItemCents  int64  `db:"per_item_cents"`
	FreeFromCents *int64 `db:"free_from_cents"`
}

// Cost is what shipping items costs when goodsCents remain after the discount.
func (r ShippingRate) Cost(items, goodsCents int64) int64 {
	if r.FreeFromCents != nil && goodsCents >= *r.FreeFromCents {
		return 0
	}
	return r.BaseCents + r.PerItemCents*items
}

// Rates are the shipping and tax rates that hold for one destination.
type Rates struct {
	Shipping       ShippingRate
	TaxBasisPoints int64
}

// A Quote is a price with all its parts.
type Quote struct {
	SubtotalCents  int64  `json:"subtotal_cents"`
	DiscountCents  int64  `json:"discount_cents"`
	ShippingCents  int64  `json:"shipping_cents"`
	TaxCents       int64  `json:"tax_cents"`
	TotalCents     int64  `json:"total_cents"`
	ShippingMethod string `json:"shipping_method"`
	Country        string `json:"country"`
	Region         string `json:"region"`
}

// Price works out the amounts of a quote for items pieces worth subtotalCents; the
// destination is the caller's to fill in. A nil coupon takes nothing off.
func Price(subtotalCents, items int64, coupon *Coupon, rates Rates) Quote {
	q := Quote{SubtotalCents: subtotalCents}
	if coupon != nil {
		q.DiscountCents = coupon.Discount(subtotalCents)
	}
	goods := subtotalCents - q.DiscountCents
	q.ShippingCents = rates.Shipping.Cost(items, goods)
	q.TaxCents = share(goods+q.ShippingCents, rates.TaxBasisPoints, 10_000)
	q.TotalCents = goods + q.ShippingCents + q.TaxCents
	return q
}

// share is part/whole of cents, rounded half up.
func share(cents, part, whole int64) int64 { return (2*cents*part + whole) / (2 * whole) }

// A Destination is where and how an order is to be sent.
type Destination struct {
	Country string
	Region  string // may be empty
	Method  string
}

var countryCode = regexp.MustCompile(`^[A-Z]{2}$`)

// Check names what is wrong with the destination, in the words of the quote's query.
func (d Destination) Check() error {
	var fields []web.Field
	if !countryCode.MatchString(d.Country) {
		fields = append(fields, web.Field{Name: "country", Message: "must be two capital letters, such as US"})
	}
	if len(d.Region) > 100 {
		fields = append(fields, web.Field{Name: "region", Message: "must have at most 100 characters"})
	}
	if !ValidMethod(d.Method) {
		fields = append(fields, web.Field{Name: "shipping", Message: "must be standard or express"})
	}
	return web.Invalid(fields...)
}

// ValidMethod reports whether method is a shipping method.
func ValidMethod(method string) bool { return method == Standard || method == Express }

var couponCode = regexp.MustCompile(`^[A-Za-z0-9_-]{1,40}$`)

// check names what is wrong with a coupon that is to be created.
func (c Coupon) check() error {
	var fields []web.Field
	bad := func(name, message string) { fields = append(fields, web.Field{Name: name, Message: message}) }
	if !couponCode.MatchString(c.Code) {
		bad("code", "must be 1 to 40 letters, digits, - or _")
	}
	switch {
	case c.Kind != Percent && c.Kind != Fixed:
		bad("kind", "must be percent or fixed")
	case c.Kind == Percent && (c.Value < 1 || c.Value > 100):
		bad("value", "must be a percentage from 1 to 100")
	case c.Value < 1 || c.Value > maxCents:
		bad("value", fmt.Sprintf("must be from 1 to %d cents", maxCents))
	}
	if c.MinOrderCents < 0 || c.MinOrderCents > maxCents {
		bad("min_order_cents", fmt.Sprintf("must be from 0 to %d", maxCents))
	}
	if c.MaxRedemptions != nil && *c.MaxRedemptions < 1 {
		bad("max_redemptions", "must be at least 1, or null for no limit")
	}
	if c.PerUserLimit < 1 || c.PerUserLimit > 1_000_000 {
		bad("per_user_limit", "must be from 1 to 1000000")
	}
	if c.StartsAt != nil && c.EndsAt != nil && *c.EndsAt <= *c.StartsAt {
		bad("ends_at", "must be later than starts_at")
	}
	return web.Invalid(fields...)
}

const maxCents = 100_000_000

func noCoupon(id int64) error {
	return web.Problemf(http.StatusNotFound, "not_found", "there is no coupon %d", id)
}
