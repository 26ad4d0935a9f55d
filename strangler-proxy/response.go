package strangler

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/exchange"
)

// A response counts what goes to the client and keeps net/http from guessing a
// content type that the upstream did not send.
type response struct {
	http.ResponseWriter
	exchange *exchange.Exchange
	control  *http.ResponseController
	last     *atomic.Bool  // whether to end the connection
	stall    time.Duration // how long a write may wait for a client that does not read
	body     *patientBody  // nil without a request body
	begun    bool
}

func (f *front) respond(w http.ResponseWriter, x *exchange.Exchange) *response {
	out := &response{ResponseWriter: w, exchange: x, control: http.NewResponseController(w), last: &f.lastRound, stall: f.stall}
	out.armWrite() // also for the 100 Continue that net/http writes by itself
	return out
}

// armWrite gives the next write its time. net/http clears deadlines when a connection
// is upgraded.
func (w *response) armWrite() { _ = w.control.SetWriteDeadline(time.Now().Add(w.stall)) }

// Unwrap lets http.ResponseController reach the connection.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *response) WriteHeader(status int) {
	if status >= 200 && !w.begun {
		w.begun = true
		w.exchange.Status = status
		if h := w.Header(); h["Content-Type"] == nil {
			h["Content-Type"] = nil
		}
		if w.last.Load() {
			w.Header().Set("Connection", "close")
		}
	}
	w.armWrite()
	w.ResponseWriter.WriteHeader(status)
}

func (w *response) Write(p []byte) (int, error) {
	w.armWrite()
	n, err := w.ResponseWriter.Write(p)
	w.exchange.Bytes += int64(n)
	return n, err
}

// A patientBody gives each read of a request's body its time: a client may be slow,
// but not silent.
type patientBody struct {
	io.ReadCloser
	control  *http.ResponseController
	stall    time.Duration
	deadline atomic.Int64 // of the read that waits, in Unix nanoseconds; 0 without one
}

// overdue reports whether the client was silent for too long. net/http cancels the
// request's context before Read can return the error, so the error may come too late.
func (b *patientBody) overdue() bool {
	deadline := b.deadline.Load()
	return deadline != 0 && time.Now().UnixNano() >= deadline
}

func (b *patientBody) Read(p []byte) (int, error) {
	deadline := time.Now().Add(b.stall)
	_ = b.control.SetReadDeadline(deadline)
	b.deadline.Store(deadline.UnixNano())
	n, err := b.ReadCloser.Read(p)
	if err == nil || errors.Is(err, io.EOF) {
		b.deadline.Store(0)
	}
	if errors.Is(err, io.EOF) {
		// From here on net/http only waits for the client to leave.
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// markResponse says on the response who made it, and removes what an upstream says
// about that.
func markResponse(res *http.Response) error {
	x := exchange.From(res.Request.Context())
	dropOwnHeaders(res.Header)
	mark(res.Header, x)
	if res.StatusCode == http.StatusSwitchingProtocols {
		x.Status, x.Upgraded = res.StatusCode, true
	}
	return nil
}

func mark(h http.Header, x *exchange.Exchange) {
	h["X-Strangler-Served-By"] = []string{x.ServedBy}
	h["X-Strangler-Route"] = []string{x.Decision.Name()}
	h["X-Request-Id"] = []string{x.ID}
	if x.Fallback != "" {
		h["X-Strangler-Fallback"] = []string{x.Fallback}
	}
}

// fail answers in the proxy's own name.
func fail(w http.ResponseWriter, r *http.Request, x *exchange.Exchange, status int, message string) {
	x.ServedBy = config.ProxyName
	h := w.Header()
	mark(h, x)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	text := message + "\n"
	h.Set("Content-Type", "text/plain; charset=utf-8")
	if strings.Contains(strings.Join(r.Header["Accept"], ","), "json") {
		h.Set("Content-Type", "application/json")
		body, _ := json.Marshal(map[string]any{"error": map[string]any{"status": status, "message": message, "request_id": x.ID}})
		text = string(body) + "\n"
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}

// A bufferPool lends the buffers through which bodies are copied.
type bufferPool struct{ pool sync.Pool }

const bufferBytes = 32 << 10

func newBufferPool() *bufferPool {
	return &bufferPool{sync.Pool{New: func() any { return new([bufferBytes]byte) }}}
}

// Get implements httputil.BufferPool.
func (p *bufferPool) Get() []byte { return p.pool.Get().(*[bufferBytes]byte)[:] }

// Put implements httputil.BufferPool.
func (p *bufferPool) Put(b []byte) { p.pool.Put((*[bufferBytes]byte)(b)) }
