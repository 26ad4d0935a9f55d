package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/stranglerfig/toolkit/internal/web"
)

// The kinds of systems that serve orders: what strangler compare is measured with.
const (
	healthy = "orders"
	faulty  = "wrong-orders"
)

const (
	orderRoutes = 50 // /r0/orders and so on
	orderLines  = 10 // which make an answer of 2 KiB
)

// serveOrders answers POST /rN/orders and GET /rN/orders/{id} with an order, whose id, token
// and time are its own. A wrong one costs a cent more, has another status and lacks a line's
// name.
func serveOrders(ctx context.Context, addr string, wrong bool) error {
	var last atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /{route}/orders", func(w http.ResponseWriter, r *http.Request) {
		id := last.Add(1)
		w.Header().Set("Location", fmt.Sprintf("/%s/orders/%d", r.PathValue("route"), id))
		writeOrder(w, http.StatusCreated, id, wrong)
	})
	mux.HandleFunc("GET /{route}/orders/{id}", func(w http.ResponseWriter, r *http.Request) {
		id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
		if err != nil || id > last.Load() {
			http.NotFound(w, r)
			return
		}
		writeOrder(w, http.StatusOK, id, wrong)
	})
	return web.Serve(ctx, addr, mux, web.ServeOptions{})
}

func writeOrder(w http.ResponseWriter, status int, id int64, wrong bool) {
	lines := make([]map[string]any, orderLines)
	for i := range lines {
		lines[i] = map[string]any{
			"sku": fmt.Sprintf("SKU-%04d", i), "name": fmt.Sprintf("Thing number %d of the shop", i), "qty": i + 1, "unit_price_cents": 1999, "line_cents": 1999 * (i + 1),
			"image_url": fmt.Sprintf("/static/products/thing-%d.svg", i), "available": true,
		}
	}
	order := map[string]any{
		"id": id, "number": fmt.Sprintf("ORD-%08d", id), "token": uuid.NewSHA1(uuid.NameSpaceURL, []byte(fmt.Sprint(id))).String(),
		"status": "paid", "total_cents": 109945, "currency": "EUR", "lines": lines, "created_at": time.Now().UTC().Format(time.RFC3339Nano),
	}
	if wrong {
		order["total_cents"], order["status"] = 109946, "PAID"
		delete(lines[orderLines/2], "name")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(order) //nolint:errcheck // the client has gone
}

// An orderClient is a suite: it orders, and reads what it ordered.
type orderClient struct {
	base string
	path string // of the last order
	body int    // bytes of the last answer
}

// send makes the i-th request.
func (c *orderClient) send(ctx context.Context, i int) error {
	method, path, want := http.MethodPost, fmt.Sprintf("/r%d/orders", i/2%orderRoutes), http.StatusCreated
	if i%2 == 1 {
		method, path, want = http.MethodGet, c.path, http.StatusOK
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	n, err := io.Copy(io.Discard, res.Body)
	if err != nil || res.StatusCode != want {
		return fmt.Errorf("%s %s: status %s: %w", method, path, res.Status, err)
	}
	c.path, c.body = cmp.Or(res.Header.Get("Location"), c.path), int(n)
	return nil
}

// sendSuite sends "N=URL": N requests to the URL.
func sendSuite(ctx context.Context, text string) error {
	count, base, _ := strings.Cut(text, "=")
	n, err := strconv.Atoi(count)
	if err != nil {
		return fmt.Errorf("suite: %w", err)
	}
	c := orderClient{base: base}
	for i := range n {
		if err := c.send(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

// laps are the times in the middle of requests that were sent in turns.
type laps struct {
	Through time.Duration `json:"through"`
	Direct  time.Duration `json:"direct"`
}

// sendLaps sends "N=URL=DIRECT": N requests to each URL, in turns, and prints the laps.
func sendLaps(ctx context.Context, text string, stdout io.Writer) error {
	words := strings.SplitN(text, "=", 3)
	n, err := strconv.Atoi(words[0])
	if err != nil || len(words) != 3 {
		return fmt.Errorf("laps %q: want N=URL=DIRECT", text)
	}
	clients := []*orderClient{{base: words[1]}, {base: words[2]}}
	took := make([][]time.Duration, len(clients))
	for i := range n {
		for turn := range clients {
			which := (turn + i) % len(clients) // so that each is the first as often
			began := time.Now()
			if err := clients[which].send(ctx, i); err != nil {
				return err
			}
			took[which] = append(took[which], time.Since(began))
		}
	}
	return json.NewEncoder(stdout).Encode(laps{median(took[0]), median(took[1])})
}

// isOrders reports whether a stand-in is one of a comparison.
func isOrders(kind string) bool {
	return slices.Contains([]string{healthy, faulty, "suite", "laps"}, kind)
}

func standInOrders(ctx context.Context, kind, rest string, stdout io.Writer) error {
	switch kind {
	case "suite":
		return sendSuite(ctx, rest)
	case "laps":
		return sendLaps(ctx, rest, stdout)
	}
	return serveOrders(ctx, rest, kind == faulty)
}
