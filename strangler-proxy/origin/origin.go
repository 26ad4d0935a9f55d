// Package origin keeps the connections to one instance of an upstream: it dials them,
// lends them to one request at a time, keeps them for the next one, and closes those
// that nobody used for a while. It knows no HTTP but where a response may begin.
package origin

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/wire"
)

// Options tune an Origin. The zero value is fit for production.
type Options struct {
	ConnectTimeout time.Duration // 0 means 1 s: a dead service must not cost each request a long wait
	IdleConns      int           // kept open; 0 means 256
	IdleTimeout    time.Duration // 0 means 4 s: shorter than what common servers keep, so that the end of an idle connection rarely meets a request
	TLS            *tls.Config   // for https; nil trusts what the system trusts
}

const handshakeTimeout = 3 * time.Second

// An Origin is one instance: scheme, host and port. Goroutines may share it.
type Origin struct {
	Name    string // host:port as the configuration has it
	address string // what is dialled
	tls     *tls.Config
	opts    Options
	dialer  net.Dialer

	mu     sync.Mutex
	idle   []*Conn // the one used last is at the end
	closed bool
	sweep  *time.Timer // runs while there are idle connections
}

// New returns an Origin for a url of which only scheme and host count. Close ends its
// idle connections.
func New(u *url.URL, opts Options) *Origin {
	if opts.ConnectTimeout == 0 {
		opts.ConnectTimeout = time.Second
	}
	if opts.IdleConns == 0 {
		opts.IdleConns = 256
	}
	if opts.IdleTimeout == 0 {
		opts.IdleTimeout = 4 * time.Second
	}
	o := &Origin{Name: u.Host, address: address(u), opts: opts, dialer: net.Dialer{
		Timeout: opts.ConnectTimeout, KeepAlive: 30 * time.Second, Control: RefuseLinkLocal,
	}}
	if u.Scheme == "https" {
		o.tls = &tls.Config{MinVersion: tls.VersionTLS12}
		if opts.TLS != nil {
			o.tls = opts.TLS.Clone()
		}
		o.tls.NextProtos = []string{"http/1.1"}
		if o.tls.ServerName == "" {
			o.tls.ServerName = u.Hostname()
		}
	}
	return o
}

func address(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// ErrLinkLocal marks an address that is never connected to.
var ErrLinkLocal = errors.New("link-local addresses are never connected to")

// RefuseLinkLocal is a net.Dialer's Control that also catches names and unusual
// spellings that resolve to 169.254.0.0/16.
func RefuseLinkLocal(_, address string, _ syscall.RawConn) error {
	if a, err := netip.ParseAddrPort(address); err == nil && a.Addr().Unmap().IsLinkLocalUnicast() {
		return fmt.Errorf("%s: %w", address, ErrLinkLocal)
	}
	return nil
}

// Kept lends the connection that was used last, or nil. One that the other side has
// ended is not lent, nor one on which it has said what nobody asked for: that would be
// taken for the answer to the next request.
func (o *Origin) Kept() *Conn {
	for {
		o.mu.Lock()
		n := len(o.idle)
		if n == 0 {
			o.mu.Unlock()
			return nil
		}
		c := o.idle[n-1]
		o.idle[n-1] = nil
		o.idle = o.idle[:n-1]
		o.mu.Unlock()
		if c.ended() {
			c.Close()
			continue
		}
		return c
	}
}

// Dial opens a connection.
func (o *Origin) Dial(ctx context.Context) (*Conn, error) {
	conn, err := o.dialer.DialContext(ctx, "tcp", o.address)
	if err != nil {
		return nil, err
	}
	c := &Conn{Conn: conn, origin: o}
	if o.tls != nil {
		secure := tls.Client(conn, o.tls)
		limited, cancel := context.WithTimeout(ctx, handshakeTimeout)
		defer cancel()
		if err := secure.HandshakeContext(limited); err != nil {
			conn.Close()
			return nil, fmt.Errorf("TLS handshake: %w", err)
		}
		c.Conn = secure
	}
	c.prepare()
	return c, nil
}

// A Conn is one connection, lent to one request at a time.
type Conn struct {
	net.Conn
	In wire.Buffer // what has arrived and was not consumed

	origin   *Origin
	question question
	used     bool // it has served a request before
	large    bool // the last answer did not fit into a small buffer
	untaken  bool // the other side has not taken what it was sent
	since    wire.Instant
}

// Used reports whether the connection has served a request before.
func (c *Conn) Used() bool { return c.used }

// Write implements io.Writer.
func (c *Conn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.untaken = c.untaken || errors.Is(err, os.ErrDeadlineExceeded)
	return n, err
}

// Close closes the connection. It is not kept. What the other side did not take when the
// waiting for that ended the system forgets, too: it would go on to offer it for hours.
func (c *Conn) Close() error {
	c.In.Drop()
	if c.untaken {
		wire.Reset(c.Conn)
		return nil
	}
	return c.Conn.Close()
}

// Break ends every wait on the connection, from any goroutine; its borrower closes it.
func (c *Conn) Break() { _ = c.SetDeadline(wire.Past) }

// Fill waits for more bytes.
func (c *Conn) Fill() error {
	room := c.room()
	n, err := c.Read(room)
	c.In.Filled(n)
	if n > 0 {
		return nil
	}
	return err
}

// Expect says how many bytes the body of an answer had: the next one may well be like it.
func (c *Conn) Expect(bytes int64) { c.large = bytes > wire.SmallBytes }

func (c *Conn) room() []byte {
	if c.large {
		return c.In.LargeRoom()
	}
	return c.In.Room()
}

// Keep takes a connection back whose response was read to the end. Bytes that nobody
// asked for end it.
func (c *Conn) Keep() {
	o := c.origin
	if !c.In.Release() {
		c.Close()
		return
	}
	c.used, c.since = true, wire.Now()
	o.mu.Lock()
	if o.closed || len(o.idle) >= o.opts.IdleConns {
		o.mu.Unlock()
		c.Close()
		return
	}
	o.idle = append(o.idle, c)
	if o.sweep == nil {
		o.sweep = time.AfterFunc(o.opts.IdleTimeout, o.expire)
	}
	o.mu.Unlock()
}

// expire closes what was idle for too long: the front of the list was used the longest ago.
func (o *Origin) expire() {
	o.mu.Lock()
	limit := wire.Now().Add(-o.opts.IdleTimeout)
	n := 0
	for n < len(o.idle) && o.idle[n].since <= limit {
		n++
	}
	old := append([]*Conn(nil), o.idle[:n]...)
	left := copy(o.idle, o.idle[n:])
	clear(o.idle[left:])
	o.idle = o.idle[:left]
	if left == 0 {
		o.sweep = nil
	} else {
		o.sweep.Reset(max(time.Duration(o.idle[0].since-limit), 10*time.Millisecond))
	}
	o.mu.Unlock()
	for _, c := range old {
		c.Close()
	}
}

// Close closes idle connections, and each other one once it is given back.
func (o *Origin) Close() {
	o.mu.Lock()
	idle := o.idle
	o.idle, o.closed = nil, true
	if o.sweep != nil {
		o.sweep.Stop()
	}
	o.mu.Unlock()
	for _, c := range idle {
		c.Close()
	}
}
