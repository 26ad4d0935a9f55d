package upstream

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// A body is the client's request body, lent to one attempt after the other as long
// as none has read from it.
type body struct {
	source  io.ReadCloser // nil or http.NoBody without a body
	touched atomic.Bool
	failed  atomic.Pointer[error] // what the client did wrong while it sent
}

func newBody(source io.ReadCloser) *body { return &body{source: source} }

func (b *body) empty() bool     { return b.source == nil || b.source == http.NoBody }
func (b *body) untouched() bool { return !b.touched.Load() }

// open lends the body to an attempt; it returns nil when there is none.
func (b *body) open() *gate {
	if b.empty() {
		return nil
	}
	return &gate{body: b}
}

// A gate is what an attempt reads the body through. The transport may go on reading
// after an attempt has failed; shut ends that before another attempt begins.
type gate struct {
	body  *body
	clock *clock
	done  atomic.Bool
}

var errShut = errors.New("the attempt that read this body is over")

// Read stops the attempt's clock while the client keeps us waiting. The second look
// at done closes the gap in which shut finds the body untouched while Read is about
// to touch it.
func (g *gate) Read(p []byte) (int, error) {
	if g.done.Load() {
		return 0, errShut
	}
	g.body.touched.Store(true)
	if g.done.Load() {
		return 0, errShut
	}
	g.clock.pause()
	n, err := g.body.source.Read(p)
	g.clock.resume()
	if err != nil && !errors.Is(err, io.EOF) {
		g.body.failed.Store(&err)
	}
	return n, err
}

// Close leaves the client's body open: whoever serves the request closes it.
func (g *gate) Close() error { return nil }

func (g *gate) shut() { g.done.Store(true) }

// A clock ends an attempt that waits too long for the upstream. Time that passes
// while the client sends its body does not count.
type clock struct {
	mu      sync.Mutex
	timer   *time.Timer // nil without a limit
	limit   time.Duration
	over    bool // stopped for good
	expired bool
}

func startClock(limit time.Duration, expire func()) *clock {
	c := &clock{limit: limit}
	if limit > 0 {
		c.timer = time.AfterFunc(limit, func() {
			c.mu.Lock()
			if c.over {
				c.mu.Unlock()
				return
			}
			c.over, c.expired = true, true
			c.mu.Unlock()
			expire()
		})
	}
	return c
}

func (c *clock) pause() {
	if c.timer != nil {
		c.timer.Stop()
	}
}

func (c *clock) resume() {
	if c.timer == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over {
		c.timer.Reset(c.limit)
	}
}

// stop reports whether the clock had not expired.
func (c *clock) stop() bool {
	if c.timer == nil {
		return true
	}
	c.timer.Stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	return !c.expired
}
