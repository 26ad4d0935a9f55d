package recommendations

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/internal/instant"
	"github.com/stranglerfig/toolkit/internal/sqlite"
)

// Options tune a Store. The zero value is fit for production.
type Options struct {
	Flush time.Duration // between writes of the counted views; 0 means 1 s
	Log   *slog.Logger  // nil discards
}

// Store recommends products and counts views. It is safe for concurrent use.
type Store struct {
	db   *sqlite.DB
	now  func() time.Time
	opts Options

	written atomic.Int64 // how often views were written

	mu       sync.Mutex
	views    map[view]int64 // counted, not written yet
	rankings map[int64]*ranking
}

type view struct {
	productID int64
	day       string
}

// New returns a Store on db, whose owner stays the caller.
func New(db *sqlite.DB, now func() time.Time, opts Options) *Store {
	if opts.Flush == 0 {
		opts.Flush = time.Second
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	return &Store{db: db, now: now, opts: opts, views: map[view]int64{}, rankings: map[int64]*ranking{}}
}

// For returns up to limit products for who looks at an active product, or
// ErrNoProduct.
func (s *Store) For(ctx context.Context, productID int64, limit int) (List, error) {
	var category int64
	err := s.db.GetContext(ctx, &category, `SELECT category_id FROM products WHERE id = ? AND active = 1`, productID)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return List{}, ErrNoProduct
	case err != nil:
		return List{}, fmt.Errorf("read category of product %d: %w", productID, err)
	}
	list := List{ProductID: productID, Items: make([]Item, 0, limit)}
	if err := s.boughtTogether(ctx, &list, limit); err != nil {
		return List{}, fmt.Errorf("products bought with %d: %w", productID, err)
	}
	if len(list.Items) < limit {
		if err := s.sameCategory(ctx, &list, category, limit); err != nil {
			return List{}, fmt.Errorf("products in the category of %d: %w", productID, err)
		}
	}
	return list, nil
}

const itemColumns = `
	p.id, p.name, p.price_cents,
	coalesce((SELECT url FROM product_images WHERE product_id = p.id ORDER BY position LIMIT 1), '') AS image_url`

// boughtTogether joins the lines of orders with themselves: every order that holds
// the product, and every other line of it. CROSS JOIN and the plus sign keep SQLite
// from starting with all active products.
func (s *Store) boughtTogether(ctx context.Context, list *List, limit int) error {
	return s.db.SelectContext(ctx, &list.Items, `
		SELECT `+itemColumns+`, together.score, 'bought_together' AS reason
		FROM (
			SELECT other.product_id, count(*) AS score
			FROM order_lines mine
			CROSS JOIN orders o ON o.id = mine.order_id
			CROSS JOIN order_lines other ON other.order_id = mine.order_id
			WHERE mine.product_id = ? AND other.product_id <> mine.product_id
			  AND o.status IN ('paid', 'packed', 'shipped', 'delivered')
			GROUP BY other.product_id) AS together
		CROSS JOIN products p ON p.id = together.product_id
		WHERE +p.active = 1
		ORDER BY together.score DESC, p.id
		LIMIT ?`, list.ProductID, limit)
}

// sameCategory fills the list up to limit with what is looked at most.
func (s *Store) sameCategory(ctx context.Context, list *List, category int64, limit int) error {
	top, err := s.ranking(ctx, category)
	if err != nil {
		return err
	}
	shown := map[int64]bool{list.ProductID: true}
	for _, item := range list.Items {
		shown[item.ID] = true
	}
	var ids []int64
	scores := map[int64]int64{}
	for _, candidate := range top {
		if !shown[candidate.ID] && len(list.Items)+len(ids) < limit {
			ids, scores[candidate.ID] = append(ids, candidate.ID), candidate.Score
		}
	}
	if len(ids) == 0 {
		return nil
	}
	query, args, err := sqlx.In(`
		SELECT `+itemColumns+`, 'same_category' AS reason
		FROM products p
		WHERE p.id IN (?) AND +p.active = 1`, ids)
	if err != nil {
		return err
	}
	var more []Item // not list.Items: sqlx empties what it fills
	if err := s.db.SelectContext(ctx, &more, query, args...); err != nil {
		return err
	}
	for i := range more {
		more[i].Score = scores[more[i].ID]
	}
	slices.SortFunc(more, func(a, b Item) int { return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.ID, b.ID)) })
	list.Items = append(list.Items, more...)
	return nil
}

func day(t time.Time) string { return t.Format(time.DateOnly) }

// Viewed counts that somebody looked at a product. It does not wait for the
// database.
func (s *Store) Viewed(productID int64) {
	key := view{productID, day(s.now().UTC())}
	s.mu.Lock()
	s.views[key]++
	s.mu.Unlock()
}

// Run writes the counted views until ctx ends, and what is left then.
func (s *Store) Run(ctx context.Context) error {
	tick := time.NewTicker(s.opts.Flush)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			return s.Flush(last)
		case <-tick.C:
		}
		if err := s.Flush(ctx); err != nil && ctx.Err() == nil {
			s.opts.Log.Error("write product views", "error", err)
		}
	}
}

// Flush writes the views counted so far. If that is not possible they stay counted.
func (s *Store) Flush(ctx context.Context) error {
	s.mu.Lock()
	counted := s.views
	s.views = map[view]int64{}
	s.mu.Unlock()
	if len(counted) == 0 {
		return nil
	}
	err := s.db.Tx(ctx, func(tx *sqlx.Tx) error { return s.write(ctx, tx, counted) })
	if err != nil {
		s.mu.Lock()
		for key, n := range counted {
			s.views[key] += n
		}
		s.mu.Unlock()
		return err
	}
	s.written.Add(1)
	return nil
}

func (s *Store) write(ctx context.Context, tx *sqlx.Tx, counted map[view]int64) error {
	add, err := tx.PrepareContext(ctx, `
		INSERT INTO product_views (product_id, day, views, updated_at)
		SELECT id, ?, ?, ?
		FROM products
		WHERE id = ?
		ON CONFLICT (product_id, day) DO UPDATE
		SET views = views + excluded.views, updated_at = excluded.updated_at`)
	if err != nil {
		return fmt.Errorf("prepare views: %w", err)
	}
	defer add.Close()
	now := instant.From(s.now())
	for key, n := range counted { // a product deleted meanwhile is left out
		if _, err := add.ExecContext(ctx, key.day, n, now, key.productID); err != nil {
			return fmt.Errorf("write views of product %d: %w", key.productID, err)
		}
	}
	return nil
}
