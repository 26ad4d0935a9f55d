package strangler

import (
	"github.com/stranglerfig/toolkit/strangler-proxy/http1"
	"github.com/stranglerfig/toolkit/strangler-proxy/upstream"
	"github.com/stranglerfig/toolkit/strangler-proxy/wire"
)

// Left implements upstream.Client.
func (c *http1Conn) Left() bool { return c.aborted.Load() || wire.Left(c.conn) }

// Interim implements upstream.Client. A client that asked whether to send its body is
// told so once, and one that did not ask is not.
func (c *http1Conn) Interim(res *http1.Response) error {
	if res.Status == 100 {
		return c.sayGoOn()
	}
	if c.req.Minor == 0 {
		return nil
	}
	c.mu.Lock() // who reads the body may tell the client to go on at this moment
	defer c.mu.Unlock()
	c.out = res.AppendHead(c.outRoom(), 1, http1.FromResponse, nil)
	return c.Flush()
}

func (c *http1Conn) outRoom() []byte {
	if c.out == nil {
		c.out = wire.Small()[:0]
	}
	return c.out[:0]
}

// Begin implements upstream.Client.
func (c *http1Conn) Begin(res *http1.Response) error {
	c.front.checkLeaks(&c.x, res)
	decoded := c.Data(res)
	c.mu.Lock()
	c.begun = true
	c.mu.Unlock()
	// After an early answer the rest of the body is still on its way.
	c.closing = c.closing || c.front.lastRound.Load() || decoded || res.Framing == http1.UntilClose || !c.call.BodyEnded()
	c.untilClose = decoded || res.Framing == http1.UntilClose
	c.marks = appendMarks(c.marks[:0], c.peer.TLS, &c.x)
	drop := http1.FromResponse
	if decoded {
		drop |= http1.Framed
	}
	if res.Framing == http1.Tunnel {
		c.closing = true
	} else {
		c.marks = c.appendConnection(c.marks)
	}
	c.out = res.AppendHead(c.outRoom(), c.req.Minor, drop, c.marks)
	return nil
}

// Data implements upstream.Client: HTTP/1.0 knows no chunks.
func (c *http1Conn) Data(res *http1.Response) bool {
	return c.req.Minor == 0 && res.Framing == http1.ByChunks
}

// Write implements upstream.Client.
func (c *http1Conn) Write(p []byte) error {
	if len(c.out)+len(p) <= cap(c.out) {
		c.out = append(c.out, p...)
		return nil
	}
	c.writing.Set(wire.Now().Add(c.limits.StallTimeout))
	var err error
	if len(c.out) == 0 {
		_, err = c.conn.Write(p)
	} else {
		c.vectors = [2][]byte{c.out, p}
		c.vector = c.vectors[:]
		_, err = c.vector.WriteTo(c.conn)
		c.out = c.out[:0]
	}
	return c.wrote(err)
}

// Flush implements upstream.Client.
func (c *http1Conn) Flush() error {
	if len(c.out) == 0 {
		return nil
	}
	if c.flushAtOnce() {
		return nil
	}
	c.writing.Set(wire.Now().Add(c.limits.StallTimeout))
	_, err := c.conn.Write(c.out)
	c.out = c.out[:0]
	return c.wrote(err)
}

// flushAtOnce writes as much as the socket takes without a wait. It reports whether that
// was all: then nobody had to be given time. While the callback of the socket runs, nobody
// else writes.
func (c *http1Conn) flushAtOnce() bool {
	if c.socket == 0 {
		return false
	}
	n, err := wire.WriteSocket(c.socket, c.out)
	if err != nil {
		return false // the net.Conn will say why
	}
	whole := n == len(c.out)
	c.out = c.out[:copy(c.out, c.out[n:])]
	return whole
}

// wrote ends the time that the client has to take something.
func (c *http1Conn) wrote(err error) error {
	if c.writing.Clear() {
		c.writing.Await()
		c.abrupt = true // or the system would go on to offer what the client does not take
		return upstream.ErrGone
	}
	return err
}

// End implements upstream.Client.
func (c *http1Conn) End(*http1.Fields) error { return c.Flush() }
