package payments

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/internal/instant"
	"github.com/stranglerfig/toolkit/internal/web"
)

// paid is an accepted payment with the order and customer it belongs to.
type paid struct {
	ID       int64  `db:"id"`
	Status   string `db:"status"`
	Amount   int64  `db:"amount_cents"`
	Refunded int64  `db:"refunded_cents"`
	OrderID  int64  `db:"order_id"`
	Order    string `db:"order_status"`
	UserID   int64  `db:"user_id"`
}

// settled reads a payment that money can go back from.
func (s *Store) settled(ctx context.Context, tx *sqlx.Tx, id int64) (paid, error) {
	var p paid
	err := tx.GetContext(ctx, &p, `
		SELECT p.id, p.status, p.amount_cents, p.refunded_cents, p.order_id, o.status AS order_status, o.user_id
		FROM payments p
		JOIN orders o ON o.id = p.order_id
		WHERE p.id = ?`, id)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return paid{}, noPayment()
	case err != nil:
		return paid{}, fmt.Errorf("read payment %d: %w", id, err)
	case p.Status == Refunded:
		return paid{}, tooMuch(0)
	case p.Status != Accepted:
		return paid{}, web.Problemf(http.StatusConflict, "conflict", "the payment is %s: there is nothing to give back", p.Status)
	}
	return p, nil
}

// refund writes an administrator's refund. If nothing is left, it ends the order;
// goods that have not left the house go back on the shelf.
func (s *Store) refund(ctx context.Context, tx *sqlx.Tx, p paid, r *Refund, actorID int64, key, hash string) error {
	if err := s.takeOff(ctx, tx, p, r, key, hash); err != nil {
		return err
	}
	detail := fmt.Sprintf("%s of %s", dollars(r.AmountCents), dollars(p.Amount))
	kind := "partly_refunded"
	if p.Refunded+r.AmountCents == p.Amount {
		kind = "refunded"
		if p.Order == "paid" || p.Order == "packed" {
			if err := ReturnStock(ctx, tx, p.OrderID, r.CreatedAt, "order refunded"); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, `UPDATE orders SET status = 'refunded', updated_at = ? WHERE id = ?`, r.CreatedAt, p.OrderID); err != nil {
			return fmt.Errorf("refund order %d: %w", p.OrderID, err)
		}
	}
	subject := fmt.Sprintf("%s of order %d come back to you", dollars(r.AmountCents), p.OrderID)
	return errors.Join(
		event(ctx, tx, p.OrderID, kind, detail, r.CreatedAt),
		notify(ctx, tx, p.UserID, "order_refunded", subject, "We have given back "+detail+".", r.CreatedAt),
		audit(ctx, tx, actorID, "order.refunded", p.OrderID, detail, r.CreatedAt),
	)
}

// takeOff writes the refund itself: the row, the payment and the customer's value.
func (s *Store) takeOff(ctx context.Context, tx *sqlx.Tx, p paid, r *Refund, key, hash string) error {
	if r.AmountCents > 0 { // an order that cost nothing has nothing to give back
		err := tx.GetContext(ctx, &r.ID, `
			INSERT INTO refunds (payment_id, amount_cents, reason, idempotency_key, request_hash, created_at)
			VALUES (?, ?, ?, ?, ?, ?)
			RETURNING id`, r.PaymentID, r.AmountCents, r.Reason, key, hash, r.CreatedAt)
		if err != nil {
			return fmt.Errorf("insert refund of payment %d: %w", r.PaymentID, err)
		}
	}
	if _, err := tx.ExecContext(ctx, `
		UPDATE payments SET
			refunded_cents = refunded_cents + ?,
			status         = CASE WHEN refunded_cents + ? = amount_cents THEN 'refunded' ELSE status END,
			updated_at     = ?
		WHERE id = ?`, r.AmountCents, r.AmountCents, r.CreatedAt, r.PaymentID); err != nil {
		return fmt.Errorf("refund payment %d: %w", r.PaymentID, err)
	}
	if _, err := tx.ExecContext(ctx, `
		UPDATE users SET lifetime_value_cents = lifetime_value_cents - ?
		WHERE id = ?`, r.AmountCents, p.UserID); err != nil {
		return fmt.Errorf("lower the value of user %d: %w", p.UserID, err)
	}
	return nil
}

// ReturnStock puts the goods of a paid order back on the shelf, within tx.
func ReturnStock(ctx context.Context, tx *sqlx.Tx, orderID int64, at instant.Instant, note string) error {
	for _, query := range []string{
		`
		UPDATE stock_items SET on_hand = on_hand + r.qty, updated_at = @at
		FROM stock_reservations r
		WHERE r.order_id = @order AND r.status = 'committed' AND r.product_id = stock_items.product_id`,
		`
		UPDATE products SET stock_qty = stock_qty + r.qty
		FROM stock_reservations r
		WHERE r.order_id = @order AND r.status = 'committed' AND r.product_id = products.id`,
		`
		INSERT INTO stock_movements (product_id, order_id, delta, reason, note, created_at)
		SELECT product_id, order_id, qty, 'return', @note, @at
		FROM stock_reservations
		WHERE order_id = @order AND status = 'committed'
		ORDER BY id`,
		`
		UPDATE stock_reservations SET status = 'released'
		WHERE order_id = @order AND status = 'committed'`,
	} {
		args := []any{sql.Named("order", orderID), sql.Named("at", at), sql.Named("note", note)}
		if _, err := tx.ExecContext(ctx, query, args...); err != nil {
			return fmt.Errorf("return the goods of order %d: %w", orderID, err)
		}
	}
	return nil
}

// GiveBack tells the provider at once what the shop owes of an order's payment. It
// is a courtesy: Run does it otherwise.
func (s *Store) GiveBack(ctx context.Context, orderID int64) {
	var id int64
	if err := s.db.GetContext(ctx, &id, `SELECT id FROM payments WHERE order_id = ?`, orderID); err == nil {
		s.giveBack(ctx, id)
	}
}

func (s *Store) giveBack(ctx context.Context, id int64) {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.opts.Wait)
	defer cancel()
	if err := s.returnOwed(bounded, id); err != nil {
		s.opts.Log.Warn("a refund will be sent later", "payment", id, "error", err)
	}
}

// returnOwed has the provider give back what is refunded in the shop's books.
func (s *Store) returnOwed(ctx context.Context, id int64) error {
	var owed struct {
		Ref   string `db:"provider_ref"`
		Total int64  `db:"refunded_cents"`
	}
	err := s.db.GetContext(ctx, &owed, `
		SELECT a.provider_ref, p.refunded_cents
		FROM payments p
		JOIN payment_attempts a ON a.payment_id = p.id AND a.status = 'accepted'
		WHERE p.id = ? AND p.returned_cents < p.refunded_cents`, id)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("refund of payment %d: %w", id, err)
	}
	if err := s.provider.Reverse(ctx, owed.Ref, owed.Total); err != nil {
		return fmt.Errorf("refund of payment %d at the provider: %w", id, err)
	}
	return s.db.Tx(context.WithoutCancel(ctx), func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `
			UPDATE payments SET returned_cents = max(returned_cents, ?)
			WHERE id = ?`, owed.Total, id)
		return err
	})
}
