package reviews

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/internal/instant"
	"github.com/stranglerfig/toolkit/internal/sqlite"
	"github.com/stranglerfig/toolkit/internal/web"
	"github.com/stranglerfig/toolkit/monolith/identity"
)

// Store keeps reviews. It is safe for concurrent use.
type Store struct {
	db  *sqlite.DB
	now func() time.Time
}

// New returns a Store on db, whose owner stays the caller.
func New(db *sqlite.DB, now func() time.Time) *Store { return &Store{db: db, now: now} }

// List returns a page of an active product's reviews, newest first, or ErrNoProduct.
func (s *Store) List(ctx context.Context, productID int64, p web.Paging) (Page, error) {
	var rating struct {
		Avg   float64 `db:"rating_avg"`
		Count int     `db:"rating_count"`
	}
	err := s.db.GetContext(ctx, &rating, `
		SELECT rating_avg, rating_count
		FROM products
		WHERE id = ? AND active = 1`, productID)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Page{}, ErrNoProduct
	case err != nil:
		return Page{}, fmt.Errorf("read rating of product %d: %w", productID, err)
	}
	var items []Review
	if err := s.db.SelectContext(ctx, &items, `
		SELECT r.id, r.product_id, u.name AS author, r.rating, r.title, r.body, r.created_at
		FROM reviews r
		JOIN users u ON u.id = r.user_id
		WHERE r.product_id = ?
		ORDER BY r.id DESC
		LIMIT ? OFFSET ?`, productID, p.PerPage, p.Offset()); err != nil {
		return Page{}, fmt.Errorf("list reviews of product %d: %w", productID, err)
	}
	return Page{Page: web.NewPage(p, items, rating.Count), RatingAvg: rating.Avg, RatingCount: rating.Count}, nil
}

// Review returns a review of an active product, or ErrNoReview.
func (s *Store) Review(ctx context.Context, productID, id int64) (Review, error) {
	var review Review
	err := s.db.GetContext(ctx, &review, `
		SELECT r.id, r.product_id, u.name AS author, r.rating, r.title, r.body, r.created_at
		FROM reviews r
		JOIN users u ON u.id = r.user_id
		JOIN products p ON p.id = r.product_id AND p.active = 1
		WHERE r.id = ? AND r.product_id = ?`, id, productID)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Review{}, ErrNoReview
	case err != nil:
		return Review{}, fmt.Errorf("read review %d: %w", id, err)
	}
	return review, nil
}

// MayReview reports whether a user may write a review of an active product: nil,
// or one of ErrNoProduct, ErrReviewed and ErrNotBuyer.
func (s *Store) MayReview(ctx context.Context, productID, userID int64) error {
	return mayReview(ctx, s.db, productID, userID)
}

func mayReview(ctx context.Context, q sqlx.QueryerContext, productID, userID int64) error {
	var is struct {
		Buyer    bool `db:"buyer"`
		Reviewer bool `db:"reviewer"`
	}
	err := sqlx.GetContext(ctx, q, &is, `
		SELECT EXISTS (
		           SELECT 1
		           FROM order_lines l
		           JOIN orders o ON o.id = l.order_id
		           WHERE l.product_id = p.id AND o.user_id = ?
		             AND o.status IN ('paid', 'packed', 'shipped', 'delivered')) AS buyer,
		       EXISTS (SELECT 1 FROM reviews r WHERE r.product_id = p.id AND r.user_id = ?) AS reviewer
		FROM products p
		WHERE p.id = ? AND p.active = 1`, userID, userID, productID)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return ErrNoProduct
	case err != nil:
		return fmt.Errorf("look for purchases of product %d by user %d: %w", productID, userID, err)
	case is.Reviewer:
		return ErrReviewed
	case !is.Buyer:
		return ErrNotBuyer
	}
	return nil
}

// Create adds the review of a user who bought the product. It fails like MayReview.
func (s *Store) Create(ctx context.Context, productID int64, author identity.User, d Draft) (Review, error) {
	if err := d.clean(); err != nil {
		return Review{}, err
	}
	review := Review{
		ProductID: productID, Author: author.Name, Rating: d.Rating, Title: d.Title, Body: d.Body,
		CreatedAt: instant.From(s.now()),
	}
	err := s.db.Tx(ctx, func(tx *sqlx.Tx) error {
		if err := mayReview(ctx, tx, productID, author.ID); err != nil {
			return err
		}
		if err := tx.GetContext(ctx, &review.ID, `
			INSERT INTO reviews (product_id, user_id, rating, title, body, created_at, updated_at)
			VALUES (?, ?, ?, ?, ?, ?, ?)
			RETURNING id`,
			productID, author.ID, d.Rating, d.Title, d.Body, review.CreatedAt, review.CreatedAt); err != nil {
			return fmt.Errorf("insert review of product %d: %w", productID, err)
		}
		if _, err := tx.ExecContext(ctx, `
			INSERT INTO audit_log (actor_id, action, entity, entity_id, detail, created_at)
			VALUES (?, 'review.created', 'review', ?, ?, ?)`,
			author.ID, fmt.Sprint(review.ID), fmt.Sprintf("product %d", productID), review.CreatedAt); err != nil {
			return fmt.Errorf("audit review %d: %w", review.ID, err)
		}
		return nil
	})
	return review, err
}
