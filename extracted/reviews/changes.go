package reviews

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/internal/instant"
)

// The actions of a Change.
const (
	created = "review.created"
	deleted = "review.deleted"
)

// A Change is what the monolith is told of a review: what happened to it, and what all
// reviews of the product amount to since. Seq grows with each.
type Change struct {
	Seq         int64           `db:"seq" json:"seq"`
	Action      string          `db:"action" json:"action"`
	ReviewID    int64           `db:"review_id" json:"review_id"`
	ProductID   int64           `db:"product_id" json:"product_id"`
	UserID      int64           `db:"user_id" json:"user_id"`
	CreatedAt   instant.Instant `db:"created_at" json:"created_at"`
	RatingAvg   float64         `db:"-" json:"rating_avg"`
	RatingCount int             `db:"-" json:"rating_count"`
}

// change notes, in the transaction that changes a review, that the monolith is to be
// told of it.
func change(ctx context.Context, tx *sqlx.Tx, action string, e Entry, at instant.Instant) (int64, error) {
	var seq int64
	if err := tx.GetContext(ctx, &seq, `
		INSERT INTO review_changes (action, review_id, product_id, user_id, created_at)
		VALUES (?, ?, ?, ?, ?)
		RETURNING seq`, action, e.ID, e.ProductID, e.UserID, at); err != nil {
		return 0, fmt.Errorf("note the change of review %d: %w", e.ID, err)
	}
	return seq, nil
}

// NextChange returns the oldest change that the monolith has not been told of, or false.
func (s *Store) NextChange(ctx context.Context) (Change, bool, error) {
	var c Change
	tx, err := s.db.BeginTxx(ctx, nil)
	if err != nil {
		return c, false, fmt.Errorf("begin: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // it only read
	err = tx.GetContext(ctx, &c, `
		SELECT seq, action, review_id, product_id, user_id, created_at
		FROM review_changes
		ORDER BY seq
		LIMIT 1`)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return c, false, nil
	case err != nil:
		return c, false, fmt.Errorf("read the next change: %w", err)
	}
	c.RatingAvg, c.RatingCount, err = rating(ctx, tx, c.ProductID)
	return c, true, err
}

// Told forgets a change that the monolith has.
func (s *Store) Told(ctx context.Context, seq int64) error {
	return s.db.Tx(ctx, func(tx *sqlx.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM review_changes WHERE seq = ?`, seq); err != nil {
			return fmt.Errorf("forget change %d: %w", seq, err)
		}
		return nil
	})
}
