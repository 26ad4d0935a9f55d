package monolith

import (
	"context"
	"fmt"

	"github.com/stranglerfig/toolkit/internal/owner"
	"github.com/stranglerfig/toolkit/internal/sqlite"
)

// invariant is a rule that holds between any two transactions; rows of the query
// break it, and say who.
type invariant struct{ name, query string }

var invariants = [...]invariant{
	{"products.stock_qty is on_hand - reserved", `
		SELECT 'product ' || p.id || ': ' || p.stock_qty || ' <> ' || coalesce(s.on_hand, 'no') || ' - ' || coalesce(s.reserved, 'stock')
		FROM products p
		LEFT JOIN stock_items s ON s.product_id = p.id
		WHERE s.product_id IS NULL OR p.stock_qty <> s.on_hand - s.reserved`},
	{"stock_items.reserved is what is held", `
		SELECT 'product ' || s.product_id || ': ' || s.reserved || ' <> ' || coalesce(h.qty, 0)
		FROM stock_items s
		LEFT JOIN (SELECT product_id, sum(qty) AS qty FROM stock_reservations WHERE status = 'held' GROUP BY product_id) h
			ON h.product_id = s.product_id
		WHERE s.reserved <> coalesce(h.qty, 0)`},
	{"stock_items.on_hand is the sum of movements", `
		SELECT 'product ' || s.product_id || ': ' || s.on_hand || ' <> ' || coalesce(m.delta, 0)
		FROM stock_items s
		LEFT JOIN (SELECT product_id, sum(delta) AS delta FROM stock_movements GROUP BY product_id) m
			ON m.product_id = s.product_id
		WHERE s.on_hand <> coalesce(m.delta, 0)`},
	{"an order's reservations fit its state", `
		SELECT 'order ' || o.id || ' is ' || o.status || ', product ' || r.product_id || ' is ' || r.status
		FROM orders o
		JOIN stock_reservations r ON r.order_id = o.id
		WHERE (o.status = 'pending') <> (r.status = 'held')
		   OR (o.status IN ('paid', 'packed', 'shipped', 'delivered') AND r.status <> 'committed')
		   OR (o.status = 'cancelled' AND r.status <> 'released')`},
	{"every order line has a reservation", `
		SELECT 'order ' || l.order_id || ', product ' || l.product_id
		FROM order_lines l
		LEFT JOIN stock_reservations r ON r.order_id = l.order_id AND r.product_id = l.product_id
		WHERE r.qty IS NULL OR r.qty <> l.qty`},
	{"an order's amounts add up", `
		SELECT 'order ' || o.id
		FROM orders o
		LEFT JOIN (SELECT order_id, sum(qty * unit_price_cents) AS cents FROM order_lines GROUP BY order_id) l ON l.order_id = o.id
		WHERE o.subtotal_cents <> coalesce(l.cents, -1)
		   OR o.total_cents <> o.subtotal_cents - o.discount_cents + o.shipping_cents + o.tax_cents`},
	{"every order has a payment of its total", `
		SELECT 'order ' || o.id
		FROM orders o
		LEFT JOIN payments p ON p.order_id = o.id
		WHERE p.id IS NULL OR p.amount_cents <> o.total_cents`},
	{"an order's payment fits its state", `
		SELECT 'order ' || o.id || ' is ' || o.status || ', its payment ' || p.status
		FROM orders o
		JOIN payments p ON p.order_id = o.id
		WHERE NOT CASE
			WHEN o.status = 'pending' THEN p.status IN ('pending', 'declined')
			WHEN o.status = 'cancelled' THEN p.status IN ('cancelled', 'refunded')
			WHEN o.status = 'refunded' THEN p.status = 'refunded'
			ELSE p.status = 'accepted' END`},
	{"a paid payment has one accepted attempt, another has none", `
		SELECT 'payment ' || p.id || ' is ' || p.status || ' with ' || count(a.id) || ' accepted'
		FROM payments p
		LEFT JOIN payment_attempts a ON a.payment_id = p.id AND a.status = 'accepted'
		GROUP BY p.id
		HAVING count(a.id) <> (p.status IN ('accepted', 'refunded'))`},
	{"a payment has at most one open attempt", `
		SELECT 'payment ' || payment_id
		FROM payment_attempts
		WHERE status = 'started'
		GROUP BY payment_id
		HAVING count(*) > 1`},
	{"payments.refunded_cents is the sum of refunds", `
		SELECT 'payment ' || p.id || ': ' || p.refunded_cents || ' <> ' || coalesce(r.cents, 0)
		FROM payments p
		LEFT JOIN (SELECT payment_id, sum(amount_cents) AS cents FROM refunds GROUP BY payment_id) r ON r.payment_id = p.id
		WHERE p.refunded_cents <> coalesce(r.cents, 0)
		   OR (p.status = 'refunded') <> (p.status IN ('accepted', 'refunded') AND p.refunded_cents = p.amount_cents
				AND (p.amount_cents > 0 OR p.status = 'refunded'))`},
	{"users.lifetime_value_cents is paid minus refunded", `
		SELECT 'user ' || u.id || ': ' || u.lifetime_value_cents || ' <> ' || coalesce(v.cents, 0)
		FROM users u
		LEFT JOIN (
			SELECT o.user_id, sum(p.amount_cents - p.refunded_cents) AS cents
			FROM payments p
			JOIN orders o ON o.id = p.order_id
			WHERE p.status IN ('accepted', 'refunded')
			GROUP BY o.user_id) v ON v.user_id = u.id
		WHERE u.lifetime_value_cents <> coalesce(v.cents, 0)`},
	{"coupons.redeemed is the number of redemptions", `
		SELECT 'coupon ' || c.id || ': ' || c.redeemed || ' <> ' || count(r.id)
		FROM coupons c
		LEFT JOIN coupon_redemptions r ON r.coupon_id = c.id
		GROUP BY c.id
		HAVING c.redeemed <> count(r.id)`},
	{"an order that is not cancelled keeps its redemption", `
		SELECT 'order ' || o.id
		FROM orders o
		LEFT JOIN coupon_redemptions r ON r.order_id = o.id AND r.coupon_id = o.coupon_id
		WHERE o.coupon_id IS NOT NULL AND (o.status = 'cancelled') = (r.id IS NOT NULL)`},
	{"an order's cart is ordered, and its owner's", `
		SELECT 'order ' || o.id
		FROM orders o
		JOIN carts c ON c.id = o.cart_id
		WHERE c.status <> 'ordered' OR c.user_id IS NOT o.user_id`},
	{"an order's events begin with placed and end with its state", `
		SELECT 'order ' || o.id || ' is ' || o.status
		FROM orders o
		WHERE coalesce((SELECT kind FROM order_events e WHERE e.order_id = o.id ORDER BY id LIMIT 1), '') <> 'placed'
		   OR NOT EXISTS (SELECT 1 FROM order_events e WHERE e.order_id = o.id
				AND e.kind = CASE o.status WHEN 'pending' THEN 'placed' ELSE o.status END)`},
	{"a shipped order has a shipment", `
		SELECT 'order ' || o.id
		FROM orders o
		LEFT JOIN shipments s ON s.order_id = o.id
		WHERE (o.status IN ('shipped', 'delivered') AND s.id IS NULL) OR (o.status = 'delivered' AND s.delivered_at IS NULL)`},
	{"every order is in the audit log", `
		SELECT 'order ' || o.id
		FROM orders o
		WHERE NOT EXISTS (SELECT 1 FROM audit_log a
			WHERE a.entity = 'order' AND a.entity_id = CAST(o.id AS TEXT) AND a.action = 'order.placed')`},
}

// ofReviews are the rules of reviews while the shop itself owns them. Once they have
// moved, its table is a copy and a moment behind.
var ofReviews = [...]invariant{
	{"products.rating_* are those of its reviews", `
		SELECT 'product ' || p.id
		FROM products p
		LEFT JOIN (SELECT product_id, count(*) AS n, round(avg(rating), 2) AS mean FROM reviews GROUP BY product_id) r ON r.product_id = p.id
		WHERE p.rating_count <> coalesce(r.n, 0) OR p.rating_avg <> coalesce(r.mean, 0)`},
	{"only buyers have written reviews", `
		SELECT 'review ' || r.id
		FROM reviews r
		WHERE NOT EXISTS (
			SELECT 1
			FROM orders o
			JOIN order_lines l ON l.order_id = o.id AND l.product_id = r.product_id
			WHERE o.user_id = r.user_id AND o.status <> 'pending')`},
}

// CheckInvariants reads the whole shop at one moment and returns a line for each
// rule that is broken, with the first rows that break it: none is as it should be.
// Databases that cannot be read break the rule of being readable.
func CheckInvariants(ctx context.Context, db *sqlite.DB) []string {
	tx, err := db.BeginTxx(ctx, nil)
	if err != nil {
		return []string{fmt.Sprintf("the database can be read: %v", err)}
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	rules := append([]invariant{
		{"the file is whole", `SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'`},
		{"no foreign key dangles", `SELECT "table" || ' ' || coalesce(rowid, '?') || ' -> ' || parent FROM pragma_foreign_key_check`},
	}, invariants[:]...)
	var broken []string
	switch o, err := owner.SQLite(ctx, tx, "reviews"); {
	case err != nil:
		broken = append(broken, err.Error())
	case !o.Target():
		rules = append(rules, ofReviews[:]...)
	}
	for _, rule := range rules {
		var rows []string
		if err := tx.SelectContext(ctx, &rows, rule.query+"\nLIMIT 6"); err != nil {
			broken = append(broken, fmt.Sprintf("%s: %v", rule.name, err))
			continue
		}
		if len(rows) > 5 {
			rows[5] = "…"
		}
		if len(rows) > 0 {
			broken = append(broken, fmt.Sprintf("%s: %q", rule.name, rows))
		}
	}
	return broken
}
