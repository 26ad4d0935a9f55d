package strangler

import (
	"errors"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/exchange"
	"github.com/stranglerfig/toolkit/strangler-proxy/forwarded"
	"github.com/stranglerfig/toolkit/strangler-proxy/hold"
	"github.com/stranglerfig/toolkit/strangler-proxy/http1"
	"github.com/stranglerfig/toolkit/strangler-proxy/listen"
	"github.com/stranglerfig/toolkit/strangler-proxy/upstream"
	"github.com/stranglerfig/toolkit/strangler-proxy/wire"
)

// An http2Stream is one request over HTTP/2, which net/http has read. Its head is
// written down as HTTP/1.1 and parsed like any other, so that both doors let the same
// things in; from there on it goes the same way.
type http2Stream struct {
	front   *front
	writer  http.ResponseWriter
	control *http.ResponseController
	request *http.Request
	limits  listen.Limits

	head []byte
	req  http1.Request
	x    exchange.Exchange
	call upstream.Call

	current *snapshot   // by which the request is served
	flight  hold.Flight // in which it is under way

	id    [36]byte
	added []byte
	kept  []byte        // of a short body: all of it
	room  []byte        // for a part of a long one
	goOn  chan struct{} // closed once the upstream wants the body

	patience patience // with the client that sends the body

	said    sync.Once // goOn was closed
	passed  int64     // bytes of the body
	ended   bool      // it was read to its end
	reading wire.Alarm
	writing wire.Alarm
	stalled atomic.Bool
	stopped atomic.Bool
	begun   bool // the response was
}

// ServeHTTP implements http.Handler for HTTP/2.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := &http2Stream{front: f, writer: w, control: http.NewResponseController(w), request: r, goOn: make(chan struct{})}
	s.call.Client, s.call.Exchange, s.call.Head = s, &s.x, &s.req
	s.call.Drop = http1.FromRequest
	s.call.Init()
	s.reading.Init(func() wire.Instant {
		s.stalled.Store(true)
		_ = s.control.SetReadDeadline(wire.Past)
		return 0
	})
	s.writing.Init(func() wire.Instant {
		s.call.Cancel(upstream.ErrGone)
		_ = s.control.SetWriteDeadline(wire.Past)
		return 0
	})
	defer s.leavePlace()
	defer s.stop()
	s.serve()
}

// leavePlace lets another request of the connection begin.
func (s *http2Stream) leavePlace() {
	places := listen.PlacesOf(s.request.Context())
	if s.x.Failure == "client_gone" {
		places.Reset()
	} else {
		places.Answered()
	}
}

func (s *http2Stream) stop() {
	s.reading.Stop()
	s.writing.Stop()
	s.call.Stop()
	wire.Return(s.kept)
	wire.Return(s.room)
}

func (s *http2Stream) serve() {
	f := s.front
	s.limits = f.current.Load().limits
	s.patience = newPatience(s.limits.StallTimeout)
	s.req.Limits = http1.Limits{HeaderBytes: s.limits.Header, TargetBytes: s.limits.URL}
	s.head = appendHead(make([]byte, 0, 1<<10), s.request)
	done, err := s.req.Parse(s.head)
	var bad *http1.Error
	switch {
	case errors.As(err, &bad):
		f.metrics.rejected.WithLabelValues(bad.Reason.String()).Inc()
		s.refuseHead(bad.Status(), bad.Error())
		return
	case !done:
		s.refuseHead(http.StatusBadRequest, "the request is not complete")
		return
	}
	s.current = f.begin(&s.x, &s.req)
	s.x.ID = requestID(&s.req, &s.id, s.x.Start)
	f.holds.Join(&s.flight)
	defer func() {
		f.holds.Part(&s.flight)
		f.finish(s.current, &s.x)
	}()
	s.respond()
}

// refuseHead answers what is no request.
func (s *http2Stream) refuseHead(status int, message string) {
	peer := forwarded.PeerOf(s.request.RemoteAddr, s.request.TLS != nil)
	s.front.unread(&s.x, &s.id, &peer)
	s.answer(ownAnswer{status: status, text: message + "\n"})
	s.x.Took = time.Since(s.x.Start)
	s.front.logAccess(&s.x)
}

func (s *http2Stream) respond() {
	f := s.front
	peer := forwarded.PeerOf(s.request.RemoteAddr, s.request.TLS != nil)
	var from forwarded.Origin
	findOrigin(&from, s.current, &peer, &s.x, &s.req)
	s.x.Client = from.Client
	f.mark(s.current, &s.x, &s.req, &peer)
	refused := f.decide(s.current, &s.x, &s.req)
	var err error
	if refused == nil {
		s.current, refused, err = f.park(s.current, &s.x, &s.req, len(s.head), s)
	}
	if refused != nil || err != nil {
		s.refuse(refused, err)
		return
	}
	whole, err := s.gather()
	if err == nil {
		s.current, refused, err = f.takeOff(s.current, &s.x, &s.req, &s.flight, len(s.head)+len(s.kept), s)
		if refused != nil || err != nil {
			s.refuse(refused, err)
			return
		}
		s.added = appendForwarded(s.added[:0], &from, &s.x)
		s.added = appendCookies(s.added, &s.req)
		s.call.Added = s.added
		s.call.Begin(wire.Now(), s.kept, whole)
		err = f.send(s.current, &s.call)
		s.call.End()
	} else {
		err = &upstream.Error{Failure: upstream.Failure{Reason: "client_body", Err: err}}
	}
	if err != nil {
		s.answerError(err)
	}
}

// appendHead writes a request's head as HTTP/1.1. What HTTP/2 does without, such as
// the length of a body, is added; what it does not know is left out.
func appendHead(dst []byte, r *http.Request) []byte {
	dst = append(append(append(dst, r.Method...), ' '), r.RequestURI...)
	dst = append(dst, " HTTP/1.1\r\n"...)
	dst = http1.AppendField(dst, "Host", r.Host)
	for name, values := range r.Header {
		switch name {
		case "Host", "Content-Length", "Transfer-Encoding", "Connection", "Upgrade", "Trailer", "Keep-Alive", "Proxy-Connection":
			continue
		}
		for _, value := range values {
			dst = http1.AppendField(dst, name, value)
		}
	}
	switch {
	case r.ContentLength > 0:
		dst = http1.AppendField(dst, "Content-Length", strconv.FormatInt(r.ContentLength, 10))
	case r.ContentLength < 0:
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
	case r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodOptions:
		dst = append(dst, "Content-Length: 0\r\n"...)
	}
	for name := range r.Trailer {
		dst = http1.AppendField(dst, "Trailer", name)
	}
	return append(dst, "\r\n"...)
}
