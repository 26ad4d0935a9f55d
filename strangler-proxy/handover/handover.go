// Package handover passes listening sockets from a running process to the one that
// replaces it, so that no connection is refused in between. The two meet at a socket
// file that only the same user can use. Until the successor says that it serves, the
// predecessor goes on as if nothing were; a successor that dies changes nothing.
//
// They speak lines of JSON, each side in turn:
//
//	successor    {"handover":1,"pid":4711}
//	predecessor  {"handover":1,"listeners":["public","admin"]}, with the sockets
//	successor    {"serving":true}
//	predecessor  {"leaving":true}
//
// In place of its answers the predecessor may say {"handover":1,"refused":"why"}.
package handover

import (
	"errors"
	"net"
	"time"
)

// version of the protocol.
const version = 1

// Names of the sockets of the proxy.
const (
	Public = "public" // where clients connect
	Admin  = "admin"
)

// Listeners are listening sockets by name.
type Listeners map[string]*net.TCPListener

// Close closes all of them.
func (l Listeners) Close() {
	for _, listener := range l {
		_ = listener.Close()
	}
}

// ErrUnsupported says that this system cannot pass sockets between processes.
var ErrUnsupported = errors.New("handing listeners over is supported on Linux only")

// A RefusedError is the answer of a predecessor that hands nothing over.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string { return "the running process refuses to hand over: " + e.Reason }

// How long the two wait for each other.
const (
	limitAnswer  = 5 * time.Second  // for an answer that needs no work
	limitServing = 60 * time.Second // for a successor to serve
	limitLine    = 4 << 10
)

// A message is any line of the protocol.
type message struct {
	Handover  int      `json:"handover,omitempty"`
	PID       int      `json:"pid,omitempty"`
	Listeners []string `json:"listeners,omitempty"`
	Refused   string   `json:"refused,omitempty"`
	Serving   bool     `json:"serving,omitempty"`
	Leaving   bool     `json:"leaving,omitempty"`
}
