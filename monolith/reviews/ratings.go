package reviews

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/internal/instant"
	"github.com/stranglerfig/toolkit/internal/owner"
)

// products.rating_avg and rating_count belong to the catalog, which sorts by them. They
// are a copy of what the reviews amount to: taken in the transaction of the review
// while the shop keeps the reviews, and from what the service tells afterwards.

// rate writes what the shop's own reviews of a product amount to into the product.
func rate(ctx context.Context, tx *sqlx.Tx, productID int64) error {
	if _, err := tx.ExecContext(ctx, `
		UPDATE products
		SET (rating_count, rating_avg) = (
			SELECT count(*), coalesce(round(avg(rating), 2), 0)
			FROM reviews
			WHERE product_id = products.id)
		WHERE id = ?`, productID); err != nil {
		return fmt.Errorf("rate product %d: %w", productID, err)
	}
	return nil
}

// Created is the action of a Change; any other is a review that is gone.
const Created = "review.created"

// A Change is what the service tells of one of its reviews: what happened, and what all
// reviews of the product amount to since. Seq grows with each change of the service.
type Change struct {
	Seq         int64           `json:"seq"`
	Action      string          `json:"action"`
	ReviewID    int64           `json:"review_id"`
	ProductID   int64           `json:"product_id"`
	UserID      int64           `json:"user_id"`
	CreatedAt   instant.Instant `json:"created_at"`
	RatingAvg   float64         `json:"rating_avg"`
	RatingCount int64           `json:"rating_count"`
}

// Changed takes over what the service tells. Told again, or too late, it changes
// nothing. While the shop itself owns the reviews, its own table knows better.
func (s *Store) Changed(ctx context.Context, c Change) error {
	return s.db.Tx(ctx, func(tx *sqlx.Tx) error {
		o, err := owner.SQLite(ctx, tx, table)
		if err != nil {
			return err
		}
		if o.Target() {
			err = s.rateAsTold(ctx, tx, c)
		} else {
			err = rate(ctx, tx, c.ProductID)
		}
		if err != nil || c.Action != Created {
			return err
		}
		var known bool
		if err := tx.GetContext(ctx, &known, `
			SELECT EXISTS (SELECT 1 FROM audit_log WHERE entity = 'review' AND entity_id = ? AND action = 'review.created')`,
			fmt.Sprint(c.ReviewID)); err != nil {
			return fmt.Errorf("look for review %d in the audit log: %w", c.ReviewID, err)
		}
		if known {
			return nil
		}
		return auditCreated(ctx, tx, c.ReviewID, c.ProductID, c.UserID, c.CreatedAt)
	})
}

// rateAsTold writes a rating of the service into the product, and into the feed that
// the product has changed: whoever follows the catalog need not know who rates.
func (s *Store) rateAsTold(ctx context.Context, tx *sqlx.Tx, c Change) error {
	result, err := tx.ExecContext(ctx, `
		UPDATE products
		SET rating_avg = ?, rating_count = ?, rating_version = ?
		WHERE id = ? AND rating_version < ?`, c.RatingAvg, c.RatingCount, c.Seq, c.ProductID, c.Seq)
	if err != nil {
		return fmt.Errorf("rate product %d: %w", c.ProductID, err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return err
	}
	if _, err := tx.ExecContext(ctx, `
		INSERT INTO audit_log (action, entity, entity_id, created_at)
		VALUES ('product.rated', 'product', ?, ?)`, fmt.Sprint(c.ProductID), instant.From(s.now())); err != nil {
		return fmt.Errorf("audit the rating of product %d: %w", c.ProductID, err)
	}
	return nil
}

// Run settles what was on its way when the reviews came back to the shop, until ctx
// ends: ratings that the service had not told yet, and reviews of accounts that it had
// not deleted yet.
func (s *Store) Run(ctx context.Context) error {
	settled := int64(-1) // the epoch that was settled last; one settling is due at each start
	for {
		epoch, err := s.settleBack(ctx, settled)
		if err != nil && ctx.Err() == nil {
			s.log.Error("reviews came back and are not settled", "error", err)
		} else if err == nil {
			settled = epoch
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(s.every):
		}
	}
}

// settleBack settles once for each epoch in which the shop owns the reviews again, and
// returns the epoch that is settled.
func (s *Store) settleBack(ctx context.Context, settled int64) (int64, error) {
	o, err := owner.SQLite(ctx, s.db, table)
	if err != nil || o.Target() || o.Epoch == settled {
		return settled, err
	}
	err = s.db.Tx(ctx, func(tx *sqlx.Tx) error {
		if err := stillOurs(ctx, tx); err != nil {
			return err
		}
		for _, step := range []string{
			`DELETE FROM reviews
			 WHERE user_id IN (SELECT id FROM users WHERE deleted_at IS NOT NULL)`,
			`WITH is_now AS (
			     SELECT p.id, count(r.id) AS n, coalesce(round(avg(r.rating), 2), 0) AS mean
			     FROM products p
			     LEFT JOIN reviews r ON r.product_id = p.id
			     GROUP BY p.id)
			 UPDATE products
			 SET rating_count = is_now.n, rating_avg = is_now.mean, rating_version = 0
			 FROM is_now
			 WHERE is_now.id = products.id
			   AND (rating_count <> is_now.n OR rating_avg <> is_now.mean OR rating_version <> 0)`,
		} {
			if _, err := tx.ExecContext(ctx, step); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, errMoved) { // gone again meanwhile
		return settled, nil
	}
	return o.Epoch, err
}
