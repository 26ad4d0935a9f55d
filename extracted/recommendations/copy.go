package recommendations

import (
	"context"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/internal/follow"
	"github.com/stranglerfig/toolkit/internal/instant"
)

// A Product is the copy of what the monolith's catalog says about one product.
type Product struct {
	ID         int64  `db:"id" json:"id"`
	Name       string `db:"name" json:"name"`
	CategoryID int64  `db:"category_id" json:"category_id"`
	PriceCents int64  `db:"price_cents" json:"price_cents"`
	ImageURL   string `db:"image_url" json:"image_url"`
	Active     bool   `db:"active" json:"active"`
}

// A Purchase is an order and what was in it. Counts is false once the order was
// cancelled or refunded, or is not paid yet.
type Purchase struct {
	OrderID    int64   `json:"order_id"`
	ProductIDs []int64 `json:"product_ids"`
	Counts     bool    `json:"counts"`
}

// Views are all views of one product on one day (2026-01-31, UTC).
type Views struct {
	ProductID int64  `json:"product_id"`
	Day       string `json:"day"`
	Views     int64  `json:"views"`
}

// A Position is how far one feed of the monolith has been read. Product and Day
// complete the cursor of the views.
type Position struct {
	Feed    string `db:"feed"`
	At      int64  `db:"position"`
	Product int64  `db:"after_product"`
	Day     string `db:"after_day"`
}

// A Batch is a piece of a feed: what to write, and the position that is reached
// with it. Gone are products that no longer exist.
type Batch struct {
	Products  []Product
	Gone      []int64
	Purchases []Purchase
	Views     []Views
	Reached   Position
}

// Reached returns how far each feed was read, by its name.
func (s *Store) Reached(ctx context.Context) (map[string]int64, error) {
	positions, err := s.Positions(ctx)
	reached := make(map[string]int64, len(positions))
	for _, p := range positions {
		reached[p.Feed] = p.At
	}
	return reached, err
}

// Positions returns how far each feed was read, by its name.
func (s *Store) Positions(ctx context.Context) (map[string]Position, error) {
	var list []Position
	err := s.db.SelectContext(ctx, &list, `
		SELECT feed, position, after_product, after_day
		FROM feed_positions`)
	if err != nil {
		return nil, fmt.Errorf("read feed positions: %w", err)
	}
	positions := make(map[string]Position, len(list))
	for _, p := range list {
		positions[p.Feed] = p
	}
	return positions, nil
}

// Apply writes the batch and its position in one transaction. Applying a batch
// again changes nothing.
func (s *Store) Apply(ctx context.Context, b Batch) error {
	err := s.db.Tx(ctx, func(tx *sqlx.Tx) error {
		if err := putProducts(ctx, tx, b.Products, b.Gone); err != nil {
			return err
		}
		if err := putPurchases(ctx, tx, b.Purchases); err != nil {
			return err
		}
		if err := putViews(ctx, tx, b.Views); err != nil {
			return err
		}
		return s.putPosition(ctx, tx, b.Reached)
	})
	if err != nil {
		return fmt.Errorf("apply %s up to %d: %w", b.Reached.Feed, b.Reached.At, err)
	}
	if len(b.Products)+len(b.Gone)+len(b.Views) > 0 {
		s.rankings.changed()
	}
	return nil
}

// Restart forgets all copies and positions, except that the changes are to be
// followed from the given one on.
func (s *Store) Restart(ctx context.Context, change int64) error {
	err := s.db.Tx(ctx, func(tx *sqlx.Tx) error {
		for _, statement := range []string{
			`DELETE FROM feed_positions`, `DELETE FROM product_views`, `DELETE FROM purchases`, `DELETE FROM products`,
		} {
			if _, err := tx.ExecContext(ctx, statement); err != nil {
				return err
			}
		}
		return s.putPosition(ctx, tx, Position{Feed: follow.Changes, At: change})
	})
	if err != nil {
		return fmt.Errorf("restart the copy: %w", err)
	}
	s.rankings.changed()
	return nil
}

func putProducts(ctx context.Context, tx *sqlx.Tx, products []Product, gone []int64) error {
	for _, p := range products {
		_, err := tx.NamedExecContext(ctx, `
			INSERT INTO products (id, name, category_id, price_cents, image_url, active)
			VALUES (:id, :name, :category_id, :price_cents, :image_url, :active)
			ON CONFLICT (id) DO UPDATE SET
			    name = excluded.name, category_id = excluded.category_id, price_cents = excluded.price_cents,
			    image_url = excluded.image_url, active = excluded.active`, p)
		if err != nil {
			return fmt.Errorf("product %d: %w", p.ID, err)
		}
	}
	for _, id := range gone {
		if _, err := tx.ExecContext(ctx, `DELETE FROM products WHERE id = ?`, id); err != nil {
			return fmt.Errorf("product %d: %w", id, err)
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM product_views WHERE product_id = ?`, id); err != nil {
			return fmt.Errorf("views of product %d: %w", id, err)
		}
	}
	return nil
}

func putPurchases(ctx context.Context, tx *sqlx.Tx, purchases []Purchase) error {
	for _, p := range purchases {
		if _, err := tx.ExecContext(ctx, `DELETE FROM purchases WHERE order_id = ?`, p.OrderID); err != nil {
			return fmt.Errorf("order %d: %w", p.OrderID, err)
		}
		if !p.Counts {
			continue
		}
		for _, product := range p.ProductIDs {
			_, err := tx.ExecContext(ctx, `
				INSERT INTO purchases (order_id, product_id)
				VALUES (?, ?)
				ON CONFLICT DO NOTHING`, p.OrderID, product)
			if err != nil {
				return fmt.Errorf("order %d, product %d: %w", p.OrderID, product, err)
			}
		}
	}
	return nil
}

func putViews(ctx context.Context, tx *sqlx.Tx, views []Views) error {
	if len(views) == 0 {
		return nil
	}
	insert, err := tx.PrepareContext(ctx, `
		INSERT INTO product_views (product_id, day, views)
		VALUES (?, ?, ?)
		ON CONFLICT (product_id, day) DO UPDATE SET views = excluded.views`)
	if err != nil {
		return fmt.Errorf("views: %w", err)
	}
	defer insert.Close()
	for _, v := range views {
		if _, err := insert.ExecContext(ctx, v.ProductID, v.Day, v.Views); err != nil {
			return fmt.Errorf("views of product %d on %s: %w", v.ProductID, v.Day, err)
		}
	}
	return nil
}

func (s *Store) putPosition(ctx context.Context, tx *sqlx.Tx, p Position) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO feed_positions (feed, position, after_product, after_day, updated_at)
		VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (feed) DO UPDATE SET
		    position = excluded.position, after_product = excluded.after_product,
		    after_day = excluded.after_day, updated_at = excluded.updated_at`,
		p.Feed, p.At, p.Product, p.Day, instant.From(s.now()))
	if err != nil {
		return fmt.Errorf("position of %s: %w", p.Feed, err)
	}
	return nil
}
