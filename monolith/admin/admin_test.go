package admin_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/monolith"
	"github.com/stranglerfig/toolkit/monolith/admin"
	"github.com/stranglerfig/toolkit/monolith/seed"
	"github.com/stranglerfig/toolkit/monolith/testkit"
)

func seeded(t *testing.T) *testkit.Kit {
	t.Helper()
	k := testkit.New(t, monolith.Options{})
	if err := seed.Run(t.Context(), k.DB, seed.Options{Now: k.Clock.Now}); err != nil {
		t.Fatal(err)
	}
	return k
}

func TestTheOfficeIsForAdministrators(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	for _, path := range []string{"/api/admin/orders", "/api/admin/dashboard", "/api/admin/audit"} {
		k.Guest().Do("GET", path, nil).WantError(t, 401, "unauthenticated")
		k.Customer("Ada").Do("GET", path, nil).WantError(t, 403, "forbidden")
	}
}

func TestDashboard(t *testing.T) {
	t.Parallel()
	k := seeded(t)
	var d admin.Dashboard
	root := k.Admin()
	root.Do("GET", "/api/admin/dashboard", nil).Want(t, 200).Into(t, &d)
	var orders, revenue int64
	for _, status := range admin.Statuses() {
		n := k.Count(`SELECT count(*) FROM orders WHERE status = ?`, status)
		if d.OrdersByStatus[status] != n {
			t.Errorf("%d orders %s, want %d", d.OrdersByStatus[status], status, n)
		}
		orders += n
	}
	if orders != 250 {
		t.Errorf("%d orders", orders)
	}
	revenue = k.Count(`SELECT sum(lifetime_value_cents) FROM users`)
	if d.RevenueCents != revenue || d.OrdersToday != 0 || d.Customers != 61 ||
		d.Products != k.Count(`SELECT count(*) FROM products WHERE active = 1`) {
		t.Errorf("dashboard: %+v", d)
	}
	if d.AverageRating < 2.5 || d.AverageRating > 5 {
		t.Errorf("average rating %v", d.AverageRating)
	}
	if len(d.TopProducts) != 10 || len(d.LowStock) == 0 || len(d.LowStock) > 10 {
		t.Fatalf("%d top products, %d with low stock", len(d.TopProducts), len(d.LowStock))
	}
	for i, p := range d.TopProducts {
		if i > 0 && p.Sold > d.TopProducts[i-1].Sold {
			t.Errorf("top products out of order: %+v", d.TopProducts)
		}
	}
	for _, p := range d.LowStock {
		if p.Available > p.ReorderLevel {
			t.Errorf("%+v is not low", p)
		}
	}
	if d.PendingNotifications != 1 {
		t.Errorf("%d pending notifications, want the administrator's welcome", d.PendingNotifications)
	}

	// An order of today counts; one of tomorrow has another today.
	at := k.Clock.Now().UnixMilli()
	k.Exec(`UPDATE orders SET created_at = ? WHERE id = 250`, at)
	if n := root.Do("GET", "/api/admin/dashboard", nil).Int("orders_today"); n != 1 {
		t.Errorf("%d orders today", n)
	}
	k.Clock.Advance(24 * time.Hour)
	if n := root.Do("GET", "/api/admin/dashboard", nil).Int("orders_today"); n != 0 {
		t.Errorf("%d orders the day after", n)
	}
}

func TestEmptyDashboard(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	d := k.Admin().Do("GET", "/api/admin/dashboard", nil).Want(t, 200)
	if d.Int("revenue_cents") != 0 || d.Int("orders_by_status.pending") != 0 || d.Get("low_stock.0") != nil || d.Get("top_products") == nil {
		t.Errorf("an empty shop: %s", d.Body)
	}
}

func TestOrders(t *testing.T) {
	t.Parallel()
	k := seeded(t)
	root := k.Admin()
	page := root.Do("GET", "/api/admin/orders?per_page=50&page=2", nil).Want(t, 200)
	if page.Int("total") != 250 || page.Int("pages") != 5 || page.Int("items.0.id") != 200 || page.Int("items.49.id") != 151 {
		t.Errorf("page: %.300s", page.Body)
	}
	if page.Text("items.0.customer.email") == "" || page.Text("items.0.customer.name") == "" || page.Int("items.0.pieces") < 1 {
		t.Errorf("order: %.300s", page.Body)
	}
	for _, status := range admin.Statuses() {
		list := root.Do("GET", "/api/admin/orders?per_page=1&status="+status, nil).Want(t, 200)
		if list.Int("total") != k.Count(`SELECT count(*) FROM orders WHERE status = ?`, status) || list.Text("items.0.status") != status {
			t.Errorf("%s: %s", status, list.Body)
		}
	}
	root.Do("GET", "/api/admin/orders?status=lost", nil).WantError(t, 422, "invalid", "status")
	root.Do("GET", "/api/admin/orders?per_page=101", nil).WantError(t, 422, "invalid", "per_page")
}

func TestAudit(t *testing.T) {
	t.Parallel()
	k := seeded(t)
	root := k.Admin()
	all := root.Do("GET", "/api/admin/audit?per_page=100", nil).Want(t, 200)
	if all.Int("total") != k.Count(`SELECT count(*) FROM audit_log`) || all.Int("items.0.id") != all.Int("total") {
		t.Errorf("the whole log: %.300s", all.Body)
	}
	one := root.Do("GET", "/api/admin/audit?entity=order&entity_id=7", nil).Want(t, 200)
	last := one.Int("total") - 1
	if one.Text(fmt.Sprintf("items.%d.action", last)) != "order.placed" || one.Text("items.0.entity_id") != "7" {
		t.Errorf("the log of one order: %s", one.Body)
	}
	if none := root.Do("GET", "/api/admin/audit?entity=ship", nil).Want(t, 200); none.Int("total") != 0 {
		t.Errorf("a log of nothing: %s", none.Body)
	}
}
