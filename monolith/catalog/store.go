package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/internal/instant"
	"github.com/stranglerfig/toolkit/internal/sqlite"
)

// maxSearches is how many searches, each of which reads all products, run at once.
const maxSearches = 2

// Store keeps categories and products. It is safe for concurrent use.
type Store struct {
	db        *sqlite.DB
	now       func() time.Time
	searching chan struct{}
	counts    counts
}

// New returns a Store on db, whose owner stays the caller.
func New(db *sqlite.DB, now func() time.Time) *Store {
	return &Store{db: db, now: now, searching: make(chan struct{}, maxSearches)}
}

// Categories returns all categories in the order of the shop.
func (s *Store) Categories(ctx context.Context) ([]Category, error) {
	products, _, err := s.counts.current(ctx, s.db)
	if err != nil {
		return nil, err
	}
	list := []Category{}
	if err := s.db.SelectContext(ctx, &list, `
		SELECT id, slug, name
		FROM categories
		ORDER BY position, id`); err != nil {
		return nil, fmt.Errorf("list categories: %w", err)
	}
	for i, c := range list {
		list[i].Products = products[c.ID]
	}
	return list, nil
}

// summaryColumns read other domains where they lie: the shelf of inventory and
// the reviews' columns in products.
const summaryColumns = `
	p.id, p.sku, p.name, p.price_cents, p.rating_avg, p.rating_count,
	c.id AS "category.id", c.slug AS "category.slug", c.name AS "category.name",
	coalesce(i.on_hand - i.reserved, 0) AS stock_qty,
	coalesce((SELECT url FROM product_images WHERE product_id = p.id ORDER BY position LIMIT 1), '') AS image_url`

const summaryJoins = `
	JOIN categories c ON c.id = p.category_id
	LEFT JOIN stock_items i ON i.product_id = p.id`

// Product returns an active product, or ErrNoProduct.
func (s *Store) Product(ctx context.Context, id int64) (Product, error) {
	m, err := s.read(ctx, s.db, id)
	if err == nil && !m.Active {
		err = ErrNoProduct
	}
	return m.Product, err
}

// Managed returns a product, active or not, or ErrNoProduct.
func (s *Store) Managed(ctx context.Context, id int64) (Managed, error) { return s.read(ctx, s.db, id) }

func (s *Store) read(ctx context.Context, q sqlx.QueryerContext, id int64) (Managed, error) {
	m := Managed{Product: Product{Images: []Image{}, Tags: []string{}}}
	err := sqlx.GetContext(ctx, q, &m, `
		SELECT `+summaryColumns+`, p.description, p.version, p.created_at, p.updated_at, p.active
		FROM products p`+summaryJoins+`
		WHERE p.id = ?`, id)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return m, ErrNoProduct
	case err != nil:
		return m, fmt.Errorf("read product %d: %w", id, err)
	}
	if err := sqlx.SelectContext(ctx, q, &m.Images, `
		SELECT url, alt
		FROM product_images
		WHERE product_id = ?
		ORDER BY position`, id); err != nil {
		return m, fmt.Errorf("read images of product %d: %w", id, err)
	}
	if err := sqlx.SelectContext(ctx, q, &m.Tags, `
		SELECT tag
		FROM product_tags
		WHERE product_id = ?
		ORDER BY tag`, id); err != nil {
		return m, fmt.Errorf("read tags of product %d: %w", id, err)
	}
	return m, nil
}

func (s *Store) nowInstant() instant.Instant { return instant.From(s.now()) }
