// Package feed is the read API for services that left the monolith: what changed,
// and the aggregates to read again. It shows nothing personal and changes nothing.
//
// Ids grow in commit order, for there is one writer, so a reader that remembers
// the last id it saw misses nothing.
package feed

import (
	"net/http"

	"github.com/stranglerfig/toolkit/internal/instant"
	"github.com/stranglerfig/toolkit/internal/web"
)

// What the feed refuses, ready to be shown to a client.
var (
	ErrNoProduct error = web.Problemf(http.StatusNotFound, "not_found", "no such product")
	ErrNoOrder   error = web.Problemf(http.StatusNotFound, "not_found", "no such order")
)

// MaxLimit is the most rows of one answer, DefaultLimit how many without a limit.
const (
	MaxLimit     = 1000
	DefaultLimit = 100
)

// A Change says that an aggregate was changed, not how: read it again.
type Change struct {
	ID        int64           `db:"id" json:"id"`
	Action    string          `db:"action" json:"action"`
	Entity    string          `db:"entity" json:"entity"`
	EntityID  string          `db:"entity_id" json:"entity_id"`
	CreatedAt instant.Instant `db:"created_at" json:"created_at"`
}

// Changes is a part of the feed; Last is the newest id there is.
type Changes struct {
	Items []Change `json:"items"`
	Last  int64    `json:"last"`
}

// A Product is what other services may need to know of one.
type Product struct {
	ID         int64  `db:"id" json:"id"`
	Name       string `db:"name" json:"name"`
	CategoryID int64  `db:"category_id" json:"category_id"`
	PriceCents int64  `db:"price_cents" json:"price_cents"`
	ImageURL   string `db:"image_url" json:"image_url"`
	Active     bool   `db:"active" json:"active"`
}

// A Purchase is an order that counts, with what was bought in it.
type Purchase struct {
	OrderID    int64   `json:"order_id"`
	ProductIDs []int64 `json:"product_ids"`
}

// An OrderPurchase is any order; Counts says whether it is a Purchase.
type OrderPurchase struct {
	OrderID    int64   `json:"order_id"`
	Counts     bool    `json:"counts"`
	ProductIDs []int64 `json:"product_ids"`
}

// Bought says whether a user has bought a product in an order that counts.
type Bought struct {
	UserID    int64 `json:"user_id"`
	ProductID int64 `json:"product_id"`
	Purchased bool  `json:"purchased"`
}

// A View is how often a product was looked at on one day, all in all.
type View struct {
	ProductID int64           `db:"product_id" json:"product_id"`
	Day       string          `db:"day" json:"day"`
	Views     int64           `db:"views" json:"views"`
	UpdatedAt instant.Instant `db:"updated_at" json:"updated_at"`
}

// Views is a part of the views; Last is when the newest of all was updated, in ms.
type Views struct {
	Items []View `json:"items"`
	Last  int64  `json:"last"`
}
