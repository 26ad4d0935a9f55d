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
	"github.com/stranglerfig/toolkit/monolith/identity"
)

// table is what moves, as _strangler_owner calls it.
const table = "reviews"

// errMoved ends a transaction that found the reviews to be the service's.
var errMoved = errors.New("the reviews have moved to the service")

// local keeps the reviews in the shop's own table. After they have moved the table is
// a copy, which only the split may write.
type local struct {
	db  *sqlite.DB
	now func() time.Time
}

// list returns a page of a product's reviews, newest first. It does not look whether
// there is such a product.
func (l local) list(ctx context.Context, productID int64, p web.Paging) (Page, error) {
	var items []Review
	if err := l.db.SelectContext(ctx, &items, `
		SELECT r.id, r.product_id, u.name AS author, r.rating, r.title, r.body, r.created_at
		FROM reviews r
		JOIN users u ON u.id = r.user_id
		WHERE r.product_id = ?
		ORDER BY r.id DESC
		LIMIT ? OFFSET ?`, productID, p.PerPage, p.Offset()); err != nil {
		return Page{}, fmt.Errorf("list reviews of product %d: %w", productID, err)
	}
	var rating struct {
		Avg   float64 `db:"rating_avg"`
		Count int     `db:"rating_count"`
	}
	if err := l.db.GetContext(ctx, &rating, `
		SELECT rating_avg, rating_count
		FROM products
		WHERE id = ?`, productID); err != nil {
		return Page{}, fmt.Errorf("read rating of product %d: %w", productID, err)
	}
	return Page{Page: web.NewPage(p, items, rating.Count), RatingAvg: rating.Avg, RatingCount: rating.Count}, nil
}

// review returns one review of an active product, or ErrNoReview.
func (l local) review(ctx context.Context, productID, id int64) (Review, error) {
	var review Review
	err := l.db.GetContext(ctx, &review, `
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

// product returns which product a review is about, or ErrNoReview.
func (l local) product(ctx context.Context, id int64) (int64, error) {
	var product int64
	err := l.db.GetContext(ctx, &product, `SELECT product_id FROM reviews WHERE id = ?`, id)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return 0, ErrNoReview
	case err != nil:
		return 0, fmt.Errorf("read product of review %d: %w", id, err)
	}
	return product, nil
}

// reviewed reports whether a user has reviewed a product.
func (l local) reviewed(ctx context.Context, q sqlx.QueryerContext, productID, userID int64) (bool, error) {
	var is bool
	if err := sqlx.GetContext(ctx, q, &is, `
		SELECT EXISTS (SELECT 1 FROM reviews WHERE product_id = ? AND user_id = ?)`, productID, userID); err != nil {
		return false, fmt.Errorf("look for a review of product %d by user %d: %w", productID, userID, err)
	}
	return is, nil
}

// create adds a review, unless the table has moved: then it fails with errMoved and
// has done nothing. Nobody can move the table before the transaction ends.
func (l local) create(ctx context.Context, productID int64, author identity.User, d Draft) (Review, error) {
	review := Review{
		ProductID: productID, Author: author.Name, Rating: d.Rating, Title: d.Title, Body: d.Body,
		CreatedAt: instant.From(l.now()),
	}
	err := l.db.Tx(ctx, func(tx *sqlx.Tx) error {
		if err := stillOurs(ctx, tx); err != nil {
			return err
		}
		buyer, err := bought(ctx, tx, productID, author.ID)
		if err != nil {
			return err
		}
		reviewed, err := l.reviewed(ctx, tx, productID, author.ID)
		if err := refusal(reviewed, buyer, err); err != nil {
			return err
		}
		if err := tx.GetContext(ctx, &review.ID, `
			INSERT INTO reviews (product_id, user_id, rating, title, body, created_at, updated_at)
			VALUES (?, ?, ?, ?, ?, ?, ?)
			RETURNING id`,
			productID, author.ID, d.Rating, d.Title, d.Body, review.CreatedAt, review.CreatedAt); err != nil {
			return fmt.Errorf("insert review of product %d: %w", productID, err)
		}
		if err := rate(ctx, tx, productID); err != nil {
			return err
		}
		return auditCreated(ctx, tx, review.ID, productID, author.ID, review.CreatedAt)
	})
	return review, err
}

// stillOurs returns errMoved unless the shop itself owns the reviews.
func stillOurs(ctx context.Context, tx *sqlx.Tx) error {
	o, err := owner.SQLite(ctx, tx, table)
	if err != nil {
		return err
	}
	if o.Target() {
		return errMoved
	}
	return nil
}

// forget deletes the reviews of a user within tx.
func (l local) forget(ctx context.Context, tx *sqlx.Tx, userID int64) error {
	var products []int64
	if err := tx.SelectContext(ctx, &products, `
		DELETE FROM reviews
		WHERE user_id = ?
		RETURNING product_id`, userID); err != nil {
		return fmt.Errorf("delete reviews of user %d: %w", userID, err)
	}
	for _, id := range products {
		if err := rate(ctx, tx, id); err != nil {
			return err
		}
	}
	return nil
}

// average returns the mean of all reviews.
func (l local) average(ctx context.Context, q sqlx.QueryerContext) (float64, error) {
	var mean float64
	if err := sqlx.GetContext(ctx, q, &mean, `SELECT coalesce(round(avg(rating), 2), 0) FROM reviews`); err != nil {
		return 0, fmt.Errorf("average of all reviews: %w", err)
	}
	return mean, nil
}

// bought reports whether a user may judge an active product: that asks the tables of
// orders. It fails with ErrNoProduct.
func bought(ctx context.Context, q sqlx.QueryerContext, productID, userID int64) (bool, error) {
	var buyer bool
	err := sqlx.GetContext(ctx, q, &buyer, `
		SELECT EXISTS (
		           SELECT 1
		           FROM order_lines l
		           JOIN orders o ON o.id = l.order_id
		           WHERE l.product_id = p.id AND o.user_id = ?
		             AND o.status IN ('paid', 'packed', 'shipped', 'delivered'))
		FROM products p
		WHERE p.id = ? AND p.active = 1`, userID, productID)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return false, ErrNoProduct
	case err != nil:
		return false, fmt.Errorf("look for purchases of product %d by user %d: %w", productID, userID, err)
	}
	return buyer, nil
}

func auditCreated(ctx context.Context, tx *sqlx.Tx, id, productID, userID int64, at instant.Instant) error {
	if _, err := tx.ExecContext(ctx, `
		INSERT INTO audit_log (actor_id, action, entity, entity_id, detail, created_at)
		VALUES (?, 'review.created', 'review', ?, ?, ?)`,
		userID, fmt.Sprint(id), fmt.Sprintf("product %d", productID), at); err != nil {
		return fmt.Errorf("audit review %d: %w", id, err)
	}
	return nil
}
