package payments_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/internal/web"
	"github.com/stranglerfig/toolkit/monolith"
	"github.com/stranglerfig/toolkit/monolith/orders"
	"github.com/stranglerfig/toolkit/monolith/payments"
)

// A badLine is the connection to the provider on a bad day: requests and answers get
// lost, arrive twice, or arrive long after the shop has stopped waiting.
type badLine struct {
	*payments.Fake
	mu      sync.Mutex
	rng     *rand.Rand
	late    sync.WaitGroup
	mended  atomic.Bool
	trouble atomic.Int64
}

var errLine = errors.New("the line is bad")

func (b *badLine) roll(n int) int {
	if b.mended.Load() {
		return n
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.rng.IntN(n)
}

func (b *badLine) Charge(ctx context.Context, c payments.Charge) (payments.Outcome, error) {
	switch b.roll(6) {
	case 0: // the request is lost
		b.trouble.Add(1)
		return payments.Outcome{}, errLine
	case 1: // the answer is lost
		b.trouble.Add(1)
		b.Fake.Charge(ctx, c) //nolint:errcheck // that is the point
		return payments.Outcome{}, errLine
	case 2: // it arrives when nobody waits any more, and twice
		b.trouble.Add(1)
		for range 2 {
			delay := time.Duration(b.roll(30)) * time.Millisecond
			b.late.Go(func() {
				time.Sleep(delay)
				ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
				defer cancel()
				b.Fake.Charge(ctx, c) //nolint:errcheck // nobody listens
			})
		}
		return payments.Outcome{}, errLine
	}
	return b.Fake.Charge(ctx, c)
}

func (b *badLine) Lookup(ctx context.Context, ref string) (payments.Outcome, error) {
	if b.roll(4) == 0 {
		return payments.Outcome{}, errLine
	}
	return b.Fake.Lookup(ctx, ref)
}

func (b *badLine) Forbid(ctx context.Context, ref string) (payments.Outcome, error) {
	switch b.roll(5) {
	case 0:
		return payments.Outcome{}, errLine
	case 1:
		b.Fake.Forbid(ctx, ref) //nolint:errcheck // the answer is lost
		return payments.Outcome{}, errLine
	}
	return b.Fake.Forbid(ctx, ref)
}

func (b *badLine) Reverse(ctx context.Context, ref string, cents int64) error {
	switch b.roll(5) {
	case 0:
		return errLine
	case 1:
		b.Fake.Reverse(ctx, ref, cents) //nolint:errcheck // the answer is lost
		return errLine
	}
	return b.Fake.Reverse(ctx, ref, cents)
}

// TestNobodyIsChargedTwice lets customers buy, try again, cancel and be refunded over
// a bad line, all at once. At no moment does the provider hold two charges of one
// payment, and at the end it holds what the shop's books say.
func TestNobodyIsChargedTwice(t *testing.T) {
	t.Parallel()
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	ledger := filepath.Join(t.TempDir(), "ledger")
	line := &badLine{
		Fake: openFake(t, payments.FakeOptions{Ledger: ledger, Late: 8 * time.Millisecond}),
		rng:  rand.New(rand.NewPCG(uint64(seed), 1)),
	}
	s := newStore(t, monolith.Options{Now: time.Now})
	pay := payments.New(s.DB, time.Now, line, payments.Options{
		Wait: 3 * time.Millisecond, GiveUp: 6 * time.Millisecond, Patience: 40 * time.Millisecond, Every: time.Millisecond,
	})
	shop := orders.New(s.DB, time.Now, s.Pricing, pay, orders.Options{Unpaid: 150 * time.Millisecond, Every: 5 * time.Millisecond})

	ctx, stop := context.WithCancel(t.Context())
	var background sync.WaitGroup
	background.Go(func() { pay.Run(ctx) })              //nolint:errcheck // always nil
	background.Go(func() { shop.Run(ctx) })             //nolint:errcheck // always nil
	background.Go(func() { line.Run(ctx, pay.Settle) }) //nolint:errcheck // the ledger is checked below

	var customers sync.WaitGroup
	for i := range 6 {
		c := customer{store: s, shop: shop, pay: pay, rng: rand.New(rand.NewPCG(uint64(seed), uint64(10+i)))}
		c.user = s.Insert(`
			INSERT INTO users (email, password_hash, name, created_at, updated_at)
			VALUES (?, '', 'Customer', 0, 0)`, fmt.Sprintf("customer%d@shop.example", i))
		c.address = s.Insert(`
			INSERT INTO addresses (user_id, name, street, city, postal_code, country, created_at)
			VALUES (?, 'C', 'S', 'C', 'P', 'US', 0)`, c.user)
		customers.Go(func() {
			for range 12 {
				if err := c.shopping(t.Context()); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	customers.Wait()
	line.late.Wait()
	line.mended.Store(true)
	s.eventually(t, 0, `SELECT count(*) FROM payment_attempts WHERE status = 'started'`)
	s.eventually(t, 0, `SELECT count(*) FROM payments WHERE returned_cents < refunded_cents`)
	stop()
	background.Wait()
	if line.trouble.Load() == 0 {
		t.Error("the line was never bad")
	}
	checkBooks(t, s, ledger)
}

type customer struct {
	*store
	shop          *orders.Store
	pay           *payments.Store
	rng           *rand.Rand
	user, address int64
}

// shopping is one order with everything that a nervous customer does to it.
func (c customer) shopping(ctx context.Context) error {
	cards := []string{goodCard, goodCard, declinedCard, lateGoodCard, lateDeclinedCard, lostCard}
	card := func() payments.Card { return payments.Card{Number: cards[c.rng.IntN(len(cards))]} }
	basket, _, err := c.Cart.Open(ctx, c.user)
	if err != nil {
		return err
	}
	if _, _, err := c.Cart.Add(ctx, basket.ID, c.user, c.product, 1); err != nil {
		return err
	}
	o, _, err := c.shop.Place(ctx, c.user, basket.ID, orders.Checkout{
		CartID: basket.ID, AddressID: c.address, ShippingMethod: "standard", Card: card(),
	})
	if err != nil {
		return err
	}
	for range 6 {
		var err error
		switch c.rng.IntN(8) {
		case 0:
			_, err = c.shop.Cancel(ctx, o.ID, c.user)
		case 1:
			_, _, err = c.pay.Refund(ctx, 0, o.Payment.ID, fmt.Sprint(c.rng.IntN(3)), 1+c.rng.Int64N(o.TotalCents), "")
		default:
			_, err = c.pay.Confirm(ctx, o.Payment.ID, c.user, card())
		}
		var refused *web.Problem
		if err != nil && !errors.As(err, &refused) && !errors.Is(err, errLine) {
			return err
		}
		time.Sleep(time.Duration(c.rng.IntN(6)) * time.Millisecond)
	}
	return nil
}

// checkBooks compares the provider's ledger, line by line, with the shop's books.
func checkBooks(t *testing.T, s *store, ledger string) {
	t.Helper()
	file, err := os.Open(ledger)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	held := map[string]map[string]int64{} // cents by payment and ref
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var e payments.Entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		payment := strings.Split(e.Ref, "-")[1]
		if held[payment] == nil {
			held[payment] = map[string]int64{}
		}
		delete(held[payment], e.Ref)
		if cents := e.AmountCents - e.ReturnedCents; e.Status == payments.Accepted && cents > 0 {
			held[payment][e.Ref] = cents
		}
		if len(held[payment]) > 1 {
			t.Errorf("payment %s was charged twice: %v", payment, held[payment])
		}
	}
	var books []struct {
		ID    string `db:"id"`
		Cents int64  `db:"cents"`
	}
	if err := s.DB.SelectContext(t.Context(), &books, `
		SELECT id, CASE WHEN status IN ('accepted', 'refunded') THEN amount_cents - refunded_cents ELSE 0 END AS cents
		FROM payments`); err != nil {
		t.Fatal(err)
	}
	paid := 0
	for _, b := range books {
		var sum int64
		for _, cents := range held[b.ID] {
			sum += cents
		}
		if sum != b.Cents {
			t.Errorf("payment %s: the provider holds %d cents, the books say %d", b.ID, sum, b.Cents)
		}
		if b.Cents > 0 {
			paid++
		}
	}
	if paid == 0 || len(books) < 50 {
		t.Errorf("%d of %d orders were paid: the test has seen too little", paid, len(books))
	}
}
