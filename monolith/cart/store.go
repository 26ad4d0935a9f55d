package cart

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/internal/instant"
	"github.com/stranglerfig/toolkit/internal/sqlite"
	"github.com/stranglerfig/toolkit/internal/web"
	"github.com/stranglerfig/toolkit/monolith/pricing"
)

// Store keeps carts. It is safe for concurrent use. In every method userID is the
// signed-in user, 0 for a guest; a cart that belongs to somebody else, or is no
// longer open, is not found.
type Store struct {
	db     *sqlite.DB
	now    func() time.Time
	prices *pricing.Store
}

// New returns a Store on db; the caller keeps ownership of db.
func New(db *sqlite.DB, now func() time.Time, prices *pricing.Store) *Store {
	return &Store{db: db, now: now, prices: prices}
}

// Open returns the open cart of userID, made if there is none (created), or a new
// guest's cart for userID 0.
func (s *Store) Open(ctx context.Context, userID int64) (cart Cart, created bool, err error) {
	err = s.db.Tx(ctx, func(tx *sqlx.Tx) error {
		id, fresh, err := s.open(ctx, tx, userID)
		if err != nil {
			return err
		}
		created = fresh
		cart, err = s.load(ctx, tx, id, userID)
		return err
	})
	return cart, created, err
}

// Current returns the open cart of userID if there is one.
func (s *Store) Current(ctx context.Context, userID int64) (cart Cart, found bool, err error) {
	var id string
	err = s.db.GetContext(ctx, &id, `SELECT id FROM carts WHERE user_id = ? AND status = 'open'`, userID)
	if errors.Is(err, sql.ErrNoRows) {
		return Cart{}, false, nil
	}
	if err != nil {
		return Cart{}, false, fmt.Errorf("open cart of user %d: %w", userID, err)
	}
	cart, err = s.Cart(ctx, id, userID)
	return cart, err == nil, err
}

// Cart returns an open cart.
func (s *Store) Cart(ctx context.Context, id string, userID int64) (Cart, error) {
	return s.load(ctx, s.db, id, userID)
}

// Add puts qty of a product into the cart and returns the item's id with the cart.
func (s *Store) Add(ctx context.Context, id string, userID, productID, qty int64) (cart Cart, itemID int64, err error) {
	if err := checkQty(qty); err != nil {
		return Cart{}, 0, err
	}
	cart, err = s.change(ctx, id, userID, func(tx *sqlx.Tx, before Cart) error {
		itemID, err = s.put(ctx, tx, before, productID, qty)
		return err
	})
	return cart, itemID, err
}

func (s *Store) put(ctx context.Context, tx *sqlx.Tx, cart Cart, productID, qty int64) (int64, error) {
	var stock int64
	err := tx.GetContext(ctx, &stock, `SELECT stock_qty FROM products WHERE id = ? AND active = 1`, productID)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, web.Invalid(web.Field{Name: "product_id", Message: "there is no such product on sale"})
	}
	if err != nil {
		return 0, fmt.Errorf("stock of product %d: %w", productID, err)
	}
	known := false
	for _, item := range cart.Items {
		if item.ProductID == productID {
			qty += item.Qty
			known = true
		}
	}
	switch {
	case !known && len(cart.Items) >= MaxItems:
		return 0, web.Problemf(http.StatusConflict, "cart_full", "a cart holds at most %d different products", MaxItems)
	case qty > MaxQty:
		return 0, tooMany()
	case qty > stock:
		return 0, outOfStock(qty, stock)
	}
	var itemID int64
	err = tx.GetContext(ctx, &itemID, `
		INSERT INTO cart_items (cart_id, product_id, qty, added_at)
		VALUES (?, ?, ?, ?)
		ON CONFLICT (cart_id, product_id) DO UPDATE SET qty = excluded.qty
		RETURNING id`, cart.ID, productID, qty, instant.From(s.now()))
	if err != nil {
		return 0, fmt.Errorf("put product %d into cart: %w", productID, err)
	}
	return itemID, nil
}

func outOfStock(wanted, left int64) error {
	return web.Problemf(http.StatusConflict, "out_of_stock", "%d wanted, %d left in stock", wanted, left)
}

// SetQty changes the quantity of an item.
func (s *Store) SetQty(ctx context.Context, id string, userID, itemID, qty int64) (Cart, error) {
	if err := checkQty(qty); err != nil {
		return Cart{}, err
	}
	return s.change(ctx, id, userID, func(tx *sqlx.Tx, before Cart) error {
		for _, item := range before.Items {
			if item.ID != itemID {
				continue
			}
			if qty > item.Available {
				return outOfStock(qty, item.Available)
			}
			_, err := tx.ExecContext(ctx, `UPDATE cart_items SET qty = ? WHERE id = ?`, qty, itemID)
			return err
		}
		return noItem()
	})
}

// Remove takes an item out of the cart.
func (s *Store) Remove(ctx context.Context, id string, userID, itemID int64) (Cart, error) {
	return s.change(ctx, id, userID, func(tx *sqlx.Tx, _ Cart) error {
		res, err := tx.ExecContext(ctx, `DELETE FROM cart_items WHERE cart_id = ? AND id = ?`, id, itemID)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, noItem())
		}
		return nil
	})
}

// SetCoupon puts the coupon with code on the cart, in place of any other.
func (s *Store) SetCoupon(ctx context.Context, id string, userID int64, code string) (Cart, error) {
	return s.change(ctx, id, userID, func(tx *sqlx.Tx, before Cart) error {
		c, used, found, err := s.prices.CouponByCode(ctx, tx, code, userID)
		if err != nil {
			return err
		}
		if !found {
			return badCode("there is no such coupon")
		}
		if why := c.Unusable(instant.From(s.now()), before.SubtotalCents, used); why != "" {
			return badCode("the coupon " + why)
		}
		_, err = tx.ExecContext(ctx, `UPDATE carts SET coupon_id = ? WHERE id = ?`, c.ID, id)
		return err
	})
}

// DropCoupon takes the coupon off the cart, if there is one.
func (s *Store) DropCoupon(ctx context.Context, id string, userID int64) (Cart, error) {
	return s.change(ctx, id, userID, func(tx *sqlx.Tx, _ Cart) error {
		_, err := tx.ExecContext(ctx, `UPDATE carts SET coupon_id = NULL WHERE id = ?`, id)
		return err
	})
}

// Quote prices the cart for a destination. An empty cart is a 409.
func (s *Store) Quote(ctx context.Context, id string, userID int64, d pricing.Destination) (pricing.Quote, error) {
	if err := d.Check(); err != nil {
		return pricing.Quote{}, err
	}
	cart, err := s.Cart(ctx, id, userID)
	if err != nil {
		return pricing.Quote{}, err
	}
	if len(cart.Items) == 0 {
		return pricing.Quote{}, web.Problemf(http.StatusConflict, "empty_cart", "the cart is empty")
	}
	rates, err := s.prices.Rates(ctx, s.db, d)
	if err != nil {
		return pricing.Quote{}, err
	}
	var coupon *pricing.Coupon
	if cart.DiscountCents > 0 {
		coupon = &pricing.Coupon{Kind: pricing.Fixed, Value: cart.DiscountCents}
	}
	quote := pricing.Price(cart.SubtotalCents, cart.Pieces(), coupon, rates)
	quote.ShippingMethod, quote.Country, quote.Region = d.Method, d.Country, d.Region
	return quote, nil
}

// Merge moves what is in an open guest's cart into the open cart of userID, within
// tx: quantities add up to at most MaxQty, a user's own coupon wins. A cart that is
// not an open guest's is left alone.
func (s *Store) Merge(ctx context.Context, tx *sqlx.Tx, guestCartID string, userID int64) error {
	at := instant.From(s.now())
	res, err := tx.ExecContext(ctx, `
		UPDATE carts SET status = 'merged', updated_at = ?
		WHERE id = ? AND user_id IS NULL AND status = 'open'`, at, guestCartID)
	if err != nil {
		return fmt.Errorf("merge cart: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err
	}
	own, _, err := s.open(ctx, tx, userID)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `
		INSERT INTO cart_items (cart_id, product_id, qty, added_at)
		SELECT ?, g.product_id, g.qty, ?
		FROM cart_items g
		LEFT JOIN cart_items o ON o.cart_id = ? AND o.product_id = g.product_id
		WHERE g.cart_id = ?
		ORDER BY o.id IS NULL, g.id
		LIMIT (SELECT count(*) FROM cart_items g JOIN cart_items o USING (product_id) WHERE g.cart_id = ? AND o.cart_id = ?)
			+ ? - (SELECT count(*) FROM cart_items WHERE cart_id = ?)
		ON CONFLICT (cart_id, product_id) DO UPDATE SET qty = min(?, cart_items.qty + excluded.qty)`,
		own, at, own, guestCartID, guestCartID, own, MaxItems, own, MaxQty); err != nil {
		return fmt.Errorf("merge cart items: %w", err)
	}
	if _, err := tx.ExecContext(ctx, `
		UPDATE carts SET
			coupon_id  = coalesce(coupon_id, (SELECT coupon_id FROM carts WHERE id = ?)),
			updated_at = ?
		WHERE id = ?`, guestCartID, at, own); err != nil {
		return fmt.Errorf("merge cart coupon: %w", err)
	}
	return nil
}

// Adopt is Merge in a transaction of its own.
func (s *Store) Adopt(ctx context.Context, guestCartID string, userID int64) error {
	return s.db.Tx(ctx, func(tx *sqlx.Tx) error { return s.Merge(ctx, tx, guestCartID, userID) })
}

func (s *Store) open(ctx context.Context, tx *sqlx.Tx, userID int64) (id string, created bool, err error) {
	if userID != 0 {
		err = tx.GetContext(ctx, &id, `SELECT id FROM carts WHERE user_id = ? AND status = 'open'`, userID)
		if err == nil {
			return id, false, nil
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return "", false, fmt.Errorf("open cart of user %d: %w", userID, err)
		}
	}
	id = uuid.NewString() // 122 random bits: who knows it owns it
	at := instant.From(s.now())
	_, err = tx.ExecContext(ctx, `
		INSERT INTO carts (id, user_id, created_at, updated_at)
		VALUES (?, nullif(?, 0), ?, ?)`, id, userID, at, at)
	if err != nil {
		return "", false, fmt.Errorf("open a cart: %w", err)
	}
	return id, true, nil
}

// change runs fn on an open cart and returns the cart as it is afterwards.
func (s *Store) change(ctx context.Context, id string, userID int64, fn func(*sqlx.Tx, Cart) error) (after Cart, err error) {
	err = s.db.Tx(ctx, func(tx *sqlx.Tx) error {
		before, err := s.load(ctx, tx, id, userID)
		if err != nil {
			return err
		}
		if err := fn(tx, before); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE carts SET updated_at = ? WHERE id = ?`, instant.From(s.now()), id); err != nil {
			return fmt.Errorf("touch cart: %w", err)
		}
		after, err = s.load(ctx, tx, id, userID)
		return err
	})
	return after, err
}

func (s *Store) load(ctx context.Context, q sqlx.QueryerContext, id string, userID int64) (Cart, error) {
	var row struct {
		Cart
		CouponID *int64 `db:"coupon_id"`
	}
	err := sqlx.GetContext(ctx, q, &row, `
		SELECT id, user_id, coupon_id, updated_at
		FROM carts
		WHERE id = ? AND status = 'open' AND (user_id IS NULL OR user_id = ?)`, id, userID)
	if errors.Is(err, sql.ErrNoRows) {
		return Cart{}, noCart()
	}
	if err != nil {
		return Cart{}, fmt.Errorf("read cart: %w", err)
	}
	cart := row.Cart
	cart.Items = []Item{}
	err = sqlx.SelectContext(ctx, q, &cart.Items, `
		SELECT i.id, i.product_id, p.name, p.price_cents AS unit_price_cents, i.qty,
			i.qty * p.price_cents AS line_cents,
			CASE p.active WHEN 1 THEN p.stock_qty ELSE 0 END AS available,
			coalesce((SELECT url FROM product_images m WHERE m.product_id = p.id ORDER BY position LIMIT 1), '') AS image_url
		FROM cart_items i
		JOIN products p ON p.id = i.product_id
		WHERE i.cart_id = ?
		ORDER BY i.id`, id)
	if err != nil {
		return Cart{}, fmt.Errorf("read cart items: %w", err)
	}
	for _, item := range cart.Items {
		cart.SubtotalCents += item.LineCents
	}
	if row.CouponID != nil {
		if err := s.applyCoupon(ctx, q, &cart, *row.CouponID, userID); err != nil {
			return Cart{}, err
		}
	}
	cart.TotalCents = cart.SubtotalCents - cart.DiscountCents
	return cart, nil
}

// applyCoupon shows the cart's coupon, and its discount as long as it is usable.
func (s *Store) applyCoupon(ctx context.Context, q sqlx.QueryerContext, cart *Cart, couponID, userID int64) error {
	c, used, found, err := s.prices.CouponByID(ctx, q, couponID, userID)
	if err != nil || !found {
		return err
	}
	cart.Coupon = &Coupon{Code: c.Code, Kind: c.Kind, Value: c.Value}
	if c.Unusable(instant.From(s.now()), cart.SubtotalCents, used) == "" {
		cart.DiscountCents = c.Discount(cart.SubtotalCents)
	}
	return nil
}
