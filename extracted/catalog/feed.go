package catalog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/stranglerfig/toolkit/internal/follow"
)

// The feeds of the monolith, as they are named in feed_positions. The snapshot is
// complete once its row says 1.
const (
	feedChanges  = "changes"
	feedProducts = "products"
	feedSnapshot = "snapshot"
)

const (
	changesRows = 200
	fetchers    = 4 // changed things read at once
	maxBackoff  = 5 * time.Second
)

// FeedOptions tune a Feed. The zero value is fit for production.
type FeedOptions struct {
	Token   string        // the monolith's internal token
	Refresh time.Duration // between two looks at the monolith; 0 means 1 s
	Log     *slog.Logger  // nil discards
}

// A Feed keeps the Store equal to the monolith: once a snapshot by pages, then what
// changed. Data and the position in the feed are written together, so it may be
// stopped or killed at any point and goes on where it was.
type Feed struct {
	store  *Store
	client *client
	opts   FeedOptions
	state  *follow.State
}

// NewFeed returns a Feed from the monolith at an address like http://host:port.
func NewFeed(store *Store, monolith string, opts FeedOptions) (*Feed, error) {
	c, err := newClient(monolith, opts.Token)
	if err != nil {
		return nil, err
	}
	opts.Refresh = cmp.Or(opts.Refresh, time.Second)
	opts.Log = cmp.Or(opts.Log, slog.New(slog.DiscardHandler))
	return &Feed{store: store, client: c, opts: opts, state: follow.New("catalog", store.now)}, nil
}

// Ready reports whether the copy is complete: a first snapshot was taken, now or in
// an earlier run.
func (f *Feed) Ready() bool { return f.state.Ready() }

// Run follows the monolith until ctx ends; then it returns nil. What goes wrong is
// shown by /healthz, logged once, and tried again: after longer and longer pauses,
// at most five seconds.
func (f *Feed) Run(ctx context.Context) error {
	for pause := f.opts.Refresh; ; {
		err := f.Poll(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err == nil {
			pause = f.opts.Refresh
		} else {
			pause = min(max(2*pause, 100*time.Millisecond), max(maxBackoff, f.opts.Refresh))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// Poll looks at the monolith once and writes all that is new. Run calls it; there
// must not be two at a time.
func (f *Feed) Poll(ctx context.Context) error {
	err := f.poll(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	before, after := f.state.Polled(err)
	switch {
	case after != "" && before != after:
		f.opts.Log.Warn("the monolith cannot be read", "error", after)
	case before != "" && after == "":
		f.opts.Log.Info("the monolith can be read again")
	}
	return err
}

func (f *Feed) poll(ctx context.Context) error {
	positions, err := f.store.Positions(ctx)
	if err != nil {
		return err
	}
	if _, begun := positions[feedChanges]; !begun {
		if positions, err = f.restart(ctx); err != nil {
			return err
		}
	}
	// After a restart the service answers at once, with or without the monolith.
	complete := positions[feedSnapshot].At == 1
	f.state.SetReady(complete)
	if !complete {
		if err := f.copyPages(ctx, positions); err != nil {
			return fmt.Errorf("snapshot: %w", err)
		}
	}
	if err := f.followChanges(ctx, positions[feedChanges].At); err != nil {
		return fmt.Errorf("changes: %w", err)
	}
	if err := f.followCategories(ctx); err != nil {
		return fmt.Errorf("categories: %w", err)
	}
	if complete {
		return nil
	}
	if err := f.store.Apply(ctx, Batch{Reached: Position{Feed: feedSnapshot, At: 1}}); err != nil {
		return err
	}
	f.state.SetReady(true)
	f.opts.Log.Info("snapshot complete")
	return nil
}

// restart begins a snapshot: the changes from now on are remembered first, so that
// what changes while pages are read is read again afterwards.
func (f *Feed) restart(ctx context.Context) (map[string]Position, error) {
	f.state.SetReady(false)
	page, err := f.client.changes(ctx, 0, 1)
	if err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	if err := f.store.Restart(ctx, page.Last); err != nil {
		return nil, err
	}
	return f.store.Positions(ctx)
}

// copyPages copies the products, from where it was left.
func (f *Feed) copyPages(ctx context.Context, positions map[string]Position) error {
	for at := positions[feedProducts].At; ; {
		products, err := f.client.products(ctx, at)
		if err != nil || len(products) == 0 {
			return err
		}
		at = products[len(products)-1].ID
		if err := f.store.Apply(ctx, Batch{Products: products, Reached: Position{Feed: feedProducts, At: at}}); err != nil {
			return err
		}
	}
}

// followChanges reads the feed from after on and reads again each product that it
// concerns: only the newest state counts, so the order of changes does not.
func (f *Feed) followChanges(ctx context.Context, after int64) error {
	for {
		page, err := f.client.changes(ctx, after, changesRows)
		if err != nil {
			return err
		}
		f.state.SetBehind(page.Last - after)
		if page.Last < after {
			f.opts.Log.Warn("the monolith's feed went back: another database; copying it anew", "read", after, "last", page.Last)
			if _, err := f.restart(ctx); err != nil {
				return err
			}
			return errors.New("the monolith has another database; its data is being copied anew")
		}
		if len(page.Items) == 0 {
			return nil
		}
		batch, err := f.readAgain(ctx, page.Items)
		if err != nil {
			return err
		}
		after = page.Items[len(page.Items)-1].ID
		batch.Reached = Position{Feed: feedChanges, At: after}
		if err := f.store.Apply(ctx, batch); err != nil {
			return err
		}
		f.state.SetBehind(page.Last - after)
		if after >= page.Last {
			return nil
		}
	}
}

// followCategories looks whether the categories are still the same: the feed does not
// name them.
func (f *Feed) followCategories(ctx context.Context) error {
	list, err := f.client.categories(ctx)
	if err != nil {
		return err
	}
	same, err := f.store.sameCategories(ctx, list)
	if err != nil || same {
		return err
	}
	positions, err := f.store.Positions(ctx)
	if err != nil {
		return err
	}
	return f.store.Apply(ctx, Batch{Categories: nonNil(list), Reached: positions[feedChanges]})
}

func nonNil(list []CategoryRow) []CategoryRow {
	if list == nil {
		return []CategoryRow{}
	}
	return list
}
