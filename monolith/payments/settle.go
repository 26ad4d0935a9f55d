package payments

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/internal/instant"
)

// try is an attempt with the payment, order and customer it belongs to.
type try struct {
	Ref       string `db:"provider_ref"`
	Status    string `db:"status"`
	PaymentID int64  `db:"payment_id"`
	Amount    int64  `db:"amount_cents"`
	OrderID   int64  `db:"order_id"`
	Order     string `db:"order_status"`
	UserID    int64  `db:"user_id"`
}

// Settle writes down the provider's answer about an attempt, in time or late, from
// whatever side it comes. The same answer again changes nothing. Money accepted for
// an order that has ended meanwhile, or for an attempt that was given up or declined
// before, goes back.
// ErrUnknownRef if there is no such attempt.
func (s *Store) Settle(ctx context.Context, ref string, o Outcome) error {
	if o.Status != Accepted && o.Status != Declined {
		return nil // not an answer yet
	}
	var a try
	refuse := false
	err := s.db.Tx(ctx, func(tx *sqlx.Tx) error {
		var err error
		a, err = readTry(ctx, tx, ref)
		if err != nil {
			return err
		}
		at := instant.From(s.now())
		switch {
		case a.Status == Declined && o.Status == Accepted: // it changed its mind, the customer may have, too
			refuse = true
			return nil
		case a.Status != Started && a.Status != Timeout:
			return nil
		case o.Status == Accepted && a.Status == Started && a.Order == "pending":
			return accept(ctx, tx, a, at)
		case o.Status == Accepted:
			refuse = true
			return nil
		case a.Status == Started:
			return decline(ctx, tx, a, o.Reason, at)
		}
		return nil
	})
	if err != nil || !refuse {
		return err
	}
	return s.refuse(ctx, a)
}

func readTry(ctx context.Context, tx *sqlx.Tx, ref string) (try, error) {
	var a try
	err := tx.GetContext(ctx, &a, `
		SELECT a.provider_ref, a.status, a.payment_id, p.amount_cents, p.order_id, o.status AS order_status, o.user_id
		FROM payment_attempts a
		JOIN payments p ON p.id = a.payment_id
		JOIN orders o ON o.id = p.order_id
		WHERE a.provider_ref = ?`, ref)
	if errors.Is(err, sql.ErrNoRows) {
		return try{}, fmt.Errorf("reference %q: %w", ref, ErrUnknownRef)
	}
	if err != nil {
		return try{}, fmt.Errorf("read attempt %s: %w", ref, err)
	}
	return a, nil
}

// accept makes the order paid: what was reserved for it is sold.
func accept(ctx context.Context, tx *sqlx.Tx, a try, at instant.Instant) error {
	for _, query := range []string{
		`
		UPDATE payment_attempts SET status = 'accepted', updated_at = @at
		WHERE provider_ref = @ref`,
		`
		UPDATE payments SET status = 'accepted', updated_at = @at
		WHERE id = @payment`,
		`
		UPDATE orders SET status = 'paid', updated_at = @at
		WHERE id = @order`,
		`
		UPDATE users SET lifetime_value_cents = lifetime_value_cents + @amount
		WHERE id = @user`,
		`
		UPDATE stock_items SET on_hand = on_hand - r.qty, reserved = reserved - r.qty, updated_at = @at
		FROM stock_reservations r
		WHERE r.order_id = @order AND r.status = 'held' AND r.product_id = stock_items.product_id`,
		`
		INSERT INTO stock_movements (product_id, order_id, delta, reason, created_at)
		SELECT product_id, order_id, -qty, 'sale', @at
		FROM stock_reservations
		WHERE order_id = @order AND status = 'held'
		ORDER BY id`,
		`
		UPDATE stock_reservations SET status = 'committed'
		WHERE order_id = @order AND status = 'held'`,
	} {
		args := []any{
			sql.Named("at", at), sql.Named("ref", a.Ref), sql.Named("payment", a.PaymentID),
			sql.Named("order", a.OrderID), sql.Named("amount", a.Amount), sql.Named("user", a.UserID),
		}
		if _, err := tx.ExecContext(ctx, query, args...); err != nil {
			return fmt.Errorf("accept attempt %s: %w", a.Ref, err)
		}
	}
	subject := fmt.Sprintf("Order %d is paid", a.OrderID)
	return errors.Join(
		event(ctx, tx, a.OrderID, "paid", dollars(a.Amount), at),
		notify(ctx, tx, a.UserID, "order_paid", subject, "We have received "+dollars(a.Amount)+" and are packing your order.", at),
		audit(ctx, tx, 0, "order.paid", a.OrderID, dollars(a.Amount), at),
	)
}

// decline leaves the order pending, for another card.
func decline(ctx context.Context, tx *sqlx.Tx, a try, reason string, at instant.Instant) error {
	if _, err := tx.ExecContext(ctx, `
		UPDATE payment_attempts SET status = 'declined', reason = ?, updated_at = ?
		WHERE provider_ref = ?`, reason, at, a.Ref); err != nil {
		return fmt.Errorf("decline attempt %s: %w", a.Ref, err)
	}
	if a.Order != "pending" {
		return nil // the order has ended: nobody waits for the answer
	}
	if _, err := tx.ExecContext(ctx, `
		UPDATE payments SET status = 'declined', updated_at = ?
		WHERE id = ?`, at, a.PaymentID); err != nil {
		return fmt.Errorf("decline payment %d: %w", a.PaymentID, err)
	}
	subject := fmt.Sprintf("The payment of order %d was declined", a.OrderID)
	return errors.Join(
		event(ctx, tx, a.OrderID, "payment_declined", reason, at),
		notify(ctx, tx, a.UserID, "payment_declined", subject, "Your card was declined. Try another one: the goods are reserved for a while.", at),
	)
}

// refuse gives back what was accepted for nothing. The attempt keeps its status until
// the provider has confirmed, so that a crash in between repeats it.
func (s *Store) refuse(ctx context.Context, a try) error {
	if err := s.provider.Reverse(ctx, a.Ref, a.Amount); err != nil {
		return fmt.Errorf("reverse attempt %s: %w", a.Ref, err)
	}
	at := instant.From(s.now())
	return s.db.Tx(ctx, func(tx *sqlx.Tx) error {
		return s.close(ctx, tx, a, Reversed, "payment_reversed", at)
	})
}

// close ends an attempt without a payment, once. One that was declined can only be
// reversed.
func (s *Store) close(ctx context.Context, tx *sqlx.Tx, a try, status, kind string, at instant.Instant) error {
	res, err := tx.ExecContext(ctx, `
		UPDATE payment_attempts SET status = @status, updated_at = @at
		WHERE provider_ref = @ref AND status <> @status
		  AND (status IN ('started', 'timeout') OR status = 'declined' AND @status = 'reversed')`,
		sql.Named("status", status), sql.Named("at", at), sql.Named("ref", a.Ref))
	if err != nil {
		return fmt.Errorf("close attempt %s: %w", a.Ref, err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err
	}
	return event(ctx, tx, a.OrderID, kind, "", at)
}

// Run settles attempts that got no answer, and sends refunds that have not reached
// the provider, until ctx ends. What a killed process left behind is found by it.
func (s *Store) Run(ctx context.Context) error {
	tick := time.NewTicker(s.opts.Every)
	defer tick.Stop()
	for {
		if err := s.Recover(ctx); err != nil && ctx.Err() == nil {
			s.opts.Log.Error("settle payments", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// batch is how many attempts or refunds one round of Recover looks at.
const batch = 100

// Recover is one round of Run: it goes on after an error and returns them all.
func (s *Store) Recover(ctx context.Context) error {
	var open []struct {
		Ref       string          `db:"provider_ref"`
		CreatedAt instant.Instant `db:"created_at"`
	}
	now := s.now()
	err := s.db.SelectContext(ctx, &open, `
		SELECT provider_ref, created_at
		FROM payment_attempts
		WHERE status = 'started' AND updated_at <= ?
		ORDER BY updated_at
		LIMIT ?`, instant.From(now.Add(-s.opts.GiveUp)), batch)
	if err != nil {
		return fmt.Errorf("read open attempts: %w", err)
	}
	var errs []error
	for _, a := range open {
		errs = append(errs, s.resolve(ctx, a.Ref, now.Sub(a.CreatedAt.Time()) > s.opts.Patience))
	}
	var owed []int64
	err = s.db.SelectContext(ctx, &owed, `
		SELECT id
		FROM payments
		WHERE returned_cents < refunded_cents
		ORDER BY id
		LIMIT ?`, batch)
	errs = append(errs, err)
	for _, id := range owed {
		errs = append(errs, s.returnOwed(ctx, id))
	}
	return errors.Join(errs...)
}

// resolve finds out what became of an attempt. One that never arrived, or about which
// the provider has been undecided for too long, is forbidden before it is given up.
func (s *Store) resolve(ctx context.Context, ref string, tooLong bool) error {
	ctx, cancel := context.WithTimeout(ctx, s.opts.GiveUp)
	defer cancel()
	outcome, err := s.provider.Lookup(ctx, ref)
	switch {
	case err == nil && outcome.Status != Pending:
		return s.Settle(ctx, ref, outcome)
	case err == nil && !tooLong:
		return s.postpone(ctx, ref)
	case err != nil && !errors.Is(err, ErrUnknownRef):
		return fmt.Errorf("look up attempt %s: %w", ref, err)
	}
	outcome, err = s.provider.Forbid(ctx, ref)
	if err != nil {
		return fmt.Errorf("forbid attempt %s: %w", ref, err)
	}
	if outcome.Status == Accepted {
		return s.Settle(ctx, ref, outcome)
	}
	return s.db.Tx(ctx, func(tx *sqlx.Tx) error {
		a, err := readTry(ctx, tx, ref)
		if err != nil {
			return err
		}
		return s.close(ctx, tx, a, Timeout, "payment_timeout", instant.From(s.now()))
	})
}

// postpone lets the others of the next round go first.
func (s *Store) postpone(ctx context.Context, ref string) error {
	return s.db.Tx(ctx, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `
			UPDATE payment_attempts SET updated_at = ?
			WHERE provider_ref = ? AND status = 'started'`, instant.From(s.now()), ref)
		return err
	})
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
