package recommendations

import (
	"context"
	"fmt"
	"sync"

	"github.com/jmoiron/sqlx"
)

// rankedItems is how many products of a category are remembered: enough to fill the
// longest list when all but one of its products are already shown.
const rankedItems = 2 * MaxLimit

// A ranking remembers what is looked at most in one category: adding up the views
// of all its products takes longer than everything else here together. It holds
// until views were written, a product changed or the day ended.
type ranking struct {
	mu   sync.Mutex
	seen int64 // the newest row of the audit log that was looked at
	made stamp
	top  []ranked // nil: never made
}

type ranked struct {
	ID    int64 `db:"id"`
	Score int64 `db:"score"`
}

// A stamp changes whenever the views may have.
type stamp struct {
	day     string
	written int64 // how often this store has written views
	updated int64 // when any views were last updated, by whomever
}

// ranking returns the products of a category by views, best first. Who waits for
// another to make it holds no connection.
func (s *Store) ranking(ctx context.Context, category int64) ([]ranked, error) {
	s.mu.Lock()
	r := s.rankings[category]
	if r == nil {
		r = &ranking{}
		s.rankings[category] = r
	}
	s.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	today := s.now().UTC()
	now := stamp{day: day(today), written: s.written.Load()} // before the snapshot: never newer than it
	tx, err := s.db.BeginTxx(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("begin: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // it only read
	if err := tx.GetContext(ctx, &now.updated, `SELECT coalesce(max(updated_at), 0) FROM product_views`); err != nil {
		return nil, fmt.Errorf("read last view: %w", err)
	}
	seen, changed, err := productsChanged(ctx, tx, r)
	if err != nil {
		return nil, err
	}
	if r.top == nil || changed || r.made != now {
		top := make([]ranked, 0, rankedItems)
		if err := tx.SelectContext(ctx, &top, `
			SELECT p.id, coalesce((SELECT sum(v.views)
			                       FROM product_views v
			                       WHERE v.product_id = p.id AND v.day BETWEEN ? AND ?), 0) AS score
			FROM products p
			WHERE p.active = 1 AND p.category_id = ?
			ORDER BY score DESC, p.id
			LIMIT ?`, day(today.AddDate(0, 0, 1-viewDays)), now.day, category, rankedItems); err != nil {
			return nil, fmt.Errorf("rank category %d: %w", category, err)
		}
		r.top, r.made = top, now
	}
	r.seen = seen
	return r.top, nil
}

// productsChanged reports whether the audit log names a product since r was made,
// and its newest row: whoever changes a product adds a row in the same transaction.
func productsChanged(ctx context.Context, tx *sqlx.Tx, r *ranking) (seen int64, changed bool, err error) {
	var log struct {
		Seen    int64 `db:"seen"`
		Changed bool  `db:"changed"`
	}
	query := `
		SELECT coalesce(max(id), ?) AS seen, count(CASE WHEN entity = 'product' THEN 1 END) > 0 AS changed
		FROM audit_log
		WHERE id > ?`
	args := []any{r.seen, r.seen}
	if r.top == nil { // all of the log is news
		query, args = `SELECT coalesce(max(id), 0) AS seen, 1 AS changed FROM audit_log`, nil
	}
	if err := tx.GetContext(ctx, &log, query, args...); err != nil {
		return 0, false, fmt.Errorf("read changes of products: %w", err)
	}
	return log.Seen, log.Changed, nil
}
