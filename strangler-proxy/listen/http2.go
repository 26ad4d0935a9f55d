package listen

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// A Queue is a net.Listener for connections that somebody else accepted.
type Queue struct {
	addr  net.Addr
	conns chan net.Conn
	done  chan struct{}
	close func()
}

// NewQueue returns a Queue that calls itself addr.
func NewQueue(addr net.Addr) *Queue {
	q := &Queue{addr: addr, conns: make(chan net.Conn), done: make(chan struct{})}
	q.close = sync.OnceFunc(func() { close(q.done) })
	return q
}

// Put hands conn to Accept, or closes it if nobody accepts any more.
func (q *Queue) Put(conn net.Conn) {
	select {
	case q.conns <- conn:
	case <-q.done:
		_ = conn.Close()
	}
}

// Accept implements net.Listener.
func (q *Queue) Accept() (net.Conn, error) {
	select {
	case conn := <-q.conns:
		return conn, nil
	case <-q.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (q *Queue) Close() error {
	q.close()
	return nil
}

// Addr implements net.Listener.
func (q *Queue) Addr() net.Addr { return q.addr }

// How HTTP/2 is spoken.
const (
	streamWindow     = 256 << 10 // bytes that a client may send ahead in one request
	connectionWindow = 1 << 20   // and in all of one connection
	largestFrame     = 16 << 10  // the least there is: net/http keeps a buffer for one with each connection, and would take 1 MiB
	pingAfter        = 30 * time.Second
	pingTimeout      = 15 * time.Second
	headSlack        = 16 << 10 // the handler answers at the exact limits
)

// NewHTTP2 returns a server for connections that speak HTTP/2, with TLS or without, as
// a Door hands them to a Queue. Its Shutdown tells clients that no more requests are
// taken, and lets those that run come to their end. What clients do wrong is logged for
// debugging only. What it writes a Conn bounds.
func NewHTTP2(handler http.Handler, l Limits, log *slog.Logger) *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler: handler, Protocols: &protocols,
		ReadHeaderTimeout: l.HeaderTimeout, IdleTimeout: l.IdleTimeout,
		MaxHeaderBytes:               l.URL + l.Header + headSlack,
		DisableGeneralOptionsHandler: true,
		ConnContext:                  func(ctx context.Context, conn net.Conn) context.Context { return withPlaces(ctx, conn, l.Streams) },
		ErrorLog:                     slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          l.Streams,
			MaxReadFrameSize:              largestFrame,
			MaxReceiveBufferPerStream:     streamWindow,
			MaxReceiveBufferPerConnection: connectionWindow,
			SendPingTimeout:               pingAfter,
			PingTimeout:                   pingTimeout,
		},
	}
}
