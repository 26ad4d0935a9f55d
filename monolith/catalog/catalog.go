// Package catalog knows what is sold: categories and products with their images
// and tags, listed, searched, shown, and edited by administrators.
//
// Its queries read the stock and the ratings of other domains straight from their
// tables, and its products carry columns that others write: what is quick in one
// database and has to be taken apart when a domain leaves.
package catalog

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/stranglerfig/toolkit/internal/instant"
	"github.com/stranglerfig/toolkit/internal/web"
)

// What the catalog refuses, ready to be shown to a client.
var (
	ErrNoProduct    error = web.Problemf(http.StatusNotFound, "not_found", "no such product")
	ErrNoCategory   error = web.Problemf(http.StatusNotFound, "not_found", "no such category")
	ErrSKUTaken     error = web.Problemf(http.StatusConflict, "sku_taken", "another product has this SKU")
	ErrOrdered      error = web.Problemf(http.StatusConflict, "product_ordered", "the product stands in an order; deactivate it instead")
	ErrOtherVersion error = web.Problemf(http.StatusConflict, "version_conflict", "somebody else changed the product; read it again")
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

// A Managed is a product as administrators see it.
type Managed struct {
	Product
	Active bool `db:"active" json:"active"`
}

// A ManagedSummary is a line of the administrators' list.
type ManagedSummary struct {
	Summary
	Active bool `db:"active" json:"active"`
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

// Draft holds the fields of a product that an administrator sets; nil fields stay
// as they are, or take their default in a new product.
type Draft struct {
	SKU         *string   `json:"sku"`
	Name        *string   `json:"name"`
	Description *string   `json:"description"`
	CategoryID  *int64    `json:"category_id"`
	PriceCents  *int64    `json:"price_cents"`
	StockQty    *int      `json:"stock_qty"` // of a new product only; later it is for the inventory to say
	Active      *bool     `json:"active"`
	Tags        *[]string `json:"tags"`
	Images      *[]Image  `json:"images"`
}

const (
	maxPriceCents = 100_000_000
	maxStock      = 1_000_000
	maxTags       = 20
	maxImages     = 10
)

// cleanNew checks the draft of a new product.
func (d *Draft) cleanNew() error {
	var fields []web.Field
	for _, f := range []struct {
		name    string
		missing bool
	}{
		{"sku", d.SKU == nil},
		{"name", d.Name == nil},
		{"category_id", d.CategoryID == nil},
		{"price_cents", d.PriceCents == nil},
	} {
		if f.missing {
			fields = append(fields, web.Field{Name: f.name, Message: "is required"})
		}
	}
	if d.StockQty != nil && (*d.StockQty < 0 || *d.StockQty > maxStock) {
		fields = append(fields, web.Field{Name: "stock_qty", Message: fmt.Sprintf("must be from 0 to %d", maxStock)})
	}
	return web.Invalid(append(fields, d.check()...)...)
}

// cleanChange checks the draft of a change.
func (d *Draft) cleanChange() error {
	var fields []web.Field
	if d.StockQty != nil {
		fields = append(fields, web.Field{Name: "stock_qty", Message: "is changed by a correction of the stock"})
	}
	return web.Invalid(append(fields, d.check()...)...)
}

func (d *Draft) check() []web.Field {
	var fields []web.Field
	fields = append(fields, trimmed("sku", d.SKU, 1, 64)...)
	fields = append(fields, trimmed("name", d.Name, 1, 200)...)
	fields = append(fields, trimmed("description", d.Description, 0, 10_000)...)
	if d.PriceCents != nil && (*d.PriceCents < 0 || *d.PriceCents > maxPriceCents) {
		fields = append(fields, web.Field{Name: "price_cents", Message: fmt.Sprintf("must be from 0 to %d", maxPriceCents)})
	}
	if d.Tags != nil {
		fields = append(fields, cleanTags(d.Tags)...)
	}
	if d.Images != nil {
		fields = append(fields, checkImages(*d.Images)...)
	}
	return fields
}

func trimmed(field string, text *string, lowest, highest int) []web.Field {
	if text == nil {
		return nil
	}
	*text = strings.TrimSpace(*text)
	if n := utf8.RuneCountInString(*text); n < lowest || n > highest {
		return []web.Field{{Name: field, Message: fmt.Sprintf("must have %d to %d characters", lowest, highest)}}
	}
	return nil
}

// cleanTags puts tags into the form in which they are stored: lower case, sorted,
// each once.
func cleanTags(tags *[]string) []web.Field {
	clean := []string{}
	for i, tag := range *tags {
		tag = strings.ToLower(strings.TrimSpace(tag))
		if n := utf8.RuneCountInString(tag); n < 1 || n > 50 || strings.ContainsFunc(tag, unicode.IsControl) {
			return []web.Field{{Name: fmt.Sprintf("tags[%d]", i), Message: "must have 1 to 50 characters"}}
		}
		clean = append(clean, tag)
	}
	slices.Sort(clean)
	*tags = slices.Compact(clean)
	if len(*tags) > maxTags {
		return []web.Field{{Name: "tags", Message: fmt.Sprintf("must be at most %d", maxTags)}}
	}
	return nil
}

// checkImages admits paths of this shop and https addresses.
func checkImages(images []Image) []web.Field {
	if len(images) > maxImages {
		return []web.Field{{Name: "images", Message: fmt.Sprintf("must be at most %d", maxImages)}}
	}
	for i, image := range images {
		u, err := url.Parse(image.URL)
		local := err == nil && u.Scheme == "" && u.Host == "" && strings.HasPrefix(u.Path, "/")
		remote := err == nil && u.Scheme == "https" && u.Host != ""
		if !local && !remote || len(image.URL) > 500 {
			return []web.Field{{Name: fmt.Sprintf("images[%d].url", i), Message: "must be a path such as /static/a.svg, or an https address"}}
		}
		if utf8.RuneCountInString(image.Alt) > 200 {
			return []web.Field{{Name: fmt.Sprintf("images[%d].alt", i), Message: "must have at most 200 characters"}}
		}
	}
	return nil
}
