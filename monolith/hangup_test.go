package monolith_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/monolith"
	"github.com/stranglerfig/toolkit/monolith/testkit"
)

// A caller sends requests and does not always wait for the answer.
type caller struct {
	handler http.Handler
	session string
	rng     *rand.Rand
}

// hangUp sends a request that ends at any time, also in the middle of a transaction.
func (c *caller) hangUp(path string, body any, key string) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	defer time.AfterFunc(time.Duration(c.rng.IntN(12_000))*time.Microsecond, cancel).Stop()
	c.send(ctx, path, body, key)
}

func (c *caller) send(ctx context.Context, path string, body any, key string) map[string]any {
	data, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, path, bytes.NewReader(data))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", key)
	r.AddCookie(&http.Cookie{Name: "session", Value: c.session})
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, r)
	var answer map[string]any
	_ = json.Unmarshal(w.Body.Bytes(), &answer) // an answer that nobody reads may be anything
	return answer
}

// TestClientsThatHangUp: whenever clients go, at the end their orders are whole, one
// for each key, and the provider holds what the books say.
func TestClientsThatHangUp(t *testing.T) {
	t.Parallel()
	ledger := filepath.Join(t.TempDir(), "ledger")
	k := testkit.New(t, monolith.Options{Now: time.Now, Ledger: ledger, PaymentWait: 10 * time.Millisecond})
	k.Exec(`INSERT INTO shipping_rates VALUES ('standard', '*', 500, 0, NULL)`)
	product := k.Product(k.Category("kitchen"), "Pan", 2000, 500)
	cards := []string{"4242424242424242", "4242424242424242", "4000000000000002", "4000000000000259"}
	var clients sync.WaitGroup
	for i := range 6 {
		ada := k.Customer(fmt.Sprint("Ada", i))
		address := ada.Do("POST", "/api/me/addresses", map[string]any{"name": "A", "street": "S", "city": "C", "postal_code": "P", "country": "US"}).Int("id")
		c := &caller{k.Handler(), ada.Cookie("session"), rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), uint64(i)))}
		clients.Go(func() { c.shop(t, product, address, cards) })
	}
	clients.Wait()
	ctx, stop := context.WithCancel(t.Context())
	var background sync.WaitGroup
	background.Go(func() {
		if err := k.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	waitFor(t, func() bool {
		return k.Count(`SELECT (SELECT count(*) FROM payment_attempts WHERE status = 'started') + (SELECT count(*) FROM payments WHERE returned_cents < refunded_cents)`) == 0
	})
	stop()
	background.Wait()
	for _, broken := range monolith.CheckInvariants(t.Context(), k.DB) {
		t.Error(broken)
	}
	checkLedger(t, k.DB, ledger)
	if n := k.Count(`SELECT count(*) FROM orders`); n != 6*8 {
		t.Errorf("%d orders, want one for each of %d keys", n, 6*8)
	}
}

// shop orders eight carts, each with some impatience and then with patience, and
// cancels or pays again in between.
func (c *caller) shop(t *testing.T, product, address int64, cards []string) {
	for range 8 {
		cart, _ := c.send(t.Context(), "/api/carts", nil, "")["id"].(string)
		c.send(t.Context(), "/api/carts/"+cart+"/items", map[string]any{"product_id": product, "qty": 1}, "")
		card := map[string]any{"number": cards[c.rng.IntN(len(cards))]}
		checkout := map[string]any{"cart_id": cart, "address_id": address, "shipping_method": "standard", "card": card}
		for range 1 + c.rng.IntN(3) {
			c.hangUp("/api/checkout", checkout, cart)
		}
		order := c.send(t.Context(), "/api/checkout", checkout, cart)
		payment, _ := order["payment"].(map[string]any)
		if payment == nil {
			t.Errorf("checkout: %v", order)
			return
		}
		c.hangUp(fmt.Sprintf("/api/payments/%v/confirm", payment["id"]), map[string]any{"card": map[string]any{"number": cards[0]}}, "")
		if c.rng.IntN(2) == 0 {
			c.hangUp(fmt.Sprintf("/api/orders/%v/cancel", order["id"]), nil, "")
		}
	}
}
