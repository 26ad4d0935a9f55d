package seed

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/internal/instant"
)

// rowsPerInsert is how many rows go into one statement.
const rowsPerInsert = 100

// bulk inserts rows of one table, many in a statement. Its first error sticks.
type bulk struct {
	ctx   context.Context //nolint:containedctx // lives within one call of write
	tx    *sqlx.Tx
	table string
	cols  string
	full  *sqlx.Stmt
	args  []any
	rows  int
	err   error
}

func (b *bulk) statement(rows int) string {
	marks := "(" + strings.TrimSuffix(strings.Repeat("?, ", 1+strings.Count(b.cols, ",")), ", ") + ")"
	return "INSERT INTO " + b.table + " (" + b.cols + ") VALUES " + strings.TrimSuffix(strings.Repeat(marks+", ", rows), ", ")
}

func (b *bulk) add(values ...any) {
	b.args = append(b.args, values...)
	b.rows++
	if b.rows == rowsPerInsert {
		b.flush()
	}
}

func (b *bulk) flush() {
	if b.rows == 0 || b.err != nil {
		return
	}
	if b.rows < rowsPerInsert {
		_, b.err = b.tx.ExecContext(b.ctx, b.statement(b.rows), b.args...)
	} else {
		if b.full == nil {
			if b.full, b.err = b.tx.PreparexContext(b.ctx, b.statement(rowsPerInsert)); b.err != nil {
				return
			}
		}
		_, b.err = b.full.ExecContext(b.ctx, b.args...)
	}
	b.args, b.rows = b.args[:0], 0
}

// table inserts what fill adds.
func table(ctx context.Context, tx *sqlx.Tx, name, cols string, fill func(add func(values ...any))) error {
	b := &bulk{ctx: ctx, tx: tx, table: name, cols: cols}
	fill(b.add)
	b.flush()
	if b.full != nil {
		b.full.Close()
	}
	if b.err != nil {
		return fmt.Errorf("seed: insert into %s: %w", name, b.err)
	}
	return nil
}

// write inserts the whole world, parents before children.
func (w *world) write(ctx context.Context, tx *sqlx.Tx) error {
	for _, part := range []func(context.Context, *sqlx.Tx) error{
		w.writePeople, w.writeCatalog, w.writePricing, w.writeCarts, w.writeOrders, w.writePayments, w.writeStock, w.writeRest,
	} {
		if err := part(ctx, tx); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) writePeople(ctx context.Context, tx *sqlx.Tx) error {
	err := table(ctx, tx, "users", "id, email, password_hash, name, role, lifetime_value_cents, created_at, updated_at", func(add func(...any)) {
		for _, u := range w.users {
			add(u.id, u.email, u.hash, u.name, u.role, u.lifetime, u.created, u.created)
		}
	})
	if err != nil {
		return err
	}
	return table(ctx, tx, "addresses", "id, user_id, name, street, city, postal_code, region, country, created_at", func(add func(...any)) {
		for _, a := range w.addresses {
			add(a.id, a.user, a.name, a.street, a.city, a.postal, a.region, a.country, a.created)
		}
	})
}

func (w *world) writeCatalog(ctx context.Context, tx *sqlx.Tx) error {
	if err := table(ctx, tx, "categories", "id, slug, name, position", func(add func(...any)) {
		for i, c := range Categories {
			add(i+1, c.Slug, c.Name, i)
		}
	}); err != nil {
		return err
	}
	if err := table(ctx, tx, "products", "id, sku, name, description, category_id, price_cents, active, stock_qty, created_at, updated_at", func(add func(...any)) {
		for _, p := range w.products {
			add(p.id, p.sku, p.name, p.description, p.category, p.cents, p.active, p.onHand-p.held, p.created, p.created)
		}
	}); err != nil {
		return err
	}
	if err := table(ctx, tx, "product_images", "product_id, position, url, alt", func(add func(...any)) {
		for _, p := range w.products {
			for i, url := range p.images {
				alt := p.name
				if i > 0 {
					alt += ", another view"
				}
				add(p.id, i, url, alt)
			}
		}
	}); err != nil {
		return err
	}
	return table(ctx, tx, "product_tags", "product_id, tag", func(add func(...any)) {
		for _, p := range w.products {
			for _, tag := range p.tags {
				add(p.id, tag)
			}
		}
	})
}

func (w *world) writePricing(ctx context.Context, tx *sqlx.Tx) error {
	if err := table(ctx, tx, "coupons", "id, code, kind, value, min_order_cents, max_redemptions, per_user_limit, redeemed, active, starts_at, ends_at, created_at", func(add func(...any)) {
		for _, c := range w.coupons {
			add(c.ID, c.Code, c.Kind, c.Value, c.MinOrderCents, c.MaxRedemptions, c.PerUserLimit, c.Redeemed, c.Active, c.StartsAt, c.EndsAt, c.CreatedAt)
		}
	}); err != nil {
		return err
	}
	if err := table(ctx, tx, "tax_rates", "country, region, basis_points", func(add func(...any)) {
		for _, r := range taxRates {
			add(r.country, r.region, r.basisPoints)
		}
	}); err != nil {
		return err
	}
	return table(ctx, tx, "shipping_rates", "method, country, base_cents, per_item_cents, free_from_cents", func(add func(...any)) {
		for _, r := range shippingRates {
			add(r.method, r.country, r.base, r.perItem, orNull(r.freeFrom))
		}
	})
}

// orNull is NULL for the zero value.
func orNull[T comparable](v T) any {
	var zero T
	if v == zero {
		return nil
	}
	return v
}

// cartID is the id of the n-th seeded cart. These carts are ordered, ada's or empty
// guests': nobody gains by guessing one.
func cartID(n int64) string { return fmt.Sprintf("5eed0000-0000-4000-8000-%012d", n) }

func (w *world) writeCarts(ctx context.Context, tx *sqlx.Tx) error {
	ada := int64(len(w.orders) + 1)
	if err := table(ctx, tx, "carts", "id, user_id, coupon_id, status, created_at, updated_at", func(add func(...any)) {
		for _, o := range w.orders {
			add(cartID(o.id), o.user.id, o.couponID(), "ordered", o.placed-20*minute, o.placed)
		}
		add(cartID(ada), adaID, nil, "open", w.base-2*hour, w.base-hour)
		for i := range guestsPerScale * w.scale {
			at := w.base - instant.Instant(i%40+1)*hour
			add(cartID(ada+1+int64(i)), nil, nil, "open", at, at)
		}
	}); err != nil {
		return err
	}
	return table(ctx, tx, "cart_items", "cart_id, product_id, qty, added_at", func(add func(...any)) {
		for _, o := range w.orders {
			for i, l := range o.lines {
				add(cartID(o.id), l.product.id, l.qty, o.placed-instant.Instant(19-i)*minute)
			}
		}
		left := 2
		for _, p := range w.popular {
			if left > 0 && p.active && p.onHand-p.held >= 5 {
				add(cartID(ada), p.id, left, w.base-hour)
				left--
			}
		}
	})
}

func (o *order) couponID() any {
	if o.coupon == nil {
		return nil
	}
	return o.coupon.ID
}

func (w *world) writeOrders(ctx context.Context, tx *sqlx.Tx) error {
	if err := table(ctx, tx, "orders", `id, user_id, cart_id, shipping_address_id, coupon_id, status, shipping_method, subtotal_cents,
		discount_cents, shipping_cents, tax_cents, total_cents, idempotency_key, request_hash, created_at, updated_at`, func(add func(...any)) {
		for _, o := range w.orders {
			q := o.quote
			add(o.id, o.user.id, cartID(o.id), o.address.id, o.couponID(), o.status, o.method, q.SubtotalCents,
				q.DiscountCents, q.ShippingCents, q.TaxCents, q.TotalCents, "seed-"+strconv.FormatInt(o.id, 10), "", o.placed, o.touched)
		}
	}); err != nil {
		return err
	}
	if err := table(ctx, tx, "order_lines", "order_id, product_id, name, unit_price_cents, qty", func(add func(...any)) {
		for _, o := range w.orders {
			for _, l := range o.lines {
				add(o.id, l.product.id, l.product.name, l.product.cents, l.qty)
			}
		}
	}); err != nil {
		return err
	}
	if err := table(ctx, tx, "order_events", "order_id, kind, detail, created_at", func(add func(...any)) {
		for _, o := range w.orders {
			for _, e := range o.events {
				add(o.id, e.kind, e.detail, e.at)
			}
		}
	}); err != nil {
		return err
	}
	if err := table(ctx, tx, "shipments", "order_id, carrier, tracking, shipped_at, delivered_at", func(add func(...any)) {
		for _, o := range w.orders {
			if o.shipped != 0 {
				add(o.id, o.carrier, o.tracking, o.shipped, orNull(o.delivered))
			}
		}
	}); err != nil {
		return err
	}
	return table(ctx, tx, "coupon_redemptions", "coupon_id, order_id, user_id, created_at", func(add func(...any)) {
		for _, o := range w.orders {
			if o.redeemed {
				add(o.coupon.ID, o.id, o.user.id, o.placed)
			}
		}
	})
}

func (w *world) writePayments(ctx context.Context, tx *sqlx.Tx) error {
	if err := table(ctx, tx, "payments", "id, order_id, amount_cents, refunded_cents, returned_cents, status, created_at, updated_at", func(add func(...any)) {
		for _, o := range w.orders {
			add(o.id, o.id, o.quote.TotalCents, o.refunded, o.refunded, o.payment, o.placed, o.touched)
		}
	}); err != nil {
		return err
	}
	if err := table(ctx, tx, "payment_attempts", "payment_id, provider_ref, card_last4, status, reason, created_at, updated_at", func(add func(...any)) {
		for _, o := range w.orders {
			for i, a := range o.attempts {
				add(o.id, fmt.Sprintf("seed-%d-%d", o.id, i+1), a.last4, a.status, a.reason, a.at, a.at)
			}
		}
	}); err != nil {
		return err
	}
	return table(ctx, tx, "refunds", "payment_id, amount_cents, reason, idempotency_key, request_hash, created_at", func(add func(...any)) {
		for _, o := range w.orders {
			if o.refunded > 0 {
				add(o.id, o.refunded, o.refundReason, "shop", "", o.refundedAt)
			}
		}
	})
}

func (w *world) writeStock(ctx context.Context, tx *sqlx.Tx) error {
	if err := table(ctx, tx, "stock_items", "product_id, on_hand, reserved, reorder_level, updated_at", func(add func(...any)) {
		for _, p := range w.products {
			add(p.id, p.onHand, p.held, p.reorderLevel, p.touched)
		}
	}); err != nil {
		return err
	}
	if err := table(ctx, tx, "stock_reservations", "order_id, product_id, qty, status, expires_at, created_at", func(add func(...any)) {
		for _, o := range w.orders {
			for _, l := range o.lines {
				add(o.id, l.product.id, l.qty, o.reservation, o.expires, o.placed)
			}
		}
	}); err != nil {
		return err
	}
	return table(ctx, tx, "stock_movements", "product_id, order_id, delta, reason, note, created_at", func(add func(...any)) {
		for _, m := range w.moves {
			add(m.product, orNull(m.order), m.delta, m.reason, m.note, m.at)
		}
	})
}

func (w *world) writeRest(ctx context.Context, tx *sqlx.Tx) error {
	if err := table(ctx, tx, "reviews", "id, product_id, user_id, rating, title, body, created_at, updated_at", func(add func(...any)) {
		for i, r := range w.reviews {
			add(i+1, r.product, r.user, r.rating, r.title, r.body, r.at, r.at)
		}
	}); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `
		UPDATE products
		SET (rating_count, rating_avg) = (
			SELECT count(*), coalesce(round(avg(rating), 2), 0)
			FROM reviews
			WHERE product_id = products.id)`); err != nil {
		return fmt.Errorf("rate the products: %w", err)
	}
	if err := table(ctx, tx, "product_views", "product_id, day, views, updated_at", w.fillViews); err != nil {
		return err
	}
	if err := table(ctx, tx, "notifications", "user_id, kind, subject, body, created_at, sent_at", func(add func(...any)) {
		for _, n := range w.notes {
			add(n.user, n.kind, n.subject, n.body, n.at, n.at+2*second)
		}
	}); err != nil {
		return err
	}
	return table(ctx, tx, "audit_log", "actor_id, action, entity, entity_id, detail, created_at", func(add func(...any)) {
		for _, a := range w.audits {
			add(orNull(a.actor), a.action, a.entity, strconv.FormatInt(a.id, 10), a.detail, a.at)
		}
	})
}

// fillViews counts the visits of the last 30 days: the better known, the more.
func (w *world) fillViews(add func(values ...any)) {
	for _, p := range w.products {
		weight := 1 / (1 + 10*float64(p.rank)/float64(len(w.products)))
		for d := range 30 {
			if p.active && w.chance(weight) {
				start := w.base - instant.Instant(30-d)*day
				views := 1 + int64(math.Abs(w.rng.NormFloat64())*60*weight)
				add(p.id, start.Time().Format("2006-01-02"), views, start+day-second)
			}
		}
	}
}
