package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

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

const summaryColumns = `
	p.id, p.sku, p.name, p.price_cents, p.rating_avg, p.rating_count, p.stock_qty,
	c.id AS "category.id", c.slug AS "category.slug", c.name AS "category.name",
	coalesce((SELECT url FROM product_images WHERE product_id = p.id ORDER BY position LIMIT 1), '') AS image_url`

const summaryJoins = `
	JOIN categories c ON c.id = p.category_id`

// Product returns an active product, or ErrNoProduct. All of it is read from one
// snapshot.
func (s *Store) Product(ctx context.Context, id int64) (Product, error) {
	p := Product{Images: []Image{}, Tags: []string{}}
	tx, err := s.db.BeginTxx(ctx, nil)
	if err != nil {
		return p, fmt.Errorf("begin: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // it only read
	err = tx.GetContext(ctx, &p, `
		SELECT `+summaryColumns+`, p.description, p.version, p.created_at, p.updated_at
		FROM products p`+summaryJoins+`
		WHERE p.id = ? AND p.active = 1`, id)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return p, ErrNoProduct
	case err != nil:
		return p, fmt.Errorf("read product %d: %w", id, err)
	}
	if err := tx.SelectContext(ctx, &p.Images, `
		SELECT url, alt
		FROM product_images
		WHERE product_id = ?
		ORDER BY position`, id); err != nil {
		return p, fmt.Errorf("read images of product %d: %w", id, err)
	}
	if err := tx.SelectContext(ctx, &p.Tags, `
		SELECT tag
		FROM product_tags
		WHERE product_id = ?
		ORDER BY tag`, id); err != nil {
		return p, fmt.Errorf("read tags of product %d: %w", id, err)
	}
	return p, nil
}
