package orders

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/internal/instant"
	"github.com/stranglerfig/toolkit/internal/web"
	"github.com/stranglerfig/toolkit/monolith/payments"
	"github.com/stranglerfig/toolkit/monolith/pricing"
)

// A Checkout is what a customer sends to order a cart.
type Checkout struct {
	CartID         string        `json:"cart_id"`
	AddressID      int64         `json:"address_id"`
	ShippingMethod string        `json:"shipping_method"`
	Card           payments.Card `json:"card"`
}

func (c Checkout) check() error {
	if !pricing.ValidMethod(c.ShippingMethod) {
		return web.Invalid(web.Field{Name: "shipping_method", Message: "must be standard or express"})
	}
	return c.Card.Check()
}

// hash tells whether two requests are the same. Of the card it knows only what the
// shop may keep.
func (c Checkout) hash() string {
	c.Card.Number = c.Card.Last4()
	data, err := json.Marshal(c)
	if err != nil {
		panic(err) // strings and numbers always encode
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Place orders a cart of the user's, once for each key: cart, coupon, stock, order,
// payment, notification and audit log change in one transaction. Then the payment
// provider is asked; an order that it does not accept stays pending. The same key
// and request again return the same order, and replayed.
func (s *Store) Place(ctx context.Context, userID int64, key string, req Checkout) (o Order, replayed bool, err error) {
	if err := req.check(); err != nil {
		return Order{}, false, err
	}
	c := checkout{Store: s, req: req, user: userID, key: key, at: instant.From(s.now())}
	err = s.db.Tx(ctx, func(tx *sqlx.Tx) error {
		o, replayed, err = c.replay(ctx, tx)
		if err != nil || replayed {
			return err
		}
		return c.place(ctx, tx)
	})
	if err != nil || replayed {
		return o, replayed, err
	}
	if err := s.payments.Ask(ctx, c.charge); err != nil {
		// The order stands: Run finds out later what became of the payment.
		s.opts.Log.Error("settle a new payment", "order", c.order, "error", err)
	}
	o, err = s.Order(context.WithoutCancel(ctx), c.order, userID)
	return o, false, err
}

// checkout is one run through the transaction.
type checkout struct {
	*Store
	req    Checkout
	user   int64
	key    string
	at     instant.Instant
	lines  []line
	coupon *pricing.Coupon
	quote  pricing.Quote
	order  int64
	charge payments.Charge
}

type line struct {
	ProductID int64  `db:"product_id"`
	Name      string `db:"name"`
	UnitCents int64  `db:"price_cents"`
	Qty       int64  `db:"qty"`
	Available int64  `db:"available"`
}

// replay finds the order that the key has made before.
func (c *checkout) replay(ctx context.Context, tx *sqlx.Tx) (Order, bool, error) {
	var before struct {
		ID   int64  `db:"id"`
		Hash string `db:"request_hash"`
	}
	err := tx.GetContext(ctx, &before, `
		SELECT id, request_hash
		FROM orders
		WHERE user_id = ? AND idempotency_key = ?`, c.user, c.key)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Order{}, false, nil
	case err != nil:
		return Order{}, false, fmt.Errorf("look for an earlier checkout: %w", err)
	case before.Hash != c.req.hash():
		return Order{}, false, web.Problemf(http.StatusConflict, "idempotency_key_reused", "this Idempotency-Key was sent with another body")
	}
	o, err := load(ctx, tx, before.ID, c.user)
	return o, err == nil, err
}

func (c *checkout) place(ctx context.Context, tx *sqlx.Tx) error {
	for _, step := range []struct {
		name string
		do   func(context.Context, *sqlx.Tx) error
	}{
		{"read the cart", c.readCart},
		{"price the cart", c.price},
		{"write the order", c.writeOrder},
		{"reserve stock", c.reserve},
		{"redeem the coupon", c.redeem},
		{"begin the payment", c.pay},
		{"close the cart", c.closeCart},
		{"tell", c.tell},
	} {
		if err := step.do(ctx, tx); err != nil {
			return fmt.Errorf("checkout: %s: %w", step.name, err)
		}
	}
	return nil
}

// readCart takes the lines of a cart of the user's and sees that all can be sold.
func (c *checkout) readCart(ctx context.Context, tx *sqlx.Tx) error {
	var couponID *int64
	err := tx.GetContext(ctx, &couponID, `
		SELECT coupon_id
		FROM carts
		WHERE id = ? AND user_id = ? AND status = 'open'`, c.req.CartID, c.user)
	if errors.Is(err, sql.ErrNoRows) {
		return web.Problemf(http.StatusNotFound, "not_found", "you have no such open cart")
	}
	if err != nil {
		return err
	}
	if err := tx.SelectContext(ctx, &c.lines, `
		SELECT i.product_id, p.name, p.price_cents, i.qty,
			CASE p.active WHEN 1 THEN p.stock_qty ELSE 0 END AS available
		FROM cart_items i
		JOIN products p ON p.id = i.product_id
		WHERE i.cart_id = ?
		ORDER BY i.id`, c.req.CartID); err != nil {
		return err
	}
	if len(c.lines) == 0 {
		return web.Problemf(http.StatusConflict, "empty_cart", "the cart is empty")
	}
	var short []web.Field
	for _, l := range c.lines {
		c.quote.SubtotalCents += l.UnitCents * l.Qty
		if l.Qty > l.Available {
			short = append(short, web.Field{
				Name:    fmt.Sprintf("products[%d]", l.ProductID),
				Message: fmt.Sprintf("%s: %d wanted, %d left in stock", l.Name, l.Qty, l.Available),
			})
		}
	}
	if len(short) > 0 {
		p := web.Problemf(http.StatusConflict, "out_of_stock", "not all of it is in stock any more")
		p.Fields = short
		return p
	}
	return c.readCoupon(ctx, tx, couponID)
}

func (c *checkout) readCoupon(ctx context.Context, tx *sqlx.Tx, id *int64) error {
	if id == nil {
		return nil
	}
	coupon, used, found, err := c.prices.CouponByID(ctx, tx, *id, c.user)
	if err != nil || !found {
		return err
	}
	if why := coupon.Unusable(c.at, c.quote.SubtotalCents, used); why != "" {
		return web.Problemf(http.StatusConflict, "coupon_unusable", "the coupon %s %s", coupon.Code, why)
	}
	c.coupon = &coupon
	return nil
}

func (c *checkout) price(ctx context.Context, tx *sqlx.Tx) error {
	to := pricing.Destination{Method: c.req.ShippingMethod}
	err := tx.QueryRowxContext(ctx, `
		SELECT country, region
		FROM addresses
		WHERE id = ? AND user_id = ? AND deleted_at IS NULL`, c.req.AddressID, c.user).Scan(&to.Country, &to.Region)
	if errors.Is(err, sql.ErrNoRows) {
		return web.Problemf(http.StatusNotFound, "not_found", "you have no such address")
	}
	if err != nil {
		return err
	}
	rates, err := c.prices.Rates(ctx, tx, to)
	if err != nil {
		return err
	}
	var pieces int64
	for _, l := range c.lines {
		pieces += l.Qty
	}
	c.quote = pricing.Price(c.quote.SubtotalCents, pieces, c.coupon, rates)
	return nil
}

func (c *checkout) writeOrder(ctx context.Context, tx *sqlx.Tx) error {
	var couponID *int64
	if c.coupon != nil {
		couponID = &c.coupon.ID
	}
	err := tx.GetContext(ctx, &c.order, `
		INSERT INTO orders (user_id, cart_id, shipping_address_id, coupon_id, status, shipping_method,
			subtotal_cents, discount_cents, shipping_cents, tax_cents, total_cents,
			idempotency_key, request_hash, created_at, updated_at)
		VALUES (?, ?, ?, ?, 'pending', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		RETURNING id`,
		c.user, c.req.CartID, c.req.AddressID, couponID, c.req.ShippingMethod,
		c.quote.SubtotalCents, c.quote.DiscountCents, c.quote.ShippingCents, c.quote.TaxCents, c.quote.TotalCents,
		c.key, c.req.hash(), c.at, c.at)
	if err != nil {
		return err
	}
	for _, l := range c.lines {
		if _, err := tx.ExecContext(ctx, `
			INSERT INTO order_lines (order_id, product_id, name, unit_price_cents, qty)
			VALUES (?, ?, ?, ?, ?)`, c.order, l.ProductID, l.Name, l.UnitCents, l.Qty); err != nil {
			return fmt.Errorf("product %d: %w", l.ProductID, err)
		}
	}
	return event(ctx, tx, c.order, "placed", dollars(c.quote.TotalCents), c.at)
}

func (c *checkout) reserve(ctx context.Context, tx *sqlx.Tx) error {
	expires := c.at + instant.Instant(c.opts.Unpaid.Milliseconds())
	for _, l := range c.lines {
		if _, err := tx.ExecContext(ctx, `UPDATE products SET stock_qty = stock_qty - ? WHERE id = ?`, l.Qty, l.ProductID); err != nil {
			return fmt.Errorf("product %d: %w", l.ProductID, err)
		}
		if _, err := tx.ExecContext(ctx, `
			UPDATE stock_items SET reserved = reserved + ?, updated_at = ?
			WHERE product_id = ?`, l.Qty, c.at, l.ProductID); err != nil {
			return fmt.Errorf("stock of product %d: %w", l.ProductID, err)
		}
		if _, err := tx.ExecContext(ctx, `
			INSERT INTO stock_reservations (order_id, product_id, qty, status, expires_at, created_at)
			VALUES (?, ?, ?, 'held', ?, ?)`, c.order, l.ProductID, l.Qty, expires, c.at); err != nil {
			return fmt.Errorf("reservation of product %d: %w", l.ProductID, err)
		}
	}
	return nil
}

func (c *checkout) redeem(ctx context.Context, tx *sqlx.Tx) error {
	if c.coupon == nil {
		return nil
	}
	if _, err := tx.ExecContext(ctx, `UPDATE coupons SET redeemed = redeemed + 1 WHERE id = ?`, c.coupon.ID); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `
		INSERT INTO coupon_redemptions (coupon_id, order_id, user_id, created_at)
		VALUES (?, ?, ?, ?)`, c.coupon.ID, c.order, c.user, c.at)
	return err
}

func (c *checkout) pay(ctx context.Context, tx *sqlx.Tx) (err error) {
	c.charge, err = c.payments.Begin(ctx, tx, c.order, c.quote.TotalCents, c.req.Card)
	return err
}

func (c *checkout) closeCart(ctx context.Context, tx *sqlx.Tx) error {
	_, err := tx.ExecContext(ctx, `UPDATE carts SET status = 'ordered', updated_at = ? WHERE id = ?`, c.at, c.req.CartID)
	return err
}

func (c *checkout) tell(ctx context.Context, tx *sqlx.Tx) error {
	subject := fmt.Sprintf("Your order %d", c.order)
	return errors.Join(
		notify(ctx, tx, c.user, "order_placed", subject, "Thank you. Your order of "+dollars(c.quote.TotalCents)+" has reached us.", c.at),
		audit(ctx, tx, c.user, "order.placed", c.order, dollars(c.quote.TotalCents), c.at),
	)
}
