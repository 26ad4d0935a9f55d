package pricing_test

import (
	"fmt"
	"testing"

	"github.com/stranglerfig/toolkit/monolith"
	"github.com/stranglerfig/toolkit/monolith/pricing"
	"github.com/stranglerfig/toolkit/monolith/testkit"
)

type fields = map[string]any

func TestCouponsAreForAdministrators(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	body := fields{"code": "X", "kind": "fixed", "value": 1}
	for _, call := range [][2]string{
		{"GET", "/api/admin/coupons"}, {"POST", "/api/admin/coupons"}, {"PATCH", "/api/admin/coupons/1"}, {"DELETE", "/api/admin/coupons/1"},
	} {
		k.Guest().Do(call[0], call[1], body).WantError(t, 401, "unauthenticated")
		k.Customer("Ada").Do(call[0], call[1], body).WantError(t, 403, "forbidden")
	}
}

func TestCouponLife(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	admin := k.Admin()
	made := admin.Do("POST", "/api/admin/coupons", fields{
		"code": "Spring", "kind": "percent", "value": 15, "min_order_cents": 1000, "max_redemptions": 10,
		"starts_at": "2026-01-01T00:00:00Z", "ends_at": "2026-12-31T00:00:00Z",
	}).Want(t, 201)
	if made.Header.Get("Location") == "" || made.Text("ends_at") != "2026-12-31T00:00:00.000Z" || made.Get("active") != true || made.Int("per_user_limit") != 1 {
		t.Errorf("created: %s %s", made.Header.Get("Location"), made.Body)
	}
	path := fmt.Sprintf("/api/admin/coupons/%d", made.Int("id"))
	admin.Do("POST", "/api/admin/coupons", fields{"code": "SPRING", "kind": "fixed", "value": 1}).WantError(t, 409, "code_taken")

	changed := admin.Do("PATCH", path, fields{"active": false, "max_redemptions": 5}).Want(t, 200)
	if changed.Get("active") != false || changed.Int("max_redemptions") != 5 || changed.Text("ends_at") == "" {
		t.Errorf("changed: %s", changed.Body)
	}
	k.Exec(`UPDATE coupons SET redeemed = 4`)
	admin.Do("PATCH", path, fields{"max_redemptions": 3}).WantError(t, 422, "invalid", "max_redemptions")
	admin.Do("PATCH", path, fields{"ends_at": "2025-12-31T00:00:00Z"}).WantError(t, 422, "invalid", "ends_at")
	admin.Do("PATCH", path, fields{"code": "OTHER"}).WantError(t, 422, "invalid", "code")
	list := admin.Do("GET", "/api/admin/coupons", nil).Want(t, 200)
	if list.Text("items.0.code") != "Spring" || list.Int("items.0.redeemed") != 4 || list.Get("items.1") != nil {
		t.Errorf("list: %s", list.Body)
	}

	admin.Do("DELETE", path, nil).Want(t, 204)
	admin.Do("DELETE", path, nil).WantError(t, 404, "not_found")
	admin.Do("PATCH", path, fields{"active": true}).WantError(t, 404, "not_found")
	if n := k.Count(`SELECT count(*) FROM audit_log WHERE entity = 'coupon'`); n != 3 {
		t.Errorf("%d entries in the audit log, want created, updated and deleted", n)
	}
}

func TestBadCoupons(t *testing.T) {
	t.Parallel()
	admin := testkit.New(t, monolith.Options{}).Admin()
	for _, c := range []struct {
		field string
		body  fields
	}{
		{"code", fields{"code": "", "kind": "fixed", "value": 1}},
		{"code", fields{"code": "two words", "kind": "fixed", "value": 1}},
		{"kind", fields{"code": "X", "kind": "gift", "value": 1}},
		{"value", fields{"code": "X", "kind": "percent", "value": 101}},
		{"value", fields{"code": "X", "kind": "fixed", "value": 0}},
		{"value", fields{"code": "X", "kind": "fixed", "value": "1"}},
		{"min_order_cents", fields{"code": "X", "kind": "fixed", "value": 1, "min_order_cents": -1}},
		{"max_redemptions", fields{"code": "X", "kind": "fixed", "value": 1, "max_redemptions": 0}},
		{"per_user_limit", fields{"code": "X", "kind": "fixed", "value": 1, "per_user_limit": 0}},
		{"ends_at", fields{"code": "X", "kind": "fixed", "value": 1, "starts_at": "2026-02-01T00:00:00Z", "ends_at": "2026-01-01T00:00:00Z"}},
		{"colour", fields{"code": "X", "kind": "fixed", "value": 1, "colour": "red"}},
	} {
		admin.Do("POST", "/api/admin/coupons", c.body).WantError(t, 422, "invalid", c.field)
	}
	admin.Do("POST", "/api/admin/coupons", `{"code": `).WantError(t, 400, "malformed_json")
	admin.Do("POST", "/api/admin/coupons", `{"code": "X", "kind": "fixed", "value": 1, "ends_at": "soon"}`).WantError(t, 422, "invalid", "ends_at")
}

func TestRates(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	k.Exec(`INSERT INTO tax_rates VALUES ('US', '', 100), ('US', 'NY', 888), ('DE', '', 1900)`)
	k.Exec(`INSERT INTO shipping_rates VALUES ('standard', 'US', 500, 10, 9000), ('standard', '*', 1500, 20, NULL), ('express', 'US', 900, 0, NULL)`)
	for _, c := range []struct {
		to        pricing.Destination
		tax, base int64
		free      bool
	}{
		{pricing.Destination{Country: "US", Region: "NY", Method: "standard"}, 888, 500, true},
		{pricing.Destination{Country: "US", Region: "XX", Method: "standard"}, 100, 500, true},
		{pricing.Destination{Country: "US", Method: "express"}, 100, 900, false},
		{pricing.Destination{Country: "DE", Region: "NY", Method: "standard"}, 1900, 1500, false},
		{pricing.Destination{Country: "JP", Method: "standard"}, 0, 1500, false},
	} {
		r, err := k.Pricing.Rates(t.Context(), k.DB, c.to)
		if err != nil || r.TaxBasisPoints != c.tax || r.Shipping.BaseCents != c.base || (r.Shipping.FreeFromCents != nil) != c.free {
			t.Errorf("%+v: %+v, %v", c.to, r, err)
		}
	}
	if _, err := k.Pricing.Rates(t.Context(), k.DB, pricing.Destination{Country: "JP", Method: "express"}); err == nil {
		t.Error("a rate where nothing is sent")
	}
}
