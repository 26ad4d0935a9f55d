package upstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// An attempt is one request to one instance.
type attempt struct {
	req     *http.Request
	url     *url.URL
	timeout time.Duration // until the response begins; 0 means none
	body    *gate         // nil without a body
	hold    int64         // up to this size the response is read before it counts

	cancel context.CancelCauseFunc
	clock  *clock
	sent   sentBytes
}

// An answer is a response or a failure.
type answer struct {
	response *http.Response
	failure  *Failure
}

// limitDiscard is how long the end of an answer that nobody wants is waited for.
const limitDiscard = 50 * time.Millisecond

// discard gives the connection back if little is left to read, or closes it.
func (a answer) discard() {
	if a.response == nil {
		return
	}
	late := time.AfterFunc(limitDiscard, func() { a.response.Body.Close() })
	defer late.Stop()
	_, _ = io.CopyN(io.Discard, a.response.Body, 4<<10)
	a.response.Body.Close()
}

// A Failure says why an attempt brought no response.
type Failure struct {
	Reason  string // one word, for header, log and metric
	Sent    bool   // the upstream may have seen a part of the request
	Timeout bool
	Stale   bool // the request came to a kept connection that had ended; another may do
	Err     error
}

// ErrClient marks a failure that the client caused: it stopped sending its request
// or sent what is no HTTP.
var ErrClient = errors.New("the client did not send its request properly")

var (
	errTooSlow = errors.New("the response did not begin in time")
	errVersion = errors.New("the response is not HTTP/1")
	errSwitch  = errors.New("the response switches to a protocol that was not asked for")
	errStatus  = errors.New("the response has no status between 200 and 999")
)

func (a *attempt) run(transport http.RoundTripper) answer {
	ctx, cancel := context.WithCancelCause(a.req.Context())
	a.cancel = cancel
	a.clock = startClock(a.timeout, func() { cancel(errTooSlow) })
	out := a.req.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { a.sent.begin(info.Conn, info.Reused, !safe(a.req.Method)) },
	}))
	target := *a.req.URL
	target.Scheme, target.Host = a.url.Scheme, a.url.Host
	out.URL = &target
	out.Body = nil
	if a.body != nil {
		a.body.clock = a.clock
		out.Body = a.body
	}
	res, err := transport.RoundTrip(out)
	if err == nil {
		if err = a.check(res); err != nil {
			res.Body.Close()
		}
	}
	if err == nil && a.mustHold(res) {
		err = a.readWhole(res)
	}
	if stopped := a.clock.stop(); err == nil && !stopped {
		res.Body.Close()
		err = errTooSlow
	}
	if err != nil {
		if a.body != nil {
			a.body.shut()
		}
		failure := a.classify(ctx, err)
		cancel(nil)
		return answer{failure: failure}
	}
	res.Body = a.closing(res.Body)
	return answer{response: res}
}

// check refuses responses that net/http lets through and nobody can use.
func (a *attempt) check(res *http.Response) error {
	if res.ProtoMajor != 1 {
		return errVersion
	}
	if res.StatusCode < http.StatusOK && res.StatusCode != http.StatusSwitchingProtocols {
		return errStatus
	}
	asked := a.req.Header.Get("Upgrade")
	if res.StatusCode == http.StatusSwitchingProtocols && (asked == "" || !strings.EqualFold(asked, res.Header.Get("Upgrade"))) {
		return errSwitch
	}
	return nil
}

func (a *attempt) mustHold(res *http.Response) bool {
	return a.hold > 0 && res.ContentLength > 0 && res.ContentLength <= a.hold && res.StatusCode != http.StatusSwitchingProtocols
}

// readWhole reads a short response before any of it goes to the client.
func (a *attempt) readWhole(res *http.Response) error {
	held := make([]byte, res.ContentLength)
	_, err := io.ReadFull(res.Body, held)
	res.Body.Close()
	if err != nil {
		return err
	}
	res.Body = io.NopCloser(bytes.NewReader(held))
	return nil
}

// closing makes the end of the response's body end the attempt.
func (a *attempt) closing(body io.ReadCloser) io.ReadCloser {
	if duplex, ok := body.(io.ReadWriteCloser); ok {
		return &upgraded{ReadWriteCloser: duplex, cancel: a.cancel}
	}
	return &responseBody{ReadCloser: body, cancel: a.cancel}
}

type responseBody struct {
	io.ReadCloser
	cancel context.CancelCauseFunc
}

func (b *responseBody) Close() error {
	err := b.ReadCloser.Close()
	b.cancel(nil)
	return err
}

// upgraded is the connection after a switch of protocols.
type upgraded struct {
	io.ReadWriteCloser
	cancel context.CancelCauseFunc
}

func (u *upgraded) Close() error {
	err := u.ReadWriteCloser.Close()
	u.cancel(nil)
	return err
}

// CloseWrite passes a half-close on, if the connection knows it.
func (u *upgraded) CloseWrite() error {
	if half, ok := u.ReadWriteCloser.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return u.Close()
}

func (a *attempt) classify(ctx context.Context, err error) *Failure {
	f := &Failure{Err: err, Sent: a.sent.any(), Stale: a.sent.stale()}
	var dial *net.OpError
	var dns *net.DNSError
	if a.body != nil {
		if wrong := a.body.body.failed.Load(); wrong != nil && a.req.Context().Err() == nil {
			f.Reason, f.Err = "client_body", fmt.Errorf("%w: %w", ErrClient, *wrong)
			return f
		}
	}
	switch {
	case errors.Is(context.Cause(ctx), errTooSlow):
		f.Reason, f.Timeout = "timeout", true
		if !a.sent.connected() {
			f.Reason = "connect_timeout"
		}
	case a.req.Context().Err() != nil:
		f.Reason = "client_gone"
	case errors.As(err, &dns):
		f.Reason = "connect_dns"
	case errors.As(err, &dial) && dial.Op == "dial":
		f.Reason = "connect_failed"
		if errors.Is(err, syscall.ECONNREFUSED) {
			f.Reason = "connect_refused"
		} else if dial.Timeout() {
			f.Reason, f.Timeout = "connect_timeout", true
		}
	case !a.sent.connected():
		f.Reason = "connect_failed" // the TLS handshake, for one
	case isReset(err):
		f.Reason = "reset"
	default:
		f.Reason = "bad_response"
	}
	return f
}

func isReset(err error) bool {
	var op *net.OpError
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.EPIPE) || errors.Is(err, net.ErrClosed) || errors.As(err, &op) ||
		err.Error() == "http: server closed idle connection"
}
