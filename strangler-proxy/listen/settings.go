package listen

import (
	"crypto/tls"
	"time"
)

// Settings say how clients may connect. A Settings is not changed once it is in use.
type Settings struct {
	TLS    []Pair // certificates by the names in them; empty: plain HTTP
	H2C    bool   // HTTP/2 without TLS too
	Limits Limits
}

// A Pair is a certificate and its key, as files.
type Pair struct {
	Cert, Key string
	Min       uint16 // the oldest version of TLS; 0 means 1.2
}

// MinVersion is the oldest version of TLS for the pair's names.
func (p Pair) MinVersion() uint16 { return max(p.Min, tls.VersionTLS12) }

// Limits bound what clients may cost.
type Limits struct {
	Header      int   // bytes of a request's fields
	URL         int   // bytes of a request's target
	Body        int64 // bytes of a request's body; 0 means any number
	Connections int   // open at a time
	Streams     int   // requests at a time on a connection of HTTP/2

	HeaderTimeout time.Duration // for a TLS handshake and for a request's head
	IdleTimeout   time.Duration // for a connection without a request
	StallTimeout  time.Duration // for a client that sends too little within a request, or does not take its response
}

// DefaultLimits returns the limits that hold unless the configuration says otherwise.
func DefaultLimits() Limits {
	return Limits{
		Header: 64 << 10, URL: 16 << 10, Connections: 20_000, Streams: 100,
		HeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, StallTimeout: time.Minute,
	}
}
