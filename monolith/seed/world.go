package seed

import (
	"fmt"
	"math/rand/v2"
	"sort"
	"strings"
	"time"

	"github.com/stranglerfig/toolkit/internal/instant"
	"github.com/stranglerfig/toolkit/monolith/pricing"
)

// How much there is at scale 1.
const (
	productsPerScale = 200
	usersPerScale    = 60
	ordersPerScale   = 250
	guestsPerScale   = 6
)

const (
	second = instant.Instant(1000)
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour
)

// world is the shop's whole past, as plain values.
type world struct {
	rng       *rand.Rand
	base      instant.Instant // where the past ends
	scale     int
	products  []*product
	popular   []*product // best known first
	users     []*user
	addresses []address
	coupons   []*pricing.Coupon
	orders    []*order
	reviews   []review
	notes     []note
	audits    []auditRow
	moves     []movement
}

type product struct {
	id, category             int64
	noun                     Noun
	name, description, sku   string
	tags, images             []string
	cents                    int64
	active                   bool
	created, touched         instant.Instant
	rank                     int     // place in popular
	quality                  float64 // what reviewers tend to give
	onHand, held             int64
	sold, returned           int64 // sold is net of what was returned
	reorderLevel, correction int64
}

type user struct {
	id                int64
	email, name, hash string
	role              string
	created           instant.Instant
	addresses         []address
	lifetime          int64
	reviewed          map[int64]bool
	redeemed          map[int64]int64
}

type address struct {
	id, user int64
	name     string
	street   string
	place
	created instant.Instant
}

type review struct {
	product, user, rating int64
	title, body           string
	at                    instant.Instant
}

type note struct {
	user                int64
	kind, subject, body string
	at                  instant.Instant
}

type auditRow struct {
	actor                  int64
	action, entity, detail string
	id                     int64
	at                     instant.Instant
}

type movement struct {
	product, order, delta int64
	reason, note          string
	at                    instant.Instant
}

func newWorld(scale int, base time.Time) *world {
	return &world{rng: rand.New(rand.NewPCG(2026, 9000)), base: instant.From(base), scale: scale}
}

// live lets everything happen.
func (w *world) live() {
	w.makeProducts()
	w.makeUsers()
	w.makeCoupons()
	w.makeOrders()
	w.stockUp()
	sort.SliceStable(w.reviews, func(i, j int) bool { return w.reviews[i].at < w.reviews[j].at })
	for i, r := range w.reviews {
		w.audit(r.user, "review.created", int64(i+1), fmt.Sprintf("%d stars for product %d", r.rating, r.product), r.at)
	}
	sort.SliceStable(w.notes, func(i, j int) bool { return w.notes[i].at < w.notes[j].at })
	sort.SliceStable(w.audits, func(i, j int) bool { return w.audits[i].at < w.audits[j].at })
	sort.SliceStable(w.moves, func(i, j int) bool { return w.moves[i].at < w.moves[j].at })
}

func (w *world) audit(actor int64, action string, id int64, detail string, at instant.Instant) {
	entity, _, _ := strings.Cut(action, ".")
	w.audits = append(w.audits, auditRow{actor: actor, action: action, entity: entity, detail: detail, id: id, at: at})
}

func (w *world) notify(user int64, kind, subject, body string, at instant.Instant) {
	w.notes = append(w.notes, note{user, kind, subject, body, at})
}

// between returns a moment from a to b after at.
func (w *world) between(at, a, b instant.Instant) instant.Instant {
	return at + a + instant.Instant(w.rng.Int64N(int64(b-a)))
}

func (w *world) chance(p float64) bool { return w.rng.Float64() < p }

func pick[T any](w *world, list []T) T { return list[w.rng.IntN(len(list))] }

func (w *world) makeProducts() {
	count := productsPerScale * w.scale
	for i := range count {
		w.products = append(w.products, w.newProduct(i))
	}
	for rank, i := range w.rng.Perm(count) {
		p := w.products[i]
		p.rank = rank
		w.popular = append(w.popular, p)
	}
	sort.Slice(w.popular, func(i, j int) bool { return w.popular[i].rank < w.popular[j].rank })
}

// newProduct makes the i-th product. Within a category no name occurs twice: a noun
// meets each material and each series once, and then again with a number.
func (w *world) newProduct(i int) *product {
	d, k := i%len(Categories), i/len(Categories)
	c := Categories[d]
	n, q := k%len(c.Nouns), k/len(c.Nouns)
	m := (q + 3*n + 2*d) % varieties
	s := (q/varieties + 5*(q%varieties) + 7*n + 5*d) % len(series)
	noun, material := c.Nouns[n], c.Nouns[n].Materials[m]
	p := &product{
		id: int64(i + 1), category: int64(d + 1), noun: noun,
		name:         fmt.Sprintf("%s %s %s", series[s], material.Name, noun.Name),
		sku:          fmt.Sprintf("%s-%04d", c.Code, k+1),
		active:       !w.chance(0.015),
		created:      w.between(w.base, -700*day, -200*day),
		quality:      3.4 + 1.4*w.rng.Float64(),
		onHand:       w.rng.Int64N(90),
		reorderLevel: 3 + w.rng.Int64N(8),
	}
	if edition := q/(varieties*len(series)) + 1; edition > 1 {
		p.name += fmt.Sprintf(" No. %d", edition)
	}
	p.description = fmt.Sprintf("%s %s Part of the %s line.", noun.About, material.Care, series[s])
	p.cents = max(500, noun.Cents*material.Percent*(90+w.rng.Int64N(25))/10_000/100*100) - pick(w, []int64{1, 5, 10, 50})
	tags := map[string]bool{material.Tag: true}
	for tag := range strings.FieldsSeq(noun.Tags) {
		tags[tag] = true
	}
	for tag := range tags {
		p.tags = append(p.tags, tag)
	}
	sort.Strings(p.tags)
	thing := strings.ReplaceAll(strings.ToLower(noun.Name), " ", "-")
	for j := range 1 + w.rng.IntN(2) {
		p.images = append(p.images, fmt.Sprintf("/static/products/%s-%d.svg", thing, 1+(n*3+m+3*j)%colours))
	}
	switch {
	case w.chance(0.04):
		p.onHand = 0
	case w.chance(0.08):
		p.onHand = w.rng.Int64N(p.reorderLevel + 1)
	}
	w.audit(adminID, "product.created", p.id, p.name, p.created)
	return p
}

// colours is how many pictures the storefront has of a noun.
const colours = 8

const (
	adminID = 1
	adaID   = 2
)

func (w *world) makeUsers() {
	count := usersPerScale*w.scale + 2
	for i := range count {
		u := &user{
			id: int64(i + 1), role: "customer", hash: customerHash,
			created:  w.base - 730*day + instant.Instant(int64(725*day)/int64(count)*int64(i)),
			reviewed: map[int64]bool{}, redeemed: map[int64]int64{},
		}
		switch u.id {
		case adminID:
			u.email, u.name, u.hash, u.role = "admin@shop.example", "Alex Admin", adminHash, "admin"
		case adaID:
			u.email, u.name, u.hash = "ada@shop.example", "Ada Byron", adaHash
		default:
			first, last := pick(w, firstNames[:]), pick(w, lastNames[:])
			u.name = first + " " + last
			u.email = fmt.Sprintf("%s.%s%d@example.com", strings.ToLower(first), strings.ToLower(last), u.id)
		}
		w.users = append(w.users, u)
		for range 1 + w.rng.IntN(2) {
			a := address{
				id: int64(len(w.addresses) + 1), user: u.id, name: u.name, created: u.created + hour, place: pick(w, places[:]),
				street: fmt.Sprintf("%d %s", 1+w.rng.IntN(180), pick(w, streets[:])),
			}
			w.addresses = append(w.addresses, a)
			u.addresses = append(u.addresses, a)
		}
		w.audit(u.id, "user.registered", u.id, "", u.created)
		w.notify(u.id, "welcome", "Welcome to the shop", "Good to have you here, "+u.name+".", u.created)
	}
}

func (w *world) makeCoupons() {
	days := func(n int) *instant.Instant { t := w.base + instant.Instant(n)*day; return &t }
	most := func(n int) *int64 { v := int64(n * w.scale); return &v }
	for i, c := range []pricing.Coupon{
		{Code: "WELCOME10", Kind: pricing.Percent, Value: 10, PerUserLimit: 1, Active: true},
		{Code: "SAVE5", Kind: pricing.Fixed, Value: 500, MinOrderCents: 3000, PerUserLimit: 3, Active: true},
		{Code: "SPRING15", Kind: pricing.Percent, Value: 15, MinOrderCents: 5000, PerUserLimit: 1, Active: true, StartsAt: days(-120), EndsAt: days(-60)},
		{Code: "VIP20", Kind: pricing.Percent, Value: 20, MinOrderCents: 10000, MaxRedemptions: most(1000), PerUserLimit: 5, Active: true},
		{Code: "LAUNCH25", Kind: pricing.Percent, Value: 25, MaxRedemptions: most(5), PerUserLimit: 1, Active: true},
		{Code: "HELLO2", Kind: pricing.Fixed, Value: 200, PerUserLimit: 1},
	} {
		c.ID, c.CreatedAt = int64(i+1), w.base-200*day
		w.coupons = append(w.coupons, &c)
		w.audit(adminID, "coupon.created", c.ID, c.Code, c.CreatedAt)
	}
}

// stockUp gives each product the first delivery that its sales need.
func (w *world) stockUp() {
	for _, p := range w.products {
		p.onHand = max(p.onHand, p.held, p.returned) // what is promised is there, and what came back
		if w.chance(0.05) {
			p.correction = w.rng.Int64N(5) - 2
		}
		first := p.onHand + p.sold - p.correction
		if first < 0 {
			first, p.correction = first+p.correction, 0
		}
		w.moves = append(w.moves, movement{product: p.id, delta: first, reason: "initial", at: p.created})
		p.touched = max(p.touched, p.created)
		if p.correction != 0 {
			at := w.between(p.created, day, 30*day)
			w.moves = append(w.moves, movement{product: p.id, delta: p.correction, reason: "correction", note: "stocktaking", at: at})
			w.audits = append(w.audits, auditRow{adminID, "stock.adjusted", "stock", fmt.Sprintf("%+d stocktaking", p.correction), p.id, at})
			p.touched = max(p.touched, at)
		}
	}
}
