package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/internal/instant"
	"github.com/stranglerfig/toolkit/internal/sqlite"
	"github.com/stranglerfig/toolkit/internal/web"
)

// Store keeps categories and products. It is safe for concurrent use.
type Store struct {
	db  *sqlite.DB
	now func() time.Time
}

// New returns a Store on db, whose owner stays the caller.
func New(db *sqlite.DB, now func() time.Time) *Store { return &Store{db: db, now: now} }

// Categories returns all categories in the order of the shop.
func (s *Store) Categories(ctx context.Context) ([]Category, error) {
	list := []Category{}
	if err := s.db.SelectContext(ctx, &list, `
		SELECT c.id, c.slug, c.name,
		       (SELECT count(*) FROM products p WHERE p.active = 1 AND p.category_id = c.id) AS products
		FROM categories c
		ORDER BY c.position, c.id`); err != nil {
		return nil, fmt.Errorf("list categories: %w", err)
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

// order maps Query.Sort to SQL; each one ends in a unique column, so that pages
// never overlap.
func order(sort string) string {
	switch sort {
	case "price":
		return "p.price_cents, p.id"
	case "-price":
		return "p.price_cents DESC, p.id DESC"
	case "rating":
		return "p.rating_avg DESC, p.rating_count DESC, p.id"
	case "newest":
		return "p.created_at DESC, p.id DESC"
	}
	return "p.name COLLATE NOCASE, p.id"
}

// List returns a page of active products, or ErrNoCategory.
func (s *Store) List(ctx context.Context, q Query) (web.Page[Summary], error) {
	if err := q.clean(); err != nil {
		return web.Page[Summary]{}, err
	}
	where, args := []string{"p.active = 1"}, []any{}
	if q.Category != "" {
		id, err := s.categoryID(ctx, q.Category)
		if err != nil {
			return web.Page[Summary]{}, err
		}
		where, args = append(where, "p.category_id = ?"), append(args, id)
	}
	where, args = search(q.Text, where, args)
	var items []Summary
	total, err := s.page(ctx, &items, summaryColumns, where, args, order(q.Sort), q.Page)
	if err != nil {
		return web.Page[Summary]{}, err
	}
	return web.NewPage(q.Page, items, total), nil
}

// ManagedList returns a page of all products by name, for administrators.
func (s *Store) ManagedList(ctx context.Context, text string, p web.Paging) (web.Page[ManagedSummary], error) {
	q := Query{Text: text}
	if err := q.clean(); err != nil {
		return web.Page[ManagedSummary]{}, err
	}
	where, args := search(q.Text, []string{"p.active IN (0, 1)"}, nil)
	var items []ManagedSummary
	total, err := s.page(ctx, &items, summaryColumns+", p.active", where, args, order(""), p)
	if err != nil {
		return web.Page[ManagedSummary]{}, err
	}
	return web.NewPage(p, items, total), nil
}

// search adds a condition for each word of text: it must be in the name, the
// description or a tag.
func search(text string, where []string, args []any) ([]string, []any) {
	for word := range strings.FieldsSeq(text) {
		like := "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(word) + "%"
		where = append(where, `(p.name LIKE ? ESCAPE '\' OR p.description LIKE ? ESCAPE '\'
			OR p.id IN (SELECT product_id FROM product_tags WHERE tag LIKE ? ESCAPE '\'))`)
		args = append(args, like, like, like)
	}
	return where, args
}

// page first finds the ids of the page in an index and then reads only those rows
// with everything that is joined to them.
func (s *Store) page(ctx context.Context, items any, columns string, where []string, args []any, order string, p web.Paging) (int, error) {
	conditions := strings.Join(where, " AND ")
	var total int
	if err := s.db.GetContext(ctx, &total, `SELECT count(*) FROM products p WHERE `+conditions, args...); err != nil {
		return 0, fmt.Errorf("count products: %w", err)
	}
	if err := s.db.SelectContext(ctx, items, `
		WITH page AS MATERIALIZED (
			SELECT p.id
			FROM products p
			WHERE `+conditions+`
			ORDER BY `+order+`
			LIMIT ? OFFSET ?)
		SELECT `+columns+`
		FROM page
		JOIN products p ON p.id = page.id`+summaryJoins+`
		ORDER BY `+order, append(args, p.PerPage, p.Offset())...); err != nil {
		return 0, fmt.Errorf("list products: %w", err)
	}
	return total, nil
}

func (s *Store) categoryID(ctx context.Context, slug string) (int64, error) {
	var id int64
	err := s.db.GetContext(ctx, &id, `SELECT id FROM categories WHERE slug = ?`, slug)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return 0, ErrNoCategory
	case err != nil:
		return 0, fmt.Errorf("read category %q: %w", slug, err)
	}
	return id, nil
}

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
