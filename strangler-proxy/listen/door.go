// Package listen takes connections from clients and hands each to the engine that
// speaks its protocol: HTTP/1.1 or HTTP/2, with TLS or without. A slow or hostile client
// costs a bounded amount and never keeps others waiting. Certificates are exchanged
// while connections go on. The package parses no request.
package listen

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Handlers take connections over. They are called on a goroutine of the connection's
// own and have to close it.
type Handlers struct {
	// HTTP1 serves a connection: a *net.TCPConn, a *tls.Conn after its handshake, or, if
	// HTTP/2 without TLS is allowed, a *Conn. It calls known as soon as a graceful stop of
	// the engine would take conn into account, which Stop waits for, or returns. It calls
	// gone once conn is closed, which may be later than its return.
	HTTP1 func(conn net.Conn, known, gone func())
	// HTTP2 gets a *tls.Conn after its handshake, or a *Conn that begins with the preface
	// of HTTP/2. When it returns, the engine knows of it, which may serve elsewhere.
	// Without it, HTTP/2 is not offered.
	HTTP2 func(net.Conn)
}

// A Door accepts connections at one address.
type Door struct {
	listener *net.TCPListener
	handlers Handlers
	keeper   *Keeper
	log      *slog.Logger
	metrics  *metrics
	settings atomic.Pointer[Settings]
	gate     *gate
	now      *pending
	closed   atomic.Bool
	running  sync.Mutex // held by Run
	grumble  sometimes
}

// NewDoor returns a Door at l, which it owns from now on. keeper has the certificates;
// log may be nil. Nothing is accepted before Run.
func NewDoor(l *net.TCPListener, handlers Handlers, settings Settings, keeper *Keeper, log *slog.Logger) *Door {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	d := &Door{listener: l, handlers: handlers, keeper: keeper, log: log, gate: newGate(), now: newPending()}
	d.metrics = newMetrics(d)
	d.Use(settings)
	return d
}

// Use makes settings hold for connections that are accepted from now on. The keeper's
// certificates are exchanged by Keeper.Use.
func (d *Door) Use(settings Settings) {
	d.settings.Store(&settings)
	d.gate.allow(settings.Limits.Connections)
}

// Addr is where the Door listens.
func (d *Door) Addr() net.Addr { return d.listener.Addr() }

// Open is the number of connections that were accepted and are not closed.
func (d *Door) Open() int { return d.gate.count() }

// Run accepts connections until Stop, and then returns nil. The error says why no more
// can be accepted.
func (d *Door) Run() error {
	d.running.Lock()
	defer d.running.Unlock()
	var pause time.Duration
	for d.wait() {
		conn, err := d.listener.AcceptTCP()
		switch {
		case err == nil:
			pause = 0
			d.metrics.accepted.Inc()
			d.gate.enter()
			d.now.add()
			boundUnsent(conn) // here, where no connection keeps the stack that it takes
			go d.serve(conn)
			continue
		case d.closed.Load() || errors.Is(err, net.ErrClosed):
			return nil
		case errors.Is(err, syscall.EBADF) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSOCK):
			return fmt.Errorf("accept on %s: %w", d.Addr(), err)
		}
		d.metrics.failed.Inc()
		if pause = min(max(2*pause, firstPause), longestPause); d.grumble.may() {
			d.log.Error("no connection can be accepted", "listen", d.Addr().String(), "err", err, "remedy", "raise the limit of open files, or lower limits.connections")
		}
		time.Sleep(pause)
	}
	return nil
}

// How long to wait when the system gives no more connections. Somebody's descriptor
// has to become free first.
const (
	firstPause   = 5 * time.Millisecond
	longestPause = 100 * time.Millisecond
)

// wait waits until one more connection may be open.
func (d *Door) wait() bool {
	if there, open := d.gate.room(); there || !open {
		return open
	}
	d.metrics.limited.Inc()
	if d.grumble.may() {
		d.log.Warn("as many connections are open as may be, others wait", "listen", d.Addr().String(), "limits.connections", d.settings.Load().Limits.Connections)
	}
	return d.gate.wait()
}

// Stop accepts no more connections and waits until the engines know all that were
// accepted. Those that are silent when ctx ends are closed.
func (d *Door) Stop(ctx context.Context) {
	d.closed.Store(true)
	_ = d.listener.Close()
	d.gate.close()
	d.running.Lock() // until what Accept has returned is counted
	defer d.running.Unlock()
	d.now.end(ctx)
}

// serve finds out what a connection speaks and hands it on.
func (d *Door) serve(tcp *net.TCPConn) {
	known := sync.OnceFunc(d.now.done)
	defer known()
	s := d.settings.Load()
	config := d.keeper.config(d.handlers.HTTP2 != nil)
	if config == nil && (!s.H2C || d.handlers.HTTP2 == nil) {
		d.handlers.HTTP1(tcp, known, d.gate.leave)
		return
	}
	conn := newConn(tcp, d.gate.leave)
	var speaks net.Conn
	var two bool
	d.now.listen(conn)
	if config != nil {
		speaks, two = d.handshake(conn, config, s.Limits.HeaderTimeout)
	} else {
		speaks, two = d.sniff(conn, s.Limits.HeaderTimeout)
	}
	d.now.heard(conn)
	switch {
	case speaks == nil:
		_ = conn.Close()
	case two:
		conn.patience = s.Limits.StallTimeout // HTTP/1 looks after each write by itself
		d.handlers.HTTP2(speaks)
	default:
		d.handlers.HTTP1(speaks, known, func() {}) // closing it says so
	}
}

// sometimes keeps what is repeated from filling the log.
type sometimes struct {
	mu   sync.Mutex
	last time.Time
}

// may reports whether a second has passed since it last did so.
func (s *sometimes) may() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.last.IsZero() && time.Since(s.last) < time.Second {
		return false
	}
	s.last = time.Now()
	return true
}
