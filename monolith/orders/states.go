package orders

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/internal/instant"
	"github.com/stranglerfig/toolkit/internal/web"
	"github.com/stranglerfig/toolkit/monolith/payments"
)

// A move takes an order from one of some states to another and tells of it.
type move struct {
	from    []string
	to      string
	subject string // of the notification, with the order's id
	body    string
	detail  string // of the event and the audit log
}

// Pack notes that the goods of a paid order have been packed.
func (s *Store) Pack(ctx context.Context, actorID, id int64) (Order, error) {
	return s.move(ctx, actorID, id, anyone, move{
		from: []string{Paid}, to: Packed,
		subject: "Order %d is packed", body: "It leaves our house soon.",
	}, nothing)
}

// Ship notes that an order is on its way with a carrier.
func (s *Store) Ship(ctx context.Context, actorID, id int64, carrier, tracking string) (Order, error) {
	carrier, tracking = strings.TrimSpace(carrier), strings.TrimSpace(tracking)
	if err := checkParcel(carrier, tracking); err != nil {
		return Order{}, err
	}
	return s.move(ctx, actorID, id, anyone, move{
		from: []string{Packed, Paid}, to: Shipped, detail: carrier + " " + tracking,
		subject: "Order %d is on its way", body: carrier + " carries it as " + tracking + ".",
	}, func(ctx context.Context, tx *sqlx.Tx, _ string, at instant.Instant) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO shipments (order_id, carrier, tracking, shipped_at)
			VALUES (?, ?, ?, ?)`, id, carrier, tracking, at)
		return err
	})
}

func checkParcel(carrier, tracking string) error {
	var fields []web.Field
	if carrier == "" || utf8.RuneCountInString(carrier) > 100 {
		fields = append(fields, web.Field{Name: "carrier", Message: "must have 1 to 100 characters"})
	}
	if tracking == "" || utf8.RuneCountInString(tracking) > 100 {
		fields = append(fields, web.Field{Name: "tracking", Message: "must have 1 to 100 characters"})
	}
	return web.Invalid(fields...)
}

// Deliver notes that a shipped order has arrived.
func (s *Store) Deliver(ctx context.Context, actorID, id int64) (Order, error) {
	return s.move(ctx, actorID, id, anyone, move{
		from: []string{Shipped}, to: Delivered,
		subject: "Order %d has arrived", body: "We hope you like it. Tell others with a review.",
	}, func(ctx context.Context, tx *sqlx.Tx, _ string, at instant.Instant) error {
		_, err := tx.ExecContext(ctx, `UPDATE shipments SET delivered_at = ? WHERE order_id = ?`, at, id)
		return err
	})
}

// Cancel ends one of the user's own orders that has not been shipped: stock comes
// back, an accepted payment is refunded, the coupon can be used again.
func (s *Store) Cancel(ctx context.Context, id, userID int64) (Order, error) {
	return s.cancel(ctx, userID, id, userID, []string{Pending, Paid, Packed}, "")
}

func (s *Store) cancel(ctx context.Context, actorID, id, userID int64, from []string, detail string) (Order, error) {
	o, err := s.move(ctx, actorID, id, userID, move{
		from: from, to: Cancelled, detail: detail,
		subject: "Order %d is cancelled", body: "What you have paid comes back to you.",
	}, func(ctx context.Context, tx *sqlx.Tx, before string, at instant.Instant) error {
		if err := freeCoupon(ctx, tx, id); err != nil {
			return err
		}
		if before == Pending {
			return release(ctx, tx, id, at)
		}
		if err := payments.ReturnStock(ctx, tx, id, at, "order cancelled"); err != nil {
			return err
		}
		return s.payments.RefundRest(ctx, tx, id, "order cancelled")
	})
	if err != nil {
		return Order{}, err
	}
	s.payments.GiveBack(ctx, id)
	return o, nil
}

// Return takes the goods of one of the user's own delivered orders back and refunds
// it.
func (s *Store) Return(ctx context.Context, id, userID int64, reason string) (Order, error) {
	if utf8.RuneCountInString(reason) > 500 {
		return Order{}, web.Invalid(web.Field{Name: "reason", Message: "must have at most 500 characters"})
	}
	o, err := s.move(ctx, userID, id, userID, move{
		from: []string{Delivered}, to: Refunded, detail: reason,
		subject: "Order %d is refunded", body: "We have taken it back. What you have paid comes back to you.",
	}, func(ctx context.Context, tx *sqlx.Tx, _ string, at instant.Instant) error {
		if err := payments.ReturnStock(ctx, tx, id, at, "order returned"); err != nil {
			return err
		}
		return s.payments.RefundRest(ctx, tx, id, "order returned")
	})
	if err != nil {
		return Order{}, err
	}
	s.payments.GiveBack(ctx, id)
	return o, nil
}

type effect func(ctx context.Context, tx *sqlx.Tx, before string, at instant.Instant) error

func nothing(context.Context, *sqlx.Tx, string, instant.Instant) error { return nil }

// move makes m with its effect in one transaction. userID limits it to the user's own
// orders, unless it is anyone.
func (s *Store) move(ctx context.Context, actorID, id, userID int64, m move, also effect) (o Order, err error) {
	err = s.db.Tx(ctx, func(tx *sqlx.Tx) error {
		before, err := load(ctx, tx, id, userID)
		if err != nil {
			return err
		}
		if !slices.Contains(m.from, before.Status) {
			return wrongState(before.Status, m.to)
		}
		at := instant.From(s.now())
		if err := also(ctx, tx, before.Status, at); err != nil {
			return fmt.Errorf("order %d to %s: %w", id, m.to, err)
		}
		if _, err := tx.ExecContext(ctx, `UPDATE orders SET status = ?, updated_at = ? WHERE id = ?`, m.to, at, id); err != nil {
			return fmt.Errorf("order %d to %s: %w", id, m.to, err)
		}
		if err := errors.Join(
			event(ctx, tx, id, m.to, m.detail, at),
			notify(ctx, tx, before.UserID, "order_"+m.to, fmt.Sprintf(m.subject, id), m.body, at),
			audit(ctx, tx, actorID, "order."+m.to, id, m.detail, at),
		); err != nil {
			return fmt.Errorf("order %d to %s: %w", id, m.to, err)
		}
		o, err = load(ctx, tx, id, userID)
		return err
	})
	return o, err
}

// release gives what was held for a pending order back to the others, and ends its
// payment.
func release(ctx context.Context, tx *sqlx.Tx, orderID int64, at instant.Instant) error {
	for _, query := range []string{
		`
		UPDATE products SET stock_qty = stock_qty + r.qty
		FROM stock_reservations r
		WHERE r.order_id = @order AND r.status = 'held' AND r.product_id = products.id`,
		`
		UPDATE stock_items SET reserved = reserved - r.qty, updated_at = @at
		FROM stock_reservations r
		WHERE r.order_id = @order AND r.status = 'held' AND r.product_id = stock_items.product_id`,
		`
		UPDATE stock_reservations SET status = 'released'
		WHERE order_id = @order AND status = 'held'`,
		`
		UPDATE payments SET status = 'cancelled', updated_at = @at
		WHERE order_id = @order`,
	} {
		if _, err := tx.ExecContext(ctx, query, sql.Named("order", orderID), sql.Named("at", at)); err != nil {
			return err
		}
	}
	return nil
}

// freeCoupon lets the coupon of an order be used again.
func freeCoupon(ctx context.Context, tx *sqlx.Tx, orderID int64) error {
	if _, err := tx.ExecContext(ctx, `
		UPDATE coupons SET redeemed = redeemed - 1
		WHERE id = (SELECT coupon_id FROM coupon_redemptions WHERE order_id = ?)`, orderID); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `DELETE FROM coupon_redemptions WHERE order_id = ?`, orderID)
	return err
}

// Run cancels the orders that are not paid in time, until ctx ends.
func (s *Store) Run(ctx context.Context) error {
	tick := time.NewTicker(s.opts.Every)
	defer tick.Stop()
	for {
		if _, err := s.Expire(ctx); err != nil && ctx.Err() == nil {
			s.opts.Log.Error("cancel unpaid orders", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Expire is one round of Run: it returns how many orders it has cancelled, at most
// 100.
func (s *Store) Expire(ctx context.Context) (int, error) {
	var due []int64
	if err := s.db.SelectContext(ctx, &due, `
		SELECT DISTINCT order_id
		FROM stock_reservations
		WHERE status = 'held' AND expires_at <= ?
		ORDER BY order_id
		LIMIT 100`, instant.From(s.now())); err != nil {
		return 0, fmt.Errorf("look for unpaid orders: %w", err)
	}
	done := 0
	var errs []error
	for _, id := range due {
		_, err := s.cancel(ctx, 0, id, anyone, []string{Pending}, "not paid in time")
		var refused *web.Problem
		switch {
		case err == nil:
			done++
		case errors.As(err, &refused): // paid or cancelled in the meantime
		default:
			errs = append(errs, err)
		}
	}
	return done, errors.Join(errs...)
}

func event(ctx context.Context, tx *sqlx.Tx, orderID int64, kind, detail string, at instant.Instant) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO order_events (order_id, kind, detail, created_at)
		VALUES (?, ?, ?, ?)`, orderID, kind, detail, at)
	return err
}

func notify(ctx context.Context, tx *sqlx.Tx, userID int64, kind, subject, body string, at instant.Instant) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO notifications (user_id, kind, subject, body, created_at)
		VALUES (?, ?, ?, ?, ?)`, userID, kind, subject, body, at)
	return err
}

func audit(ctx context.Context, tx *sqlx.Tx, actorID int64, action string, orderID int64, detail string, at instant.Instant) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO audit_log (actor_id, action, entity, entity_id, detail, created_at)
		VALUES (nullif(?, 0), ?, 'order', ?, ?, ?)`, actorID, action, fmt.Sprint(orderID), detail, at)
	return err
}

func dollars(cents int64) string { return fmt.Sprintf("$%d.%02d", cents/100, cents%100) }
