package monolith_test

import (
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/monolith"
	"github.com/stranglerfig/toolkit/monolith/seed"
	"github.com/stranglerfig/toolkit/monolith/testkit"
)

// TestInvariantsAreWatched breaks each rule of a good shop and sees that it is named.
func TestInvariantsAreWatched(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	if err := seed.Run(t.Context(), k.DB, seed.Options{Now: k.Clock.Now}); err != nil {
		t.Fatal(err)
	}
	if broken := monolith.CheckInvariants(t.Context(), k.DB); len(broken) > 0 {
		t.Fatalf("a seeded shop: %s", strings.Join(broken, "\n"))
	}
	const paid = `(SELECT min(id) FROM orders WHERE status = 'paid')`
	for _, c := range []struct{ rule, harm, repair string }{
		{"products.stock_qty is", `UPDATE products SET stock_qty = stock_qty + 1 WHERE id = 1`, `UPDATE products SET stock_qty = stock_qty - 1 WHERE id = 1`},
		{"stock_items.on_hand is", `UPDATE stock_movements SET delta = delta + 1 WHERE id = 1`, `UPDATE stock_movements SET delta = delta - 1 WHERE id = 1`},
		{"stock_items.reserved is", `UPDATE stock_reservations SET qty = qty + 1 WHERE status = 'held'`, `UPDATE stock_reservations SET qty = qty - 1 WHERE status = 'held'`},
		{"an order's reservations fit", `UPDATE stock_reservations SET status = 'released' WHERE order_id = ` + paid, `UPDATE stock_reservations SET status = 'committed' WHERE order_id = ` + paid},
		{"every order line has", `UPDATE order_lines SET qty = qty + 1 WHERE id = 1`, `UPDATE order_lines SET qty = qty - 1 WHERE id = 1`},
		{"an order's amounts", `UPDATE orders SET tax_cents = tax_cents + 1 WHERE id = 1`, `UPDATE orders SET tax_cents = tax_cents - 1 WHERE id = 1`},
		{"every order has a payment", `UPDATE payments SET amount_cents = amount_cents + 1 WHERE id = 1`, `UPDATE payments SET amount_cents = amount_cents - 1 WHERE id = 1`},
		{"an order's payment fits", `UPDATE payments SET status = 'declined' WHERE order_id = ` + paid, `UPDATE payments SET status = 'accepted' WHERE order_id = ` + paid},
		{"a paid payment has one", `UPDATE payment_attempts SET status = 'timeout' WHERE payment_id = ` + paid + ` AND status = 'accepted'`, `UPDATE payment_attempts SET status = 'accepted' WHERE payment_id = ` + paid + ` AND status = 'timeout'`},
		{"a payment has at most one open", `INSERT INTO payment_attempts (payment_id, provider_ref, card_last4, status, created_at, updated_at) VALUES (1, 'x', '', 'started', 0, 0), (1, 'y', '', 'started', 0, 0)`, `DELETE FROM payment_attempts WHERE status = 'started'`},
		{"payments.refunded_cents is", `UPDATE refunds SET amount_cents = amount_cents + 1`, `UPDATE refunds SET amount_cents = amount_cents - 1`},
		{"users.lifetime_value_cents is", `UPDATE users SET lifetime_value_cents = lifetime_value_cents + 1 WHERE id = 2`, `UPDATE users SET lifetime_value_cents = lifetime_value_cents - 1 WHERE id = 2`},
		{"coupons.redeemed is", `UPDATE coupons SET redeemed = redeemed - 1 WHERE id = 1`, `UPDATE coupons SET redeemed = redeemed + 1 WHERE id = 1`},
		{"an order that is not cancelled keeps", `UPDATE coupon_redemptions SET coupon_id = 7 - coupon_id`, `UPDATE coupon_redemptions SET coupon_id = 7 - coupon_id`},
		{"products.rating_* are", `UPDATE products SET rating_count = rating_count + 1 WHERE id = 1`, `UPDATE products SET rating_count = rating_count - 1 WHERE id = 1`},
		{"only buyers have", `INSERT INTO reviews (id, product_id, user_id, rating, title, created_at, updated_at) VALUES (99999, 1, 1, 5, 'x', 0, 0)`, `DELETE FROM reviews WHERE id = 99999`},
		{"an order's cart is", `UPDATE carts SET status = 'merged' WHERE id = (SELECT cart_id FROM orders WHERE id = 1)`, `UPDATE carts SET status = 'ordered' WHERE id = (SELECT cart_id FROM orders WHERE id = 1)`},
		{"an order's events", `UPDATE order_events SET kind = 'lost' WHERE order_id = 1 AND kind = 'placed'`, `UPDATE order_events SET kind = 'placed' WHERE order_id = 1 AND kind = 'lost'`},
		{"a shipped order has", `UPDATE shipments SET order_id = -order_id`, `UPDATE shipments SET order_id = -order_id`},
		{"no foreign key dangles", `UPDATE shipments SET order_id = -order_id`, `UPDATE shipments SET order_id = -order_id`},
		{"every order is in the audit log", `UPDATE audit_log SET entity_id = 'x' || entity_id WHERE action = 'order.placed'`, `UPDATE audit_log SET entity_id = substr(entity_id, 2) WHERE action = 'order.placed'`},
	} {
		// The harm is done with the foreign keys off: one of them is to dangle.
		for _, change := range []string{c.harm, c.repair} {
			if _, err := k.DB.Writer().ExecContext(t.Context(), `PRAGMA foreign_keys = off; `+change+`; PRAGMA foreign_keys = on`); err != nil {
				t.Fatalf("%s: %v", change, err)
			}
			if change == c.repair {
				continue
			}
			named := false
			broken := monolith.CheckInvariants(t.Context(), k.DB)
			for _, b := range broken {
				named = named || strings.HasPrefix(b, c.rule)
			}
			if !named {
				t.Errorf("nobody noticed that %q is broken: %q", c.rule, broken)
			}
		}
	}
	if broken := monolith.CheckInvariants(t.Context(), k.DB); len(broken) > 0 {
		t.Errorf("after all repairs: %s", strings.Join(broken, "\n"))
	}
}
