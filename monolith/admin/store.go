package admin

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/internal/instant"
	"github.com/stranglerfig/toolkit/internal/sqlite"
	"github.com/stranglerfig/toolkit/internal/web"
)

// Reviews knows the mean of all reviews: as tx sees it, or whoever keeps them now.
type Reviews interface {
	Average(ctx context.Context, tx *sqlx.Tx) (float64, error)
}

// Store reads for the back office. It is safe for concurrent use.
type Store struct {
	db      *sqlite.DB
	now     func() time.Time
	reviews Reviews
}

// New returns a Store on db; the caller keeps ownership of db.
func New(db *sqlite.DB, now func() time.Time, reviews Reviews) *Store {
	return &Store{db: db, now: now, reviews: reviews}
}

// Orders returns a page of all orders, newest first, of one status or of all ("").
func (s *Store) Orders(ctx context.Context, status string, p web.Paging) (web.Page[Order], error) {
	if err := checkStatus(status); err != nil {
		return web.Page[Order]{}, err
	}
	where, args := "", []any{}
	if status != "" {
		where, args = "WHERE o.status = ?", []any{status}
	}
	var list []Order
	if err := s.db.SelectContext(ctx, &list, `
		SELECT o.id, o.status, o.total_cents, o.created_at, o.updated_at,
			(SELECT sum(l.qty) FROM order_lines l WHERE l.order_id = o.id) AS pieces,
			p.id AS payment_id, p.status AS payment_status,
			u.id AS "customer.id", u.name AS "customer.name", u.email AS "customer.email"
		FROM orders o
		JOIN users u ON u.id = o.user_id
		JOIN payments p ON p.order_id = o.id
		`+where+`
		ORDER BY o.id DESC
		LIMIT ? OFFSET ?`, append(args, p.PerPage, p.Offset())...); err != nil {
		return web.Page[Order]{}, fmt.Errorf("list orders: %w", err)
	}
	var total int
	if err := s.db.GetContext(ctx, &total, `SELECT count(*) FROM orders o `+where, args...); err != nil {
		return web.Page[Order]{}, fmt.Errorf("count orders: %w", err)
	}
	return web.NewPage(p, list, total), nil
}

// Dashboard returns the shop at a glance, all of its own at one moment.
func (s *Store) Dashboard(ctx context.Context) (Dashboard, error) {
	tx, err := s.db.BeginTxx(ctx, nil)
	if err != nil {
		return Dashboard{}, fmt.Errorf("dashboard: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	d := Dashboard{OrdersByStatus: map[string]int64{}, LowStock: []LowStock{}, TopProducts: []TopProduct{}}
	now := s.now().UTC()
	midnight := now.Truncate(24 * time.Hour)
	if err := tx.GetContext(ctx, &d, `
		SELECT
			(SELECT coalesce(sum(amount_cents - refunded_cents), 0) FROM payments
				WHERE status IN ('accepted', 'refunded')) AS revenue_cents,
			(SELECT count(*) FROM orders WHERE id > coalesce(
				(SELECT max(id) FROM orders WHERE created_at < ?), 0)) AS orders_today,
			(SELECT count(*) FROM users WHERE role = 'customer' AND deleted_at IS NULL) AS customers,
			(SELECT count(*) FROM products WHERE active = 1) AS products,
			(SELECT count(*) FROM notifications WHERE sent_at IS NULL) AS pending_notifications`,
		instant.From(midnight)); err != nil {
		return Dashboard{}, fmt.Errorf("dashboard: %w", err)
	}
	if d.AverageRating, err = s.reviews.Average(ctx, tx); err != nil {
		return Dashboard{}, fmt.Errorf("dashboard: %w", err)
	}
	if err := byStatus(ctx, tx, d.OrdersByStatus); err != nil {
		return Dashboard{}, fmt.Errorf("dashboard: orders by status: %w", err)
	}
	if err := tx.SelectContext(ctx, &d.LowStock, `
		SELECT p.id AS product_id, p.sku, p.name, p.stock_qty AS available, s.reorder_level
		FROM stock_items s
		JOIN products p ON p.id = s.product_id
		WHERE p.active = 1 AND p.stock_qty <= s.reorder_level
		ORDER BY p.stock_qty, p.id
		LIMIT 10`); err != nil {
		return Dashboard{}, fmt.Errorf("dashboard: low stock: %w", err)
	}
	if err := tx.SelectContext(ctx, &d.TopProducts, `
		SELECT l.product_id, p.name, sum(l.qty) AS sold, sum(l.qty * l.unit_price_cents) AS revenue_cents
		FROM orders o
		JOIN order_lines l ON l.order_id = o.id
		JOIN products p ON p.id = l.product_id
		WHERE o.status IN ('paid', 'packed', 'shipped', 'delivered') AND o.created_at >= ?
		GROUP BY l.product_id
		ORDER BY sold DESC, l.product_id
		LIMIT 10`, instant.From(now.AddDate(0, 0, -30))); err != nil {
		return Dashboard{}, fmt.Errorf("dashboard: top products: %w", err)
	}
	return d, nil
}

func byStatus(ctx context.Context, tx *sqlx.Tx, counts map[string]int64) error {
	var rows []struct {
		Status string `db:"status"`
		Count  int64  `db:"n"`
	}
	if err := tx.SelectContext(ctx, &rows, `SELECT status, count(*) AS n FROM orders GROUP BY status`); err != nil {
		return err
	}
	for _, status := range statuses {
		counts[status] = 0
	}
	for _, row := range rows {
		counts[row.Status] = row.Count
	}
	return nil
}

// Audit returns a page of the audit log, newest first; entity and entityID narrow it
// unless they are empty.
func (s *Store) Audit(ctx context.Context, entity, entityID string, p web.Paging) (web.Page[Entry], error) {
	where, args := "WHERE 1", []any{}
	if entity != "" {
		where, args = where+" AND entity = ?", append(args, entity)
	}
	if entityID != "" {
		where, args = where+" AND entity_id = ?", append(args, entityID)
	}
	var list []Entry
	if err := s.db.SelectContext(ctx, &list, `
		SELECT id, actor_id, action, entity, entity_id, detail, created_at
		FROM audit_log
		`+where+`
		ORDER BY id DESC
		LIMIT ? OFFSET ?`, append(args, p.PerPage, p.Offset())...); err != nil {
		return web.Page[Entry]{}, fmt.Errorf("read the audit log: %w", err)
	}
	var total int
	if err := s.db.GetContext(ctx, &total, `SELECT count(*) FROM audit_log `+where, args[:len(args):len(args)]...); err != nil {
		return web.Page[Entry]{}, fmt.Errorf("count the audit log: %w", err)
	}
	return web.NewPage(p, list, total), nil
}
