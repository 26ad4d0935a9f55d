package recommendations

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/internal/sqlite"
)

// A Store is the service's database. It is safe for concurrent use.
type Store struct {
	db  *sqlite.DB
	now func() time.Time
}

// New returns a Store on db, whose schema is current. The caller keeps ownership of
// db; nil for now means the clock of the machine.
func New(db *sqlite.DB, now func() time.Time) *Store {
	if now == nil {
		now = time.Now
	}
	return &Store{db: db, now: now}
}

// For returns up to limit recommendations for the product: first what was bought
// together with it, then what is viewed most in its category. It fails with
// ErrNotFound for a product that is unknown or inactive.
func (s *Store) For(ctx context.Context, productID int64, limit int) ([]Item, error) {
	var category int64
	err := s.db.GetContext(ctx, &category, `
		SELECT category_id
		FROM products
		WHERE id = ? AND active = 1`, productID)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, fmt.Errorf("product %d: %w", productID, ErrNotFound)
	case err != nil:
		return nil, fmt.Errorf("read product %d: %w", productID, err)
	}
	items, err := s.boughtTogether(ctx, productID, limit)
	if err != nil || len(items) == limit {
		return items, err
	}
	more, err := s.sameCategory(ctx, productID, category, items, limit-len(items))
	return append(items, more...), err
}

func (s *Store) boughtTogether(ctx context.Context, productID int64, limit int) ([]Item, error) {
	items := []Item{}
	err := s.db.SelectContext(ctx, &items, `
		SELECT p.id, p.name, p.price_cents, p.image_url, count(*) AS score, ? AS reason
		FROM purchases mine
		JOIN purchases other ON other.order_id = mine.order_id AND other.product_id <> mine.product_id
		JOIN products p ON p.id = other.product_id
		WHERE mine.product_id = ? AND p.active = 1
		GROUP BY p.id
		ORDER BY score DESC, p.id
		LIMIT ?`, BoughtTogether, productID, limit)
	if err != nil {
		return nil, fmt.Errorf("bought together with product %d: %w", productID, err)
	}
	return items, nil
}

// sameCategory returns the most viewed products of the category without productID
// and those in taken.
func (s *Store) sameCategory(ctx context.Context, productID, category int64, taken []Item, limit int) ([]Item, error) {
	skip := []int64{productID}
	for _, item := range taken {
		skip = append(skip, item.ID)
	}
	today := s.now().UTC()
	query, args, err := sqlx.In(`
		SELECT p.id, p.name, p.price_cents, p.image_url, ? AS reason,
		       coalesce((SELECT sum(v.views)
		                 FROM product_views v
		                 WHERE v.product_id = p.id AND v.day BETWEEN ? AND ?), 0) AS score
		FROM products p
		WHERE p.category_id = ? AND p.active = 1 AND p.id NOT IN (?)
		ORDER BY score DESC, p.id
		LIMIT ?`, SameCategory, day(today.AddDate(0, 0, 1-viewDays)), day(today), category, skip, limit)
	if err != nil {
		return nil, fmt.Errorf("same category as product %d: %w", productID, err)
	}
	var items []Item
	if err := s.db.SelectContext(ctx, &items, query, args...); err != nil {
		return nil, fmt.Errorf("same category as product %d: %w", productID, err)
	}
	return items, nil
}

func day(t time.Time) string { return t.Format(time.DateOnly) }
