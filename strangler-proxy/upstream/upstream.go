// Package upstream asks the service, or in its place the monolith, for the answer to
// a request, and relays the answer to the client. It promises that a request which may
// change something reaches at most one of them and at most once, that no fallback
// begins after a byte of a response has gone to the client, and that a response which
// broke off never looks complete.
//
// A [Call] is one request under way. The side of the client is a [Client]: HTTP/1.1
// and HTTP/2 have one each, and everything behind them is the same.
package upstream

import (
	"sync/atomic"

	"github.com/stranglerfig/toolkit/strangler-proxy/http1"
)

// Options tune a Forwarder. The zero value is fit for production.
type Options struct {
	InFlight func() int64 // requests that the proxy serves now, for a budget in percent; nil means 0
}

// A Forwarder carries Calls out. Goroutines may share it.
type Forwarder struct {
	inFlight  func() int64
	fallbacks atomic.Int64 // in flight
}

// New returns a Forwarder.
func New(opts Options) *Forwarder {
	if opts.InFlight == nil {
		opts.InFlight = func() int64 { return 0 }
	}
	return &Forwarder{inFlight: opts.InFlight}
}

// A Client is the side that asked. Except for ReadBody and StopBody, one goroutine
// calls it.
type Client interface {
	// ReadBody returns the next bytes of the request's body, framed for the upstream as
	// the request's head says. They hold until the next call. The error is io.EOF behind
	// the end, or what the client did wrong.
	ReadBody() ([]byte, error)
	// StopBody makes ReadBody fail from now on, also one that waits. Any goroutine may
	// call it.
	StopBody()

	// Left reports whether the client has gone. Any goroutine may call it.
	Left() bool

	// Interim passes an interim response on.
	Interim(res *http1.Response) error
	// Begin passes the head of the response on.
	Begin(res *http1.Response) error
	// Data reports whether the client is to get the data of a body alone, without the
	// framing of chunks.
	Data(res *http1.Response) bool
	// Write passes bytes of the response's body on, maybe not before Flush.
	Write(p []byte) error
	// Flush sees to it that the client gets what was passed on.
	Flush() error
	// End says that the response is complete. The trailer is nil if there is none or if
	// it has gone with the framing.
	End(trailer *http1.Fields) error
	// Tunnel relays between the client and an upstream that have switched protocols,
	// until both have ended.
	Tunnel(up Stream) error
}

// A Stream is an upstream's side of a tunnel.
type Stream interface {
	Read(p []byte) (int, error)
	Write(p []byte) (int, error)
	CloseWrite() error
}
