package upstream

import (
	"errors"
	"fmt"
	"io"

	"github.com/stranglerfig/toolkit/strangler-proxy/http1"
	"github.com/stranglerfig/toolkit/strangler-proxy/origin"
	"github.com/stranglerfig/toolkit/strangler-proxy/wire"
)

// relay passes the response on to the client. Its error is ErrBroken with the cause:
// the client must not take what it got for the whole.
func (c *Call) relay(a answer) error {
	conn, r := a.conn, &c.response
	x := c.Exchange
	x.Status = r.Status
	if err := c.Client.Begin(r); err != nil {
		c.leave()
		c.stopPump(conn, a.pump)
		conn.Close()
		return c.broken(ErrGone)
	}
	if c.Watch != nil {
		c.Watch.Head(r, r.Framing == http1.ByChunks && !c.Client.Data(r))
	}
	conn.In.Consume(r.Len)
	if r.Framing == http1.Tunnel {
		return c.tunnel(conn)
	}
	keepAlive := r.KeepAlive
	err := c.relayBody(conn)
	c.leave()
	sent := c.stopPump(conn, a.pump)
	switch {
	case err == nil && keepAlive && sent && c.cause() == nil:
		conn.Expect(x.Bytes)
		conn.Keep()
	default:
		conn.Close()
	}
	if err != nil {
		return c.broken(err)
	}
	if err := c.Client.End(c.framing.Trailer()); err != nil {
		return c.broken(ErrGone)
	}
	return nil
}

// broken says why a response broke off: what Cancel said comes first.
func (c *Call) broken(err error) error {
	if cause := c.cause(); cause != nil {
		err = cause
	}
	if wrong := c.body.wrong(); wrong != nil {
		err = fmt.Errorf("%w: %w", ErrClient, wrong)
	}
	return fmt.Errorf("%w: %w", ErrBroken, err)
}

var errWrite = errors.New("the client takes no more")

func (c *Call) relayBody(conn *origin.Conn) error {
	c.response.BeginBody(&c.framing, c.Client.Data(&c.response))
	for !c.framing.Done() {
		pass, n, err := c.framing.Step(conn.In.Bytes())
		if len(pass) > 0 {
			if err := c.pass(pass); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
		conn.In.Consume(n)
		if n > 0 {
			continue
		}
		// What has come so far is not kept back while more is waited for.
		if err := c.Client.Flush(); err != nil {
			return errWrite
		}
		if ahead := c.framing.Ahead(); conn.In.Len() == 0 && (ahead < 0 || ahead > wire.SmallBytes) {
			if err := c.relayLarge(conn); err != nil {
				return err
			}
			continue
		}
		if err := conn.Fill(); err != nil {
			return c.ended(err)
		}
	}
	return nil
}

// ended judges the end of what an upstream sends: only an orderly one can be the end of
// a body.
func (c *Call) ended(err error) error {
	if !errors.Is(err, io.EOF) {
		return err
	}
	if err := c.framing.End(); err != nil {
		return err
	}
	c.framing = http1.Body{} // it went until the close: this was all
	return nil
}

// relayLarge passes on a part of the body that needs no look at its bytes, in large
// pieces.
func (c *Call) relayLarge(conn *origin.Conn) error {
	buffer := wire.Large()
	defer wire.Return(buffer)
	for {
		room := buffer
		ahead := c.framing.Ahead()
		if ahead >= 0 && ahead < int64(len(room)) {
			room = room[:ahead]
		}
		n, err := conn.Read(room)
		if n > 0 {
			c.framing.Skip(int64(n))
			if err := c.pass(room[:n]); err != nil {
				return err
			}
			if err := c.Client.Flush(); err != nil {
				return errWrite
			}
		}
		switch ahead = c.framing.Ahead(); {
		case err != nil && !c.framing.Done():
			return c.ended(err)
		case ahead >= 0 && ahead <= wire.SmallBytes:
			return nil
		}
	}
}

func (c *Call) pass(p []byte) error {
	if c.Watch != nil {
		c.Watch.Response(p)
	}
	c.Exchange.Bytes += int64(len(p))
	if err := c.Client.Write(p); err != nil {
		return errWrite
	}
	return nil
}

// tunnel lets both sides speak what they have switched to. From here on a client that
// ends its half is not gone.
func (c *Call) tunnel(conn *origin.Conn) error {
	c.vigil.Clear()
	c.Exchange.Upgraded = true
	defer conn.Close()
	defer c.leave()
	if err := c.Client.Tunnel(&stream{conn}); err != nil {
		return c.broken(err)
	}
	return nil
}

// A stream reads what has arrived with the head first.
type stream struct{ *origin.Conn }

func (s *stream) Read(p []byte) (int, error) {
	if s.In.Len() > 0 {
		n := copy(p, s.In.Bytes())
		s.In.Consume(n)
		return n, nil
	}
	return s.Conn.Read(p)
}

func (s *stream) CloseWrite() error {
	if half, ok := s.Conn.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return s.Conn.Conn.Close()
}
