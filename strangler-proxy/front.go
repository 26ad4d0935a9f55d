package strangler

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/exchange"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
	"github.com/stranglerfig/toolkit/strangler-proxy/upstream"
)

// Limits of a request's head.
const (
	limitURL    = 16 << 10 // longer: 414
	limitHeader = 64 << 10 // longer: 431
)

// A front is the handler that clients meet: it decides, forwards and reports.
type front struct {
	current   *atomic.Pointer[snapshot]
	metrics   *metrics
	forward   *httputil.ReverseProxy
	log       *slog.Logger  // of requests; nil: none
	stall     time.Duration // how long a client may be silent within a request
	lastRound atomic.Bool   // each response ends its connection
	open      atomic.Int64  // requests being served
	conns     atomic.Int64  // connections of clients, upgraded ones not counted
}

func newFront(current *atomic.Pointer[snapshot], m *metrics, transport http.RoundTripper, stall time.Duration, access, errorLog *slog.Logger) *front {
	return &front{
		current: current, metrics: m, log: access, stall: stall,
		forward: &httputil.ReverseProxy{
			Rewrite:        rewrite,
			Transport:      transport,
			ModifyResponse: markResponse,
			ErrorHandler:   answerFailure,
			FlushInterval:  -1, // what an upstream has written, the client gets
			BufferPool:     newBufferPool(),
			ErrorLog:       slog.NewLogLogger(errorLog.Handler(), slog.LevelDebug),
		},
	}
}

// watch counts connections; it is the server's ConnState hook.
func (f *front) watch(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		f.conns.Add(1)
	case http.StateClosed, http.StateHijacked:
		f.conns.Add(-1)
	}
}

// ServeHTTP implements http.Handler.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.open.Add(1)
	f.metrics.inFlight.Inc()
	s := f.current.Load()
	x := &exchange.Exchange{
		Start: time.Now(), Method: r.Method, ConfigVersion: s.version,
		ID: requestID(r.Header), Host: r.Host, ServedBy: config.ProxyName,
	}
	out := f.respond(w, r, x)
	ended := false
	defer func() {
		f.finish(s, x, ended)
		out.end()
	}()
	target, refusal := f.prepare(s, x, r)
	if refusal != nil {
		f.metrics.rejected.WithLabelValues(refusal.reason).Inc()
		x.Failure = refusal.reason
		fail(out, r, x, refusal.status, refusal.message)
		ended = true
		return
	}
	// A copy: net/http looks at its own when it decides about the connection.
	r = r.WithContext(exchange.With(r.Context(), x))
	r.URL = target
	if r.Body != http.NoBody {
		// An upstream may answer while it still reads.
		_ = out.control.EnableFullDuplex()
		out.body = newPatientBody(r, out.control, f.stall)
		r.Body = out.body
	}
	f.forward.ServeHTTP(out, r)
	ended = true
}

// finish reports the exchange, also when the response was broken off by a panic.
func (f *front) finish(s *snapshot, x *exchange.Exchange, ended bool) {
	x.Took = time.Since(x.Start)
	if !ended && x.Failure == "" {
		x.Failure = "broken_off"
	}
	s.live(x.Decision).counters.record(x)
	f.metrics.inFlight.Dec()
	f.open.Add(-1)
	f.logAccess(x)
}

// A refusal answers a request that is never forwarded.
type refusal struct {
	status  int
	reason  string // one word, for metric and log
	message string
}

// prepare decides, cleans the request's headers and returns the URL to forward,
// whose scheme and host are still open.
func (f *front) prepare(s *snapshot, x *exchange.Exchange, r *http.Request) (*url.URL, *refusal) {
	path, query, hasQuery := splitTarget(r.RequestURI)
	x.Path = path
	if refused := checkHead(r, path); refused != nil {
		return nil, refused
	}
	decision, err := decide(s.config.Table, route.Head{Method: r.Method, Path: path, Host: r.Host, Header: r.Header, Query: query, Peer: peerOf(r.RemoteAddr)})
	if err != nil {
		return nil, &refusal{http.StatusBadRequest, pathReason(err), err.Error()}
	}
	x.Decision, x.Plan = decision, s.plan(decision)
	if decision.NewKey != "" {
		x.SetCookie = keyCookie(decision.NewKey, r.TLS != nil)
	}
	target, refused := rawURL(path, query, hasQuery)
	if refused == nil {
		cleanRequest(r, x.ID)
	}
	return target, refused
}

func pathReason(err error) string {
	if errors.Is(err, route.ErrAmbiguousPath) {
		return "ambiguous_path"
	}
	return "bad_path"
}

// splitTarget cuts a request target into path and query as they were sent. The
// authority of an absolute-form target is left out: it is in the request's Host and
// never chooses an upstream.
func splitTarget(target string) (path, query string, hasQuery bool) {
	if !strings.HasPrefix(target, "/") {
		if _, rest, ok := strings.Cut(target, "://"); ok {
			at := strings.IndexAny(rest, "/?")
			switch {
			case at < 0:
				target = "/"
			case rest[at] == '?':
				target = "/" + rest[at:]
			default:
				target = rest[at:]
			}
		}
	}
	return strings.Cut(target, "?")
}

func checkHead(r *http.Request, path string) *refusal {
	switch {
	case len(r.RequestURI) > limitURL:
		return &refusal{http.StatusRequestURITooLong, "url_too_long", "the URL is longer than 16 KiB"}
	case headerBytes(r.Header) > limitHeader:
		return &refusal{http.StatusRequestHeaderFieldsTooLarge, "header_too_large", "the headers are larger than 64 KiB"}
	case r.Method == http.MethodConnect:
		return &refusal{http.StatusMethodNotAllowed, "connect", "CONNECT is not served here"}
	case path == "*":
		return &refusal{http.StatusBadRequest, "asterisk", "a request for * is not served here"}
	case strings.IndexByte(r.RequestURI, '#') >= 0:
		return &refusal{http.StatusBadRequest, "bad_path", "the URL holds a raw #"}
	}
	return nil
}

func headerBytes(h http.Header) int {
	total := 0
	for name, values := range h {
		for _, v := range values {
			total += len(name) + len(v) + 4
		}
	}
	return total
}

// rawURL is a URL that is written to the upstream byte by byte as the client sent it.
func rawURL(path, query string, hasQuery bool) (*url.URL, *refusal) {
	u := &url.URL{Opaque: path, RawQuery: query, ForceQuery: hasQuery && query == ""}
	if strings.HasPrefix(path, "//") {
		// As Opaque this would be written as the URL of another host.
		decoded, err := url.PathUnescape(path)
		u.Opaque, u.Path, u.RawPath = "", decoded, path
		if err != nil || u.EscapedPath() != path {
			return nil, &refusal{http.StatusBadRequest, "bad_path", "the path begins with // and holds bytes that must be encoded"}
		}
	}
	return u, nil
}

// rewrite prepares what goes to the upstream; hop-by-hop headers are gone by now.
func rewrite(pr *httputil.ProxyRequest) {
	in, out := pr.In, pr.Out
	out.URL.RawQuery, out.URL.ForceQuery = in.URL.RawQuery, in.URL.ForceQuery // not cleaned: the bytes belong to the application
	out.Host = in.Host
	out.Trailer = in.Trailer // filled while the body is read
	setForwarded(out.Header, in)
	out.Header["X-Request-Id"] = []string{exchange.From(in.Context()).ID}
}

// answerFailure answers when nobody else could.
func answerFailure(w http.ResponseWriter, r *http.Request, err error) {
	x := exchange.From(r.Context())
	x.ServedBy = config.ProxyName
	if out, ok := w.(*response); ok && out.body != nil && out.body.overdue() {
		x.Failure = "client_body"
		w.Header().Set("Connection", "close")
		fail(w, r, x, http.StatusRequestTimeout, "the request's body did not arrive in time")
		return
	}
	if r.Context().Err() != nil {
		x.Failure, x.Status = "client_gone", 499
		panic(http.ErrAbortHandler) // nobody reads; end the connection
	}
	status, message := http.StatusBadGateway, "the application did not answer"
	var failed *upstream.Error
	switch {
	case errors.Is(err, upstream.ErrClient):
		status, message = http.StatusBadRequest, "the request's body is not HTTP"
		w.Header().Set("Connection", "close")
	case errors.As(err, &failed):
		status, message = describe(failed)
		if status == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", "1")
		}
	default: // the answer made no sense to the reverse proxy
		x.Failure = "bad_response"
	}
	fail(w, r, x, status, message)
}

func describe(e *upstream.Error) (status int, message string) {
	who := "service " + e.Side
	if e.Side == config.MonolithName {
		who = "the monolith"
	}
	what := "could not be reached"
	switch {
	case errors.Is(e.Failure.Err, upstream.ErrRest):
		return http.StatusServiceUnavailable, who + " gets a rest after its failures, and the monolith may not answer for it"
	case e.Failure.Timeout && e.Failure.Sent:
		status, what = http.StatusGatewayTimeout, "did not answer in time"
	case e.Failure.Timeout:
		status, what = http.StatusGatewayTimeout, "could not be reached in time"
	case e.Failure.Reason == "bad_response":
		status, what = http.StatusBadGateway, "answered something that is not HTTP"
	case e.Failure.Sent:
		status, what = http.StatusBadGateway, "broke off before it answered"
	default:
		status = http.StatusBadGateway
	}
	if errors.Is(e.Failure.Err, upstream.ErrBudget) {
		status, what = http.StatusServiceUnavailable, "already answers for as many requests as it may"
	}
	message = who + " " + what
	if e.Before != "" {
		message = "the service failed (" + e.Before + ") and " + message
	}
	return status, message
}
