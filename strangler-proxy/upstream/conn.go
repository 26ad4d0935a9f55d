package upstream

import (
	"crypto/tls"
	"errors"
	"net"
	"sync/atomic"
)

// A watchedConn knows how many bytes were written to it, which is how a failed
// attempt learns whether the upstream can have seen any of the request. A kept one
// can look, before a request begins, whether the upstream has ended it meanwhile.
type watchedConn struct {
	net.Conn
	written atomic.Int64
	look    atomic.Bool // before the next write
}

var errEnded = errors.New("the upstream had ended the kept connection")

// Write counts before it writes: the answer may be here before Write has returned.
func (c *watchedConn) Write(p []byte) (int, error) {
	if c.look.CompareAndSwap(true, false) && ended(c.Conn) {
		return 0, errEnded
	}
	c.written.Add(int64(len(p)))
	n, err := c.Conn.Write(p)
	c.written.Add(int64(n - len(p)))
	return n, err
}

// CloseWrite passes a half-close on, which an upgraded connection may need.
func (c *watchedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}

// watched returns the watchedConn of a connection that the transport handed out.
func watched(conn net.Conn) *watchedConn {
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	c, _ := conn.(*watchedConn)
	return c
}

// sentBytes watches the connections that the transport uses for one attempt.
type sentBytes struct {
	conn    atomic.Pointer[watchedConn]
	before  atomic.Int64
	earlier atomic.Bool // a connection before the present one has taken bytes
	kept    atomic.Bool // the present connection has served a request before
}

// begin notes that the transport has chosen conn. A kept connection is looked at
// before a request is written that cannot be written again.
func (s *sentBytes) begin(conn net.Conn, kept, look bool) {
	if s.any() {
		s.earlier.Store(true)
	}
	c := watched(conn)
	if c == nil {
		s.earlier.Store(true) // unknown connection: assume the worst
		return
	}
	c.look.Store(kept && look)
	s.kept.Store(kept)
	s.before.Store(c.written.Load())
	s.conn.Store(c)
}

func (s *sentBytes) connected() bool { return s.conn.Load() != nil || s.earlier.Load() }

func (s *sentBytes) any() bool {
	c := s.conn.Load()
	return s.earlier.Load() || c != nil && c.written.Load() > s.before.Load()
}

// stale reports whether the attempt came to a kept connection that had ended.
func (s *sentBytes) stale() bool { return s.kept.Load() && !s.any() }
