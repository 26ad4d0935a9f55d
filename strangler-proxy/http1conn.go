package strangler

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/forwarded"
	"github.com/stranglerfig/toolkit/strangler-proxy/hold"
	"github.com/stranglerfig/toolkit/strangler-proxy/listen"
	"github.com/stranglerfig/toolkit/strangler-proxy/upstream"
	"github.com/stranglerfig/toolkit/strangler-proxy/wire"
)

// An http1Conn is a client's connection that speaks HTTP/1.1: one request after the
// other, each served by the goroutine of the connection.
type http1Conn struct {
	front *front
	conn  net.Conn
	raw   syscall.RawConn // of conn; nil where the socket cannot be used as such
	outer net.Conn        // to be closed; conn, or what counts it
	peer  forwarded.Peer

	gone   func()        // to be called when the connection is closed
	limits listen.Limits // of the present request

	socket uintptr     // of conn while its callback runs; 0 when it does not
	in     wire.Buffer // what the client has sent: the head, and what came with it
	flight hold.Flight // in which the present request is under way
	*work              // of the present request; nil without one

	reading wire.Alarm // the client has to send
	phase   atomic.Int32
	until   wire.Instant // when a connection without a request ends
	rests   bool         // reading is set for the rest, and not for until
	atRest  bool         // it has rested since the last request
	parsing bool         // a head has begun
	waiting bool         // … and is not complete
	stopped atomic.Bool  // the body of the request is not wanted any more
	stalled atomic.Bool  // the client was silent for too long
	aborted atomic.Bool  // nothing goes on

	mu         sync.Mutex // guards what follows, for two goroutines may tell the client to go on, and whether there is work
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
	if raw, ok := wire.Raw(c.conn); ok {
		c.raw = raw
	}
	c.limits = f.current.Load().limits
	c.reading.Init(func() wire.Instant {
		c.stalled.Store(true)
		_ = conn.SetReadDeadline(wire.Past)
		return 0
	})
	return c
}

func (c *http1Conn) close() {
	c.phase.Store(phaseClosed)
	c.wake()
	c.reading.Stop()
	c.dismiss()
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
	_ = c.conn.SetDeadline(wire.Past) // first: who writes may have the lock
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.work != nil {
		c.call.Cancel(upstream.ErrStopped)
	}
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
