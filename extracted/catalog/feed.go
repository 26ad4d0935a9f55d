package catalog

import (
	"context"
	"fmt"

	"github.com/stranglerfig/toolkit/internal/follow"
)

// feedProducts is how far the products of the first snapshot are.
const feedProducts = "products"

// NewFeed returns what keeps the store equal to the monolith at an address like
// http://host:port. The caller runs it.
func NewFeed(store *Store, monolith string, opts follow.Options) (*follow.Feed, error) {
	source, err := follow.NewSource(monolith, opts.Token)
	if err != nil {
		return nil, err
	}
	return follow.NewFeed(follow.New("catalog", store.now), source, &copied{store, client{source}}, opts), nil
}

// copied is the store as a copy of the monolith's catalog.
type copied struct {
	*Store
	client client
}

var _ follow.Copy = (*copied)(nil)

func (c *copied) Complete(ctx context.Context) error {
	return c.Apply(ctx, Batch{Reached: Position{Feed: follow.Snapshot, At: 1}})
}

// CopyPages copies the products, from where it was left.
func (c *copied) CopyPages(ctx context.Context) error {
	reached, err := c.Reached(ctx)
	if err != nil {
		return err
	}
	for at := reached[feedProducts]; ; {
		products, err := c.client.products(ctx, at)
		if err != nil || len(products) == 0 {
			return err
		}
		at = products[len(products)-1].ID
		if err := c.Apply(ctx, Batch{Products: products, Reached: Position{Feed: feedProducts, At: at}}); err != nil {
			return err
		}
	}
}

// ReadRest looks whether the categories are still the same: the feed does not name them.
func (c *copied) ReadRest(ctx context.Context) error {
	list, err := c.client.categories(ctx)
	if err != nil {
		return fmt.Errorf("categories: %w", err)
	}
	same, err := c.sameCategories(ctx, list)
	if err != nil || same {
		return err
	}
	reached, err := c.Reached(ctx)
	if err != nil {
		return err
	}
	return c.Apply(ctx, Batch{Categories: list, Reached: Position{Feed: follow.Changes, At: reached[follow.Changes]}})
}
