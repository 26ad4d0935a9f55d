package recommendations

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jmoiron/sqlx"
)

// rankedItems is how many products of a ranking are enough for any answer: those
// asked for, those shown already because they were bought together, and the product
// itself.
const rankedItems = 2*MaxLimit + 1

// rankings remember the most viewed products of each category until the copy or the
// day changes: adding up the views of a large category takes milliseconds, and
// hardly anything changes between two answers.
type rankings struct {
	version atomic.Int64 // of the copy
	mu      sync.Mutex
	byID    map[int64]*ranking
}

type ranking struct {
	mu      sync.Mutex // held while the ranking is made, so that it is made once
	version int64
	day     string
	items   []Item
}

// changed makes every ranking stale. It is called after the change was committed.
func (r *rankings) changed() { r.version.Add(1) }

func (r *rankings) of(category int64) *ranking {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byID == nil {
		r.byID = map[int64]*ranking{}
	}
	one, ok := r.byID[category]
	if !ok {
		one = &ranking{version: -1}
		r.byID[category] = one
	}
	return one
}

// ranked returns the most viewed products of the category. version must have been
// read before tx was begun.
func (s *Store) ranked(ctx context.Context, tx *sqlx.Tx, category, version int64) ([]Item, error) {
	today := s.now().UTC()
	one := s.rankings.of(category)
	one.mu.Lock()
	defer one.mu.Unlock()
	if one.version >= version && one.day == day(today) {
		return one.items, nil
	}
	var items []Item
	err := tx.SelectContext(ctx, &items, `
		SELECT p.id, p.name, p.price_cents, p.image_url, coalesce(sum(v.views), 0) AS score, 'same_category' AS reason
		FROM products p
		LEFT JOIN product_views v ON v.product_id = p.id AND v.day BETWEEN ? AND ?
		WHERE p.active = 1 AND p.category_id = ?
		GROUP BY p.id
		ORDER BY score DESC, p.id
		LIMIT ?`, day(today.AddDate(0, 0, 1-viewDays)), day(today), category, rankedItems)
	if err != nil {
		return nil, err
	}
	one.version, one.day, one.items = version, day(today), items
	return items, nil
}

func day(t time.Time) string { return t.Format(time.DateOnly) }
