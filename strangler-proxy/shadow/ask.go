package shadow

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/http1"
)

// A Copy is a request as it goes to a side a second time.
type Copy struct {
	Route   string
	Side    string // Monolith or a service's name
	Method  string
	Head    []byte // with the empty line; says the length of Body
	Body    []byte
	Timeout time.Duration // until all of the answer must be there
	Limit   int           // bytes of the answer's body that are wanted

	// Room that may be used for the answer: both are empty, and may be appended to.
	Fields, Buffer []byte
}

// An Answer is what a side answered.
type Answer struct {
	Status    int
	Fields    []byte // the lines of the head as they were sent, each with its end
	Body      []byte
	Framed    bool          // Body has the framing of chunks in it
	Truncated bool          // Body has as many bytes as were wanted, and there were more
	Took      time.Duration // from the request's head to the end of the answer
}

// An Asker sends a copy and returns the final answer to it. It stops reading when
// Copy.Limit bytes of the body are there, and gives up after Copy.Timeout or when ctx
// ends. It must not keep the slices of the Copy, and those of the answer must be the
// caller's alone. Goroutines call it at the same time.
type Asker interface {
	Ask(ctx context.Context, c Copy) (Answer, error)
}

// ErrNoSide is returned by an Asker that does not know the side any more.
var ErrNoSide = errors.New("the side is not in the configuration any more")

// header returns the fields with their names in canonical form.
func (a *Answer) header() http.Header {
	var fields http1.Fields
	fields.Scan(a.Fields)
	h := make(http.Header, fields.Count())
	for i := range fields.Count() {
		h.Add(string(fields.Name(i)), string(fields.Value(i)))
	}
	return h
}

// A failure is why a side gave no answer, in one word.
type failure uint8

const (
	noFailure failure = iota
	timedOut
	notReached // it does not take connections
	brokenOff
	badResponse // it answered something that is not HTTP
	unreadable  // its answer cannot be compared
	gone        // it is not in the configuration any more
	otherwise
	failures
)

var failureWords = [failures]string{"", "timeout", "connect", "reset", "bad_response", "unreadable", "no_side", "other"}

func (f failure) String() string { return failureWords[f] }

func failureOf(err error) failure {
	var (
		network net.Error
		op      *net.OpError
		syntax  *http1.Error
	)
	switch {
	case err == nil:
		return noFailure
	case errors.Is(err, ErrNoSide):
		return gone
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return timedOut
	case errors.As(err, &op) && op.Op == "dial":
		return notReached
	case errors.As(err, &syntax) && syntax.Reason == http1.Truncated,
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return brokenOff
	case errors.As(err, &syntax):
		return badResponse
	}
	return otherwise
}
