// Package wire holds what connections on both sides of the proxy share: buffers that
// are lent while bytes are there, alarms that break off what waits too long, and looks
// at a socket that take nothing from it. It knows no HTTP.
package wire

import (
	"net"
	"time"
)

// start is where Instants are counted from.
var start = time.Now()

// An Instant is a point on the monotonic clock of this process. Zero is none.
type Instant int64

// Now is the present Instant.
func Now() Instant { return Instant(time.Since(start)) + 1 }

// At is the Instant of a time that was read in this process.
func At(t time.Time) Instant { return Instant(t.Sub(start)) + 1 }

// Add returns the Instant d later.
func (i Instant) Add(d time.Duration) Instant { return i + Instant(d) }

// Past is a deadline that ends every wait of a net.Conn at once.
var Past = time.Unix(1, 0)

// Reset closes a connection in a way that the other side cannot take for an orderly
// end, also with TLS.
func Reset(conn net.Conn) {
	conn = innermost(conn)
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// innermost is the connection below TLS and other layers.
func innermost(conn net.Conn) net.Conn {
	for {
		inner, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			return conn
		}
		conn = inner.NetConn()
	}
}
