package payments_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/monolith"
	"github.com/stranglerfig/toolkit/monolith/payments"
	"github.com/stranglerfig/toolkit/monolith/testkit"
)

type fields = map[string]any

// A store is a shop with a product and a customer who buys it.
type store struct {
	*testkit.Kit
	ada     *testkit.Client
	address int64
	product int64
	serial  int
}

func newStore(t *testing.T, opts monolith.Options) *store {
	t.Helper()
	if opts.PaymentWait == 0 {
		opts.PaymentWait = 20 * time.Millisecond
	}
	s := &store{Kit: testkit.New(t, opts)}
	s.Exec(`INSERT INTO shipping_rates VALUES ('standard', '*', 500, 0, NULL)`)
	s.product = s.Product(s.Category("kitchen"), "Pan", 2000, 1000)
	s.ada = s.Customer("Ada")
	s.address = s.ada.Do("POST", "/api/me/addresses", fields{
		"name": "Ada", "street": "1 Main Street", "city": "Portland", "postal_code": "97201", "region": "OR", "country": "US",
	}).Want(t, 201).Int("id")
	t.Cleanup(func() {
		for _, broken := range monolith.CheckInvariants(context.Background(), s.DB) {
			t.Error(broken)
		}
	})
	return s
}

// cart makes a cart with one pan.
func (s *store) cart(t *testing.T) string {
	t.Helper()
	cart := s.ada.Do("POST", "/api/carts", nil).Text("id")
	s.ada.Do("POST", "/api/carts/"+cart+"/items", fields{"product_id": s.product, "qty": 1}).Want(t, 201)
	return cart
}

// buy orders a pan and returns the paths of the order and of its payment.
func (s *store) buy(t *testing.T, card string) (order, payment string) {
	t.Helper()
	s.serial++
	o := s.ada.Do("POST", "/api/checkout", fields{
		"cart_id": s.cart(t), "address_id": s.address, "shipping_method": "standard", "card": fields{"number": card},
	}, "Idempotency-Key", fmt.Sprint(s.serial)).Want(t, 201)
	return fmt.Sprintf("/api/orders/%d", o.Int("id")), fmt.Sprintf("/api/payments/%d", o.Int("payment.id"))
}

func (s *store) want(t *testing.T, order, orderStatus, payment, paymentStatus string, attempts ...string) {
	t.Helper()
	if o := s.ada.Do("GET", order, nil).Want(t, 200); o.Text("status") != orderStatus {
		t.Errorf("the order is %s, want %s", o.Text("status"), orderStatus)
	}
	var p payments.Payment
	s.ada.Do("GET", payment, nil).Want(t, 200).Into(t, &p)
	var got []string
	for _, a := range p.Attempts {
		got = append(got, a.Status)
	}
	if p.Status != paymentStatus || strings.Join(got, " ") != strings.Join(attempts, " ") {
		t.Errorf("the payment is %s with attempts %v, want %s with %v", p.Status, got, paymentStatus, attempts)
	}
}

func (s *store) confirm(payment, card string) *testkit.Answer {
	return s.ada.Do("POST", payment+"/confirm", fields{"card": fields{"number": card}})
}

func (s *store) recover(t *testing.T) {
	t.Helper()
	s.Clock.Advance(2 * time.Second)
	if err := s.Payments.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestDeclinedAndConfirmed(t *testing.T) {
	t.Parallel()
	s := newStore(t, monolith.Options{})
	order, payment := s.buy(t, poorCard)
	s.want(t, order, "pending", payment, "declined", "declined")
	if p := s.ada.Do("GET", payment, nil); p.Text("attempts.0.reason") != "insufficient_funds" || p.Text("attempts.0.card_last4") != "9995" {
		t.Errorf("the attempt: %s", p.Body)
	}
	s.confirm(payment, "123").WantError(t, 422, "invalid", "card.number")
	if p := s.confirm(payment, declinedCard).Want(t, 200); p.Text("status") != "declined" {
		t.Errorf("declined again: %s", p.Body)
	}
	if p := s.confirm(payment, goodCard).Want(t, 200); p.Text("status") != "accepted" || p.Int("amount_cents") != 2500 {
		t.Errorf("accepted: %s", p.Body)
	}
	s.want(t, order, "paid", payment, "accepted", "declined", "declined", "accepted")
	s.confirm(payment, goodCard).WantError(t, 409, "order_not_pending")
	if n := s.Count(`SELECT count(*) FROM notifications WHERE kind = 'payment_declined'`); n != 2 {
		t.Errorf("%d notifications of a decline", n)
	}
}

func TestPaymentsOfOthers(t *testing.T) {
	t.Parallel()
	s := newStore(t, monolith.Options{})
	_, payment := s.buy(t, declinedCard)
	eve, guest := s.Customer("Eve"), s.Guest()
	for _, c := range []struct {
		method, path string
		body         any
	}{{"GET", payment, nil}, {"POST", payment + "/confirm", fields{"card": fields{"number": goodCard}}}} {
		eve.Do(c.method, c.path, c.body).WantError(t, 404, "not_found")
		guest.Do(c.method, c.path, c.body).WantError(t, 401, "unauthenticated")
	}
	s.ada.Do("POST", payment+"/refunds", fields{"amount_cents": 1}, "Idempotency-Key", "k").WantError(t, 403, "forbidden")
	guest.Do("POST", payment+"/refunds", fields{"amount_cents": 1}, "Idempotency-Key", "k").WantError(t, 401, "unauthenticated")
	s.ada.Do("GET", "/api/payments/0", nil).WantError(t, 404, "not_found")
}

func TestALostChargeIsFoundToHaveFailed(t *testing.T) {
	t.Parallel()
	s := newStore(t, monolith.Options{})
	order, payment := s.buy(t, lostCard)
	s.want(t, order, "pending", payment, "pending", "started")
	s.confirm(payment, goodCard).WantError(t, 409, "payment_in_progress")
	s.recover(t)
	s.want(t, order, "pending", payment, "pending", "timeout")
	s.confirm(payment, goodCard).Want(t, 200)
	s.want(t, order, "paid", payment, "accepted", "timeout", "accepted")
}

// background runs the shop's background work until the end of the test.
func (s *store) background(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// eventually waits until the query yields n.
func (s *store) eventually(t *testing.T, n int64, query string, args ...any) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); s.Count(query, args...) != n; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still %d, want %d: %s", s.Count(query, args...), n, query)
		}
	}
}

func TestLateAnswers(t *testing.T) {
	t.Parallel()
	s := newStore(t, monolith.Options{})
	accepted, acceptedPayment := s.buy(t, lateGoodCard)
	s.want(t, accepted, "pending", acceptedPayment, "pending", "started")
	declined, declinedPayment := s.buy(t, lateDeclinedCard)
	cancelled, cancelledPayment := s.buy(t, lateGoodCard)
	s.ada.Do("POST", cancelled+"/cancel", nil).Want(t, 200)
	s.background(t)
	s.eventually(t, 0, `SELECT count(*) FROM payment_attempts WHERE status = 'started'`)
	s.want(t, accepted, "paid", acceptedPayment, "accepted", "accepted")
	s.want(t, declined, "pending", declinedPayment, "declined", "declined")
	s.want(t, cancelled, "cancelled", cancelledPayment, "cancelled", "reversed")
}

func TestUndecidedForTooLong(t *testing.T) {
	t.Parallel()
	s := newStore(t, monolith.Options{})
	order, payment := s.buy(t, lateGoodCard) // nobody runs the provider, so it never decides
	s.recover(t)
	s.want(t, order, "pending", payment, "pending", "started")
	s.Clock.Advance(time.Minute)
	s.recover(t)
	s.want(t, order, "pending", payment, "pending", "timeout")
	s.confirm(payment, goodCard).Want(t, 200)
	s.want(t, order, "paid", payment, "accepted", "timeout", "accepted")
}

func webhook(s *store, secret, body string) *testkit.Answer {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return s.Guest().Do("POST", "/api/payments/webhook", body, "X-Signature", hex.EncodeToString(mac.Sum(nil)))
}

func TestWebhook(t *testing.T) {
	t.Parallel()
	const secret = "between you and me"
	s := newStore(t, monolith.Options{WebhookSecret: secret})
	order, payment := s.buy(t, lostCard)
	ref := s.ada.Do("GET", payment, nil).Text("attempts.0.provider_ref")
	good := fmt.Sprintf(`{"provider_ref": %q, "outcome": "accepted"}`, ref)

	webhook(s, "guessed", good).WantError(t, 401, "unauthenticated")
	webhook(s, "", good).WantError(t, 401, "unauthenticated")
	s.Guest().Do("POST", "/api/payments/webhook", good).WantError(t, 401, "unauthenticated")
	s.Guest().Do("POST", "/api/payments/webhook", good, "X-Signature", "zz").WantError(t, 401, "unauthenticated")
	webhook(s, secret, `{"provider_ref": "none", "outcome": "accepted"}`).WantError(t, 404, "not_found")
	webhook(s, secret, fmt.Sprintf(`{"provider_ref": %q, "outcome": "maybe"}`, ref)).WantError(t, 422, "invalid", "outcome")
	webhook(s, secret, `{"provider_ref": `).WantError(t, 400, "malformed_json")
	webhook(s, secret, `{"provider_ref": "x", "outcome": "accepted", "tip": 1}`).WantError(t, 422, "invalid", "tip")
	s.want(t, order, "pending", payment, "pending", "started")

	for range 2 {
		webhook(s, secret, good).Want(t, 204)
	}
	webhook(s, secret, strings.Replace(good, "accepted", "declined", 1)).Want(t, 204)
	s.want(t, order, "paid", payment, "accepted", "accepted")
	if n := s.Count(`SELECT lifetime_value_cents FROM users WHERE id = ?`, s.ada.User.ID); n != 2500 {
		t.Errorf("lifetime value %d after two deliveries", n)
	}
	if n := s.Count(`SELECT count(*) FROM notifications WHERE kind = 'order_paid'`); n != 1 {
		t.Errorf("%d notifications that it is paid", n)
	}
}

// TestAcceptedAfterADecline: the provider changes its mind when the customer has been
// told that nothing was taken. Then nothing must have been taken.
func TestAcceptedAfterADecline(t *testing.T) {
	t.Parallel()
	s := newStore(t, monolith.Options{})
	order, payment := s.buy(t, lostCard)
	ref := s.ada.Do("GET", payment, nil).Text("attempts.0.provider_ref")
	for _, status := range []string{payments.Declined, payments.Accepted, payments.Accepted, payments.Declined} {
		if err := s.Payments.Settle(t.Context(), ref, payments.Outcome{Status: status}); err != nil {
			t.Fatal(err)
		}
	}
	s.want(t, order, "pending", payment, "declined", "reversed")
	s.confirm(payment, goodCard).Want(t, 200)
	s.want(t, order, "paid", payment, "accepted", "reversed", "accepted")
}

// TestAcceptedAfterAll: an answer about an attempt that was given up comes after
// another attempt has paid.
func TestAcceptedAfterAll(t *testing.T) {
	t.Parallel()
	s := newStore(t, monolith.Options{})
	order, payment := s.buy(t, lostCard)
	ref := s.ada.Do("GET", payment, nil).Text("attempts.0.provider_ref")
	s.recover(t)
	s.confirm(payment, goodCard).Want(t, 200)
	err := s.Payments.Settle(t.Context(), ref, payments.Outcome{Status: payments.Accepted})
	if err != nil {
		t.Fatal(err)
	}
	s.want(t, order, "paid", payment, "accepted", "reversed", "accepted")
}

func TestRefunds(t *testing.T) {
	t.Parallel()
	ledger := filepath.Join(t.TempDir(), "ledger")
	s := newStore(t, monolith.Options{Ledger: ledger})
	order, payment := s.buy(t, goodCard)
	admin := s.Admin()
	refund := func(key string, cents any, reason string) *testkit.Answer {
		return admin.Do("POST", payment+"/refunds", fields{"amount_cents": cents, "reason": reason}, "Idempotency-Key", key)
	}
	admin.Do("POST", payment+"/refunds", fields{"amount_cents": 1}).WantError(t, 400, "bad_request")
	for _, cents := range []any{0, -1, 2501} {
		refund("k", cents, "").WantError(t, 422, "invalid", "amount_cents")
	}
	refund("k", "1", "").WantError(t, 422, "invalid", "amount_cents")
	refund("k", 1, strings.Repeat("x", 501)).WantError(t, 422, "invalid", "reason")

	first := refund("k1", 1000, "scratched").Want(t, 201)
	if first.Int("amount_cents") != 1000 || first.Text("reason") != "scratched" || first.Header.Get("Location") == "" {
		t.Errorf("refund: %s", first.Body)
	}
	again := refund("k1", 1000, "scratched").Want(t, 200)
	if string(again.Body) != string(first.Body) || again.Header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("replayed: %s", again.Body)
	}
	refund("k1", 999, "scratched").WantError(t, 409, "idempotency_key_reused")
	refund("k2", 1501, "").WantError(t, 422, "invalid", "amount_cents")
	s.want(t, order, "paid", payment, "accepted", "accepted")
	refund("k3", 1500, "").Want(t, 201)
	s.want(t, order, "refunded", payment, "refunded", "accepted")
	refund("k4", 1, "").WantError(t, 422, "invalid", "amount_cents")
	if n := s.Count(`SELECT on_hand FROM stock_items`); n != 1000 {
		t.Errorf("%d pans on the shelf: the refunded one never left", n)
	}
	if n := s.Count(`SELECT lifetime_value_cents FROM users WHERE id = ?`, s.ada.User.ID); n != 0 {
		t.Errorf("lifetime value %d", n)
	}
	ref := s.ada.Do("GET", payment, nil).Text("attempts.0.provider_ref")
	if entries, err := payments.ReadLedger(ledger); err != nil || entries[ref].ReturnedCents != 2500 {
		t.Errorf("the provider has given back %d cents (%v)", entries[ref].ReturnedCents, err)
	}

	_, declined := s.buy(t, declinedCard)
	admin.Do("POST", declined+"/refunds", fields{"amount_cents": 1}, "Idempotency-Key", "k").WantError(t, 409, "conflict")
	admin.Do("POST", "/api/payments/99999/refunds", fields{"amount_cents": 1}, "Idempotency-Key", "k").WantError(t, 404, "not_found")
}

func TestARefundOfShippedGoodsLeavesThemThere(t *testing.T) {
	t.Parallel()
	s := newStore(t, monolith.Options{})
	order, payment := s.buy(t, goodCard)
	admin := s.Admin()
	admin.Do("POST", strings.Replace(order, "/api/", "/api/admin/", 1)+"/ship", fields{"carrier": "DHL", "tracking": "1"}).Want(t, 200)
	admin.Do("POST", payment+"/refunds", fields{"amount_cents": 2500}, "Idempotency-Key", "k").Want(t, 201)
	s.want(t, order, "refunded", payment, "refunded", "accepted")
	if n := s.Count(`SELECT on_hand FROM stock_items`); n != 999 {
		t.Errorf("%d pans on the shelf: the customer has one", n)
	}
}

func TestRefundsThatTheProviderMissed(t *testing.T) {
	t.Parallel()
	ledger := filepath.Join(t.TempDir(), "ledger")
	s := newStore(t, monolith.Options{Ledger: ledger})
	order, payment := s.buy(t, goodCard)
	s.ada.Do("POST", order+"/cancel", nil).Want(t, 200)
	s.Exec(`UPDATE payments SET returned_cents = 0`) // as if killed right after the cancellation
	s.recover(t)
	if n := s.Count(`SELECT count(*) FROM payments WHERE returned_cents < refunded_cents`); n != 0 {
		t.Error("the refund was not sent again")
	}
	ref := s.ada.Do("GET", payment, nil).Text("attempts.0.provider_ref")
	if entries, err := payments.ReadLedger(ledger); err != nil || entries[ref].ReturnedCents != 2500 {
		t.Errorf("the provider has given back %d cents (%v)", entries[ref].ReturnedCents, err)
	}
}

func TestCards(t *testing.T) {
	t.Parallel()
	for number, ok := range map[string]bool{
		goodCard: true, declinedCard: true, poorCard: true, lateGoodCard: true, lateDeclinedCard: true, lostCard: true,
		"378282246310005": true, "501800000009": true, "6304000000000000000": true,
		"4242424242424243": false, "4242 4242 4242 4242": false, "42424242424": false, "00000000000000000000": false,
		"": false, "４２４２４２４２４２４２４２４２": false, "42424242424242-2": false,
	} {
		if err := (payments.Card{Number: number}).Check(); (err == nil) != ok {
			t.Errorf("card %q: %v", number, err)
		}
	}
}
