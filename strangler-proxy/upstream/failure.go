package upstream

import (
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"github.com/stranglerfig/toolkit/strangler-proxy/http1"
)

// An Error says that nobody could answer, and nothing was answered yet.
type Error struct {
	Side    string // whom the failure belongs to: the monolith or a service
	Failure Failure
	Before  string // why the service could not answer, when Side only stood in for it
}

func (e *Error) Error() string {
	text := fmt.Sprintf("%s: %s: %v", e.Side, e.Failure.Reason, e.Failure.Err)
	if e.Before != "" {
		text += " (in place of the service: " + e.Before + ")"
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Failure.Err }

// A Failure says why an attempt brought no response.
type Failure struct {
	Reason  string // one word, for header, log and metric
	Sent    bool   // the upstream may have seen a part of the request
	Timeout bool
	Stale   bool // the request came to a kept connection that had ended; another may do
	Err     error
}

// Why Calls end without a response of an upstream.
var (
	// ErrClient marks a failure that the client caused: it stopped sending its request or
	// sent what is no HTTP.
	ErrClient = errors.New("the client did not send its request properly")
	// ErrGone says that the client has left.
	ErrGone = errors.New("the client has left")
	// ErrStopped says that the proxy has no more time for the request.
	ErrStopped = errors.New("the proxy stops")
	// ErrBroken marks a response that broke off after it had begun.
	ErrBroken = errors.New("the response broke off")

	// ErrLate says that the deadline came before the client had sent its request.
	ErrLate = fmt.Errorf("%w: not until the deadline", ErrClient)

	errDeadline = errors.New("the deadline has passed")
	errTooSlow  = errors.New("the response did not begin in time")
	errSwitch   = errors.New("the response switches to a protocol that was not asked for")
	errInterim  = errors.New("too many interim responses")
)

// reasonBad is the failure of an upstream that answers no HTTP.
const reasonBad = "bad_response"

// reasonDeadline is the failure of a request whose time is over.
const reasonDeadline = "deadline"

// failDial classifies an error of a connection that was never made.
func (c *Call) failDial(err error) *Failure {
	f := &Failure{Reason: "connect_failed", Err: err} // the TLS handshake, for one
	var dial *net.OpError
	var dns *net.DNSError
	cause := c.cause()
	switch {
	case errors.Is(cause, errTooSlow):
		f.Reason, f.Timeout = "connect_timeout", true
	case errors.Is(cause, errDeadline):
		f.Reason, f.Timeout, f.Err = reasonDeadline, true, cause
	case cause != nil:
		f.Reason, f.Err = "client_gone", cause
	case errors.As(err, &dns):
		f.Reason = "connect_dns"
	case errors.Is(err, syscall.ECONNREFUSED):
		f.Reason = "connect_refused"
	case errors.As(err, &dial) && dial.Op == "dial" && dial.Timeout():
		f.Reason, f.Timeout = "connect_timeout", true
	}
	return f
}

// fail classifies an error of an attempt on a connection.
func (c *Call) fail(err error, sent bool) *Failure {
	f := &Failure{Err: err, Sent: sent, Reason: reasonBad}
	var bad *http1.Error
	cause := c.cause()
	wrong := c.body.wrong()
	switch {
	case errors.Is(cause, errTooSlow), errors.Is(err, errTooSlow):
		f.Reason, f.Timeout, f.Err = "timeout", true, errTooSlow
	case errors.Is(cause, errDeadline):
		f.Reason, f.Timeout, f.Err = reasonDeadline, true, cause
	case errors.Is(cause, ErrLate):
		f.Reason, f.Err = "client_body", cause
	case errors.Is(cause, ErrGone), errors.Is(cause, ErrStopped):
		f.Reason, f.Err = "client_gone", cause
	case wrong != nil:
		f.Reason, f.Err = "client_body", fmt.Errorf("%w: %w", ErrClient, wrong)
	case errors.As(err, &bad) && bad.Reason != http1.Truncated:
	case isReset(err):
		f.Reason = "reset"
	}
	return f
}

func isReset(err error) bool {
	var op *net.OpError
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.EPIPE) || errors.Is(err, net.ErrClosed) || errors.As(err, &op)
}
