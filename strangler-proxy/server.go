package strangler

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"time"

	"github.com/stranglerfig/toolkit/internal/pause"
	"github.com/stranglerfig/toolkit/strangler-proxy/forwarded"
	"github.com/stranglerfig/toolkit/strangler-proxy/wire"
)

// A server serves connections that speak HTTP/1.1, and knows those that are open.
type server struct {
	front *front

	mu      sync.Mutex
	conns   map[*http1Conn]struct{}
	stopped bool
	open    sync.WaitGroup
}

func newServer(f *front) *server { return &server{front: f, conns: map[*http1Conn]struct{}{}} }

// serve sees to conn until it is over, closes it, and calls gone then. It calls known
// once shutdown would wait for conn. It may return before: see http1Conn.serve.
func (s *server) serve(conn net.Conn, known, gone func()) {
	_, secure := conn.(*tls.Conn)
	c := newHTTP1Conn(s.front, conn, forwarded.PeerOf(conn.RemoteAddr().String(), secure))
	if !s.begin(c) {
		conn.Close()
		gone()
		return
	}
	c.gone = func() {
		s.end(c)
		gone()
	}
	known()
	c.await(wire.Now())
	c.serve()
}

// begin returns false when it is too late.
func (s *server) begin(c *http1Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return false
	}
	s.conns[c] = struct{}{}
	s.front.holds.Join(&c.flight)
	s.front.conns.Add(1)
	s.open.Add(1)
	return true
}

func (s *server) end(c *http1Conn) {
	s.mu.Lock()
	delete(s.conns, c)
	s.front.holds.Part(&c.flight)
	s.mu.Unlock()
	s.front.conns.Add(-1)
	s.open.Done()
}

// shutdown ends idle connections, and the others with their request. It returns when
// none is left or ctx ends.
func (s *server) shutdown(ctx context.Context) {
	for {
		s.mu.Lock()
		s.stopped = true
		left := len(s.conns)
		for c := range s.conns {
			c.endIdle()
		}
		s.mu.Unlock()
		if left == 0 || pause.For(ctx, 5*time.Millisecond) != nil {
			return
		}
	}
}

// abort breaks all connections off and waits for their end.
func (s *server) abort() {
	s.mu.Lock()
	s.stopped = true
	for c := range s.conns {
		c.abort()
	}
	s.mu.Unlock()
	s.open.Wait()
}
