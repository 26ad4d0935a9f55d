package feed

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/internal/instant"
	"github.com/stranglerfig/toolkit/internal/sqlite"
)

// Reviews knows which product a review is about, wherever it is kept.
type Reviews interface {
	Product(ctx context.Context, reviewID int64) (int64, error)
}

// Store reads what the feed shows. It is safe for concurrent use.
type Store struct {
	db      *sqlite.DB
	reviews Reviews
}

// New returns a Store on db, whose owner stays the caller.
func New(db *sqlite.DB, reviews Reviews) *Store { return &Store{db: db, reviews: reviews} }

// Changes returns up to limit changes with ids above after, in commit order.
func (s *Store) Changes(ctx context.Context, after int64, limit int) (Changes, error) {
	changes := Changes{Items: []Change{}}
	err := s.snapshot(ctx, func(tx *sqlx.Tx) error {
		if err := tx.GetContext(ctx, &changes.Last, `SELECT coalesce(max(id), 0) FROM audit_log`); err != nil {
			return fmt.Errorf("read last change: %w", err)
		}
		if err := tx.SelectContext(ctx, &changes.Items, `
			SELECT id, action, entity, entity_id, created_at
			FROM audit_log
			WHERE id > ?
			ORDER BY id
			LIMIT ?`, after, limit); err != nil {
			return fmt.Errorf("list changes after %d: %w", after, err)
		}
		return nil
	})
	return changes, err
}

const productColumns = `
	p.id, p.name, p.category_id, p.price_cents, p.active,
	coalesce((SELECT url FROM product_images WHERE product_id = p.id ORDER BY position LIMIT 1), '') AS image_url`

// Products returns up to limit products, inactive ones too, with ids above after.
func (s *Store) Products(ctx context.Context, after int64, limit int) ([]Product, error) {
	list := []Product{}
	if err := s.db.SelectContext(ctx, &list, `
		SELECT `+productColumns+`
		FROM products p
		WHERE p.id > ?
		ORDER BY p.id
		LIMIT ?`, after, limit); err != nil {
		return nil, fmt.Errorf("list products after %d: %w", after, err)
	}
	return list, nil
}

// Product returns one product, active or not, or ErrNoProduct.
func (s *Store) Product(ctx context.Context, id int64) (Product, error) {
	var product Product
	err := s.db.GetContext(ctx, &product, `
		SELECT `+productColumns+`
		FROM products p
		WHERE p.id = ?`, id)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Product{}, ErrNoProduct
	case err != nil:
		return Product{}, fmt.Errorf("read product %d: %w", id, err)
	}
	return product, nil
}

// Purchases returns up to limit orders that count, with ids above after.
func (s *Store) Purchases(ctx context.Context, after int64, limit int) ([]Purchase, error) {
	var rows []struct {
		OrderID  int64  `db:"id"`
		Products string `db:"products"`
	}
	if err := s.db.SelectContext(ctx, &rows, `
		SELECT o.id,
		       (SELECT group_concat(product_id)
		        FROM (SELECT product_id FROM order_lines WHERE order_id = o.id ORDER BY product_id)) AS products
		FROM orders o
		WHERE o.id > ? AND +o.status IN ('paid', 'packed', 'shipped', 'delivered')
		ORDER BY o.id
		LIMIT ?`, after, limit); err != nil {
		return nil, fmt.Errorf("list purchases after %d: %w", after, err)
	}
	list := make([]Purchase, 0, len(rows))
	for _, row := range rows {
		ids, err := splitIDs(row.Products)
		if err != nil {
			return nil, fmt.Errorf("products of order %d: %w", row.OrderID, err)
		}
		list = append(list, Purchase{row.OrderID, ids})
	}
	return list, nil
}

func splitIDs(text string) ([]int64, error) {
	ids := []int64{}
	for part := range strings.SplitSeq(text, ",") {
		id, err := strconv.ParseInt(part, 10, 64)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// OrderPurchase returns what was bought in any order, or ErrNoOrder.
func (s *Store) OrderPurchase(ctx context.Context, id int64) (OrderPurchase, error) {
	purchase := OrderPurchase{OrderID: id, ProductIDs: []int64{}}
	err := s.snapshot(ctx, func(tx *sqlx.Tx) error {
		err := tx.GetContext(ctx, &purchase.Counts, `
			SELECT status IN ('paid', 'packed', 'shipped', 'delivered')
			FROM orders
			WHERE id = ?`, id)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return ErrNoOrder
		case err != nil:
			return fmt.Errorf("read order %d: %w", id, err)
		}
		if err := tx.SelectContext(ctx, &purchase.ProductIDs, `
			SELECT product_id
			FROM order_lines
			WHERE order_id = ?
			ORDER BY product_id`, id); err != nil {
			return fmt.Errorf("read lines of order %d: %w", id, err)
		}
		return nil
	})
	return purchase, err
}

// Purchased reports whether a user has bought a product in an order that counts.
func (s *Store) Purchased(ctx context.Context, userID, productID int64) (bool, error) {
	var is bool
	if err := s.db.GetContext(ctx, &is, `
		SELECT EXISTS (
		    SELECT 1
		    FROM order_lines l
		    JOIN orders o ON o.id = l.order_id
		    WHERE l.product_id = ? AND o.user_id = ?
		      AND o.status IN ('paid', 'packed', 'shipped', 'delivered'))`, productID, userID); err != nil {
		return false, fmt.Errorf("look for purchases of product %d by user %d: %w", productID, userID, err)
	}
	return is, nil
}

// A ViewPosition is where a reader of views is: behind the row that was updated
// then. A position without product and day is before all rows of its time.
type ViewPosition struct {
	UpdatedAt instant.Instant
	ProductID int64
	Day       string
}

// Views returns up to limit rows behind the position, in the order of positions.
func (s *Store) Views(ctx context.Context, after ViewPosition, limit int) (Views, error) {
	views := Views{Items: []View{}}
	err := s.snapshot(ctx, func(tx *sqlx.Tx) error {
		if err := tx.GetContext(ctx, &views.Last, `SELECT coalesce(max(updated_at), 0) FROM product_views`); err != nil {
			return fmt.Errorf("read last view: %w", err)
		}
		if err := tx.SelectContext(ctx, &views.Items, `
			SELECT product_id, day, views, updated_at
			FROM product_views
			WHERE (updated_at, product_id, day) > (?, ?, ?)
			ORDER BY updated_at, product_id, day
			LIMIT ?`, after.UpdatedAt, after.ProductID, after.Day, limit); err != nil {
			return fmt.Errorf("list views after %d: %w", after.UpdatedAt, err)
		}
		return nil
	})
	return views, err
}

// snapshot runs read so that all of its queries see the same moment.
func (s *Store) snapshot(ctx context.Context, read func(tx *sqlx.Tx) error) error {
	tx, err := s.db.BeginTxx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // it only read
	return read(tx)
}
