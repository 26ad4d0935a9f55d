package listen

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// A Conn is a connection whose first bytes may have been read already. It is counted
// until it is closed.
type Conn struct {
	*net.TCPConn
	begin  []byte // read, and not handed out yet
	closed func()
	ended  chan struct{} // closed by it

	patience time.Duration // with a client that has to take what is written; 0: for ever
	bounded  atomic.Bool   // somebody has set a deadline for writing
	writes   atomic.Int32  // under way, or given up
}

// Unwrap returns the connection below and the bytes that were read from it. The Conn
// must still be closed, but no longer read from.
func (c *Conn) Unwrap() (tcp *net.TCPConn, read []byte) {
	read, c.begin = c.begin, nil
	return c.TCPConn, read
}

// NetConn returns the connection below, as that of a *tls.Conn does.
func (c *Conn) NetConn() net.Conn { return c.TCPConn }

// Read implements io.Reader.
func (c *Conn) Read(p []byte) (int, error) {
	if len(c.begin) == 0 || len(p) == 0 {
		return c.TCPConn.Read(p)
	}
	n := copy(p, c.begin)
	if c.begin = c.begin[n:]; len(c.begin) == 0 {
		c.begin = nil
	}
	return n, nil
}

// WriteTo implements io.WriterTo, which the connection below has too.
func (c *Conn) WriteTo(w io.Writer) (int64, error) {
	var written int64
	if begin := c.begin; len(begin) > 0 {
		c.begin = nil
		n, err := w.Write(begin)
		if written = int64(n); err != nil {
			return written, err
		}
	}
	n, err := c.TCPConn.WriteTo(w)
	return written + n, err
}

// Write implements io.Writer. A client has to take all of p in time, not only a byte now
// and then.
func (c *Conn) Write(p []byte) (int, error) {
	if c.patience == 0 || c.bounded.Load() {
		return c.TCPConn.Write(p)
	}
	_ = c.TCPConn.SetWriteDeadline(time.Now().Add(c.patience))
	c.writes.Add(1)
	n, err := c.TCPConn.Write(p)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		c.writes.Add(-1)
	}
	return n, err
}

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.bounded.Store(!t.IsZero())
	return c.TCPConn.SetWriteDeadline(t)
}

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	c.bounded.Store(!t.IsZero())
	return c.TCPConn.SetDeadline(t)
}

// newConn returns a Conn whose end is told once.
func newConn(tcp *net.TCPConn, closed func()) *Conn {
	ended := make(chan struct{})
	return &Conn{TCPConn: tcp, ended: ended, closed: sync.OnceFunc(func() {
		close(ended)
		closed()
	})}
}

// Close implements io.Closer. What a client does not take the system forgets, too.
func (c *Conn) Close() error {
	defer c.closed()
	if c.writes.Load() > 0 {
		_ = c.SetLinger(0)
	}
	return c.TCPConn.Close()
}

// preface is what a connection of HTTP/2 begins with (RFC 9113, 3.4).
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// sniff reads as little as tells HTTP/2 from HTTP/1: the first byte that differs from
// the preface. Nobody waits for bytes that a client need not send.
func (d *Door) sniff(conn *Conn, limit time.Duration) (speaks net.Conn, two bool) {
	_ = conn.SetReadDeadline(time.Now().Add(limit))
	begin := make([]byte, 0, len(preface))
	for len(begin) < len(preface) && string(begin) == preface[:len(begin)] {
		n, err := conn.TCPConn.Read(begin[len(begin):cap(begin)])
		begin = begin[:len(begin)+n]
		if err != nil {
			if n == 0 && len(begin) == 0 || !errors.Is(err, io.EOF) {
				return nil, false
			}
			break
		}
	}
	_ = conn.SetReadDeadline(time.Time{})
	conn.begin = begin
	return conn, string(begin) == preface
}

// handshake speaks TLS with a client and returns what lies within, or nil.
func (d *Door) handshake(conn *Conn, config *tls.Config, limit time.Duration) (speaks net.Conn, two bool) {
	_ = conn.SetDeadline(time.Now().Add(limit))
	secure := tls.Server(conn, config)
	if err := secure.HandshakeContext(context.Background()); err != nil { // the deadline ends it
		d.metrics.handshakes.WithLabelValues(reasonOf(err)).Inc()
		d.log.Debug("no TLS with a client", "client", conn.RemoteAddr().String(), "err", err)
		refuse(err)
		return nil, false
	}
	_ = conn.SetDeadline(time.Time{})
	return secure, secure.ConnectionState().NegotiatedProtocol == protoHTTP2
}

// reasonOf sorts failed handshakes for the metric.
func reasonOf(err error) string {
	var header tls.RecordHeaderError
	var timeout net.Error
	switch {
	case errors.As(err, &header):
		return "not_tls"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	case errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed):
		return "client_gone"
	}
	return "refused"
}

// refuse tells a client that speaks HTTP where TLS is spoken.
func refuse(err error) {
	var header tls.RecordHeaderError
	if !errors.As(err, &header) || header.Conn == nil || !startsLikeHTTP(header.RecordHeader[:]) {
		return
	}
	const message = "this address speaks https\n"
	_, _ = io.WriteString(header.Conn, "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 26\r\nConnection: close\r\n\r\n"+message)
}

func startsLikeHTTP(begin []byte) bool {
	for _, method := range []string{"GET /", "HEAD ", "POST ", "PUT /", "OPTIO", "PATCH", "DELET"} {
		if bytes.HasPrefix(begin, []byte(method)) {
			return true
		}
	}
	return false
}
