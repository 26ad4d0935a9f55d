package catalog

import (
	"context"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/internal/follow"
	"github.com/stranglerfig/toolkit/internal/instant"
)

// A CategoryRow is the copy of one category of the monolith.
type CategoryRow struct {
	ID       int64  `db:"id" json:"id"`
	Slug     string `db:"slug" json:"slug"`
	Name     string `db:"name" json:"name"`
	Position int64  `db:"position" json:"position"`
}

// A ProductRow is the copy of one product of the monolith.
type ProductRow struct {
	ID          int64           `db:"id" json:"id"`
	SKU         string          `db:"sku" json:"sku"`
	Name        string          `db:"name" json:"name"`
	Description string          `db:"description" json:"description"`
	CategoryID  int64           `db:"category_id" json:"category_id"`
	PriceCents  int64           `db:"price_cents" json:"price_cents"`
	Active      bool            `db:"active" json:"active"`
	StockQty    int64           `db:"stock_qty" json:"stock_qty"`
	RatingAvg   float64         `db:"rating_avg" json:"rating_avg"`
	RatingCount int64           `db:"rating_count" json:"rating_count"`
	Version     int64           `db:"version" json:"version"`
	CreatedAt   instant.Instant `db:"created_at" json:"created_at"`
	UpdatedAt   instant.Instant `db:"updated_at" json:"updated_at"`
	Images      []Image         `db:"-" json:"images"`
	Tags        []string        `db:"-" json:"tags"`
}

// A Rating is what all reviews of a product come to.
type Rating struct {
	ProductID   int64   `db:"product_id" json:"product_id"`
	RatingAvg   float64 `db:"rating_avg" json:"rating_avg"`
	RatingCount int64   `db:"rating_count" json:"rating_count"`
}

// A Position is how far one feed of the monolith has been read.
type Position struct {
	Feed string `db:"feed"`
	At   int64  `db:"position"`
}

// A Batch is a piece of a feed: what to write, and the position that is reached
// with it. Gone are products that no longer exist. Categories are all there are, or
// nil to leave them; Ratings are newer than Products.
type Batch struct {
	Categories []CategoryRow
	Products   []ProductRow
	Gone       []int64
	Ratings    []Rating
	Reached    Position
}

// Reached returns how far each feed was read, by its name.
func (s *Store) Reached(ctx context.Context) (map[string]int64, error) {
	var list []Position
	err := s.db.SelectContext(ctx, &list, `
		SELECT feed, position
		FROM feed_positions`)
	if err != nil {
		return nil, fmt.Errorf("read feed positions: %w", err)
	}
	reached := make(map[string]int64, len(list))
	for _, p := range list {
		reached[p.Feed] = p.At
	}
	return reached, nil
}

// Apply writes the batch and its position in one transaction. Applying a batch
// again changes nothing.
func (s *Store) Apply(ctx context.Context, b Batch) error {
	err := s.db.Tx(ctx, func(tx *sqlx.Tx) error {
		if err := putCategories(ctx, tx, b.Categories); err != nil {
			return err
		}
		for _, p := range b.Products {
			if err := putProduct(ctx, tx, p); err != nil {
				return fmt.Errorf("product %d: %w", p.ID, err)
			}
		}
		for _, id := range b.Gone {
			if err := dropProduct(ctx, tx, id); err != nil {
				return fmt.Errorf("product %d: %w", id, err)
			}
		}
		if err := putRatings(ctx, tx, b.Ratings); err != nil {
			return err
		}
		return s.putPosition(ctx, tx, b.Reached)
	})
	if err != nil {
		return fmt.Errorf("apply %s up to %d: %w", b.Reached.Feed, b.Reached.At, err)
	}
	if len(b.Products)+len(b.Gone) > 0 {
		s.counts.changed()
	}
	return nil
}

// Restart forgets all copies and positions, except that the changes are to be
// followed from the given one on.
func (s *Store) Restart(ctx context.Context, change int64) error {
	err := s.db.Tx(ctx, func(tx *sqlx.Tx) error {
		for _, statement := range []string{
			`DELETE FROM feed_positions`, `DELETE FROM product_tags`, `DELETE FROM product_images`,
			`DELETE FROM products`, `DELETE FROM categories`,
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
	s.counts.changed()
	return nil
}

// sameCategories reports whether the copy has just these.
func (s *Store) sameCategories(ctx context.Context, list []CategoryRow) (bool, error) {
	var have []CategoryRow
	if err := s.db.SelectContext(ctx, &have, `
		SELECT id, slug, name, position
		FROM categories`); err != nil {
		return false, fmt.Errorf("read categories: %w", err)
	}
	known := make(map[CategoryRow]bool, len(have))
	for _, c := range have {
		known[c] = true
	}
	for _, c := range list {
		if !known[c] {
			return false, nil
		}
	}
	return len(have) == len(list), nil
}

func putCategories(ctx context.Context, tx *sqlx.Tx, list []CategoryRow) error {
	if list == nil {
		return nil
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM categories`); err != nil {
		return fmt.Errorf("categories: %w", err)
	}
	for _, c := range list {
		_, err := tx.NamedExecContext(ctx, `
			INSERT INTO categories (id, slug, name, position)
			VALUES (:id, :slug, :name, :position)`, c)
		if err != nil {
			return fmt.Errorf("category %d: %w", c.ID, err)
		}
	}
	return nil
}

func putProduct(ctx context.Context, tx *sqlx.Tx, p ProductRow) error {
	if err := dropProduct(ctx, tx, p.ID); err != nil {
		return err
	}
	_, err := tx.NamedExecContext(ctx, `
		INSERT INTO products (id, sku, name, description, category_id, price_cents, active,
		                      stock_qty, rating_avg, rating_count, version, created_at, updated_at)
		VALUES (:id, :sku, :name, :description, :category_id, :price_cents, :active,
		        :stock_qty, :rating_avg, :rating_count, :version, :created_at, :updated_at)`, p)
	if err != nil {
		return err
	}
	for i, image := range p.Images {
		if _, err := tx.ExecContext(ctx, `
			INSERT INTO product_images (product_id, position, url, alt)
			VALUES (?, ?, ?, ?)`, p.ID, i, image.URL, image.Alt); err != nil {
			return fmt.Errorf("image %d: %w", i, err)
		}
	}
	for _, tag := range p.Tags {
		if _, err := tx.ExecContext(ctx, `INSERT INTO product_tags (product_id, tag) VALUES (?, ?)`, p.ID, tag); err != nil {
			return fmt.Errorf("tag %q: %w", tag, err)
		}
	}
	return nil
}

func dropProduct(ctx context.Context, tx *sqlx.Tx, id int64) error {
	for _, statement := range []string{
		`DELETE FROM product_tags WHERE product_id = ?`, `DELETE FROM product_images WHERE product_id = ?`,
		`DELETE FROM products WHERE id = ?`,
	} {
		if _, err := tx.ExecContext(ctx, statement, id); err != nil {
			return err
		}
	}
	return nil
}

// putRatings writes the ratings of the products that are here.
func putRatings(ctx context.Context, tx *sqlx.Tx, ratings []Rating) error {
	for _, r := range ratings {
		_, err := tx.NamedExecContext(ctx, `
			UPDATE products SET rating_avg = :rating_avg, rating_count = :rating_count
			WHERE id = :product_id AND (rating_avg, rating_count) <> (:rating_avg, :rating_count)`, r)
		if err != nil {
			return fmt.Errorf("rating of product %d: %w", r.ProductID, err)
		}
	}
	return nil
}

func (s *Store) putPosition(ctx context.Context, tx *sqlx.Tx, p Position) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO feed_positions (feed, position, updated_at)
		VALUES (?, ?, ?)
		ON CONFLICT (feed) DO UPDATE SET position = excluded.position, updated_at = excluded.updated_at`,
		p.Feed, p.At, instant.From(s.now()))
	if err != nil {
		return fmt.Errorf("position of %s: %w", p.Feed, err)
	}
	return nil
}
