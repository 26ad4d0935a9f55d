package payments

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/internal/instant"
	"github.com/stranglerfig/toolkit/internal/sqlite"
	"github.com/stranglerfig/toolkit/internal/web"
)

// Options tune a Store. The zero value is fit for production.
type Options struct {
	Wait     time.Duration // how long a customer waits for the provider's answer; 0 means 300 ms
	GiveUp   time.Duration // age at which the shop asks what became of an attempt; 0 means 2 s
	Patience time.Duration // age at which an undecided attempt is forbidden; 0 means 1 min
	Every    time.Duration // pause between two rounds of Run; 0 means 500 ms
	Log      *slog.Logger  // nil discards
}

// Store keeps payments and talks to the provider. It is safe for concurrent use.
type Store struct {
	db       *sqlite.DB
	now      func() time.Time
	provider Provider
	opts     Options
}

// New returns a Store on db; the caller keeps ownership of db and provider.
func New(db *sqlite.DB, now func() time.Time, provider Provider, opts Options) *Store {
	setDefault(&opts.Wait, 300*time.Millisecond)
	setDefault(&opts.GiveUp, 2*time.Second)
	setDefault(&opts.Patience, time.Minute)
	setDefault(&opts.Every, 500*time.Millisecond)
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	return &Store{db: db, now: now, provider: provider, opts: opts}
}

func setDefault(d *time.Duration, value time.Duration) {
	if *d <= 0 {
		*d = value
	}
}

// Payment returns a payment of one of the user's own orders.
func (s *Store) Payment(ctx context.Context, id, userID int64) (Payment, error) {
	return s.load(ctx, s.db, id, userID)
}

func (s *Store) load(ctx context.Context, q sqlx.QueryerContext, id, userID int64) (Payment, error) {
	var p Payment
	err := sqlx.GetContext(ctx, q, &p, `
		SELECT p.id, p.order_id, p.amount_cents, p.refunded_cents, p.status
		FROM payments p
		JOIN orders o ON o.id = p.order_id
		WHERE p.id = ? AND o.user_id = ?`, id, userID)
	if errors.Is(err, sql.ErrNoRows) {
		return Payment{}, noPayment()
	}
	if err != nil {
		return Payment{}, fmt.Errorf("read payment %d: %w", id, err)
	}
	p.Attempts = []Attempt{}
	err = sqlx.SelectContext(ctx, q, &p.Attempts, `
		SELECT provider_ref, card_last4, status, reason, created_at
		FROM payment_attempts
		WHERE payment_id = ?
		ORDER BY id`, id)
	if err != nil {
		return Payment{}, fmt.Errorf("read attempts of payment %d: %w", id, err)
	}
	return p, nil
}

// Begin writes the payment of a new order and its first attempt, within tx. The
// caller passes the Charge to Ask once tx has been committed.
func (s *Store) Begin(ctx context.Context, tx *sqlx.Tx, orderID, amountCents int64, card Card) (Charge, error) {
	c := Charge{AmountCents: amountCents, Card: card}
	at := instant.From(s.now())
	err := tx.GetContext(ctx, &c.PaymentID, `
		INSERT INTO payments (order_id, amount_cents, status, created_at, updated_at)
		VALUES (?, ?, 'pending', ?, ?)
		RETURNING id`, orderID, amountCents, at, at)
	if err != nil {
		return Charge{}, fmt.Errorf("insert payment of order %d: %w", orderID, err)
	}
	return c, attempt(ctx, tx, &c, at)
}

// attempt writes another attempt of c's payment and names it.
func attempt(ctx context.Context, tx *sqlx.Tx, c *Charge, at instant.Instant) error {
	c.Ref = fmt.Sprintf("pay-%d-%s", c.PaymentID, rand.Text())
	_, err := tx.ExecContext(ctx, `
		INSERT INTO payment_attempts (payment_id, provider_ref, card_last4, status, created_at, updated_at)
		VALUES (?, ?, ?, 'started', ?, ?)`, c.PaymentID, c.Ref, c.Card.Last4(), at, at)
	if err != nil {
		return fmt.Errorf("insert attempt of payment %d: %w", c.PaymentID, err)
	}
	return nil
}

// Ask sends a charge whose attempt has been committed to the provider, waits a
// little for the answer and settles it. Without an answer the attempt stays started:
// the provider's late answer or Run will settle it. Asking goes on when the client
// of ctx is gone.
func (s *Store) Ask(ctx context.Context, c Charge) error {
	ctx = context.WithoutCancel(ctx)
	bounded, cancel := context.WithTimeout(ctx, s.opts.Wait)
	defer cancel()
	outcome, err := s.provider.Charge(bounded, c)
	if err != nil {
		s.opts.Log.Info("no answer from the payment provider yet", "ref", c.Ref, "error", err)
		return nil
	}
	return s.Settle(ctx, c.Ref, outcome)
}

// Confirm tries another card for the user's payment, after a decline or a timeout.
func (s *Store) Confirm(ctx context.Context, id, userID int64, card Card) (Payment, error) {
	if err := card.Check(); err != nil {
		return Payment{}, err
	}
	c := Charge{PaymentID: id, Card: card}
	err := s.db.Tx(ctx, func(tx *sqlx.Tx) error {
		var state struct {
			Order   string `db:"status"`
			Amount  int64  `db:"amount_cents"`
			Running bool   `db:"running"`
		}
		err := tx.GetContext(ctx, &state, `
			SELECT o.status, p.amount_cents,
				EXISTS (SELECT 1 FROM payment_attempts a WHERE a.payment_id = p.id AND a.status = 'started') AS running
			FROM payments p
			JOIN orders o ON o.id = p.order_id
			WHERE p.id = ? AND o.user_id = ?`, id, userID)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return noPayment()
		case err != nil:
			return fmt.Errorf("read payment %d: %w", id, err)
		case state.Order != "pending":
			return notPending(state.Order)
		case state.Running:
			return web.Problemf(http.StatusConflict, "payment_in_progress", "the last try has not been answered yet")
		}
		c.AmountCents = state.Amount
		at := instant.From(s.now())
		if _, err := tx.ExecContext(ctx, `UPDATE payments SET status = 'pending', updated_at = ? WHERE id = ?`, at, id); err != nil {
			return fmt.Errorf("reopen payment %d: %w", id, err)
		}
		return attempt(ctx, tx, &c, at)
	})
	if err != nil {
		return Payment{}, err
	}
	if err := s.Ask(ctx, c); err != nil {
		return Payment{}, err
	}
	return s.Payment(ctx, id, userID)
}

// Refund gives back a part of an accepted payment, once for each key; replayed says
// that this key had done it before. The whole amount makes the order refunded.
func (s *Store) Refund(ctx context.Context, actorID, id int64, key string, amountCents int64, reason string) (r Refund, replayed bool, err error) {
	hash := requestHash(amountCents, reason)
	err = s.db.Tx(ctx, func(tx *sqlx.Tx) error {
		var before struct {
			Refund
			Hash string `db:"request_hash"`
		}
		err := tx.GetContext(ctx, &before, `
			SELECT id, payment_id, amount_cents, reason, created_at, request_hash
			FROM refunds
			WHERE payment_id = ? AND idempotency_key = ?`, id, clientKey+key)
		if err == nil {
			if before.Hash != hash {
				return web.Problemf(http.StatusConflict, "idempotency_key_reused", "this Idempotency-Key was sent with another body")
			}
			r, replayed = before.Refund, true
			return nil
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("read refund of payment %d: %w", id, err)
		}
		p, err := s.settled(ctx, tx, id)
		if err != nil {
			return err
		}
		if left := p.Amount - p.Refunded; amountCents < 1 || amountCents > left {
			return tooMuch(left)
		}
		r = Refund{PaymentID: id, AmountCents: amountCents, Reason: reason, CreatedAt: instant.From(s.now())}
		return s.refund(ctx, tx, p, &r, actorID, clientKey+key, hash)
	})
	if err == nil && !replayed {
		s.giveBack(ctx, id)
	}
	return r, replayed, err
}

// Keys of refunds: what a client sends never collides with the shop's own.
const (
	clientKey = "key "
	shopKey   = "shop"
)

func requestHash(amountCents int64, reason string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %s", amountCents, reason))
	return hex.EncodeToString(sum[:])
}

// RefundRest gives back, within tx, whatever is left of an order's accepted payment,
// because the order ends. The caller calls GiveBack once tx has been committed, and
// changes the order itself.
func (s *Store) RefundRest(ctx context.Context, tx *sqlx.Tx, orderID int64, reason string) error {
	var id int64
	if err := tx.GetContext(ctx, &id, `SELECT id FROM payments WHERE order_id = ?`, orderID); err != nil {
		return fmt.Errorf("payment of order %d: %w", orderID, err)
	}
	p, err := s.settled(ctx, tx, id)
	if err != nil {
		return err
	}
	r := Refund{PaymentID: id, AmountCents: p.Amount - p.Refunded, Reason: reason, CreatedAt: instant.From(s.now())}
	return s.takeOff(ctx, tx, p, &r, shopKey, "")
}
