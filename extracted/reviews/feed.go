package reviews

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"

	"github.com/stranglerfig/toolkit/internal/follow"
)

// feed follows the monolith's changes for one thing only: who is gone. What is deleted
// and how far the feed was read are written together, so it may be killed at any point
// and goes on where it was.
type feed struct {
	store  *Store
	client *client
	state  *follow.State
	log    *slog.Logger
	turn   chan struct{} // holds one: there are no two looks at a time
}

// poll looks at the monolith once and writes all that is new.
func (f *feed) poll(ctx context.Context) error {
	select {
	case f.turn <- struct{}{}:
		defer func() { <-f.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	err := f.follow(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	f.state.Polled(err, f.log)
	return err
}

func (f *feed) follow(ctx context.Context) error {
	after, begun, err := f.store.Position(ctx)
	if err != nil {
		return err
	}
	f.state.SetReady(begun)
	for {
		page, err := f.client.changes(ctx, after)
		if err != nil {
			return fmt.Errorf("changes: %w", err)
		}
		if !begun || page.Last < after {
			if begun {
				f.log.Warn("the monolith's feed went back: another database; following it from its end", "read", after, "last", page.Last)
			}
			// Who was gone before has no reviews: the monolith's foreign keys saw to it.
			if err := f.store.Restart(ctx, page.Last); err != nil {
				return err
			}
			f.state.SetReady(true)
			return nil
		}
		f.state.SetBehind(page.Last - after)
		if len(page.Items) == 0 {
			return nil
		}
		batch, err := whoIsGone(page.Items)
		if err != nil {
			return err
		}
		after = page.Items[len(page.Items)-1].ID
		batch.Reached = after
		if err := f.store.Apply(ctx, batch); err != nil {
			return err
		}
		f.state.SetBehind(page.Last - after)
	}
}

func whoIsGone(changes []follow.Change) (Batch, error) {
	var batch Batch
	for _, c := range changes {
		list := &batch.Users
		switch c.Action {
		case "user.deleted":
		case "product.deleted":
			list = &batch.Products
		default:
			continue
		}
		id, err := strconv.ParseInt(c.EntityID, 10, 64)
		if err != nil {
			return Batch{}, fmt.Errorf("change %d: %s %q: %w", c.ID, c.Action, c.EntityID, err)
		}
		*list = append(*list, id)
	}
	return batch, nil
}

// teller tells the monolith of changes, in their order and until it has them.
type teller struct {
	store  *Store
	client *client
	log    *slog.Logger
	turn   chan struct{} // holds one: changes are told one after the other
	failed string        // what went wrong last; only with turn
}

// flush tells all that there is.
func (t *teller) flush(ctx context.Context) error {
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	err := t.tellAll(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	switch {
	case err != nil && t.failed != err.Error():
		t.log.Warn("the monolith cannot be told", "error", err)
		t.failed = err.Error()
	case err == nil && t.failed != "":
		t.log.Info("the monolith can be told again")
		t.failed = ""
	}
	return err
}

func (t *teller) tellAll(ctx context.Context) error {
	for {
		c, more, err := t.store.NextChange(ctx)
		if err != nil || !more {
			return err
		}
		if err := t.client.tell(ctx, c); err != nil {
			return fmt.Errorf("tell change %d: %w", c.Seq, err)
		}
		if err := t.store.Told(ctx, c.Seq); err != nil {
			return err
		}
	}
}
