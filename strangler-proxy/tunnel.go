package strangler

import (
	"errors"
	"io"
	"sync"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/upstream"
	"github.com/stranglerfig/toolkit/strangler-proxy/wire"
)

// Tunnel implements upstream.Client. Either side may be silent for as long as it likes,
// but has to take what the other one says: behind a side that does not, nobody notices
// that the other has long gone, and both would stay for good.
func (c *http1Conn) Tunnel(up upstream.Stream) error {
	c.flight.Upgrade() // before the client knows: a drain that it then asks for tells of it
	if err := c.Flush(); err != nil {
		return upstream.ErrGone
	}
	c.front.conns.Add(-1)
	defer c.front.conns.Add(1)
	var taking wire.Alarm // the upstream has to take
	taking.Init(func() wire.Instant {
		c.endTunnel(upstream.ErrBroken)
		return 0
	})
	defer taking.Stop()
	var upwards error
	var both sync.WaitGroup
	both.Go(func() {
		if upwards = c.pourUp(up, &taking); upwards != nil {
			c.endTunnel(upstream.ErrGone)
			return
		}
		_ = up.CloseWrite()
	})
	n, err := pour(c.conn, up, &c.writing, c.limits.StallTimeout)
	c.x.Bytes += n
	if half, ok := c.conn.(interface{ CloseWrite() error }); ok && err == nil {
		err = half.CloseWrite()
	}
	if err != nil {
		c.endTunnel(upstream.ErrGone)
	}
	both.Wait()
	if errors.Is(err, errUntaken) || errors.Is(upwards, errUntaken) {
		c.abrupt = true // or the system would go on to offer what is not taken
		return errUntaken
	}
	return nil
}

// endTunnel ends every wait of both sides.
func (c *http1Conn) endTunnel(cause error) {
	_ = c.conn.SetDeadline(wire.Past)
	c.call.Cancel(cause)
}

// pourUp passes on what the client says, of which some came with the head.
func (c *http1Conn) pourUp(up upstream.Stream, taking *wire.Alarm) error {
	limit := c.limits.StallTimeout
	if early := c.in.Bytes()[c.req.Len:]; len(early) > 0 {
		if _, err := hand(up, early, taking, limit); err != nil {
			return err
		}
	}
	_, err := pour(up, c.conn, taking, limit)
	return err
}

// errUntaken ends a tunnel of which one side did not take what the other has said.
var errUntaken = errors.New("a side of the tunnel takes no more")

// pour passes on what one side says, to its end, in pieces that the other has to take
// within the limit.
func pour(to io.Writer, from io.Reader, taking *wire.Alarm, limit time.Duration) (passed int64, _ error) {
	buffer := wire.Small()
	defer wire.Return(buffer)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			taken, err := hand(to, buffer[:n], taking, limit)
			if passed += int64(taken); err != nil {
				return passed, err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return passed, nil
		case err != nil:
			return passed, err
		}
	}
}

// hand passes one piece on.
func hand(to io.Writer, piece []byte, taking *wire.Alarm, limit time.Duration) (taken int, err error) {
	taking.Set(wire.Now().Add(limit))
	taken, err = to.Write(piece)
	if taking.Clear() {
		taking.Await()
		return taken, errUntaken
	}
	return taken, err
}
