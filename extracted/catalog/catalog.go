// Package catalog is the shop's catalog taken out of it: what is sold, listed, searched
// and shown, out of its own database.
//
// It answers as the monolith does for the same data. A Feed keeps its copy of
// categories and products current through the monolith's read API, with the stock and
// the ratings that other domains write; while the monolith is away it serves what it
// has. It edits nothing, which is for the monolith to do as before, and it does not
// count who looks at a product: what it shows is missing in the monolith's views.
package catalog

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/stranglerfig/toolkit/internal/instant"
	"github.com/stranglerfig/toolkit/internal/web"
)

// What the catalog refuses, ready to be shown to a client.
var (
	ErrNoProduct  error = web.Problemf(http.StatusNotFound, "not_found", "no such product")
	ErrNoCategory error = web.Problemf(http.StatusNotFound, "not_found", "no such category")
)

// A Category groups products. Products is how many of them are active.
type Category struct {
	ID       int64  `db:"id" json:"id"`
	Slug     string `db:"slug" json:"slug"`
	Name     string `db:"name" json:"name"`
	Products int    `db:"-" json:"products"`
}

// A CategoryRef names the category of a product.
type CategoryRef struct {
	ID   int64  `db:"id" json:"id"`
	Slug string `db:"slug" json:"slug"`
	Name string `db:"name" json:"name"`
}

// A Summary is a product as lists show it. ImageURL is that of the first image, or
// empty.
type Summary struct {
	ID          int64       `db:"id" json:"id"`
	SKU         string      `db:"sku" json:"sku"`
	Name        string      `db:"name" json:"name"`
	PriceCents  int64       `db:"price_cents" json:"price_cents"`
	Category    CategoryRef `db:"category" json:"category"`
	ImageURL    string      `db:"image_url" json:"image_url"`
	RatingAvg   float64     `db:"rating_avg" json:"rating_avg"`
	RatingCount int         `db:"rating_count" json:"rating_count"`
	StockQty    int         `db:"stock_qty" json:"stock_qty"`
}

// A Product is everything a customer may know of a product.
type Product struct {
	Summary
	Description string          `db:"description" json:"description"`
	Images      []Image         `db:"-" json:"images"`
	Tags        []string        `db:"-" json:"tags"`
	Version     int64           `db:"version" json:"version"`
	CreatedAt   instant.Instant `db:"created_at" json:"created_at"`
	UpdatedAt   instant.Instant `db:"updated_at" json:"updated_at"`
}

// ETag changes whenever anything that the product shows does. It begins with the
// version, which only the catalog's own columns raise.
func (p Product) ETag() string {
	body, err := json.Marshal(p)
	if err != nil {
		panic(fmt.Errorf("encode product %d: %w", p.ID, err))
	}
	sum := sha256.Sum256(body)
	return fmt.Sprintf(`"%d-%s"`, p.Version, hex.EncodeToString(sum[:8]))
}

// An Image is a picture of a product and the words for who cannot see it.
type Image struct {
	URL string `db:"url" json:"url"`
	Alt string `db:"alt" json:"alt"`
}

// A Query asks for a page of active products. The zero value of each field but
// Page means any.
type Query struct {
	Text     string // each word must be in name, description or tags
	Category string // slug
	Sort     string // name, price, -price, rating or newest; empty means name
	Page     web.Paging
}

// Sorts are the values of Query.Sort, the default first.
func Sorts() []string { return []string{"name", "price", "-price", "rating", "newest"} }

const maxText = 100

func (q *Query) clean() error {
	q.Text = strings.TrimSpace(q.Text)
	if utf8.RuneCountInString(q.Text) > maxText {
		return web.Invalid(web.Field{Name: "q", Message: fmt.Sprintf("must have at most %d characters", maxText)})
	}
	if q.Sort == "" {
		q.Sort = "name"
	}
	if !slices.Contains(Sorts(), q.Sort) {
		return web.Invalid(web.Field{Name: "sort", Message: "must be one of " + strings.Join(Sorts(), ", ")})
	}
	return nil
}
