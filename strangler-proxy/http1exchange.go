package strangler

import (
	"errors"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/exchange"
	"github.com/stranglerfig/toolkit/strangler-proxy/http1"
	"github.com/stranglerfig/toolkit/strangler-proxy/upstream"
	"github.com/stranglerfig/toolkit/strangler-proxy/wire"
)

// exchange serves one request and reports whether another may follow.
func (c *http1Conn) exchange() bool {
	c.x = exchange.Exchange{}
	c.current = c.front.begin(&c.x, &c.req)
	c.x.ID = requestID(&c.req, &c.id, c.x.Start)
	c.mu.Lock()
	c.mayGoOn, c.begun, c.untilClose = !c.req.ExpectContinue, false, false
	c.mu.Unlock()
	c.closing, c.sentAll = !c.req.KeepAlive, c.req.Framing == http1.NoBody
	c.stopped.Store(false)
	c.passes, c.patience = false, newPatience(c.limits.StallTimeout)
	whole := c.respond()
	c.flight.Leave()
	c.front.finish(c.current, &c.x) // while the bytes of the head are there
	c.skip(whole)
	return !c.closing
}

// respond answers the request. It reports whether its body is in the buffer as a whole.
func (c *http1Conn) respond() (whole bool) {
	f := c.front
	findOrigin(&c.from, c.current, &c.peer, &c.x, &c.req)
	c.x.Client = c.from.Client
	f.mark(c.current, &c.x, &c.req, &c.peer)
	refused := f.decide(c.current, &c.x, &c.req)
	var err error
	if refused == nil {
		c.current, refused, err = f.park(c.current, &c.x, &c.req, c.in.Len(), c)
	}
	if refused != nil || err != nil {
		c.refuse(refused, err)
		return c.sentAll
	}
	kept, whole, err := c.gather()
	c.sentAll = whole
	if err != nil {
		c.x.Failure = "client_body"
		c.answerError(&upstream.Error{Failure: upstream.Failure{Reason: "client_body", Err: err}})
		return false
	}
	if c.req.Framing != http1.NoBody {
		findOrigin(&c.from, c.current, &c.peer, &c.x, &c.req) // the bytes that it looked at may have moved
	}
	if c.current, refused, err = f.takeOff(c.current, &c.x, &c.req, &c.flight, c.in.Len()+c.rest.Len(), c); refused != nil || err != nil {
		c.refuse(refused, err)
		return whole
	}
	c.added = appendForwarded(c.added[:0], &c.from, &c.x)
	if c.req.Host == nil {
		c.added = http1.AppendField(c.added, "Host", c.x.Plan.Monolith.Origins[0].Name)
	}
	c.added = appendCookies(c.added, &c.req)
	c.call.Added = c.added
	c.call.Begin(wire.At(c.x.Start), kept, whole)
	if c.aborted.Load() {
		c.call.Cancel(upstream.ErrStopped) // before Begin, it was in vain
	}
	err = f.send(c.current, &c.call)
	c.call.End()
	if err != nil {
		c.answerError(err)
	}
	return whole
}

// refuse answers a request that is not forwarded, or whose client has left.
func (c *http1Conn) refuse(r *refusal, err error) {
	if err != nil {
		c.answerError(err)
		return
	}
	c.front.refused(&c.x, r)
	c.closing = c.closing || !c.sentAll
	a := newAnswer(&c.x, r.status, r.message, &c.req)
	a.retryAfter = r.again
	c.answer(a)
}

// skip takes what belongs to the request out of the way of the next one.
func (c *http1Conn) skip(whole bool) {
	n := c.req.Len
	if whole && c.req.Framing == http1.ByLength {
		n += int(c.req.ContentLength)
	}
	if whole {
		c.in.Consume(n)
		return
	}
	c.in.Drop()
	c.in, c.rest = c.rest, wire.Buffer{}
	c.sentAll = c.passes && c.body.Done()
	c.closing = c.closing || !c.sentAll
	if c.stopped.Load() && !c.closing {
		c.allowReads() // StopBody came when the body had just ended
	}
}

// allowReads takes a deadline back that was to end a wait which is over.
func (c *http1Conn) allowReads() {
	_ = c.conn.SetReadDeadline(time.Time{})
	if c.aborted.Load() {
		_ = c.conn.SetReadDeadline(wire.Past) // abort came between
	}
}

// answerError answers when there is no response of an upstream.
func (c *http1Conn) answerError(err error) {
	var failed *upstream.Error
	switch {
	case errors.Is(err, upstream.ErrBroken):
		if c.x.Failure == "" {
			c.x.Failure = "broken_off"
		}
		if errors.Is(err, upstream.ErrGone) {
			c.x.Failure = "client_gone"
		}
		c.closing = true
		if c.untilClose {
			c.abrupt = true // an orderly end would look like the end of the response
		}
	case errors.Is(err, upstream.ErrGone):
		c.x.Failure, c.x.Status = "client_gone", 499
		c.closing = true
	case errors.As(err, &failed):
		a := failureAnswer(&c.x, failed, &c.req)
		c.closing = c.closing || a.closing || !c.call.BodyEnded()
		c.answer(a)
	}
}

// answer says something in the proxy's own name.
func (c *http1Conn) answer(a ownAnswer) {
	c.mu.Lock()
	c.begun = true
	c.mu.Unlock()
	c.closing = c.closing || c.front.lastRound.Load()
	c.x.ServedBy, c.x.Status, c.x.Bytes = "proxy", a.status, int64(len(a.text))
	c.marks = c.appendConnection(appendMarks(c.marks[:0], c.peer.TLS, &c.x))
	c.out = a.append(c.out[:0], c.req.Minor, c.marks, string(c.req.Method) == "HEAD")
	if c.Flush() != nil {
		c.closing = true
	}
}

// appendConnection says whether the connection goes on.
func (c *http1Conn) appendConnection(dst []byte) []byte {
	switch {
	case c.closing:
		return append(dst, "Connection: close\r\n"...)
	case c.req.Minor == 0:
		return append(dst, "Connection: keep-alive\r\n"...)
	}
	return dst
}

// unread reports whether the client has an answer while it may still be sending.
func (c *http1Conn) unread() bool {
	return !c.sentAll && c.x.Failure != "client_gone" && c.x.Failure != "broken_off"
}
