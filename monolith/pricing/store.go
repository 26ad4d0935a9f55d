package pricing

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/internal/instant"
	"github.com/stranglerfig/toolkit/internal/sqlite"
	"github.com/stranglerfig/toolkit/internal/web"
)

// Store keeps coupons and reads rates. It is safe for concurrent use.
type Store struct {
	db  *sqlite.DB
	now func() time.Time
}

// New returns a Store on db; the caller keeps ownership of db.
func New(db *sqlite.DB, now func() time.Time) *Store { return &Store{db: db, now: now} }

// Rates returns the rates for a destination: the region's tax, else the country's,
// else none; the country's shipping, else that of everywhere else. A destination
// that nothing is sent to is a 422.
func (s *Store) Rates(ctx context.Context, q sqlx.QueryerContext, d Destination) (Rates, error) {
	var r Rates
	err := sqlx.GetContext(ctx, q, &r.Shipping, `
		SELECT base_cents, per_item_cents, free_from_cents
		FROM shipping_rates
		WHERE method = ? AND country IN (?, '*')
		ORDER BY country = '*'
		LIMIT 1`, d.Method, d.Country)
	if errors.Is(err, sql.ErrNoRows) {
		return Rates{}, web.Invalid(web.Field{Name: "country", Message: "nothing is sent there by " + d.Method + " shipping"})
	}
	if err != nil {
		return Rates{}, fmt.Errorf("shipping rate of %s to %s: %w", d.Method, d.Country, err)
	}
	err = sqlx.GetContext(ctx, q, &r.TaxBasisPoints, `
		SELECT basis_points
		FROM tax_rates
		WHERE country = ? AND region IN (?, '')
		ORDER BY region DESC
		LIMIT 1`, d.Country, d.Region)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return Rates{}, fmt.Errorf("tax rate of %s %s: %w", d.Country, d.Region, err)
	}
	return r, nil
}

const couponColumns = `id, code, kind, value, min_order_cents, max_redemptions, per_user_limit,
	redeemed, active, starts_at, ends_at, created_at`

// Coupons lists all coupons, newest first.
func (s *Store) Coupons(ctx context.Context) ([]Coupon, error) {
	var list []Coupon
	if err := s.db.SelectContext(ctx, &list, `SELECT `+couponColumns+` FROM coupons ORDER BY id DESC`); err != nil {
		return nil, fmt.Errorf("list coupons: %w", err)
	}
	return list, nil
}

// CouponByCode finds a coupon by its code, whatever its case, and says how often
// userID (0: a guest) has redeemed it. found is false if there is none.
func (s *Store) CouponByCode(ctx context.Context, q sqlx.QueryerContext, code string, userID int64) (c Coupon, used int64, found bool, err error) {
	return coupon(ctx, q, `code = ?`, code, userID)
}

// CouponByID is CouponByCode for an id.
func (s *Store) CouponByID(ctx context.Context, q sqlx.QueryerContext, id, userID int64) (c Coupon, used int64, found bool, err error) {
	return coupon(ctx, q, `id = ?`, id, userID)
}

func coupon(ctx context.Context, q sqlx.QueryerContext, where string, key any, userID int64) (Coupon, int64, bool, error) {
	var row struct {
		Coupon
		Used int64 `db:"used"`
	}
	err := sqlx.GetContext(ctx, q, &row, `
		SELECT `+couponColumns+`,
			(SELECT count(*) FROM coupon_redemptions r WHERE r.coupon_id = coupons.id AND r.user_id = ?) AS used
		FROM coupons
		WHERE `+where, userID, key)
	if errors.Is(err, sql.ErrNoRows) {
		return Coupon{}, 0, false, nil
	}
	if err != nil {
		return Coupon{}, 0, false, fmt.Errorf("read coupon %v: %w", key, err)
	}
	return row.Coupon, row.Used, true, nil
}

// Create adds a coupon. A code that exists is a 409.
func (s *Store) Create(ctx context.Context, actorID int64, c Coupon) (Coupon, error) {
	if err := c.check(); err != nil {
		return Coupon{}, err
	}
	c.CreatedAt, c.Active, c.Redeemed = instant.From(s.now()), true, 0
	err := s.db.Tx(ctx, func(tx *sqlx.Tx) error {
		err := tx.GetContext(ctx, &c.ID, `
			INSERT INTO coupons (code, kind, value, min_order_cents, max_redemptions, per_user_limit, starts_at, ends_at, created_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
			RETURNING id`,
			c.Code, c.Kind, c.Value, c.MinOrderCents, c.MaxRedemptions, c.PerUserLimit, c.StartsAt, c.EndsAt, c.CreatedAt)
		if sqlite.IsUnique(err) {
			return web.Problemf(http.StatusConflict, "code_taken", "there is a coupon with the code %q already", c.Code)
		}
		if err != nil {
			return fmt.Errorf("insert coupon: %w", err)
		}
		return s.audit(ctx, tx, actorID, "coupon.created", c.ID, c.Code)
	})
	return c, err
}

// A Change is what may change in a coupon; nil leaves a value as it is.
type Change struct {
	Active         *bool
	MaxRedemptions *int64
	EndsAt         *instant.Instant
}

// Update changes a coupon. A limit below what has been redeemed is a 422.
func (s *Store) Update(ctx context.Context, actorID, id int64, change Change) (Coupon, error) {
	var after Coupon
	err := s.db.Tx(ctx, func(tx *sqlx.Tx) error {
		c, _, found, err := s.CouponByID(ctx, tx, id, 0)
		if err != nil {
			return err
		}
		if !found {
			return noCoupon(id)
		}
		if change.Active != nil {
			c.Active = *change.Active
		}
		if change.MaxRedemptions != nil {
			c.MaxRedemptions = change.MaxRedemptions
		}
		if change.EndsAt != nil {
			c.EndsAt = change.EndsAt
		}
		if err := c.check(); err != nil {
			return err
		}
		if c.MaxRedemptions != nil && *c.MaxRedemptions < c.Redeemed {
			return web.Invalid(web.Field{Name: "max_redemptions", Message: fmt.Sprintf("has been redeemed %d times already", c.Redeemed)})
		}
		if _, err := tx.ExecContext(ctx, `
			UPDATE coupons SET active = ?, max_redemptions = ?, ends_at = ?
			WHERE id = ?`, c.Active, c.MaxRedemptions, c.EndsAt, id); err != nil {
			return fmt.Errorf("update coupon %d: %w", id, err)
		}
		after = c
		return s.audit(ctx, tx, actorID, "coupon.updated", id, c.Code)
	})
	return after, err
}

// Delete removes a coupon that no order has used; carts forget it.
func (s *Store) Delete(ctx context.Context, actorID, id int64) error {
	return s.db.Tx(ctx, func(tx *sqlx.Tx) error {
		res, err := tx.ExecContext(ctx, `DELETE FROM coupons WHERE id = ?`, id)
		if sqlite.IsForeignKey(err) {
			return web.Problemf(http.StatusConflict, "coupon_redeemed", "orders have used the coupon: deactivate it instead")
		}
		if err != nil {
			return fmt.Errorf("delete coupon %d: %w", id, err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, noCoupon(id))
		}
		return s.audit(ctx, tx, actorID, "coupon.deleted", id, "")
	})
}

func (s *Store) audit(ctx context.Context, tx *sqlx.Tx, actorID int64, action string, id int64, detail string) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO audit_log (actor_id, action, entity, entity_id, detail, created_at)
		VALUES (nullif(?, 0), ?, 'coupon', ?, ?, ?)`, actorID, action, fmt.Sprint(id), detail, instant.From(s.now()))
	if err != nil {
		return fmt.Errorf("audit %s %d: %w", action, id, err)
	}
	return nil
}
