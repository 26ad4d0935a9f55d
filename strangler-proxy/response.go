package strangler

import (
	"encoding/json"
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
	interim  bool          // the client knows interim responses
	begun    bool
}

func (f *front) respond(w http.ResponseWriter, r *http.Request, x *exchange.Exchange) *response {
	out := &response{
		ResponseWriter: w, exchange: x, control: http.NewResponseController(w),
		last: &f.lastRound, stall: f.stall, interim: r.ProtoAtLeast(1, 1),
	}
	out.armWrite() // also for the 100 Continue that net/http writes by itself
	return out
}

// armWrite gives the next write its time. net/http clears deadlines when a connection
// is upgraded.
func (w *response) armWrite() { _ = w.control.SetWriteDeadline(time.Now().Add(w.stall)) }

// Unwrap lets http.ResponseController reach the connection.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *response) WriteHeader(status int) {
	switch {
	case status < 200:
		if !w.interim || status == http.StatusContinue {
			return // net/http says 100 by itself when the upstream wants the body
		}
		dropOwnHeaders(w.Header())
	case !w.begun:
		w.begun = true
		w.exchange.Status = status
		h := w.Header()
		if h["Content-Type"] == nil {
			h["Content-Type"] = nil
		}
		// After an early answer the rest of the body is still on its way.
		if w.last.Load() || w.body != nil && !w.body.ended() {
			h.Set("Connection", "close")
		}
	}
	w.armWrite()
	w.ResponseWriter.WriteHeader(status)
}

// end leaves the connection as net/http must find it: nobody reads the request's body
// any more, and what net/http still writes has its time.
func (w *response) end() {
	if w.body != nil {
		w.body.end(w.begun)
	}
	w.armWrite()
}

func (w *response) Write(p []byte) (int, error) {
	w.armWrite()
	n, err := w.ResponseWriter.Write(p)
	w.exchange.Bytes += int64(n)
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
	if x.SetCookie != "" {
		h["Set-Cookie"] = append(h["Set-Cookie"], x.SetCookie)
	}
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
