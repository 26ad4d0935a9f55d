package strangler

import (
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/exchange"
	"github.com/stranglerfig/toolkit/strangler-proxy/forwarded"
	"github.com/stranglerfig/toolkit/strangler-proxy/http1"
	"github.com/stranglerfig/toolkit/strangler-proxy/listen"
	"github.com/stranglerfig/toolkit/strangler-proxy/upstream"
	"github.com/stranglerfig/toolkit/strangler-proxy/wire"
)

// An http1Conn is a client's connection that speaks HTTP/1.1: one request after the
// other, each served by the goroutine of the connection, with memory that is used again.
type http1Conn struct {
	front *front
	conn  net.Conn
	outer net.Conn // to be closed; conn, or what counts it
	peer  forwarded.Peer

	limits listen.Limits // of the present request

	in      wire.Buffer // what the client has sent: the head, and what came with it
	rest    wire.Buffer // of a body that did not come with the head
	out     []byte      // what the client has not been sent yet
	req     http1.Request
	body    http1.Body // of the request, as far as it passes
	passed  int64      // bytes of it, with their framing
	passes  bool       // body is that of the present request
	call    upstream.Call
	x       exchange.Exchange
	id      [36]byte
	added   []byte
	marks   []byte
	vectors [2][]byte
	vector  net.Buffers

	reading wire.Alarm // the client has to send
	writing wire.Alarm // the client has to take
	phase   atomic.Int32
	parsing bool        // a head has begun
	waiting bool        // … and is not complete
	stopped atomic.Bool // the body of the request is not wanted any more
	stalled atomic.Bool // the client was silent for too long
	aborted atomic.Bool // nothing goes on

	mu         sync.Mutex // guards what follows: two goroutines may tell the client to go on
	mayGoOn    bool       // the client was told so, or never asked
	begun      bool       // the response was
	closing    bool       // no request follows
	untilClose bool       // the response goes until the close
	sentAll    bool       // the client has sent the whole request
	lingers    bool       // the client may still be sending when the connection ends
	abrupt     bool       // the end must not look orderly
}

// The phases of a connection.
const (
	phaseIdle   = iota // between two requests
	phaseBusy          // within one
	phaseClosed        // nobody waits for requests any more
)

func newHTTP1Conn(f *front, conn net.Conn, p forwarded.Peer) *http1Conn {
	c := &http1Conn{front: f, conn: conn, outer: conn, peer: p}
	if counted, ok := conn.(*listen.Conn); ok {
		tcp, read := counted.Unwrap()
		c.conn, conn = tcp, tcp
		c.in.Filled(copy(c.in.Room(), read))
	}
	c.call.Client, c.call.Exchange, c.call.Head = c, &c.x, &c.req
	c.call.Drop = http1.FromRequest
	c.call.Init()
	c.limits = f.current.Load().limits
	c.reading.Init(func() wire.Instant {
		c.stalled.Store(true)
		_ = conn.SetReadDeadline(wire.Past)
		return 0
	})
	c.writing.Init(func() wire.Instant {
		c.call.Cancel(upstream.ErrGone)
		_ = conn.SetDeadline(wire.Past)
		return 0
	})
	return c
}

// serve blocks until the connection is over, and closes it.
func (c *http1Conn) serve() {
	defer c.close()
	c.reading.Set(wire.Now().Add(c.limits.IdleTimeout))
	if raw, ok := wire.Raw(c.conn); ok {
		c.serveRaw(raw)
	} else {
		c.servePlain()
	}
	if c.lingers {
		c.linger()
	}
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
func (c *http1Conn) serveRaw(raw syscall.RawConn) {
	state := needsMore
	var failed error
	callback := func(fd uintptr) bool {
		state, failed = c.readable(fd)
		return failed != nil || state != needsMore
	}
	for {
		err := raw.Read(callback)
		switch {
		case err != nil || failed != nil:
			c.giveUp()
			return
		case state == needsConn:
			if c.step(false) == over {
				return
			}
		case state == over:
			return
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
	over                  // nothing any more
)

// step serves the requests whose heads have come. With raw, it must not read from the
// connection, so it leaves those alone that need it.
func (c *http1Conn) step(raw bool) need {
	for c.in.Len() > 0 {
		if !c.parsing {
			if !c.phase.CompareAndSwap(phaseIdle, phaseBusy) {
				return over
			}
			c.parsing = true
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
				c.reading.Set(wire.Now().Add(c.limits.HeaderTimeout))
				c.waiting = true
			}
			return needsMore
		}
		if c.reading.Clear() {
			c.reading.Await()
			c.stalled.Store(false)
			c.allowReads() // the head came at the last moment
		}
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
	c.reading.Set(wire.Now().Add(c.limits.IdleTimeout))
	c.release()
	return needsMore
}

// release gives all memory back that a connection without a request does not need.
func (c *http1Conn) release() {
	c.in.Release()
	wire.Return(c.out)
	c.out = nil
	c.call.Release()
}

// allHere reports whether the request can be served without another byte of it.
func (c *http1Conn) allHere() bool {
	r := &c.req
	return !r.WebSocket && (r.Framing == http1.NoBody || r.Framing == http1.ByLength && int64(c.in.Len()-r.Len) >= r.ContentLength)
}

func (c *http1Conn) close() {
	c.phase.Store(phaseClosed)
	c.reading.Stop()
	c.writing.Stop()
	c.call.Stop()
	c.in.Drop()
	c.rest.Drop()
	wire.Return(c.out)
	if c.abrupt {
		wire.Reset(c.conn)
	}
	c.outer.Close()
}

// endIdle ends the connection if no request is under way, from any goroutine.
func (c *http1Conn) endIdle() {
	if c.phase.CompareAndSwap(phaseIdle, phaseClosed) {
		_ = c.conn.SetReadDeadline(wire.Past)
	}
}

// abort breaks off whatever is under way, from any goroutine.
func (c *http1Conn) abort() {
	c.aborted.Store(true)
	c.call.Cancel(upstream.ErrStopped)
	_ = c.conn.SetDeadline(wire.Past)
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
	c.x = exchange.Exchange{Start: time.Now(), Status: status, ServedBy: "proxy", ID: requestID(&http1.Request{}, &c.id), ConfigVersion: c.front.current.Load().version}
	c.x.Failure = "bad_request"
	a := ownAnswer{status: status, text: message + "\n"}
	c.marks = append(appendMarks(c.marks[:0], c.peer.TLS, &c.x), "Connection: close\r\n"...)
	c.out = a.append(c.out[:0], 1, c.marks, false)
	_ = c.Flush()
	c.x.Took = time.Since(c.x.Start)
	c.front.logAccess(&c.x)
}

// exchange serves one request and reports whether another may follow.
func (c *http1Conn) exchange() bool {
	c.x = exchange.Exchange{}
	s := c.front.begin(&c.x, &c.req)
	c.x.ID = requestID(&c.req, &c.id)
	c.mu.Lock()
	c.mayGoOn, c.begun, c.untilClose = !c.req.ExpectContinue, false, false
	c.mu.Unlock()
	c.closing, c.sentAll = !c.req.KeepAlive, c.req.Framing == http1.NoBody
	c.stopped.Store(false)
	c.passes = false
	whole := c.respond(s)
	c.front.finish(s, &c.x) // while the bytes of the head are there
	c.skip(whole)
	return !c.closing
}

// respond answers the request. It reports whether its body is in the buffer as a whole.
func (c *http1Conn) respond(s *snapshot) (whole bool) {
	f := c.front
	from := originOf(s, &c.peer, &c.x, &c.req)
	c.x.Client = from.Client
	if refused := f.decide(s, &c.x, &c.req); refused != nil {
		f.refused(&c.x, refused)
		c.closing = c.closing || !c.sentAll
		c.answer(newAnswer(&c.x, refused.status, refused.message, &c.req))
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
		from = originOf(s, &c.peer, &c.x, &c.req) // the bytes that it looked at may have moved
	}
	c.added = appendForwarded(c.added[:0], &from, &c.x)
	if c.req.Host == nil {
		c.added = http1.AppendField(c.added, "Host", c.x.Plan.Monolith.Origins[0].Name)
	}
	c.added = appendCookies(c.added, &c.req)
	c.call.Added = c.added
	c.call.Begin(wire.Now(), kept, whole)
	if c.aborted.Load() {
		c.call.Cancel(upstream.ErrStopped) // before Begin, it was in vain
	}
	err = f.send(s, &c.call)
	c.call.End()
	if err != nil {
		c.answerError(err)
	}
	return whole
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

// How much is read, at most, of what nobody wants any more.
const (
	limitLinger     = 16 << 20
	limitLingerTime = time.Second
)

// linger ends a connection on which the client may still be sending: closing it at once
// would take the answer from a client that reads it after it has sent everything.
func (c *http1Conn) linger() {
	if half, ok := c.conn.(interface{ CloseWrite() error }); !ok || half.CloseWrite() != nil {
		return
	}
	_ = c.conn.SetReadDeadline(time.Now().Add(limitLingerTime))
	_, _ = io.CopyN(io.Discard, c.conn, limitLinger)
}

// unread reports whether the client has an answer while it may still be sending.
func (c *http1Conn) unread() bool {
	return !c.sentAll && c.x.Failure != "client_gone" && c.x.Failure != "broken_off"
}
