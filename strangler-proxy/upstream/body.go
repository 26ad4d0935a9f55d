package upstream

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/origin"
	"github.com/stranglerfig/toolkit/strangler-proxy/wire"
)

// limitKept is how much of a body is kept to be sent again. Larger ones pass through,
// and cannot be asked again once they were begun.
const limitKept = 64 << 10

// A body is what the client sends behind the head: what is known of it already, and
// the rest, which a pump reads and passes on while the response is waited for.
type body struct {
	kept  []byte // what was handed on so far, unless lost
	whole bool   // kept is all of it
	begun bool   // a pump has read from the client
	lost  bool   // the pump has handed on more than is kept
	lent  bool   // kept is in a lent buffer

	ended  atomic.Bool // the client has sent all
	mu     sync.Mutex
	failed error // what the client did wrong
}

func (b *body) begin(kept []byte, whole bool) {
	b.kept, b.whole, b.begun, b.lost = kept, whole, false, false
	b.ended.Store(whole)
	b.failed = nil
}

func (b *body) end() {
	if b.lent {
		wire.Return(b.kept)
		b.lent = false
	}
	b.kept = nil
}

// again reports whether the body can be sent from its beginning.
// With a pump that runs, lost holds only once the body has ended.
func (b *body) again() bool { return (!b.begun || b.ended.Load()) && !b.lost }

func (b *body) wrong() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.failed
}

func (b *body) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failed = err
}

// keep remembers what is handed on, as long as it is little.
func (b *body) keep(p []byte) {
	switch {
	case b.lost:
	case len(b.kept)+len(p) > limitKept:
		b.lost = true
	case !b.lent:
		kept := append(wire.Large()[:0], b.kept...)
		b.kept, b.lent = append(kept, p...), true
	default:
		b.kept = append(b.kept, p...)
	}
}

// A pump passes the rest of the client's body on to an upstream.
type pump struct {
	done   chan struct{}
	failed bool // the upstream has not got all; holds once done is closed
}

// startPump begins to pass on what is not known of the body yet; it returns nil if all
// is. wait has to follow.
func (c *Call) startPump(conn *origin.Conn, timeout time.Duration) *pump {
	if c.body.ended.Load() {
		return nil
	}
	c.body.begun = true
	c.mu.Lock()
	c.pumps = true
	c.mu.Unlock()
	p := &pump{done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.failed = !c.runPump(conn, timeout)
	}()
	return p
}

// runPump ends with the body, with the upstream's readiness to take it, or with the
// client, and reports whether the upstream has got all. One that takes no more may still
// answer, so that is no failure here.
func (c *Call) runPump(conn *origin.Conn, timeout time.Duration) (sentAll bool) {
	expecting := c.Head.ExpectContinue // then the client waits for the upstream, too
	for {
		if !expecting {
			c.pause()
			c.idle.Store(true)
		}
		p, err := c.Client.ReadBody()
		c.idle.Store(false)
		c.resume(timeout)
		expecting = false
		if len(p) > 0 {
			if c.Watch != nil {
				c.Watch.Request(p)
			}
			c.body.keep(p)
		}
		if errors.Is(err, io.EOF) {
			c.body.ended.Store(true) // before the upstream can answer what is sent now
		}
		if len(p) > 0 {
			if _, err := conn.Write(p); err != nil {
				return false
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return true
		case errors.Is(err, ErrGone):
			c.Cancel(ErrGone)
			return false
		case err != nil:
			c.body.fail(err)
			c.Cancel(ErrClient)
			return false
		}
	}
}

// limitLastWrite is how long the end of a body may take into a connection whose answer
// is complete.
const limitLastWrite = 50 * time.Millisecond

// stopPump ends a pump that the response has overtaken. It reports whether conn has got
// the whole request; if not, conn is broken, because an upstream that has answered need
// not read any further, and a write would wait for that for ever.
func (c *Call) stopPump(conn *origin.Conn, p *pump) (sent bool) {
	if p == nil {
		return c.body.ended.Load()
	}
	if sent = c.body.ended.Load() && p.ends(limitLastWrite); !sent {
		if !c.body.ended.Load() {
			c.Client.StopBody()
		}
		conn.Break()
		<-p.done
	}
	c.mu.Lock()
	c.pumps = false
	c.mu.Unlock()
	return sent && !p.failed
}

// ends waits for the pump's end.
func (p *pump) ends(limit time.Duration) bool {
	select {
	case <-p.done:
		return true
	default:
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.done:
		return true
	case <-timer.C:
		return false
	}
}

// BodyEnded reports whether the client has sent its body as a whole.
func (c *Call) BodyEnded() bool { return c.body.ended.Load() }
