package recommendations

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/stranglerfig/toolkit/internal/follow"
	"github.com/stranglerfig/toolkit/internal/instant"
)

const pageRows = 1000

// client reads what recommendations need of the monolith.
type client struct{ *follow.Source }

func (c client) products(ctx context.Context, after int64) ([]Product, error) {
	return follow.Page[Product](ctx, c.Source, "/internal/products", after, pageRows)
}

func (c client) product(ctx context.Context, id int64) (Product, error) {
	return follow.One[Product](ctx, c.Source, "/internal/products/"+itoa(id))
}

func (c client) purchases(ctx context.Context, after int64) ([]Purchase, error) {
	list, err := follow.Page[Purchase](ctx, c.Source, "/internal/purchases", after, pageRows)
	for i := range list {
		list[i].Counts = true // the list holds no others
	}
	return list, err
}

func (c client) purchase(ctx context.Context, orderID int64) (Purchase, error) {
	return follow.One[Purchase](ctx, c.Source, "/internal/orders/"+itoa(orderID)+"/purchase")
}

type viewsRow struct {
	Views
	UpdatedAt instant.Instant `json:"updated_at"`
}

// views returns the rows after the cursor, and the monolith's clock.
func (c client) views(ctx context.Context, cursor Position) ([]viewsRow, time.Time, error) {
	var page struct{ Items []viewsRow }
	q := url.Values{
		"since": {itoa(cursor.At)}, "after_product": {itoa(cursor.Product)}, "after_day": {cursor.Day},
		"limit": {strconv.Itoa(pageRows)},
	}
	header, err := c.Get(ctx, "/internal/product-views", q, &page)
	if err != nil {
		return nil, time.Time{}, err
	}
	clock, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("GET /internal/product-views: header Date: %w", err)
	}
	return page.Items, clock, nil
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
