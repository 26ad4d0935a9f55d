package reviews

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/internal/instant"
	"github.com/stranglerfig/toolkit/internal/owner"
	"github.com/stranglerfig/toolkit/internal/sqlite"
	"github.com/stranglerfig/toolkit/internal/web"
)

// table is what moved here, as _strangler_owner calls it.
const table = "reviews"

// Store keeps reviews. It is safe for concurrent use.
type Store struct {
	db  *sqlite.DB
	now func() time.Time
}

// New returns a Store on db, whose owner stays the caller.
func New(db *sqlite.DB, now func() time.Time) *Store { return &Store{db: db, now: now} }

// A List is a page of a product's reviews with what all of them amount to.
type List struct {
	Items       []Entry `json:"items"`
	RatingAvg   float64 `json:"rating_avg"`
	RatingCount int     `json:"rating_count"`
}

// List returns a page of a product's reviews, newest first, all of it at one moment.
func (s *Store) List(ctx context.Context, productID int64, p web.Paging) (List, error) {
	list := List{Items: []Entry{}}
	tx, err := s.db.BeginTxx(ctx, nil)
	if err != nil {
		return list, fmt.Errorf("begin: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // it only read
	if list.RatingAvg, list.RatingCount, err = rating(ctx, tx, productID); err != nil {
		return list, err
	}
	if err := tx.SelectContext(ctx, &list.Items, `
		SELECT id, product_id, user_id, rating, title, body, created_at
		FROM reviews
		WHERE product_id = ?
		ORDER BY id DESC
		LIMIT ? OFFSET ?`, productID, p.PerPage, p.Offset()); err != nil {
		return list, fmt.Errorf("list reviews of product %d: %w", productID, err)
	}
	return list, nil
}

// rating returns what all reviews of a product amount to.
func rating(ctx context.Context, tx *sqlx.Tx, productID int64) (avg float64, count int, err error) {
	err = tx.QueryRowxContext(ctx, `
		SELECT coalesce(round(avg(rating), 2), 0), count(*)
		FROM reviews
		WHERE product_id = ?`, productID).Scan(&avg, &count)
	if err != nil {
		return 0, 0, fmt.Errorf("rate product %d: %w", productID, err)
	}
	return avg, count, nil
}

// Review returns a review, or ErrNoReview.
func (s *Store) Review(ctx context.Context, id int64) (Entry, error) {
	var e Entry
	err := s.db.GetContext(ctx, &e, `
		SELECT id, product_id, user_id, rating, title, body, created_at
		FROM reviews
		WHERE id = ?`, id)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Entry{}, ErrNoReview
	case err != nil:
		return Entry{}, fmt.Errorf("read review %d: %w", id, err)
	}
	return e, nil
}

// Reviewed reports whether a user has reviewed a product.
func (s *Store) Reviewed(ctx context.Context, productID, userID int64) (bool, error) {
	return reviewed(ctx, s.db, productID, userID)
}

func reviewed(ctx context.Context, q sqlx.QueryerContext, productID, userID int64) (bool, error) {
	var is bool
	if err := sqlx.GetContext(ctx, q, &is, `
		SELECT EXISTS (SELECT 1 FROM reviews WHERE product_id = ? AND user_id = ?)`, productID, userID); err != nil {
		return false, fmt.Errorf("look for a review of product %d by user %d: %w", productID, userID, err)
	}
	return is, nil
}

// Average returns the mean of all reviews.
func (s *Store) Average(ctx context.Context) (float64, error) {
	var mean float64
	if err := s.db.GetContext(ctx, &mean, `SELECT coalesce(round(avg(rating), 2), 0) FROM reviews`); err != nil {
		return 0, fmt.Errorf("average of all reviews: %w", err)
	}
	return mean, nil
}

// Create adds a review of somebody who may write it but for what only this database
// knows: ErrReviewed, ErrNotOwner, and that user or product are gone. It returns the
// number of the change, which the monolith is to be told of.
func (s *Store) Create(ctx context.Context, productID int64, author User, buyer bool, d Draft) (Review, int64, error) {
	review := Review{
		ProductID: productID, Author: author.Name, Rating: d.Rating, Title: d.Title, Body: d.Body,
		CreatedAt: instant.From(s.now()),
	}
	var seq int64
	err := s.db.Tx(ctx, func(tx *sqlx.Tx) error {
		if err := mayWrite(ctx, tx, productID, author.ID); err != nil {
			return err
		}
		was, err := reviewed(ctx, tx, productID, author.ID)
		switch {
		case err != nil:
			return err
		case was:
			return ErrReviewed
		case !buyer:
			return ErrNotBuyer
		}
		if err := tx.GetContext(ctx, &review.ID, `
			INSERT INTO reviews (product_id, user_id, rating, title, body, created_at, updated_at)
			VALUES (?, ?, ?, ?, ?, ?, ?)
			RETURNING id`,
			productID, author.ID, d.Rating, d.Title, d.Body, review.CreatedAt, review.CreatedAt); err != nil {
			return fmt.Errorf("insert review of product %d: %w", productID, err)
		}
		seq, err = change(ctx, tx, created, Entry{review, author.ID}, review.CreatedAt)
		return err
	})
	return review, seq, err
}

// mayWrite looks, in the transaction of the write, whose table it is, and whether those
// whom the review is about are still there.
func mayWrite(ctx context.Context, tx *sqlx.Tx, productID, userID int64) error {
	o, err := owner.SQLite(ctx, tx, table)
	if err != nil {
		return err
	}
	if !o.Target() {
		return ErrNotOwner
	}
	var gone []string
	if err := tx.SelectContext(ctx, &gone, `
		SELECT kind
		FROM gone
		WHERE (kind = 'product' AND id = ?) OR (kind = 'user' AND id = ?)
		ORDER BY kind`, productID, userID); err != nil {
		return fmt.Errorf("look who is gone: %w", err)
	}
	switch {
	case len(gone) == 0:
		return nil
	case gone[0] == "product":
		return ErrNoProduct
	default:
		return errSignIn
	}
}

// Begun reports whether a split has begun to move the table here: until then the table
// is empty, and says nothing.
func (s *Store) Begun(ctx context.Context) (bool, error) {
	var begun bool
	if err := s.db.GetContext(ctx, &begun, `
		SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name LIKE '\_strangler\_%' ESCAPE '\')`); err != nil {
		return false, fmt.Errorf("look for a split: %w", err)
	}
	return begun, nil
}
