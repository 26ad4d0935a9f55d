package strangler

import (
	"errors"
	"io"
	"net/http"
	"syscall"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/http1"
	"github.com/stranglerfig/toolkit/strangler-proxy/wire"
)

// restAfter is how long a connection without a request keeps the stack that its requests
// have grown. Then it waits on a new one: most connections are idle most of the time.
const restAfter = time.Second

// serve sees to the connection until it is over, and closes it. It returns before that
// when another goroutine goes on.
func (c *http1Conn) serve() {
	if c.raw == nil {
		c.servePlain()
	} else if c.serveRaw(c.raw) == resting {
		if !c.atRest {
			c.atRest = true
			c.front.resting.Add(1)
		}
		go c.serve()
		return
	}
	if c.lingers {
		c.linger()
	}
	c.close()
	c.gone()
}

// await sets the alarm for a connection that has had no request since then.
func (c *http1Conn) await(now wire.Instant) {
	c.until = now.Add(c.limits.IdleTimeout)
	c.rests = c.raw != nil && c.limits.IdleTimeout > restAfter
	if c.rests {
		c.reading.Set(now.Add(restAfter))
	} else {
		c.reading.Set(c.until)
	}
}

// restsNow reports whether a wait has ended because it is time to rest, and sets the
// alarm for what is left of it.
func (c *http1Conn) restsNow() bool {
	if !c.rests || c.waiting || !c.quiet() || c.phase.Load() == phaseClosed || c.aborted.Load() {
		return false
	}
	c.reading.Set(c.until)
	return true
}

// wake ends a rest.
func (c *http1Conn) wake() {
	if c.atRest {
		c.atRest = false
		c.front.resting.Add(-1)
	}
}

// quiet takes the alarm back. It reports whether it has rung: reads are allowed again.
func (c *http1Conn) quiet() bool {
	c.rests = false
	if !c.reading.Clear() {
		return false
	}
	c.reading.Await()
	c.stalled.Store(false)
	c.allowReads()
	return true
}

func (c *http1Conn) servePlain() {
	for {
		switch c.step(false) {
		case over:
			return
		case needsMore:
			if c.fill(&c.in) != nil {
				c.giveUp()
				return
			}
		case needsConn:
		}
	}
}

// serveRaw is serve at the socket. One callback is held as long as nothing but whole
// requests comes, and is left for a request whose body has to be read on its own.
func (c *http1Conn) serveRaw(raw syscall.RawConn) need {
	state := needsMore
	var failed error
	callback := func(fd uintptr) bool {
		c.socket = fd
		state, failed = c.readable(fd)
		c.socket = 0
		return failed != nil || state != needsMore
	}
	// What the door has read may be all that comes for now.
	if c.in.Len() > 0 && c.step(false) == over {
		return over
	}
	for {
		err := raw.Read(callback)
		switch {
		case err != nil && c.restsNow():
			return resting
		case err != nil || failed != nil:
			c.giveUp()
			return over
		case state == needsConn:
			if c.step(false) == over {
				return over
			}
		case state == over:
			return over
		}
	}
}

// readable takes what has come and serves the requests in it.
func (c *http1Conn) readable(fd uintptr) (need, error) {
	for {
		room := c.in.Room()
		n, err := wire.ReadSocket(fd, room)
		switch {
		case errors.Is(err, syscall.EAGAIN):
			c.in.Release()
			return needsMore, nil
		case err != nil:
			return over, err
		case n == 0:
			return over, io.EOF
		}
		c.in.Filled(n)
		if state := c.step(true); state != needsMore || n < len(room) {
			return state, nil
		}
	}
}

// giveUp ends a connection on which nothing more comes.
func (c *http1Conn) giveUp() {
	if c.in.Len() > 0 && c.stalled.Load() {
		c.sayOnce(http.StatusRequestTimeout, "the request's head did not arrive in time")
		c.lingers = true
	}
}

// A need is what a connection waits for.
type need int

const (
	needsMore need = iota // bytes
	needsConn             // the connection itself, to read a body from
	resting               // nothing for now: another goroutine goes on
	over                  // nothing any more
)

// step serves the requests whose heads have come. With raw, it must not read from the
// connection, so it leaves those alone that need it.
func (c *http1Conn) step(raw bool) need {
	if c.in.Len() == 0 {
		return needsMore
	}
	for c.in.Len() > 0 {
		if !c.parsing {
			if !c.phase.CompareAndSwap(phaseIdle, phaseBusy) {
				return over
			}
			c.parsing = true
			c.wake()
			c.take()
			c.limits = c.front.current.Load().limits
			c.req.Limits.HeaderBytes, c.req.Limits.TargetBytes = c.limits.Header, c.limits.URL
			c.req.Reset()
		}
		done, err := c.req.Parse(c.in.Bytes())
		switch {
		case err != nil:
			c.refuseHead(err)
			return over
		case !done:
			if !c.waiting {
				c.quiet() // it may just have been time to rest
				c.reading.Set(wire.Now().Add(c.limits.HeaderTimeout))
				c.waiting = true
			}
			return needsMore
		}
		c.quiet() // the head may have come at the last moment
		if raw && !c.allHere() {
			return needsConn
		}
		c.parsing, c.waiting = false, false
		if !c.exchange() {
			c.lingers = c.unread()
			return over
		}
		c.phase.Store(phaseIdle)
	}
	c.await(wire.At(c.x.Start.Add(c.x.Took)))
	c.release()
	return needsMore
}

// allHere reports whether the request can be served without another byte of it.
func (c *http1Conn) allHere() bool {
	r := &c.req
	return !r.WebSocket && (r.Framing == http1.NoBody || r.Framing == http1.ByLength && int64(c.in.Len()-r.Len) >= r.ContentLength)
}

func (c *http1Conn) fill(b *wire.Buffer) error {
	room := b.Room()
	n, err := c.conn.Read(room)
	b.Filled(n)
	if n > 0 {
		return nil
	}
	return err
}

// refuseHead answers what is no request.
func (c *http1Conn) refuseHead(err error) {
	var bad *http1.Error
	if !errors.As(err, &bad) {
		return
	}
	c.front.metrics.rejected.WithLabelValues(bad.Reason.String()).Inc()
	c.sayOnce(bad.Status(), bad.Error())
	c.lingers = true
}

// sayOnce answers in the proxy's own name where there is no request to answer.
func (c *http1Conn) sayOnce(status int, message string) {
	c.front.unread(&c.x, &c.id, &c.peer)
	c.x.Status = status
	a := ownAnswer{status: status, text: message + "\n"}
	c.marks = append(appendMarks(c.marks[:0], c.peer.TLS, &c.x), "Connection: close\r\n"...)
	c.out = a.append(c.out[:0], 1, c.marks, false)
	_ = c.Flush()
	c.x.Took = time.Since(c.x.Start)
	c.front.logAccess(&c.x)
}
