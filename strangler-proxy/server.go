package strangler

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/forwarded"
)

// A server accepts the connections of clients and knows those that are open.
type server struct {
	front *front

	mu      sync.Mutex
	conns   map[*http1Conn]struct{}
	stopped bool
	open    sync.WaitGroup
}

func newServer(f *front) *server { return &server{front: f, conns: map[*http1Conn]struct{}{}} }

// serve accepts until the listener is closed.
func (s *server) serve(l net.Listener) error {
	pause := 5 * time.Millisecond
	for {
		conn, err := l.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.ECONNABORTED):
			time.Sleep(pause) // until some connections have ended
			pause = min(2*pause, time.Second)
			continue
		case err != nil:
			return fmt.Errorf("serve %s: %w", l.Addr(), err)
		}
		pause = 5 * time.Millisecond
		s.begin(conn)
	}
}

func (s *server) begin(conn net.Conn) {
	c := newHTTP1Conn(s.front, conn, forwarded.PeerOf(conn.RemoteAddr().String(), false))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		conn.Close()
		return
	}
	s.conns[c] = struct{}{}
	s.front.conns.Add(1)
	s.open.Go(func() {
		defer s.end(c)
		c.serve()
	})
}

func (s *server) end(c *http1Conn) {
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
	s.front.conns.Add(-1)
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
		if left == 0 || !sleep(ctx, 5*time.Millisecond) {
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
