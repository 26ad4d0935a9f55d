package acceptance_test

import (
	"fmt"
	"testing"
	"time"
)

// quote asks what a cart of qty pieces at price costs in the place the query names.
func quote(t *testing.T, price, qty int, query, coupon string) object {
	t.Helper()
	c := guest()
	cart := c.newCart(t, line{newProduct(t, object{"price_cents": price, "stock_qty": 99}), qty})
	if coupon != "" {
		c.post(t, "/api/carts/"+cart+"/coupon", object{"code": coupon}).want(200)
	}
	o := c.get(t, "/api/carts/"+cart+"/quote?"+query).want(200).object()
	o.has(t, "quote", "subtotal_cents", "discount_cents", "shipping_cents", "tax_cents", "total_cents", "shipping_method", "country", "region")
	return o
}

// halfUp divides, rounding half up.
func halfUp(n, by int64) int64 { return (2*n + by) / (2 * by) }

func TestQuoteAddsUp(t *testing.T) {
	t.Parallel()
	_, tenth := newCoupon(t, "percent", 10)
	for _, query := range []string{
		"country=US&region=CA", "country=US&region=NY&shipping=express", "country=US", "country=DE",
		"country=GB&shipping=express", "country=FR", "country=ZZ", "country=ZZ&shipping=express",
	} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			// A quote over 100,000.00 tells the rate to the last basis point; the small
			// ones must then come out to the cent.
			big := quote(t, 10_000_000, 1, query, "")
			base := big.int(t, "subtotal_cents") + big.int(t, "shipping_cents")
			rate := halfUp(big.int(t, "tax_cents")*10_000, base)
			for _, c := range []struct {
				price, qty int
				coupon     string
			}{{1005, 1, ""}, {1005, 1, tenth}, {333, 7, tenth}, {1, 1, ""}, {1999, 3, ""}} {
				q := quote(t, c.price, c.qty, query, c.coupon)
				subtotal, discount := int64(c.price*c.qty), int64(0)
				if c.coupon != "" {
					discount = halfUp(subtotal*10, 100)
				}
				shipping := q.int(t, "shipping_cents")
				tax := halfUp((subtotal-discount+shipping)*rate, 10_000)
				want := []int64{subtotal, discount, tax, subtotal - discount + shipping + tax}
				got := []int64{q.int(t, "subtotal_cents"), q.int(t, "discount_cents"), q.int(t, "tax_cents"), q.int(t, "total_cents")}
				if fmt.Sprint(got) != fmt.Sprint(want) || shipping < 0 {
					t.Errorf("%d × %d cents at %d basis points: subtotal, discount, tax, total are %v, want %v (shipping %d)",
						c.qty, c.price, rate, got, want, shipping)
				}
			}
		})
	}
}

func TestShippingByPieces(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"standard", "express"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			cost := func(qty int) int64 {
				return quote(t, 10, qty, "country=US&shipping="+method, "").int(t, "shipping_cents")
			}
			one, two, five := cost(1), cost(2), cost(5)
			each := two - one
			if one <= 0 || each < 0 || five != one+4*each {
				t.Errorf("shipping of 1, 2 and 5 pieces costs %d, %d and %d: not a base and so much a piece", one, two, five)
			}
		})
	}
	t.Run("express costs more", func(t *testing.T) {
		t.Parallel()
		standard, express := quote(t, 10, 1, "country=US", ""), quote(t, 10, 1, "country=US&shipping=express", "")
		if standard.int(t, "shipping_cents") >= express.int(t, "shipping_cents") {
			t.Errorf("standard %v, express %v", standard["shipping_cents"], express["shipping_cents"])
		}
		if standard["shipping_method"] != "standard" || express["shipping_method"] != "express" {
			t.Errorf("methods %v and %v", standard["shipping_method"], express["shipping_method"])
		}
	})
}

func TestTaxByRegion(t *testing.T) {
	t.Parallel()
	tax := func(query string) int64 { return quote(t, 100_000, 1, query, "").int(t, "tax_cents") }
	t.Run("none where no rate is known", func(t *testing.T) {
		t.Parallel()
		if got := tax("country=ZZ"); got != 0 {
			t.Errorf("tax %d, want 0", got)
		}
	})
	t.Run("an unknown region pays the country's", func(t *testing.T) {
		t.Parallel()
		if unknown, country := tax("country=DE&region=Nowhere"), tax("country=DE"); unknown != country || country == 0 {
			t.Errorf("region Nowhere pays %d, Germany %d", unknown, country)
		}
	})
	t.Run("the place is in the answer", func(t *testing.T) {
		t.Parallel()
		if q := quote(t, 100, 1, "country=US&region=CA", ""); q["country"] != "US" || q["region"] != "CA" {
			t.Errorf("country %v, region %v", q["country"], q["region"])
		}
	})
}

func TestQuoteRefused(t *testing.T) {
	t.Parallel()
	c := guest()
	full, empty := c.newCart(t, line{newProduct(t), 1}), guest().newCart(t)
	path := "/api/carts/" + full + "/quote"
	refuse(t, c, []refusal{
		{"empty cart", "GET", "/api/carts/" + empty + "/quote?country=US", nil, 409, "empty_cart", nil},
		{"no country", "GET", path, nil, 422, "invalid", []string{"country"}},
		{"country in full", "GET", path + "?country=Germany", nil, 422, "invalid", []string{"country"}},
		{"country in small letters", "GET", path + "?country=us", nil, 422, "invalid", []string{"country"}},
		{"unknown method", "GET", path + "?country=US&shipping=drone", nil, 422, "invalid", []string{"shipping"}},
	})
}

func TestCoupons(t *testing.T) {
	t.Parallel()
	_, percent := newCoupon(t, "percent", 15)
	_, fixed := newCoupon(t, "fixed", 700)
	_, all := newCoupon(t, "percent", 100)
	for _, c := range []struct {
		name     string
		code     string
		price    int
		discount int64
	}{
		{"percent, rounded half up", percent, 1010, 152}, // 151.5
		{"percent, rounded down", percent, 1009, 151},    // 151.35
		{"a fixed value", fixed, 1000, 700},
		{"a fixed value above the subtotal", fixed, 650, 650},
		{"all of it", all, 1234, 1234},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := guest()
			cart := g.newCart(t, line{newProduct(t, object{"price_cents": c.price}), 1})
			o := g.post(t, "/api/carts/"+cart+"/coupon", object{"code": c.code}).want(200).object()
			o.at(t, "coupon").has(t, "coupon", "code", "kind", "value")
			if o.int(t, "discount_cents") != c.discount || o.int(t, "total_cents") != int64(c.price)-c.discount || o.at(t, "coupon")["code"] != c.code {
				t.Errorf("cart is %v, want a discount of %d", o, c.discount)
			}
			o = g.delete(t, "/api/carts/"+cart+"/coupon", nil).want(200).object()
			if o["coupon"] != nil || o.int(t, "total_cents") != int64(c.price) {
				t.Errorf("without the coupon: %v", o)
			}
		})
	}
	t.Run("the well-known one", func(t *testing.T) {
		t.Parallel()
		if q := quote(t, 2000, 1, "country=ZZ", "WELCOME10"); q.int(t, "discount_cents") != 200 {
			t.Errorf("WELCOME10 takes %v off 2000, want 200", q["discount_cents"])
		}
	})
	t.Run("goes with the subtotal", func(t *testing.T) {
		t.Parallel()
		g, p := guest(), newProduct(t, object{"price_cents": 1000})
		cart := g.newCart(t, line{p, 1})
		g.post(t, "/api/carts/"+cart+"/coupon", object{"code": percent}).want(200)
		if o := g.post(t, itemsPath(cart), object{"product_id": p.id, "qty": 1}).want(201).object(); o.int(t, "discount_cents") != 300 {
			t.Errorf("15 percent of 2000: %v", o["discount_cents"])
		}
	})
}

func TestUnusableCoupons(t *testing.T) {
	t.Parallel()
	at := func(d time.Duration) string { return time.Now().UTC().Add(d).Format("2006-01-02T15:04:05.000Z") }
	_, expired := newCoupon(t, "percent", 10, object{"starts_at": at(-48 * time.Hour), "ends_at": at(-24 * time.Hour)})
	_, future := newCoupon(t, "percent", 10, object{"starts_at": at(24 * time.Hour)})
	_, high := newCoupon(t, "percent", 10, object{"min_order_cents": 2000})
	off, inactive := newCoupon(t, "percent", 10)
	admin(t).patch(t, fmt.Sprintf("/api/admin/coupons/%d", off), object{"active": false}).want(200)
	used := usedUp(t)

	c := guest()
	path := "/api/carts/" + c.newCart(t, line{newProduct(t), 1}) + "/coupon"
	t.Run("refused", func(t *testing.T) {
		refuse(t, c, []refusal{
			{"unknown", "POST", path, object{"code": unique("NO")}, 422, "invalid", []string{"code"}},
			{"empty", "POST", path, object{"code": ""}, 422, "invalid", []string{"code"}},
			{"expired", "POST", path, object{"code": expired}, 422, "invalid", []string{"code"}},
			{"not yet valid", "POST", path, object{"code": future}, 422, "invalid", []string{"code"}},
			{"inactive", "POST", path, object{"code": inactive}, 422, "invalid", []string{"code"}},
			{"used up", "POST", path, object{"code": used}, 422, "invalid", []string{"code"}},
			{"minimum not reached", "POST", path, object{"code": high}, 422, "invalid", []string{"code"}},
		})
	})
	if o := c.get(t, path[:len(path)-len("/coupon")]).object(); o["coupon"] != nil || o.int(t, "discount_cents") != 0 {
		t.Errorf("a refused coupon stayed: %v", o)
	}
}

// usedUp returns the code of a coupon that could be used once and was.
func usedUp(t *testing.T) string {
	t.Helper()
	_, code := newCoupon(t, "percent", 10, object{"max_redemptions": 1})
	buyer := signUp(t)
	buyer.orderWithCoupon(t, code, newProduct(t)).want(201)
	return code
}

// orderWithCoupon orders one piece of p with the coupon.
func (c *customer) orderWithCoupon(t *testing.T, code string, p product) *answer {
	t.Helper()
	cart := c.newCart(t, line{p, 1})
	c.post(t, "/api/carts/"+cart+"/coupon", object{"code": code}).want(200)
	return c.post(t, "/api/checkout", checkoutBody(cart, c.newAddress(t), goodCard), key(unique("k-")))
}
