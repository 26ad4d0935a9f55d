// Package recommendations is the first service that left the shop: what else a
// customer may like, out of its own database.
//
// It answers as the monolith does for the same data. A Feed keeps its copy of
// products, purchases and views current through the monolith's read API; while the
// monolith is away it serves what it has. It writes nothing outside of its own file.
package recommendations

import "errors"

// DefaultLimit and MaxLimit bound how many recommendations one answer holds.
const (
	DefaultLimit = 6
	MaxLimit     = 12
)

// viewDays is how many days of views count, today included.
const viewDays = 30

// ErrNotFound reports that there is no active product with the requested id.
var ErrNotFound = errors.New("no such product")

// Why a product is recommended.
const (
	BoughtTogether = "bought_together"
	SameCategory   = "same_category"
)

// An Item is one recommended product. Score is the number of common orders or of
// views, as Reason says.
type Item struct {
	ID         int64  `db:"id" json:"id"`
	Name       string `db:"name" json:"name"`
	PriceCents int64  `db:"price_cents" json:"price_cents"`
	ImageURL   string `db:"image_url" json:"image_url"`
	Score      int64  `db:"score" json:"score"`
	Reason     string `db:"reason" json:"reason"`
}

// A List is the answer for one product; Items is never nil.
type List struct {
	ProductID int64  `json:"product_id"`
	Items     []Item `json:"items"`
}

// A Product is the copy of what the monolith's catalog says about one product.
type Product struct {
	ID         int64  `db:"id" json:"id"`
	Name       string `db:"name" json:"name"`
	CategoryID int64  `db:"category_id" json:"category_id"`
	PriceCents int64  `db:"price_cents" json:"price_cents"`
	ImageURL   string `db:"image_url" json:"image_url"`
	Active     bool   `db:"active" json:"active"`
}

// A Purchase is an order and what was in it. Counts is false once the order was
// cancelled or refunded, or is not paid yet.
type Purchase struct {
	OrderID    int64   `json:"order_id"`
	ProductIDs []int64 `json:"product_ids"`
	Counts     bool    `json:"counts"`
}

// Views are all views of one product on one day (2026-01-31, UTC).
type Views struct {
	ProductID int64  `json:"product_id"`
	Day       string `json:"day"`
	Views     int64  `json:"views"`
}
