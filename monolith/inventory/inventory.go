// Package inventory knows how many pieces of a product lie on the shelf, how many
// of those are promised to orders, and why that changed.
//
// It keeps products.stock_qty equal to on_hand - reserved in the transaction that
// changes either. Orders reserve and release stock in their own transactions.
package inventory

import (
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/stranglerfig/toolkit/internal/instant"
	"github.com/stranglerfig/toolkit/internal/web"
)

// What the inventory refuses, ready to be shown to a client.
var (
	ErrNoProduct  error = web.Problemf(http.StatusNotFound, "not_found", "no such product")
	ErrOutOfStock error = web.Problemf(http.StatusConflict, "out_of_stock", "less than nothing would be left on the shelf")
)

// Stock is what a customer may know: Low means at or under the reorder level.
type Stock struct {
	ProductID int64 `db:"product_id" json:"product_id"`
	Available int   `db:"available" json:"available"`
	InStock   bool  `db:"in_stock" json:"in_stock"`
	Low       bool  `db:"low" json:"low"`
}

// A Shelf is what an administrator sees: Available = OnHand - Reserved.
type Shelf struct {
	ProductID int64 `db:"product_id" json:"product_id"`
	OnHand    int   `db:"on_hand" json:"on_hand"`
	Reserved  int   `db:"reserved" json:"reserved"`
	Available int   `db:"available" json:"available"`
}

// A Movement is one change of what lies on the shelf.
type Movement struct {
	Delta     int             `db:"delta" json:"delta"`
	Reason    string          `db:"reason" json:"reason"`
	Note      string          `db:"note" json:"note"`
	OrderID   *int64          `db:"order_id" json:"order_id"`
	CreatedAt instant.Instant `db:"created_at" json:"created_at"`
}

// A Correction is what an administrator found when counting.
type Correction struct {
	Delta int    `json:"delta"`
	Note  string `json:"note"`
}

const (
	maxDelta     = 1_000_000
	maxNote      = 500
	maxMovements = 100
)

func (c *Correction) clean() error {
	var fields []web.Field
	if c.Delta == 0 || c.Delta < -maxDelta || c.Delta > maxDelta {
		fields = append(fields, web.Field{Name: "delta", Message: fmt.Sprintf("must be from -%d to %d and not 0", maxDelta, maxDelta)})
	}
	c.Note = strings.TrimSpace(c.Note)
	if utf8.RuneCountInString(c.Note) > maxNote {
		fields = append(fields, web.Field{Name: "note", Message: fmt.Sprintf("must have at most %d characters", maxNote)})
	}
	return web.Invalid(fields...)
}
