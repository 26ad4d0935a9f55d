package pricing_test

import (
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"github.com/stranglerfig/toolkit/internal/instant"
	"github.com/stranglerfig/toolkit/monolith/pricing"
)

func ptr[T any](v T) *T { return &v }

func TestPrice(t *testing.T) {
	t.Parallel()
	percent := func(v int64) *pricing.Coupon { return &pricing.Coupon{Kind: pricing.Percent, Value: v} }
	fixed := func(v int64) *pricing.Coupon { return &pricing.Coupon{Kind: pricing.Fixed, Value: v} }
	ship := pricing.ShippingRate{BaseCents: 500, PerItemCents: 50, FreeFromCents: ptr[int64](10_000)}
	for _, c := range []struct {
		name            string
		subtotal, items int64
		coupon          *pricing.Coupon
		rates           pricing.Rates
		want            pricing.Quote
	}{
		{"nothing but goods", 1000, 1, nil, pricing.Rates{}, pricing.Quote{SubtotalCents: 1000, TotalCents: 1000}},
		{
			"shipping counts pieces", 1000, 3, nil,
			pricing.Rates{Shipping: ship},
			pricing.Quote{SubtotalCents: 1000, ShippingCents: 650, TotalCents: 1650},
		},
		{
			"free from the limit on", 10_000, 3, nil,
			pricing.Rates{Shipping: ship},
			pricing.Quote{SubtotalCents: 10_000, TotalCents: 10_000},
		},
		{
			"the limit is looked at after the discount", 10_000, 1, fixed(1),
			pricing.Rates{Shipping: ship},
			pricing.Quote{SubtotalCents: 10_000, DiscountCents: 1, ShippingCents: 550, TotalCents: 10_549},
		},
		{
			"half a cent of discount counts as one", 150, 1, percent(15),
			pricing.Rates{},
			pricing.Quote{SubtotalCents: 150, DiscountCents: 23, TotalCents: 127},
		},
		{
			"less than half a cent counts as none", 149, 1, percent(15),
			pricing.Rates{},
			pricing.Quote{SubtotalCents: 149, DiscountCents: 22, TotalCents: 127},
		},
		{
			"a discount is never more than the goods", 300, 1, fixed(500),
			pricing.Rates{},
			pricing.Quote{SubtotalCents: 300, DiscountCents: 300},
		},
		{
			"shipping is taxed", 1000, 1, nil,
			pricing.Rates{Shipping: ship, TaxBasisPoints: 1900},
			pricing.Quote{SubtotalCents: 1000, ShippingCents: 550, TaxCents: 295, TotalCents: 1845},
		},
		{
			"half a cent of tax counts as one", 50, 1, nil,
			pricing.Rates{TaxBasisPoints: 100},
			pricing.Quote{SubtotalCents: 50, TaxCents: 1, TotalCents: 51},
		},
		{
			"everything free", 100, 1, percent(100),
			pricing.Rates{TaxBasisPoints: 1900},
			pricing.Quote{SubtotalCents: 100, DiscountCents: 100},
		},
	} {
		if got := pricing.Price(c.subtotal, c.items, c.coupon, c.rates); got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
}

// TestPriceIsExact compares the rules with exact fractions.
func TestPriceIsExact(t *testing.T) {
	t.Parallel()
	halfUp := func(cents, part, whole int64) int64 {
		r := big.NewRat(cents*part, whole)
		r.Add(r, big.NewRat(1, 2))
		return new(big.Int).Div(r.Num(), r.Denom()).Int64()
	}
	rapid.Check(t, func(t *rapid.T) {
		subtotal := rapid.Int64Range(0, 500_000_000).Draw(t, "subtotal")
		items := rapid.Int64Range(1, 50*99).Draw(t, "items")
		c := &pricing.Coupon{Kind: pricing.Fixed, Value: rapid.Int64Range(1, 100_000_000).Draw(t, "value")}
		if rapid.Bool().Draw(t, "percent") {
			c = &pricing.Coupon{Kind: pricing.Percent, Value: rapid.Int64Range(1, 100).Draw(t, "percentage")}
		}
		rates := pricing.Rates{
			Shipping: pricing.ShippingRate{
				BaseCents:    rapid.Int64Range(0, 10_000).Draw(t, "base"),
				PerItemCents: rapid.Int64Range(0, 1_000).Draw(t, "per item"),
			},
			TaxBasisPoints: rapid.Int64Range(0, 10_000).Draw(t, "tax"),
		}
		q := pricing.Price(subtotal, items, c, rates)
		want := min(c.Value, subtotal)
		if c.Kind == pricing.Percent {
			want = halfUp(subtotal, c.Value, 100)
		}
		if q.DiscountCents != want || q.DiscountCents > subtotal {
			t.Fatalf("discount %d, want %d", q.DiscountCents, want)
		}
		taxed := q.SubtotalCents - q.DiscountCents + q.ShippingCents
		if tax := halfUp(taxed, rates.TaxBasisPoints, 10_000); q.TaxCents != tax {
			t.Fatalf("tax %d, want %d", q.TaxCents, tax)
		}
		if q.TotalCents != taxed+q.TaxCents || q.TotalCents < 0 {
			t.Fatalf("total %d of %+v", q.TotalCents, q)
		}
	})
}

func TestCouponUnusable(t *testing.T) {
	t.Parallel()
	const now = instant.Instant(1_000_000)
	good := pricing.Coupon{Kind: pricing.Fixed, Value: 100, Active: true, PerUserLimit: 1}
	for _, c := range []struct {
		name           string
		change         func(*pricing.Coupon)
		subtotal, used int64
		usable         bool
	}{
		{"plain", func(*pricing.Coupon) {}, 1, 0, true},
		{"inactive", func(c *pricing.Coupon) { c.Active = false }, 1, 0, false},
		{"from now on", func(c *pricing.Coupon) { c.StartsAt = ptr(now) }, 1, 0, true},
		{"not yet", func(c *pricing.Coupon) { c.StartsAt = ptr(now + 1) }, 1, 0, false},
		{"the last moment", func(c *pricing.Coupon) { c.EndsAt = ptr(now + 1) }, 1, 0, true},
		{"expired", func(c *pricing.Coupon) { c.EndsAt = ptr(now) }, 1, 0, false},
		{"the last one", func(c *pricing.Coupon) { c.MaxRedemptions, c.Redeemed = ptr[int64](3), 2 }, 1, 0, true},
		{"used up", func(c *pricing.Coupon) { c.MaxRedemptions, c.Redeemed = ptr[int64](3), 3 }, 1, 0, false},
		{"used by the customer", func(*pricing.Coupon) {}, 1, 1, false},
		{"used by the customer, who may again", func(c *pricing.Coupon) { c.PerUserLimit = 2 }, 1, 1, true},
		{"minimum reached", func(c *pricing.Coupon) { c.MinOrderCents = 500 }, 500, 0, true},
		{"minimum not reached", func(c *pricing.Coupon) { c.MinOrderCents = 500 }, 499, 0, false},
	} {
		coupon := good
		c.change(&coupon)
		if why := coupon.Unusable(now, c.subtotal, c.used); (why == "") != c.usable {
			t.Errorf("%s: %q", c.name, why)
		}
	}
}
