package upstream

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/http1"
	"github.com/stranglerfig/toolkit/strangler-proxy/origin"
	"github.com/stranglerfig/toolkit/strangler-proxy/wire"
)

// An answer is the head of a response, in Call.response, with the connection it came
// on, or a failure.
type answer struct {
	conn    *origin.Conn
	pump    *pump // that still sends the request's body
	failure *Failure
}

// An attempt is one request to one instance.
type attempt struct {
	origin  *origin.Origin
	timeout time.Duration // until the response begins; 0 means none
	hold    int64         // up to this size the response is read before it counts
	fresh   bool          // over no connection that was kept
}

// limitInterim is how many interim responses may come before the final one.
const limitInterim = 32

// try makes an attempt.
func (c *Call) try(a attempt) answer {
	conn, err := c.connect(a)
	if err != nil {
		return answer{failure: c.failDial(err)}
	}
	if !c.wait(conn, a.timeout) {
		conn.Close()
		return answer{failure: c.fail(c.cause(), false)}
	}
	sent, err := c.send(conn)
	var p *pump
	if err == nil && !c.body.whole {
		p = c.startPump(conn, a.timeout)
	}
	if err == nil || sent > 0 {
		// Who broke off while we were sending may have answered before.
		if early := c.receive(conn, a); early == nil || err == nil {
			err = early
		}
	}
	if !c.answered() && err == nil {
		err = errTooSlow
	}
	if err == nil {
		return answer{conn: conn, pump: p}
	}
	failure := c.fail(err, sent > 0)
	failure.Stale = conn.Used() && (sent == 0 || c.safe() && c.silent(conn, err))
	c.leave()
	c.stopPump(conn, p)
	conn.Close()
	return answer{failure: failure}
}

// connect takes a kept connection or dials.
func (c *Call) connect(a attempt) (*origin.Conn, error) {
	if !a.fresh {
		if conn := a.origin.Kept(); conn != nil {
			return conn, nil
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	c.mu.Lock()
	if c.over != nil {
		c.mu.Unlock()
		return nil, c.over
	}
	c.stop = stop
	c.began = false
	if a.timeout > 0 {
		c.allow(a.timeout)
	}
	c.mu.Unlock()
	conn, err := a.origin.Dial(ctx)
	c.pause()
	c.mu.Lock()
	c.stop = nil
	over := c.over
	c.mu.Unlock()
	if err == nil && over != nil {
		conn.Close()
		return nil, over
	}
	return conn, err
}

// limitTogether is up to which size a body is sent in one piece with its head.
const limitTogether = 8 << 10

// send writes the head and what is known of the body, and returns how much of it may
// have arrived. If that is all, it waits for the beginning of the answer, too.
func (c *Call) send(conn *origin.Conn) (int, error) {
	if c.out == nil {
		c.out = wire.Small()
	}
	c.out = c.Head.AppendHead(c.out[:0], c.Drop, c.Added)
	kept := c.body.kept
	if len(kept) <= limitTogether {
		c.out = append(c.out, kept...)
		kept = nil
	}
	if kept == nil && c.body.whole {
		return conn.Ask(c.out)
	}
	sent, err := conn.Write(c.out)
	if err != nil || kept == nil {
		return sent, err
	}
	n, err := conn.Write(kept)
	return sent + n, err
}

// receive waits for the head of the final response, and for a short body that has to
// be whole before it counts.
func (c *Call) receive(conn *origin.Conn, a attempt) error {
	r := &c.response
	toHead := string(c.Head.Method) == "HEAD"
	r.Reset(toHead)
	for interim := 0; ; {
		done, err := r.Parse(conn.In.Bytes())
		if err != nil {
			return err
		}
		if !done {
			if err := conn.Fill(); err != nil {
				return c.truncated(conn, err)
			}
			continue
		}
		if !r.Interim {
			break
		}
		if interim++; interim > limitInterim {
			return errInterim
		}
		if err := c.Client.Interim(r); err != nil {
			c.Cancel(ErrGone)
			return ErrGone
		}
		conn.In.Consume(r.Len)
		r.Reset(toHead)
	}
	if r.Framing == http1.Tunnel && !c.Head.WebSocket {
		return errSwitch
	}
	return c.hold(conn, a.hold)
}

// truncated tells a head that was cut off from one that never began.
func (c *Call) truncated(conn *origin.Conn, err error) error {
	if conn.In.Len() > 0 && isReset(err) && c.cause() == nil {
		return &http1.Error{Reason: http1.BadStatusLine, Response: true}
	}
	return err
}

// hold waits for the body of a response of at most limit bytes.
func (c *Call) hold(conn *origin.Conn, limit int64) error {
	r := &c.response
	if r.Framing != http1.ByLength || r.ContentLength > limit {
		return nil
	}
	want := r.Len + int(r.ContentLength)
	if conn.In.Len() >= want {
		return nil
	}
	for conn.In.Len() < want {
		if err := conn.Fill(); err != nil {
			return err
		}
	}
	r.Reset(string(c.Head.Method) == "HEAD") // the bytes may have moved
	_, err := r.Parse(conn.In.Bytes())
	return err
}

// silent reports whether a kept connection ended before it said anything.
func (c *Call) silent(conn *origin.Conn, err error) bool {
	return conn.In.Len() == 0 && c.cause() == nil &&
		(errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, net.ErrClosed))
}

// safe reports whether the request only reads.
func (c *Call) safe() bool { return Safe(c.Head.Method) }

// Safe reports whether a method only reads.
func Safe[Text ~string | ~[]byte](method Text) bool {
	switch string(method) {
	case "GET", "HEAD", "OPTIONS":
		return true
	}
	return false
}

// limitDiscard is how long the end of an answer that nobody wants is waited for.
const limitDiscard = 50 * time.Millisecond

// discard gives the connection of an answer that nobody wants back if little is left
// to read, or closes it.
func (c *Call) discard(a answer) {
	if a.conn == nil {
		return
	}
	c.leave()
	sent := c.stopPump(a.conn, a.pump)
	c.response.BeginBody(&c.framing, true)
	a.conn.In.Consume(c.response.Len)
	_ = a.conn.SetReadDeadline(time.Now().Add(limitDiscard))
	err := c.skim(a.conn)
	if err != nil || !sent || !c.response.KeepAlive || a.conn.SetReadDeadline(time.Time{}) != nil {
		a.conn.Close()
		return
	}
	a.conn.Keep()
}

// skim reads a small rest of a body.
func (c *Call) skim(conn *origin.Conn) error {
	for left := 4 << 10; !c.framing.Done(); {
		_, n, err := c.framing.Step(conn.In.Bytes())
		if err != nil {
			return err
		}
		conn.In.Consume(n)
		if left -= n; left < 0 {
			return errors.New("too long")
		}
		if n == 0 {
			if err := conn.Fill(); err != nil {
				return err
			}
		}
	}
	return nil
}
