package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/internal/sqlite"
	"github.com/stranglerfig/toolkit/internal/web"
)

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
	var none web.Page[Summary]
	if err := q.clean(); err != nil {
		return none, err
	}
	list := listing{where: []string{"p.active = 1"}, order: order(q.Sort), columns: summaryColumns, page: q.Page}
	var category int64
	if q.Category != "" {
		id, err := s.categoryID(ctx, q.Category)
		if err != nil {
			return none, err
		}
		category = id
		list.add("p.category_id = ?", id)
	}
	var items []Summary
	var total int
	var err error
	if q.Text == "" {
		total, err = s.plain(ctx, &items, list, category)
	} else {
		total, err = s.search(ctx, &items, list, q.Text)
	}
	if err != nil {
		return none, err
	}
	return web.NewPage(q.Page, items, total), nil
}

// A listing says which products to list, and what of them.
type listing struct {
	where   []string
	args    []any
	order   string
	columns string
	page    web.Paging
}

func (l *listing) add(condition string, args ...any) {
	l.where, l.args = append(l.where, condition), append(l.args, args...)
}

func (l *listing) conditions() string { return strings.Join(l.where, " AND ") }

// plain reads the page of a list: first its ids, in an index, and then only those
// products with everything that is joined to them. The count is remembered.
func (s *Store) plain(ctx context.Context, items any, l listing, category int64) (int, error) {
	byCategory, total, err := s.counts.current(ctx, s.db)
	if err != nil {
		return 0, err
	}
	if category != 0 {
		total = byCategory[category]
	}
	if err := s.db.SelectContext(ctx, items, `
		WITH page AS MATERIALIZED (
			SELECT p.id
			FROM products p
			WHERE `+l.conditions()+`
			ORDER BY `+l.order+`
			LIMIT ? OFFSET ?)
		SELECT `+l.columns+`
		FROM page
		JOIN products p ON p.id = page.id`+summaryJoins+`
		ORDER BY `+l.order, append(l.args, l.page.PerPage, l.page.Offset())...); err != nil {
		return 0, fmt.Errorf("list products: %w", err)
	}
	return total, nil
}

// search reads the page of the products that hold every word of text in the name,
// the description or a tag, and counts them all. It looks at every product, once,
// and few searches may do that at the same time.
func (s *Store) search(ctx context.Context, items any, l listing, text string) (total int, err error) {
	select {
	case s.searching <- struct{}{}:
		defer func() { <-s.searching }()
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	words := strings.Fields(strings.ToLower(text))
	slices.Sort(words)
	for _, word := range slices.Compact(words) {
		like := "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(word) + "%"
		l.add(`(p.name LIKE ? ESCAPE '\' OR p.description LIKE ? ESCAPE '\'
			OR p.id IN (SELECT product_id FROM product_tags WHERE tag LIKE ? ESCAPE '\'))`, like, like, like)
	}
	var ids []int64
	if err := s.db.SelectContext(ctx, &ids, `
		SELECT p.id
		FROM products p
		WHERE `+l.conditions()+`
		ORDER BY `+l.order, l.args...); err != nil {
		return 0, fmt.Errorf("search products: %w", err)
	}
	from := min(l.page.Offset(), len(ids))
	shown := ids[from:min(from+l.page.PerPage, len(ids))]
	if len(shown) == 0 {
		return len(ids), nil
	}
	query, args, err := sqlx.In(`
		SELECT `+l.columns+`
		FROM products p`+summaryJoins+`
		WHERE p.id IN (?)
		ORDER BY `+l.order, shown)
	if err != nil {
		return 0, fmt.Errorf("read products found: %w", err)
	}
	if err := s.db.SelectContext(ctx, items, query, args...); err != nil {
		return 0, fmt.Errorf("read products found: %w", err)
	}
	return len(ids), nil
}

// counts remembers how many products are active, until the copy has changed.
type counts struct {
	version  atomic.Int64 // of the copy
	mu       sync.Mutex
	counted  int64 // the version that was counted; 0 before that
	category map[int64]int
	total    int
}

// changed makes the counts stale. It is called after the change was committed.
func (c *counts) changed() { c.version.Add(1) }

// current returns how many products are active, by category and in total. The map
// is not changed any more.
func (c *counts) current(ctx context.Context, db *sqlite.DB) (map[int64]int, int, error) {
	version := c.version.Load() + 1 // before the count, which may be of a later one
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counted < version {
		if err := c.count(ctx, db); err != nil {
			return nil, 0, err
		}
		c.counted = version
	}
	return c.category, c.total, nil
}

func (c *counts) count(ctx context.Context, db *sqlite.DB) error {
	var rows []struct {
		Category int64 `db:"category_id"`
		Products int   `db:"products"`
	}
	if err := db.SelectContext(ctx, &rows, `
		SELECT category_id, count(*) AS products
		FROM products
		WHERE active = 1
		GROUP BY category_id`); err != nil {
		return fmt.Errorf("count products: %w", err)
	}
	c.total, c.category = 0, map[int64]int{}
	for _, row := range rows {
		c.total += row.Products
		c.category[row.Category] = row.Products
	}
	return nil
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
