package monolith_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/internal/shoptest"
	"github.com/stranglerfig/toolkit/internal/sqlite"
	"github.com/stranglerfig/toolkit/monolith"
	"github.com/stranglerfig/toolkit/monolith/payments"
)

// TestKilledAtAnyTime kills the real program again and again while customers order
// and pay. Each repeats a request without an answer until it has one, as a good
// client does. Afterwards no acknowledged order is lost, no request has made two,
// nobody was charged twice, every rule of the shop holds, and each notification was
// delivered once. SOAK=1 makes it longer.
func TestKilledAtAnyTime(t *testing.T) {
	t.Parallel()
	kills := 6
	if os.Getenv("SOAK") != "" {
		kills = 200
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	bin, data := t.TempDir(), t.TempDir()
	if err := shoptest.Build(t.Context(), bin, "monolith"); err != nil {
		t.Fatal(err)
	}
	c := &crash{t: t, orders: map[string]int64{}}
	process := c.start(bin, data)

	ctx, stop := context.WithCancel(t.Context())
	var customers sync.WaitGroup
	for i := range 4 {
		customers.Go(func() { c.customer(ctx, i, rand.New(rand.NewPCG(seed, uint64(i)))) })
	}
	rng := rand.New(rand.NewPCG(seed, 99))
	for range kills {
		before := c.acknowledged.Load()
		for end := time.Now().Add(5 * time.Second); c.acknowledged.Load() < before+3 && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Duration(rng.IntN(60_000)) * time.Microsecond) // in the middle of anything
		process.Kill()
		process = c.start(bin, data)
	}
	stop()
	customers.Wait()
	if err := process.Stop(); err != nil {
		t.Fatal(err)
	}
	c.check(bin, data)
	t.Logf("%d orders acknowledged over %d kills, %d requests got no answer", len(c.orders), kills, c.unanswered.Load())
}

type crash struct {
	t            *testing.T
	base         atomic.Pointer[string]
	acknowledged atomic.Int64
	unanswered   atomic.Int64
	mu           sync.Mutex
	orders       map[string]int64 // acknowledged, by customer and key
}

func (c *crash) start(bin, data string) *shoptest.Process {
	c.t.Helper()
	p, err := shoptest.StartMonolith(c.t.Context(), bin, data)
	if err != nil {
		c.t.Fatal(err)
	}
	c.base.Store(&p.URL)
	return p
}

// A session is one customer's requests, across crashes.
type session struct {
	*crash
	cookie string
}

// do sends the request until it is answered, or returns nil once ctx has ended and
// there is no answer to be had.
func (s *session) do(ctx context.Context, method, path string, body any, key string) map[string]any {
	content, err := json.Marshal(body)
	if err != nil {
		s.t.Error(err)
	}
	for tries := 0; ; tries++ {
		status, answer, err := s.once(method, path, content, key)
		switch {
		case err == nil && status < 500:
			answer["status_code"] = status
			return answer
		case ctx.Err() != nil && tries > 2000, tries > 20_000:
			s.t.Errorf("%s %s: no answer: %d %v", method, path, status, err)
			return nil
		}
		s.unanswered.Add(1)
		time.Sleep(5 * time.Millisecond)
	}
}

func (s *session) once(method, path string, body []byte, key string) (int, map[string]any, error) {
	req, err := http.NewRequestWithContext(context.Background(), method, *s.base.Load()+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", key)
	if s.cookie != "" {
		req.AddCookie(&http.Cookie{Name: "session", Value: s.cookie})
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, nil, err
	}
	for _, cookie := range res.Cookies() {
		if cookie.Name == "session" {
			s.cookie = cookie.Value
		}
	}
	answer := map[string]any{}
	if len(data) > 0 {
		err = json.Unmarshal(data, &answer)
	}
	return res.StatusCode, answer, err
}

// customer orders until ctx ends.
func (c *crash) customer(ctx context.Context, i int, rng *rand.Rand) {
	s := &session{crash: c}
	login := map[string]any{"email": fmt.Sprintf("crash%d@shop.example", i), "password": "long enough", "name": "Crash"}
	s.do(ctx, "POST", "/api/register", login, "") // 409 if an unanswered one got through
	if s.cookie == "" {
		delete(login, "name")
		s.do(ctx, "POST", "/api/login", login, "")
	}
	address := s.do(ctx, "POST", "/api/me/addresses", map[string]any{
		"name": "C", "street": "S", "city": "C", "postal_code": "P", "region": "", "country": "DE",
	}, "")
	if address == nil || address["id"] == nil {
		c.t.Errorf("customer %d: no address: %v", i, address)
		return
	}
	cards := []string{"4242424242424242", "4111111111111111", "4000000000000002", "4000000000000259", "4000000000000119"}
	for n := 0; ctx.Err() == nil; n++ {
		cart := s.do(ctx, "POST", "/api/carts", nil, "")
		if cart == nil || cart["id"] == nil {
			c.t.Errorf("customer %d: no cart: %v", i, cart)
			return
		}
		s.do(ctx, "POST", fmt.Sprintf("/api/carts/%s/items", cart["id"]), map[string]any{"product_id": 1 + rng.IntN(150), "qty": 1}, "")
		key := fmt.Sprintf("%d-%d", i, n)
		order := s.do(ctx, "POST", "/api/checkout", map[string]any{
			"cart_id": cart["id"], "address_id": address["id"], "shipping_method": "standard",
			"card": map[string]any{"number": cards[rng.IntN(len(cards))]},
		}, key)
		id, ok := order["id"].(float64)
		if !ok {
			continue // out of stock: the next one will be there
		}
		c.mu.Lock()
		c.orders[key] = int64(id)
		c.mu.Unlock()
		c.acknowledged.Add(1)
		s.nervous(ctx, order, rng)
	}
}

// nervous does to an order what customers do.
func (s *session) nervous(ctx context.Context, order map[string]any, rng *rand.Rand) {
	payment, ok := order["payment"].(map[string]any)
	switch {
	case !ok:
		s.t.Errorf("an order without a payment: %v", order)
	case rng.IntN(6) == 0:
		s.do(ctx, "POST", fmt.Sprintf("/api/orders/%.0f/cancel", order["id"]), nil, "")
	case payment["status"] == "declined":
		s.do(ctx, "POST", fmt.Sprintf("/api/payments/%.0f/confirm", payment["id"]),
			map[string]any{"card": map[string]any{"number": "4242424242424242"}}, "")
	}
}

// check starts the shop once more, waits until it has tidied up, and looks at
// everything it has left on the disk.
func (c *crash) check(bin, data string) {
	t := c.t
	process := c.start(bin, data)
	db, err := sqlite.Open(t.Context(), filepath.Join(data, "monolith.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	open := 1
	for end := time.Now().Add(20 * time.Second); open > 0 && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if err := db.GetContext(t.Context(), &open, `
			SELECT (SELECT count(*) FROM payment_attempts WHERE status = 'started')
				+ (SELECT count(*) FROM payments WHERE returned_cents < refunded_cents)
				+ (SELECT count(*) FROM notifications WHERE sent_at IS NULL)`); err != nil {
			t.Fatal(err)
		}
	}
	if open > 0 {
		t.Errorf("%d attempts, refunds or notifications are still open", open)
	}
	if err := process.Stop(); err != nil {
		t.Error(err)
	}
	for _, broken := range monolith.CheckInvariants(t.Context(), db) {
		t.Error(broken)
	}
	c.checkOrders(db)
	checkLedger(t, db, filepath.Join(data, "monolith.db.ledger"))
	checkSink(t, db, filepath.Join(data, "notifications.jsonl"))
}

func (c *crash) checkOrders(db *sqlite.DB) {
	t := c.t
	var rows []struct {
		ID  int64  `db:"id"`
		Key string `db:"idempotency_key"`
	}
	if err := db.SelectContext(t.Context(), &rows, `
		SELECT o.id, o.idempotency_key
		FROM orders o
		JOIN users u ON u.id = o.user_id
		WHERE u.email LIKE 'crash%'`); err != nil {
		t.Fatal(err)
	}
	kept := map[string]int64{}
	for _, row := range rows {
		kept[row.Key] = row.ID
	}
	for key, id := range c.orders {
		if kept[key] != id {
			t.Errorf("order %d of key %s was acknowledged; the shop has %d", id, key, kept[key])
		}
	}
	if len(kept) != len(rows) || len(rows) != len(c.orders) {
		t.Errorf("%d orders of %d keys for %d acknowledged", len(rows), len(kept), len(c.orders))
	}
	if len(c.orders) < 12 {
		t.Errorf("%d orders: the test has seen too little", len(c.orders))
	}
}

// checkLedger compares what the provider holds with what the shop's books say.
func checkLedger(t *testing.T, db *sqlite.DB, path string) {
	t.Helper()
	entries, err := payments.ReadLedger(path)
	if err != nil {
		t.Fatal(err)
	}
	held, charges := map[string]int64{}, map[string]int{}
	for ref, e := range entries {
		if cents := e.AmountCents - e.ReturnedCents; e.Status == payments.Accepted && cents > 0 {
			payment := strings.Split(ref, "-")[1]
			held[payment] += cents
			charges[payment]++
		}
	}
	for payment, n := range charges {
		if n > 1 {
			t.Errorf("payment %s was charged %d times", payment, n)
		}
	}
	var books []struct {
		ID    string `db:"id"`
		Cents int64  `db:"cents"`
	}
	if err := db.SelectContext(t.Context(), &books, `
		SELECT p.id, CASE WHEN p.status IN ('accepted', 'refunded') THEN p.amount_cents - p.refunded_cents ELSE 0 END AS cents
		FROM payments p
		JOIN orders o ON o.id = p.order_id
		WHERE o.idempotency_key NOT LIKE 'seed-%'`); err != nil {
		t.Fatal(err)
	}
	for _, b := range books {
		if held[b.ID] != b.Cents {
			t.Errorf("payment %s: the provider holds %d cents, the books say %d", b.ID, held[b.ID], b.Cents)
		}
	}
}

// checkSink sees that every notification of the shop's was delivered, once, in order.
func checkSink(t *testing.T, db *sqlite.DB, path string) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	delivered, last := map[int64]bool{}, int64(0)
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var n struct{ ID int64 }
		if err := json.Unmarshal(lines.Bytes(), &n); err != nil {
			t.Errorf("a line of the sink: %v: %s", err, lines.Bytes())
			continue
		}
		if n.ID <= last {
			t.Errorf("notification %d came after %d", n.ID, last)
		}
		last = n.ID
		delivered[n.ID] = true
	}
	var ids []int64
	if err := db.SelectContext(t.Context(), &ids, `
		SELECT n.id
		FROM notifications n
		JOIN users u ON u.id = n.user_id
		WHERE u.email LIKE 'crash%'`); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if !delivered[id] {
			t.Errorf("notification %d was never delivered", id)
		}
	}
	if len(ids) == 0 {
		t.Error("no notifications: the test is blind")
	}
}
