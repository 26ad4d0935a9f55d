package inventory_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stranglerfig/toolkit/monolith"
	"github.com/stranglerfig/toolkit/monolith/testkit"
)

type body = map[string]any

func TestStock(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	id := k.Product(k.Category("tea"), "Tea", 500, 6)
	path, admin := fmt.Sprintf("/api/products/%d/stock", id), k.Admin()
	for _, step := range []struct {
		delta, available int
		inStock, low     bool
	}{{0, 6, true, false}, {-1, 5, true, true}, {-5, 0, false, true}, {10, 10, true, false}} {
		if step.delta != 0 {
			admin.Do("POST", fmt.Sprintf("/api/admin/products/%d/stock", id), body{"delta": step.delta}).Want(t, http.StatusOK)
		}
		want := fmt.Sprintf(`{"product_id":%d,"available":%d,"in_stock":%t,"low":%t}`+"\n", id, step.available, step.inStock, step.low)
		if got := k.Guest().Do("GET", path, nil).Want(t, http.StatusOK); string(got.Body) != want {
			t.Errorf("%s, want %s", got.Body, want)
		}
	}
	admin.Do("PATCH", fmt.Sprintf("/api/admin/products/%d", id), body{"active": false}).Want(t, http.StatusOK)
	k.Guest().Do("GET", path, nil).WantError(t, 404, "not_found")
	k.Guest().Do("GET", "/api/products/999/stock", nil).WantError(t, 404, "not_found")
}

func TestAdjustKeepsEverybodysColumnsEqual(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	id := k.Product(k.Category("tea"), "Tea", 500, 10)
	k.Exec(`UPDATE stock_items SET reserved = 4`)
	k.Exec(`UPDATE products SET stock_qty = 6`)
	admin := k.Admin()
	path := fmt.Sprintf("/api/admin/products/%d", id)
	got := admin.Do("POST", path+"/stock", body{"delta": -6, "note": " counted "}).Want(t, http.StatusOK)
	if string(got.Body) != fmt.Sprintf(`{"product_id":%d,"on_hand":4,"reserved":4,"available":0}`+"\n", id) {
		t.Errorf("%s", got.Body)
	}
	admin.Do("POST", path+"/stock", body{"delta": -1}).WantError(t, 409, "out_of_stock")
	if n := k.Count(`SELECT count(*) FROM products p JOIN stock_items i ON i.product_id = p.id WHERE p.stock_qty = i.on_hand - i.reserved AND p.stock_qty = 0`); n != 1 {
		t.Error("products.stock_qty is not on_hand - reserved")
	}
	moves := admin.Do("GET", path+"/movements", nil).Want(t, http.StatusOK)
	if moves.Int("items.0.delta") != -6 || moves.Text("items.0.reason") != "correction" || moves.Text("items.0.note") != "counted" ||
		moves.Get("items.0.order_id") != nil || moves.Text("items.1.reason") != "initial" || moves.Get("items.2") != nil {
		t.Errorf("movements: %s", moves.Body)
	}
	if n := k.Count(`SELECT count(*) FROM audit_log WHERE action = 'stock.adjusted' AND entity = 'stock' AND entity_id = ?`, fmt.Sprint(id)); n != 1 {
		t.Errorf("%d audit rows, want 1", n)
	}
}

func TestAdjustRefuses(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	path := fmt.Sprintf("/api/admin/products/%d/stock", k.Product(k.Category("tea"), "Tea", 500, 10))
	admin := k.Admin()
	admin.Do("POST", path, body{"delta": 0}).WantError(t, 422, "invalid", "delta")
	admin.Do("POST", path, body{"delta": 1_000_001, "note": strings.Repeat("x", 501)}).WantError(t, 422, "invalid", "delta", "note")
	admin.Do("POST", path, body{"delta": "1"}).WantError(t, 422, "invalid", "delta")
	admin.Do("POST", "/api/admin/products/999/stock", body{"delta": 1}).WantError(t, 404, "not_found")
	admin.Do("GET", "/api/admin/products/999/movements", nil).WantError(t, 404, "not_found")
	k.Customer("Ada").Do("POST", path, body{"delta": 1}).WantError(t, 403, "forbidden")
	k.Guest().Do("POST", path, body{"delta": 1}).WantError(t, 401, "unauthenticated")
}

func TestAdjustAtOnceNeverGoesBelowNothing(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	id := k.Product(k.Category("tea"), "Tea", 500, 10)
	admin := k.Admin()
	token := admin.Cookie("session")
	var wg sync.WaitGroup
	var mu sync.Mutex
	counts := map[int]int{}
	for range 20 {
		wg.Go(func() {
			c := k.Guest()
			c.SetCookie("session", token)
			answer := c.Do("POST", fmt.Sprintf("/api/admin/products/%d/stock", id), body{"delta": -1})
			mu.Lock()
			counts[answer.Status]++
			mu.Unlock()
		})
	}
	wg.Wait()
	if counts[200] != 10 || counts[409] != 10 {
		t.Errorf("20 pieces of 10: %v", counts)
	}
	if n := k.Count(`SELECT on_hand FROM stock_items`); n != 0 {
		t.Errorf("%d are left", n)
	}
}
