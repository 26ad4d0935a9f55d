package upstream

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/exchange"
	"github.com/stranglerfig/toolkit/strangler-proxy/http1"
	"github.com/stranglerfig/toolkit/strangler-proxy/origin"
	"github.com/stranglerfig/toolkit/strangler-proxy/wire"
)

// vigilEvery is how often it is looked whether the client is still there.
const vigilEvery = 50 * time.Millisecond

// A Call is one request under way: what goes to whichever upstream is asked, and what
// came back. The client's side owns it and uses it for one request after the other;
// Init comes first, then Begin, Forward and End for each.
type Call struct {
	Exchange *exchange.Exchange
	Client   Client
	Head     *http1.Request
	Added    []byte      // whole lines that every upstream gets with the head
	Drop     http1.Marks // the lines of the head that none gets

	// Watch, if not nil, is told what passes.
	Watch Watcher

	response http1.Response
	framing  http1.Body
	body     body
	out      []byte // what is being sent upstream
	limit    wire.Alarm
	deadline wire.Alarm
	vigil    wire.Alarm

	idle atomic.Bool // the client, not the upstream, keeps us waiting

	mu    sync.Mutex
	conn  *origin.Conn       // that is being waited for
	stop  context.CancelFunc // of the dial that is being waited for
	over  error              // why the waiting ended
	began bool               // the response did
	pumps bool               // somebody reads the client's body
	since wire.Instant       // when the upstream's time began
	spent time.Duration      // of the time of all tries
}

// A Watcher is told what passes. What it gets holds only until it returns.
type Watcher interface {
	// Request gets a part of the request's body, framed as the request's head says. It
	// may be called while the response passes.
	Request(p []byte)
	// Head gets the head of the response that is relayed; framed says that its body will
	// come with the framing of chunks.
	Head(r *http1.Response, framed bool)
	// Response gets a part of the response's body.
	Response(p []byte)
}

// limitResponseHeader is what a response's header may have.
const limitResponseHeader = 256 << 10

// Init makes ready for the first request.
func (c *Call) Init() {
	c.response.Limits = http1.Limits{HeaderBytes: limitResponseHeader, Fields: 1000}
	c.limit.Init(func() wire.Instant {
		c.Cancel(errTooSlow)
		return 0
	})
	c.deadline.Init(func() wire.Instant {
		if c.idle.Load() {
			c.Cancel(ErrLate)
		} else {
			c.Cancel(errDeadline)
		}
		return 0
	})
	c.vigil.Init(func() wire.Instant {
		if c.Client.Left() {
			c.Cancel(ErrGone)
			return 0
		}
		return wire.Now().Add(vigilEvery)
	})
}

// Begin makes ready for a request of which kept is the beginning of the body, or with
// whole all of it. The bytes must hold until End.
func (c *Call) Begin(now wire.Instant, kept []byte, whole bool) {
	c.over = nil
	c.idle.Store(false)
	c.body.begin(kept, whole)
	c.vigil.Set(now.Add(vigilEvery))
}

// End gives back what the request needed.
func (c *Call) End() {
	quiet(&c.vigil)
	c.body.end()
	c.Watch = nil
}

// Release gives memory back that is needed within a request only. When it returns, no
// timer of the Call's does anything any more.
func (c *Call) Release() {
	quiet(&c.limit)
	quiet(&c.deadline)
	c.response.Reset(false)
	wire.Return(c.out)
	c.out = nil
}

// quiet clears an alarm, and waits for its function if it went off.
func quiet(a *wire.Alarm) {
	if a.Clear() {
		a.Await()
	}
}

// Stop ends the Call's timers when no request follows.
func (c *Call) Stop() {
	c.vigil.Stop()
	c.limit.Stop()
	c.deadline.Stop()
	c.Release()
}

// Cancel ends the waiting for an upstream. Any goroutine may call it.
func (c *Call) Cancel(cause error) {
	c.mu.Lock()
	if c.over == nil {
		c.over = cause
	}
	if c.conn != nil {
		c.conn.Break()
	}
	if c.stop != nil {
		c.stop()
	}
	pumps := c.pumps && !c.body.ended.Load()
	c.mu.Unlock()
	if pumps {
		c.Client.StopBody()
	}
}

func (c *Call) cause() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.over
}

// wait begins the waiting for an upstream's response. It reports false if it is over
// already.
func (c *Call) wait(conn *origin.Conn, timeout time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.began = false
	if c.over != nil {
		return false
	}
	c.conn = conn
	if timeout > 0 {
		c.allow(timeout)
	}
	return true
}

// allow gives the upstream time from now on. The lock is held.
func (c *Call) allow(timeout time.Duration) {
	c.since = wire.Now()
	c.limit.Set(c.since.Add(timeout))
}

// resume gives the upstream its time anew, after the client kept us waiting.
func (c *Call) resume(timeout time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.began && timeout > 0 {
		c.allow(timeout)
	}
}

// pause stops the upstream's time while the client keeps us waiting.
func (c *Call) pause() {
	quiet(&c.limit)
}

// answered ends the time in which the response has to begin. It reports false if that
// was over.
func (c *Call) answered() bool {
	c.mu.Lock()
	c.began = true
	rang, over := c.limit.Clear(), c.over
	c.mu.Unlock()
	if rang {
		c.limit.Await() // it must not break another attempt
	}
	return !rang && over == nil
}

// leave ends the waiting for a connection, which from then on nobody breaks.
func (c *Call) leave() {
	c.mu.Lock()
	c.conn = nil
	c.mu.Unlock()
}

// forget makes ready for another attempt after one that was too slow.
func (c *Call) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over == errTooSlow { //nolint:errorlint // it is this very value
		c.over = nil
	}
}
