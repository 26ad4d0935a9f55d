// Package reviews lets those who bought a product say what they think of it, once.
//
// It is the reviews of the shop taken out of it, with their table in a database of
// their own. It answers as the monolith does for the same data. Who somebody is and
// what she bought it asks the monolith, which knows; what the reviews of a product
// amount to it tells the monolith, whose catalog shows and sorts by it. It writes
// nothing while its database says that the table belongs to the monolith, and it
// promises that reviews of users and products that are gone go, too.
package reviews

import (
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/stranglerfig/toolkit/internal/instant"
	"github.com/stranglerfig/toolkit/internal/web"
)

// What reviews refuses, ready to be shown to a client.
var (
	ErrNoProduct error = web.Problemf(http.StatusNotFound, "not_found", "no such product")
	ErrNoReview  error = web.Problemf(http.StatusNotFound, "not_found", "no such review")
	ErrNotBuyer  error = web.Problemf(http.StatusForbidden, "not_a_buyer", "only who bought the product may review it")
	ErrAway      error = web.Problemf(http.StatusServiceUnavailable, "unavailable", "reviews are not available right now; try again in a moment")
	ErrNotOwner  error = web.Problemf(http.StatusServiceUnavailable, "not_owner", "the reviews still belong to the monolith; try again in a moment")
	errSignIn          = web.Problemf(http.StatusUnauthorized, "unauthenticated", "sign in first")
	ErrReviewed  error = web.Problemf(http.StatusConflict, "already_reviewed", "you have already reviewed this product")
)

// A Review is one customer's opinion of one product.
type Review struct {
	ID        int64           `db:"id" json:"id"`
	ProductID int64           `db:"product_id" json:"product_id"`
	Author    string          `db:"author" json:"author"`
	Rating    int             `db:"rating" json:"rating"`
	Title     string          `db:"title" json:"title"`
	Body      string          `db:"body" json:"body"`
	CreatedAt instant.Instant `db:"created_at" json:"created_at"`
}

// An Entry is a review as it stands in the table, which knows its author by id only.
type Entry struct {
	Review
	UserID int64 `db:"user_id" json:"user_id"`
}

// A User is what the monolith tells of one.
type User struct {
	ID   int64  `db:"id" json:"id"`
	Name string `db:"name" json:"name"`
}

// A Page is a page of a product's reviews with what all of them amount to.
type Page struct {
	web.Page[Review]
	RatingAvg   float64 `json:"rating_avg"`
	RatingCount int     `json:"rating_count"`
}

// A Draft is what a customer writes.
type Draft struct {
	Rating int    `json:"rating"`
	Title  string `json:"title"`
	Body   string `json:"body"`
}

func (d *Draft) clean() error {
	d.Title, d.Body = strings.TrimSpace(d.Title), strings.TrimSpace(d.Body)
	var fields []web.Field
	if d.Rating < 1 || d.Rating > 5 {
		fields = append(fields, web.Field{Name: "rating", Message: "must be from 1 to 5"})
	}
	if n := utf8.RuneCountInString(d.Title); n < 1 || n > 120 {
		fields = append(fields, web.Field{Name: "title", Message: "must have 1 to 120 characters"})
	}
	if n := utf8.RuneCountInString(d.Body); n > 4000 {
		fields = append(fields, web.Field{Name: "body", Message: fmt.Sprintf("must have at most 4000 characters, not %d", n)})
	}
	return web.Invalid(fields...)
}
