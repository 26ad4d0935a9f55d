package orders

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/internal/instant"
	"github.com/stranglerfig/toolkit/internal/sqlite"
	"github.com/stranglerfig/toolkit/internal/web"
	"github.com/stranglerfig/toolkit/monolith/payments"
	"github.com/stranglerfig/toolkit/monolith/pricing"
)

// Options tune a Store. The zero value is fit for production.
type Options struct {
	Unpaid time.Duration // age at which an order that is not paid is cancelled; 0 means 30 min
	Every  time.Duration // pause between two rounds of Run; 0 means 1 s
	Log    *slog.Logger  // nil discards
}

// Store keeps orders. It is safe for concurrent use.
type Store struct {
	db       *sqlite.DB
	now      func() time.Time
	prices   *pricing.Store
	payments *payments.Store
	opts     Options
}

// New returns a Store on db; the caller keeps ownership of db.
func New(db *sqlite.DB, now func() time.Time, prices *pricing.Store, pay *payments.Store, opts Options) *Store {
	if opts.Unpaid <= 0 {
		opts.Unpaid = 30 * time.Minute
	}
	if opts.Every <= 0 {
		opts.Every = time.Second
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	return &Store{db: db, now: now, prices: prices, payments: pay, opts: opts}
}

const orderColumns = `
	o.id, o.user_id, o.status, o.shipping_method,
	o.subtotal_cents, o.discount_cents, o.shipping_cents, o.tax_cents, o.total_cents,
	o.created_at, o.updated_at,
	a.id AS "address.id", a.name AS "address.name", a.street AS "address.street", a.city AS "address.city",
	a.postal_code AS "address.postal_code", a.region AS "address.region", a.country AS "address.country",
	c.code AS coupon_code,
	p.id AS "payment.id", p.status AS "payment.status",
	s.carrier, s.tracking, s.shipped_at, s.delivered_at`

const orderTables = `
	orders o
	JOIN addresses a ON a.id = o.shipping_address_id
	JOIN payments p ON p.order_id = o.id
	LEFT JOIN coupons c ON c.id = o.coupon_id
	LEFT JOIN shipments s ON s.order_id = o.id`

// row is an order as the join returns it.
type row struct {
	Order
	Carrier     *string          `db:"carrier"`
	Tracking    *string          `db:"tracking"`
	ShippedAt   *instant.Instant `db:"shipped_at"`
	DeliveredAt *instant.Instant `db:"delivered_at"`
}

func (r row) order() Order {
	if r.Carrier != nil {
		r.Shipment = &Shipment{Carrier: *r.Carrier, Tracking: *r.Tracking, ShippedAt: *r.ShippedAt, DeliveredAt: r.DeliveredAt}
	}
	return r.Order
}

// List returns a page of the user's orders, newest first, without lines.
func (s *Store) List(ctx context.Context, userID int64, p web.Paging) (web.Page[Order], error) {
	var rows []row
	if err := s.db.SelectContext(ctx, &rows, `
		SELECT `+orderColumns+`
		FROM `+orderTables+`
		WHERE o.user_id = ?
		ORDER BY o.id DESC
		LIMIT ? OFFSET ?`, userID, p.PerPage, p.Offset()); err != nil {
		return web.Page[Order]{}, fmt.Errorf("list orders of user %d: %w", userID, err)
	}
	var total int
	if err := s.db.GetContext(ctx, &total, `SELECT count(*) FROM orders WHERE user_id = ?`, userID); err != nil {
		return web.Page[Order]{}, fmt.Errorf("count orders of user %d: %w", userID, err)
	}
	list := make([]Order, 0, len(rows))
	for _, r := range rows {
		list = append(list, r.order())
	}
	return web.NewPage(p, list, total), nil
}

// Order returns one of the user's own orders.
func (s *Store) Order(ctx context.Context, id, userID int64) (Order, error) {
	return load(ctx, s.db, id, userID)
}

// Any returns any order, for administrators.
func (s *Store) Any(ctx context.Context, id int64) (Order, error) {
	return load(ctx, s.db, id, anyone)
}

const anyone = 0 // no user has this id

func load(ctx context.Context, q sqlx.QueryerContext, id, userID int64) (Order, error) {
	var r row
	err := sqlx.GetContext(ctx, q, &r, `
		SELECT `+orderColumns+`
		FROM `+orderTables+`
		WHERE o.id = ? AND ? IN (o.user_id, 0)`, id, userID)
	if errors.Is(err, sql.ErrNoRows) {
		return Order{}, noOrder()
	}
	if err != nil {
		return Order{}, fmt.Errorf("read order %d: %w", id, err)
	}
	o := r.order()
	if err := sqlx.SelectContext(ctx, q, &o.Lines, `
		SELECT product_id, name, unit_price_cents, qty, unit_price_cents * qty AS line_cents
		FROM order_lines
		WHERE order_id = ?
		ORDER BY id`, id); err != nil {
		return Order{}, fmt.Errorf("read lines of order %d: %w", id, err)
	}
	return o, nil
}

// Events returns what happened to one of the user's own orders, oldest first.
func (s *Store) Events(ctx context.Context, id, userID int64) ([]Event, error) {
	var list []Event
	if err := s.db.SelectContext(ctx, &list, `
		SELECT e.kind, e.detail, e.created_at
		FROM order_events e
		JOIN orders o ON o.id = e.order_id
		WHERE e.order_id = ? AND o.user_id = ?
		ORDER BY e.id`, id, userID); err != nil {
		return nil, fmt.Errorf("read events of order %d: %w", id, err)
	}
	if len(list) == 0 { // every order has been placed at least
		return nil, noOrder()
	}
	return list, nil
}

// History returns the lines of the orders on a page of List, in its order, with what
// they are worth to the history page.
func (s *Store) History(ctx context.Context, userID int64, p web.Paging) ([]Bought, error) {
	var list []Bought
	if err := s.db.SelectContext(ctx, &list, `
		SELECT order_id, status, created_at, product_id, product, qty, unit_price_cents, still_sold
		FROM v_order_history
		WHERE order_id IN (SELECT id FROM orders WHERE user_id = ? ORDER BY id DESC LIMIT ? OFFSET ?)
		ORDER BY order_id DESC, product_id`, userID, p.PerPage, p.Offset()); err != nil {
		return nil, fmt.Errorf("read history of user %d: %w", userID, err)
	}
	return list, nil
}
