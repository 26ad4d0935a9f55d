// Package wire holds what connections on both sides of the proxy share: buffers that
// are lent while bytes are there, alarms that break off what waits too long, and looks
// at a socket that take nothing from it. It knows no HTTP.
package wire

import "time"

// start is where Instants are counted from.
var start = time.Now()

// An Instant is a point on the monotonic clock of this process. Zero is none.
type Instant int64

// Now is the present Instant.
func Now() Instant { return Instant(time.Since(start)) + 1 }

// Add returns the Instant d later.
func (i Instant) Add(d time.Duration) Instant { return i + Instant(d) }

// Past is a deadline that ends every wait of a net.Conn at once.
var Past = time.Unix(1, 0)
