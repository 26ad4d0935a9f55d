package inventory

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/internal/instant"
	"github.com/stranglerfig/toolkit/internal/sqlite"
	"github.com/stranglerfig/toolkit/monolith/identity"
)

// Store keeps the shelves. It is safe for concurrent use.
type Store struct {
	db  *sqlite.DB
	now func() time.Time
}

// New returns a Store on db, whose owner stays the caller.
func New(db *sqlite.DB, now func() time.Time) *Store { return &Store{db: db, now: now} }

// Stock returns what of an active product can be sold, or ErrNoProduct.
func (s *Store) Stock(ctx context.Context, productID int64) (Stock, error) {
	var stock Stock
	err := s.db.GetContext(ctx, &stock, `
		SELECT p.id AS product_id, p.stock_qty AS available, p.stock_qty > 0 AS in_stock,
		       p.stock_qty <= i.reorder_level AS low
		FROM products p
		JOIN stock_items i ON i.product_id = p.id
		WHERE p.id = ? AND p.active = 1`, productID)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Stock{}, ErrNoProduct
	case err != nil:
		return Stock{}, fmt.Errorf("read stock of product %d: %w", productID, err)
	}
	return stock, nil
}

// Shelf returns what lies on the shelf of a product, active or not, or ErrNoProduct.
func (s *Store) Shelf(ctx context.Context, productID int64) (Shelf, error) {
	return shelf(ctx, s.db, productID)
}

func shelf(ctx context.Context, q sqlx.QueryerContext, productID int64) (Shelf, error) {
	var found Shelf
	err := sqlx.GetContext(ctx, q, &found, `
		SELECT product_id, on_hand, reserved, on_hand - reserved AS available
		FROM stock_items
		WHERE product_id = ?`, productID)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Shelf{}, ErrNoProduct
	case err != nil:
		return Shelf{}, fmt.Errorf("read shelf of product %d: %w", productID, err)
	}
	return found, nil
}

// Adjust corrects what lies on the shelf by c.Delta and returns what is there now.
// It fails with ErrOutOfStock if that is less than is reserved.
func (s *Store) Adjust(ctx context.Context, productID int64, c Correction) (Shelf, error) {
	if err := c.clean(); err != nil {
		return Shelf{}, err
	}
	var after Shelf
	err := s.db.Tx(ctx, func(tx *sqlx.Tx) error {
		before, err := shelf(ctx, tx, productID)
		if err != nil {
			return err
		}
		if before.Available+c.Delta < 0 {
			return ErrOutOfStock
		}
		if err := s.move(ctx, tx, productID, c); err != nil {
			return err
		}
		after, err = shelf(ctx, tx, productID)
		return err
	})
	return after, err
}

// move writes a correction to everyone's columns: the shelf, the catalog's product,
// the movement and the log.
func (s *Store) move(ctx context.Context, tx *sqlx.Tx, productID int64, c Correction) error {
	now := instant.From(s.now())
	for _, step := range []struct {
		sql  string
		args []any
	}{
		{
			`UPDATE stock_items SET on_hand = on_hand + ?, updated_at = ? WHERE product_id = ?`,
			[]any{c.Delta, now, productID},
		},
		{
			`UPDATE products SET stock_qty = stock_qty + ? WHERE id = ?`,
			[]any{c.Delta, productID},
		},
		{
			`INSERT INTO stock_movements (product_id, delta, reason, note, created_at) VALUES (?, ?, 'correction', ?, ?)`,
			[]any{productID, c.Delta, c.Note, now},
		},
		{
			`INSERT INTO audit_log (actor_id, action, entity, entity_id, detail, created_at) VALUES (?, 'stock.adjusted', 'stock', ?, ?, ?)`,
			[]any{identity.Actor(ctx), fmt.Sprint(productID), fmt.Sprintf("%+d", c.Delta), now},
		},
	} {
		if _, err := tx.ExecContext(ctx, step.sql, step.args...); err != nil {
			return fmt.Errorf("adjust stock of product %d: %w", productID, err)
		}
	}
	return nil
}

// Movements returns the last changes of a product's shelf, newest first, or
// ErrNoProduct.
func (s *Store) Movements(ctx context.Context, productID int64) ([]Movement, error) {
	if _, err := s.Shelf(ctx, productID); err != nil {
		return nil, err
	}
	list := []Movement{}
	if err := s.db.SelectContext(ctx, &list, `
		SELECT delta, reason, note, order_id, created_at
		FROM stock_movements
		WHERE product_id = ?
		ORDER BY id DESC
		LIMIT ?`, productID, maxMovements); err != nil {
		return nil, fmt.Errorf("list stock movements of product %d: %w", productID, err)
	}
	return list, nil
}
