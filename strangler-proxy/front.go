package strangler

import (
	"errors"
	"net/http"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/stranglerfig/toolkit/strangler-proxy/accesslog"
	"github.com/stranglerfig/toolkit/strangler-proxy/admin"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/exchange"
	"github.com/stranglerfig/toolkit/strangler-proxy/forwarded"
	"github.com/stranglerfig/toolkit/strangler-proxy/hold"
	"github.com/stranglerfig/toolkit/strangler-proxy/http1"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
	"github.com/stranglerfig/toolkit/strangler-proxy/shadow"
	"github.com/stranglerfig/toolkit/strangler-proxy/trace"
	"github.com/stranglerfig/toolkit/strangler-proxy/upstream"
)

// A front is what all doors share: it decides, and reports what happened.
type front struct {
	current   *atomic.Pointer[snapshot]
	metrics   *metrics
	forward   *upstream.Forwarder
	learned   *discovery
	holds     *hold.Keeper
	copies    *shadow.Shadow
	access    *accesslog.Log
	tracer    *trace.Tracer // nil: none
	lastRound atomic.Bool   // each response ends its connection
	tokens    *atomic.Pointer[admin.Tokens]
	open      atomic.Int64 // requests being served
	conns     atomic.Int64 // connections of clients, upgraded ones not counted
	resting   atomic.Int64 // of them: those that have had no request for a while
}

// A refusal answers a request that is never forwarded.
type refusal struct {
	status  int
	reason  string // one word, for metric and log
	message string
	again   bool // a little later it may be taken
}

// begin counts a request in.
func (f *front) begin(x *exchange.Exchange, head *http1.Request) *snapshot {
	f.open.Add(1)
	s := f.current.Load()
	x.Start, x.ConfigVersion, x.ServedBy = time.Now(), s.version, config.ProxyName
	name(x, head)
	return s
}

// name takes from the head what the exchange is known by.
func name(x *exchange.Exchange, head *http1.Request) {
	x.Method, x.Path, x.Query, x.Host = view(head.Method), view(head.Path), view(head.Query), view(head.Host)
	if x.Path == "" {
		x.Path = "/" // of http://host?query
	}
}

// decide says who shall be asked, or why nobody is.
func (f *front) decide(s *snapshot, x *exchange.Exchange, head *http1.Request) *refusal {
	if f.tracer != nil {
		f.trace(x, head)
	}
	if limit := s.limits.Body; limit > 0 && head.ContentLength > limit {
		return &refusal{http.StatusRequestEntityTooLarge, "body_too_large", "the body is larger than is taken here", false}
	}
	return f.choose(s, x, head)
}

// choose looks the request up in the table.
func (f *front) choose(s *snapshot, x *exchange.Exchange, head *http1.Request) *refusal {
	decision, err := s.config.Table.Draw(&route.Head{
		Method: x.Method, Path: x.Path, Host: x.Host, Fields: (*fields)(head), Query: view(head.Query), Peer: x.Client,
	}, drawKey)
	if err != nil {
		return &refusal{http.StatusBadRequest, pathReason(err), err.Error(), false}
	}
	x.Decision, x.Plan = decision, s.plan(decision)
	return nil
}

func pathReason(err error) string {
	if errors.Is(err, route.ErrAmbiguousPath) {
		return "ambiguous_path"
	}
	return "bad_path"
}

// refused counts a request that was not forwarded.
func (f *front) refused(x *exchange.Exchange, r *refusal) {
	f.metrics.rejected.WithLabelValues(r.reason).Inc()
	x.Failure = r.reason
}

// unread begins an exchange whose head is no request.
func (f *front) unread(x *exchange.Exchange, room *[36]byte, peer *forwarded.Peer) {
	s, now := f.current.Load(), time.Now()
	*x = exchange.Exchange{
		Start: now, ServedBy: config.ProxyName, ID: requestID(&http1.Request{}, room, now), ConfigVersion: s.version,
		Client: peer.Addr, Failure: "bad_request",
	}
	f.markUnread(s, x, peer)
}

// finish reports the exchange.
func (f *front) finish(s *snapshot, x *exchange.Exchange) {
	x.Took = time.Since(x.Start)
	s.live(x.Decision).counters.record(x)
	s.live(x.Decision).counters.judged.watch(x)
	f.learned.record(s.live(x.Decision).counters.calls, x)
	f.open.Add(-1)
	if x.Trace != nil {
		x.Trace.End(x)
	}
	f.logAccess(x)
}

// fields lets routes look at a head.
type fields http1.Request

// Field implements route.Fields.
func (f *fields) Field(name string) (value string, times int) {
	head := (*http1.Request)(f)
	for i := head.Lookup(name, 0); i >= 0; i = head.Lookup(name, i+1) {
		if times == 0 {
			value = view(head.Value(i))
		}
		times++
	}
	return value, times
}

// Value implements route.Fields.
func (f *fields) Value(name string, i int) (value string, found bool) {
	head := (*http1.Request)(f)
	for at := head.Lookup(name, 0); at >= 0; at = head.Lookup(name, at+1) {
		if i == 0 {
			return view(head.Value(at)), true
		}
		i--
	}
	return "", false
}

// view is b as a string without a copy: it holds as long as b does.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
