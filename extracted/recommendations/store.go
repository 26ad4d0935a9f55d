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

// Store recommends products. It is safe for concurrent use.
type Store struct {
	db  *sqlite.DB
	now func() time.Time

	rankings rankings
}

// New returns a Store on db, whose owner stays the caller.
func New(db *sqlite.DB, now func() time.Time) *Store {
	return &Store{db: db, now: now}
}

// For returns up to limit products for who looks at an active product, or
// ErrNoProduct. All of it is read from one snapshot.
func (s *Store) For(ctx context.Context, productID int64, limit int) (List, error) {
	version := s.rankings.version.Load() // before the snapshot
	tx, err := s.db.BeginTxx(ctx, nil)
	if err != nil {
		return List{}, fmt.Errorf("begin: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // it only read
	var category int64
	err = tx.GetContext(ctx, &category, `SELECT category_id FROM products WHERE id = ? AND active = 1`, productID)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return List{}, ErrNoProduct
	case err != nil:
		return List{}, fmt.Errorf("read category of product %d: %w", productID, err)
	}
	list := List{ProductID: productID, Items: make([]Item, 0, limit)}
	if err := boughtTogether(ctx, tx, &list, limit); err != nil {
		return List{}, fmt.Errorf("products bought with %d: %w", productID, err)
	}
	if len(list.Items) < limit {
		if err := s.sameCategory(ctx, tx, &list, category, version, limit); err != nil {
			return List{}, fmt.Errorf("products in the category of %d: %w", productID, err)
		}
	}
	return list, nil
}

// boughtTogether joins the purchases with themselves: every order that holds the
// product, and every other product of it. Only orders that count are there.
func boughtTogether(ctx context.Context, tx *sqlx.Tx, list *List, limit int) error {
	return tx.SelectContext(ctx, &list.Items, `
		SELECT p.id, p.name, p.price_cents, p.image_url, together.score, 'bought_together' AS reason
		FROM (
			SELECT other.product_id, count(*) AS score
			FROM purchases mine
			CROSS JOIN purchases other ON other.order_id = mine.order_id
			WHERE mine.product_id = ? AND other.product_id <> mine.product_id
			GROUP BY other.product_id) AS together
		JOIN products p ON p.id = together.product_id
		WHERE p.active = 1
		ORDER BY together.score DESC, p.id
		LIMIT ?`, list.ProductID, limit)
}

// sameCategory fills the list up to limit with what is looked at most.
func (s *Store) sameCategory(ctx context.Context, tx *sqlx.Tx, list *List, category, version int64, limit int) error {
	shown := map[int64]bool{list.ProductID: true}
	for _, item := range list.Items {
		shown[item.ID] = true
	}
	ranked, err := s.ranked(ctx, tx, category, version)
	if err != nil {
		return err
	}
	for _, item := range ranked {
		if len(list.Items) == limit {
			break
		}
		if !shown[item.ID] {
			list.Items = append(list.Items, item)
		}
	}
	return nil
}
