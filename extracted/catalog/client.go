package catalog

import (
	"context"
	"strconv"

	"github.com/stranglerfig/toolkit/internal/follow"
)

const (
	productRows = 100 // of one answer: even with the longest descriptions they stay below what it may have
	ratingRows  = 1000
)

// client reads what the catalog has of the monolith.
type client struct{ *follow.Source }

// categories returns all there are; the list is never nil.
func (c client) categories(ctx context.Context) ([]CategoryRow, error) {
	page, err := follow.One[struct{ Items []CategoryRow }](ctx, c.Source, "/internal/catalog/categories")
	return append([]CategoryRow{}, page.Items...), err
}

func (c client) products(ctx context.Context, after int64) ([]ProductRow, error) {
	return follow.Page[ProductRow](ctx, c.Source, "/internal/catalog/products", after, productRows)
}

func (c client) product(ctx context.Context, id int64) (ProductRow, error) {
	return follow.One[ProductRow](ctx, c.Source, "/internal/catalog/products/"+itoa(id))
}

func (c client) ratings(ctx context.Context, after int64) ([]Rating, error) {
	return follow.Page[Rating](ctx, c.Source, "/internal/catalog/ratings", after, ratingRows)
}

// ordered returns the products of an order.
func (c client) ordered(ctx context.Context, orderID int64) ([]int64, error) {
	purchase, err := follow.One[struct {
		ProductIDs []int64 `json:"product_ids"`
	}](ctx, c.Source, "/internal/orders/"+itoa(orderID)+"/purchase")
	return purchase.ProductIDs, err
}

// reviewed returns the product of a review.
func (c client) reviewed(ctx context.Context, reviewID int64) ([]int64, error) {
	review, err := follow.One[struct {
		ProductID int64 `json:"product_id"`
	}](ctx, c.Source, "/internal/reviews/"+itoa(reviewID)+"/product")
	return []int64{review.ProductID}, err
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
