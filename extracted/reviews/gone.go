package reviews

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/internal/instant"
	"github.com/stranglerfig/toolkit/internal/owner"
)

// What the monolith's foreign keys did while the tables were together, the service does
// from its feed: reviews of users and products that are gone go, too.

// feedChanges is the feed of the monolith, as it is named in feed_positions.
const feedChanges = "changes"

// Position returns how far the monolith's changes were read; begun is false before the
// first look.
func (s *Store) Position(ctx context.Context) (at int64, begun bool, err error) {
	err = s.db.GetContext(ctx, &at, `SELECT position FROM feed_positions WHERE feed = ?`, feedChanges)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return 0, false, nil
	case err != nil:
		return 0, false, fmt.Errorf("read the feed's position: %w", err)
	}
	return at, true, nil
}

// A Batch is a piece of the feed: who is gone, and the position that is reached with it.
type Batch struct {
	Users, Products []int64
	Reached         int64
}

// Apply deletes what belonged to those who are gone and writes the position, in one
// transaction. While the reviews are the monolith's it deletes them itself, and this
// only remembers.
func (s *Store) Apply(ctx context.Context, b Batch) error {
	err := s.db.Tx(ctx, func(tx *sqlx.Tx) error {
		o, err := owner.SQLite(ctx, tx, table)
		if err != nil {
			return err
		}
		for _, id := range b.Users {
			if err := s.forgetUser(ctx, tx, id, o.Target()); err != nil {
				return fmt.Errorf("user %d: %w", id, err)
			}
		}
		for _, id := range b.Products {
			if err := forgetProduct(ctx, tx, id, o.Target()); err != nil {
				return fmt.Errorf("product %d: %w", id, err)
			}
		}
		return s.putPosition(ctx, tx, b.Reached)
	})
	if err != nil {
		return fmt.Errorf("apply changes up to %d: %w", b.Reached, err)
	}
	return nil
}

func (s *Store) forgetUser(ctx context.Context, tx *sqlx.Tx, id int64, ours bool) error {
	if err := note(ctx, tx, "user", id); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM authors WHERE id = ?`, id); err != nil {
		return err
	}
	if !ours {
		return nil
	}
	var list []Entry
	if err := tx.SelectContext(ctx, &list, `
		DELETE FROM reviews
		WHERE user_id = ?
		RETURNING id, product_id, user_id, rating, title, body, created_at`, id); err != nil {
		return err
	}
	for _, e := range list {
		if _, err := change(ctx, tx, deleted, e, instant.From(s.now())); err != nil {
			return err
		}
	}
	return nil
}

// forgetProduct tells the monolith nothing: it has no such product to rate.
func forgetProduct(ctx context.Context, tx *sqlx.Tx, id int64, ours bool) error {
	if err := note(ctx, tx, "product", id); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM products WHERE id = ?`, id); err != nil {
		return err
	}
	if !ours {
		return nil
	}
	_, err := tx.ExecContext(ctx, `DELETE FROM reviews WHERE product_id = ?`, id)
	return err
}

func note(ctx context.Context, tx *sqlx.Tx, kind string, id int64) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO gone (kind, id)
		VALUES (?, ?)
		ON CONFLICT DO NOTHING`, kind, id)
	return err
}

// Restart forgets what was read of another database's feed and goes on from a position.
func (s *Store) Restart(ctx context.Context, position int64) error {
	return s.db.Tx(ctx, func(tx *sqlx.Tx) error {
		for _, statement := range []string{`DELETE FROM gone`, `DELETE FROM authors`, `DELETE FROM products`} {
			if _, err := tx.ExecContext(ctx, statement); err != nil {
				return fmt.Errorf("restart the feed: %w", err)
			}
		}
		return s.putPosition(ctx, tx, position)
	})
}

func (s *Store) putPosition(ctx context.Context, tx *sqlx.Tx, position int64) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO feed_positions (feed, position, updated_at)
		VALUES (?, ?, ?)
		ON CONFLICT (feed) DO UPDATE SET position = excluded.position, updated_at = excluded.updated_at`,
		feedChanges, position, instant.From(s.now()))
	if err != nil {
		return fmt.Errorf("position of the feed: %w", err)
	}
	return nil
}
