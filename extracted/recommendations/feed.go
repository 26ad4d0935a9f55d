package recommendations

import (
	"context"
	"fmt"
	"time"

	"github.com/stranglerfig/toolkit/internal/follow"
)

// The monolith's feeds of its own, as they are named in feed_positions.
const (
	feedProducts  = "products"
	feedPurchases = "purchases"
	feedViews     = "views"
)

// viewsOverlap is how long a view may take from its time stamp to its commit: rows
// younger than this are read again.
const viewsOverlap = 5 * time.Second

// NewFeed returns what keeps the store equal to the monolith at an address like
// http://host:port. The caller runs it.
func NewFeed(store *Store, monolith string, opts follow.Options) (*follow.Feed, error) {
	source, err := follow.NewSource(monolith, opts.Token)
	if err != nil {
		return nil, err
	}
	return follow.NewFeed(follow.New("recommendations", store.now), source, &copied{store, client{source}}, opts), nil
}

// copied is the store as a copy of what the monolith has for recommendations.
type copied struct {
	*Store
	client client
}

var _ follow.Copy = (*copied)(nil)

func (c *copied) Complete(ctx context.Context) error {
	return c.Apply(ctx, Batch{Reached: Position{Feed: follow.Snapshot, At: 1}})
}

// CopyPages copies the products and the purchases, from where it was left.
func (c *copied) CopyPages(ctx context.Context) error {
	reached, err := c.Reached(ctx)
	if err != nil {
		return err
	}
	for at := reached[feedProducts]; ; {
		products, err := c.client.products(ctx, at)
		if err != nil {
			return err
		}
		if len(products) == 0 {
			break
		}
		at = products[len(products)-1].ID
		if err := c.Apply(ctx, Batch{Products: products, Reached: Position{Feed: feedProducts, At: at}}); err != nil {
			return err
		}
	}
	for at := reached[feedPurchases]; ; {
		purchases, err := c.client.purchases(ctx, at)
		if err != nil || len(purchases) == 0 {
			return err
		}
		at = purchases[len(purchases)-1].OrderID
		if err := c.Apply(ctx, Batch{Purchases: purchases, Reached: Position{Feed: feedPurchases, At: at}}); err != nil {
			return err
		}
	}
}

// ReadAgain fetches the present state of the products and orders that the changes name.
func (c *copied) ReadAgain(ctx context.Context, changes []follow.Change) error {
	named := map[string]follow.IDs{"product": {}, "order": {}}
	if err := follow.Sort(changes, named); err != nil {
		return err
	}
	batch := Batch{Reached: Position{Feed: follow.Changes, At: changes[len(changes)-1].ID}}
	var err error
	if batch.Products, batch.Gone, err = follow.FetchAll(ctx, named["product"], c.client.product); err != nil {
		return err
	}
	purchases, noOrders, err := follow.FetchAll(ctx, named["order"], c.client.purchase)
	if err != nil {
		return err
	}
	for _, id := range noOrders {
		purchases = append(purchases, Purchase{OrderID: id})
	}
	batch.Purchases = purchases
	return c.Apply(ctx, batch)
}

// ReadRest reads the views behind the cursor, which the feed does not name. The stored
// cursor stays behind the monolith's clock by viewsOverlap: counts are absolute, so what
// is read twice is harmless, and a row that was committed late is not missed.
func (c *copied) ReadRest(ctx context.Context) error {
	positions, err := c.Positions(ctx)
	if err != nil {
		return err
	}
	stored := positions[feedViews]
	stored.Feed = feedViews
	for cursor := stored; ; {
		rows, clock, err := c.client.views(ctx, cursor)
		if err != nil {
			return fmt.Errorf("views: %w", err)
		}
		if len(rows) == 0 {
			return nil
		}
		settled := clock.Add(-viewsOverlap).UnixMilli()
		batch := Batch{Views: make([]Views, 0, len(rows))}
		for _, row := range rows {
			batch.Views = append(batch.Views, row.Views)
			cursor.At, cursor.Product, cursor.Day = int64(row.UpdatedAt), row.ProductID, row.Day
			if cursor.At <= settled {
				stored = cursor
			}
		}
		batch.Reached = stored
		if err := c.Apply(ctx, batch); err != nil {
			return err
		}
		if len(rows) < pageRows {
			return nil
		}
	}
}
