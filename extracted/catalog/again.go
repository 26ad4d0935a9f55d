package catalog

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sync/errgroup"
)

// concerned is what a part of the feed makes it necessary to read again.
type concerned struct {
	products map[int64]bool
	orders   map[int64]bool // their products' stock
	reviews  map[int64]bool // their products' rating
	ratings  bool           // of all products: somebody is gone, and nothing says what she had reviewed
}

// concernedBy sorts changes by what they concern.
func concernedBy(changes []change) (concerned, error) {
	all := concerned{map[int64]bool{}, map[int64]bool{}, map[int64]bool{}, false}
	sets := map[string]map[int64]bool{"product": all.products, "stock": all.products, "order": all.orders, "review": all.reviews}
	for _, c := range changes {
		if c.Action == "user.deleted" {
			all.ratings = true
		}
		ids, ok := sets[c.Entity]
		if !ok {
			continue
		}
		id, err := strconv.ParseInt(c.EntityID, 10, 64)
		if err != nil {
			return all, fmt.Errorf("change %d: %s id %q: %w", c.ID, c.Entity, c.EntityID, err)
		}
		ids[id] = true
	}
	return all, nil
}

// readAgain fetches the present state of what the changes concern. An order or a
// review that is gone concerns nothing: what took it along is in the feed, too.
func (f *Feed) readAgain(ctx context.Context, changes []change) (Batch, error) {
	again, err := concernedBy(changes)
	if err != nil {
		return Batch{}, err
	}
	ordered, _, err := fetchAll(ctx, again.orders, f.client.ordered)
	if err != nil {
		return Batch{}, err
	}
	reviewed, _, err := fetchAll(ctx, again.reviews, f.client.reviewed)
	if err != nil {
		return Batch{}, err
	}
	for _, ids := range append(ordered, reviewed...) {
		for _, id := range ids {
			again.products[id] = true
		}
	}
	var batch Batch
	if batch.Products, batch.Gone, err = fetchAll(ctx, again.products, f.client.product); err != nil {
		return Batch{}, err
	}
	if again.ratings {
		if batch.Ratings, err = f.allRatings(ctx); err != nil {
			return Batch{}, err
		}
	}
	if len(batch.Products) > 0 { // after the products, so that none has an unknown category
		categories, err := f.client.categories(ctx)
		if err != nil {
			return Batch{}, err
		}
		batch.Categories = nonNil(categories)
	}
	return batch, nil
}

func (f *Feed) allRatings(ctx context.Context) ([]Rating, error) {
	var all []Rating
	for after := int64(0); ; {
		part, err := f.client.ratings(ctx, after)
		if err != nil || len(part) == 0 {
			return all, err
		}
		all = append(all, part...)
		after = part[len(part)-1].ProductID
	}
}

// fetchAll fetches each id, a few at a time; gone are those that no longer exist.
func fetchAll[T any](ctx context.Context, ids map[int64]bool, fetch func(context.Context, int64) (T, error)) (found []T, gone []int64, err error) {
	type answer struct {
		id    int64
		value T
		gone  bool
	}
	answers := make(chan answer, len(ids))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(fetchers)
	for id := range ids {
		group.Go(func() error {
			v, err := fetch(ctx, id)
			if err != nil && !errors.Is(err, errGone) {
				return err
			}
			answers <- answer{id, v, err != nil}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, nil, err
	}
	close(answers)
	for a := range answers {
		if a.gone {
			gone = append(gone, a.id)
		} else {
			found = append(found, a.value)
		}
	}
	return found, gone, nil
}
