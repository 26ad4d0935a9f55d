// Package orders turns carts into orders and carries them through their states. Its
// transactions write stock, coupons, payments, carts, users, notifications and the
// audit log where they lie. It promises that an acknowledged order is never lost and
// that nothing is sold that is not in stock.
package orders

import (
	"net/http"

	"github.com/stranglerfig/toolkit/internal/instant"
	"github.com/stranglerfig/toolkit/internal/web"
)

// The states of an order: Pending, Paid, Packed, Shipped, Delivered in this order;
// Cancelled and Refunded end it.
const (
	Pending   = "pending"
	Paid      = "paid"
	Packed    = "packed"
	Shipped   = "shipped"
	Delivered = "delivered"
	Cancelled = "cancelled"
	Refunded  = "refunded"
)

// An Order is what somebody bought, as it was sold.
type Order struct {
	ID              int64           `db:"id" json:"id"`
	UserID          int64           `db:"user_id" json:"-"`
	Status          string          `db:"status" json:"status"`
	ShippingMethod  string          `db:"shipping_method" json:"shipping_method"`
	SubtotalCents   int64           `db:"subtotal_cents" json:"subtotal_cents"`
	DiscountCents   int64           `db:"discount_cents" json:"discount_cents"`
	ShippingCents   int64           `db:"shipping_cents" json:"shipping_cents"`
	TaxCents        int64           `db:"tax_cents" json:"tax_cents"`
	TotalCents      int64           `db:"total_cents" json:"total_cents"`
	CreatedAt       instant.Instant `db:"created_at" json:"created_at"`
	UpdatedAt       instant.Instant `db:"updated_at" json:"updated_at"`
	ShippingAddress Address         `db:"address" json:"shipping_address"`
	CouponCode      *string         `db:"coupon_code" json:"coupon_code"`
	Payment         Payment         `db:"payment" json:"payment"`
	Shipment        *Shipment       `db:"-" json:"shipment"`
	Lines           []Line          `db:"-" json:"lines,omitempty"` // not in lists
}

// An Address is where an order goes; personal data is blank once the account is gone.
type Address struct {
	ID         int64  `db:"id" json:"id"`
	Name       string `db:"name" json:"name"`
	Street     string `db:"street" json:"street"`
	City       string `db:"city" json:"city"`
	PostalCode string `db:"postal_code" json:"postal_code"`
	Region     string `db:"region" json:"region"`
	Country    string `db:"country" json:"country"`
}

// A Payment is what an order shows of its payment.
type Payment struct {
	ID     int64  `db:"id" json:"id"`
	Status string `db:"status" json:"status"`
}

// A Shipment is a parcel on its way.
type Shipment struct {
	Carrier     string           `db:"carrier" json:"carrier"`
	Tracking    string           `db:"tracking" json:"tracking"`
	ShippedAt   instant.Instant  `db:"shipped_at" json:"shipped_at"`
	DeliveredAt *instant.Instant `db:"delivered_at" json:"delivered_at"`
}

// A Line is one product of an order, with its name and price as sold.
type Line struct {
	ProductID      int64  `db:"product_id" json:"product_id"`
	Name           string `db:"name" json:"name"`
	UnitPriceCents int64  `db:"unit_price_cents" json:"unit_price_cents"`
	Qty            int64  `db:"qty" json:"qty"`
	LineCents      int64  `db:"line_cents" json:"line_cents"`
}

// An Event is one thing that happened to an order.
type Event struct {
	Kind      string          `db:"kind" json:"kind"`
	Detail    string          `db:"detail" json:"detail"`
	CreatedAt instant.Instant `db:"created_at" json:"created_at"`
}

// A Bought is a line of the history page: what was bought, and whether it is still sold.
type Bought struct {
	OrderID        int64           `db:"order_id"`
	Status         string          `db:"status"`
	CreatedAt      instant.Instant `db:"created_at"`
	ProductID      int64           `db:"product_id"`
	Product        string          `db:"product"`
	Qty            int64           `db:"qty"`
	UnitPriceCents int64           `db:"unit_price_cents"`
	StillSold      bool            `db:"still_sold"`
}

func noOrder() error {
	return web.Problemf(http.StatusNotFound, "not_found", "there is no such order")
}

func wrongState(status, verb string) error {
	return web.Problemf(http.StatusConflict, "conflict", "the order is %s: it cannot be %s", status, verb)
}
