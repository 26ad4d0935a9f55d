package catalog

import (
	"context"

	"github.com/stranglerfig/toolkit/internal/follow"
)

// concerned is what a part of the feed makes it necessary to read again.
type concerned struct {
	products follow.IDs
	orders   follow.IDs // their products' stock
	reviews  follow.IDs // their products' rating
	ratings  bool       // of all products: somebody is gone, and nothing says what she had reviewed
}

// concernedBy sorts changes by what they concern.
func concernedBy(changes []follow.Change) (concerned, error) {
	all := concerned{follow.IDs{}, follow.IDs{}, follow.IDs{}, false}
	for _, c := range changes {
		all.ratings = all.ratings || c.Action == "user.deleted"
	}
	return all, follow.Sort(changes, map[string]follow.IDs{"product": all.products, "stock": all.products, "order": all.orders, "review": all.reviews})
}

// ReadAgain fetches the present state of what the changes concern. An order or a
// review that is gone concerns nothing: what took it along is in the feed, too.
func (c *copied) ReadAgain(ctx context.Context, changes []follow.Change) error {
	again, err := concernedBy(changes)
	if err != nil {
		return err
	}
	batch, err := c.client.readAgain(ctx, again)
	if err != nil {
		return err
	}
	batch.Reached = Position{Feed: follow.Changes, At: changes[len(changes)-1].ID}
	return c.Apply(ctx, batch)
}

func (c client) readAgain(ctx context.Context, again concerned) (Batch, error) {
	ordered, _, err := follow.FetchAll(ctx, again.orders, c.ordered)
	if err != nil {
		return Batch{}, err
	}
	reviewed, _, err := follow.FetchAll(ctx, again.reviews, c.reviewed)
	if err != nil {
		return Batch{}, err
	}
	for _, ids := range append(ordered, reviewed...) {
		for _, id := range ids {
			again.products[id] = true
		}
	}
	var batch Batch
	if batch.Products, batch.Gone, err = follow.FetchAll(ctx, again.products, c.product); err != nil {
		return Batch{}, err
	}
	if again.ratings {
		if batch.Ratings, err = c.allRatings(ctx); err != nil {
			return Batch{}, err
		}
	}
	if len(batch.Products) > 0 { // after the products, so that none has an unknown category
		if batch.Categories, err = c.categories(ctx); err != nil {
			return Batch{}, err
		}
	}
	return batch, nil
}

func (c client) allRatings(ctx context.Context) ([]Rating, error) {
	var all []Rating
	for after := int64(0); ; {
		part, err := c.ratings(ctx, after)
		if err != nil || len(part) == 0 {
			return all, err
		}
		all = append(all, part...)
		after = part[len(part)-1].ProductID
	}
}
