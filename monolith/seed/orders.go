package seed

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"

	"github.com/stranglerfig/toolkit/internal/instant"
	"github.com/stranglerfig/toolkit/monolith/pricing"
)

type order struct {
	id                int64
	user              *user
	address           address
	coupon            *pricing.Coupon // nil: none
	redeemed          bool
	status, method    string
	lines             []orderLine
	quote             pricing.Quote
	placed, touched   instant.Instant
	events            []eventRow
	attempts          []attemptRow
	payment           string
	refunded          int64
	refundedAt        instant.Instant
	refundReason      string
	reservation       string
	expires           instant.Instant
	carrier, tracking string
	shipped           instant.Instant
	delivered         instant.Instant
}

type orderLine struct {
	product *product
	qty     int64
}

type eventRow struct {
	kind, detail string
	at           instant.Instant
}

type attemptRow struct {
	last4, status, reason string
	at                    instant.Instant
}

const orderDays = 180 // how far back the orders go

func (w *world) makeOrders() {
	times := make([]instant.Instant, ordersPerScale*w.scale)
	for i := range times {
		age := math.Pow(w.rng.Float64(), 2) * float64(orderDays*day) // business is growing
		times[i] = w.base - minute - instant.Instant(age)
	}
	slices.Sort(times)
	for i, at := range times {
		o := w.newOrder(int64(i+1), at)
		w.orders = append(w.orders, o)
		w.happen(o)
	}
}

func (w *world) newOrder(id int64, at instant.Instant) *order {
	known := sort.Search(len(w.users), func(i int) bool { return w.users[i].created+day >= at })
	u := w.users[1+w.rng.IntN(known-1)] // not the administrator
	if id%int64(30*w.scale) == 7 {
		u = w.users[adaID-1]
	}
	o := &order{
		id: id, user: u, address: pick(w, u.addresses), method: pricing.Standard,
		placed: at, expires: at + 30*minute,
	}
	if w.chance(0.2) {
		o.method = pricing.Express
	}
	o.lines = w.basket()
	var subtotal, pieces int64
	for _, l := range o.lines {
		subtotal += l.product.cents * l.qty
		pieces += l.qty
	}
	o.coupon = w.chooseCoupon(u, subtotal, at)
	if o.coupon != nil {
		o.redeemed = true
		o.coupon.Redeemed++
		u.redeemed[o.coupon.ID]++
	}
	o.quote = pricing.Price(subtotal, pieces, o.coupon, ratesFor(o.method, o.address.place))
	return o
}

// basket is something popular with what usually goes with it.
func (w *world) basket() []orderLine {
	anchor := w.popular[int(math.Pow(w.rng.Float64(), 2)*float64(len(w.popular)))]
	chosen := []*product{anchor}
	for range w.rng.IntN(4) {
		i := int(anchor.id) - 1
		switch n := len(w.products); w.rng.IntN(5) {
		case 0, 1:
			i += len(Categories) // the next of its category
		case 2:
			i += 5 * len(Categories)
		case 3:
			i = 7*i + 3
		default:
			i = w.rng.IntN(n)
		}
		chosen = append(chosen, w.products[i%len(w.products)])
	}
	var lines []orderLine
	for i, p := range chosen {
		if slices.Contains(chosen[:i], p) || (!p.active && len(lines) > 0) {
			continue
		}
		qty := int64(1)
		if p.cents < 3000 && w.chance(0.4) {
			qty += 1 + w.rng.Int64N(3)
		}
		lines = append(lines, orderLine{p, qty})
	}
	return lines
}

func (w *world) chooseCoupon(u *user, subtotal int64, at instant.Instant) *pricing.Coupon {
	if !w.chance(0.2) {
		return nil
	}
	c := pick(w, w.coupons)
	if c.Unusable(at, subtotal, u.redeemed[c.ID]) != "" {
		return nil
	}
	return c
}

func ratesFor(method string, to place) pricing.Rates {
	var r pricing.Rates
	found := false
	for _, rate := range shippingRates {
		if rate.method == method && (rate.country == to.country || (rate.country == "*" && !found)) {
			found = true
			r.Shipping = pricing.ShippingRate{BaseCents: rate.base, PerItemCents: rate.perItem}
			if free := rate.freeFrom; free > 0 {
				r.Shipping.FreeFromCents = &free
			}
		}
	}
	for _, rate := range taxRates {
		if rate.country == to.country && (rate.region == "" || rate.region == to.region) {
			r.TaxBasisPoints = rate.basisPoints // a country's own comes before its regions
		}
	}
	return r
}

// happen carries an order as far as the time goes.
func (w *world) happen(o *order) {
	total := dollars(o.quote.TotalCents)
	w.step(o, o.user.id, "pending", "placed", total, o.placed,
		fmt.Sprintf("Your order %d", o.id), "Thank you. Your order of "+total+" has reached us.")
	for _, l := range o.lines {
		l.product.touched = max(l.product.touched, o.placed)
	}
	switch fresh := w.base-o.placed < day; {
	case fresh && w.chance(0.4):
		w.leaveUnpaid(o)
	case !fresh && w.chance(0.04):
		w.abandon(o)
	default:
		w.fulfil(o)
	}
}

// step notes one change of an order everywhere.
func (w *world) step(o *order, actor int64, status, kind, detail string, at instant.Instant, subject, body string) {
	o.status, o.touched = status, at
	o.events = append(o.events, eventRow{kind, detail, at})
	w.notify(o.user.id, "order_"+kind, subject, body, at)
	w.audit(actor, "order."+kind, o.id, detail, at)
}

func (w *world) decline(o *order, at instant.Instant) {
	reason := pick(w, []string{"card_declined", "insufficient_funds"})
	o.attempts = append(o.attempts, attemptRow{"0002", "declined", reason, at})
	o.payment = "declined"
	o.events = append(o.events, eventRow{"payment_declined", reason, at})
	w.notify(o.user.id, "payment_declined", fmt.Sprintf("The payment of order %d was declined", o.id),
		"Your card was declined. Try another one: the goods are reserved for a while.", at)
}

// leaveUnpaid leaves an order pending. It is held for a week, so that a shop that is
// started days later still has some.
func (w *world) leaveUnpaid(o *order) {
	o.payment, o.reservation, o.expires = "pending", "held", w.base+7*day
	if w.chance(0.6) {
		w.decline(o, o.placed+second)
	} else {
		o.attempts = append(o.attempts, attemptRow{"0119", "timeout", "", o.placed + second})
		o.events = append(o.events, eventRow{"payment_timeout", "", o.placed + 3*second})
	}
	for _, l := range o.lines {
		l.product.held += l.qty
	}
}

func (w *world) abandon(o *order) {
	w.decline(o, o.placed+second)
	o.reservation = "released"
	w.cancel(o, 0, o.placed+30*minute+second, "not paid in time")
	o.payment = "cancelled"
}

func (w *world) cancel(o *order, actor int64, at instant.Instant, detail string) {
	if o.redeemed {
		o.redeemed = false
		o.coupon.Redeemed--
		o.user.redeemed[o.coupon.ID]--
	}
	w.step(o, actor, "cancelled", "cancelled", detail, at,
		fmt.Sprintf("Order %d is cancelled", o.id), "What you have paid comes back to you.")
}

func (w *world) fulfil(o *order) {
	at := o.placed + second
	if w.chance(0.06) {
		w.decline(o, at)
		at = min(w.between(o.placed, 2*minute, 9*minute), w.base-second)
	}
	at = w.pay(o, at)
	if cancelled := w.between(at, hour, 4*hour); w.chance(0.05) && cancelled < w.base {
		w.cancel(o, o.user.id, cancelled, "")
		w.giveBack(o, cancelled, "order cancelled")
		return
	}
	if at = w.between(at, 4*hour, 30*hour); at >= w.base {
		return
	}
	w.step(o, adminID, "packed", "packed", "", at, fmt.Sprintf("Order %d is packed", o.id), "It leaves our house soon.")
	if at = w.between(at, 3*hour, 24*hour); at >= w.base {
		return
	}
	o.carrier, o.tracking, o.shipped = pick(w, carriers[:]), fmt.Sprintf("1Z%010d", w.rng.Int64N(1e10)), at
	w.step(o, adminID, "shipped", "shipped", o.carrier+" "+o.tracking, at,
		fmt.Sprintf("Order %d is on its way", o.id), o.carrier+" carries it as "+o.tracking+".")
	if at = w.between(at, day, 6*day); at >= w.base {
		return
	}
	o.delivered = at
	w.step(o, adminID, "delivered", "delivered", "", at,
		fmt.Sprintf("Order %d has arrived", o.id), "We hope you like it. Tell others with a review.")
	if returned := w.between(at, day, 12*day); w.chance(0.07) && returned < w.base {
		w.step(o, o.user.id, "refunded", "refunded", "did not fit", returned,
			fmt.Sprintf("Order %d is refunded", o.id), "We have taken it back. What you have paid comes back to you.")
		w.giveBack(o, returned, "order returned")
		return
	}
	w.reviewOrder(o)
}

// pay sells what is in the order, and returns when that was.
func (w *world) pay(o *order, at instant.Instant) instant.Instant {
	total := dollars(o.quote.TotalCents)
	o.attempts = append(o.attempts, attemptRow{pick(w, []string{"4242", "1111", "4444", "0005"}), "accepted", "", at})
	o.payment, o.reservation = "accepted", "committed"
	o.user.lifetime += o.quote.TotalCents
	w.step(o, 0, "paid", "paid", total, at,
		fmt.Sprintf("Order %d is paid", o.id), "We have received "+total+" and are packing your order.")
	for _, l := range o.lines {
		l.product.sold += l.qty
		l.product.touched = max(l.product.touched, at)
		w.moves = append(w.moves, movement{product: l.product.id, order: o.id, delta: -l.qty, reason: "sale", at: at})
	}
	return at
}

func (w *world) giveBack(o *order, at instant.Instant, reason string) {
	o.payment, o.reservation = "refunded", "released"
	o.refunded, o.refundedAt, o.refundReason = o.quote.TotalCents, at, reason
	o.user.lifetime -= o.quote.TotalCents
	for _, l := range o.lines {
		l.product.sold -= l.qty
		l.product.returned += l.qty
		l.product.touched = max(l.product.touched, at)
		w.moves = append(w.moves, movement{product: l.product.id, order: o.id, delta: l.qty, reason: "return", note: reason, at: at})
	}
}

func (w *world) reviewOrder(o *order) {
	for _, l := range o.lines {
		at := w.between(o.delivered, day, 20*day)
		if !w.chance(0.55) || at >= w.base || o.user.reviewed[l.product.id] {
			continue
		}
		o.user.reviewed[l.product.id] = true
		rating := min(5, max(1, int64(math.Round(l.product.quality+w.rng.NormFloat64()))))
		body := pick(w, reviewBodies[rating-1])
		if strings.Contains(body, "%s") {
			body = fmt.Sprintf(body, strings.ToLower(l.product.noun.Name))
		}
		w.reviews = append(w.reviews, review{l.product.id, o.user.id, rating, pick(w, reviewTitles[rating-1]), body, at})
	}
}

func dollars(cents int64) string { return fmt.Sprintf("$%d.%02d", cents/100, cents%100) }
