package strangler

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/exchange"
	"github.com/stranglerfig/toolkit/strangler-proxy/forwarded"
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

	head  []byte
	req   http1.Request
	x     exchange.Exchange
	call  upstream.Call
	id    [36]byte
	added []byte
	kept  []byte        // of a short body: all of it
	room  []byte        // for a part of a long one
	goOn  chan struct{} // closed once the upstream wants the body

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
	defer s.stop()
	s.serve()
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
	current := f.current.Load()
	s.limits = current.limits
	s.req.Limits = http1.Limits{HeaderBytes: s.limits.Header, TargetBytes: s.limits.URL}
	s.head = appendHead(make([]byte, 0, 1<<10), s.request)
	done, err := s.req.Parse(s.head)
	var bad *http1.Error
	switch {
	case errors.As(err, &bad):
		f.metrics.rejected.WithLabelValues(bad.Reason.String()).Inc()
		http.Error(s.writer, bad.Error(), bad.Status())
		return
	case !done:
		http.Error(s.writer, "the request is not complete", http.StatusBadRequest)
		return
	}
	current = f.begin(&s.x, &s.req)
	s.x.ID = requestID(&s.req, &s.id)
	defer f.finish(current, &s.x)
	s.respond(current)
}

func (s *http2Stream) respond(current *snapshot) {
	f := s.front
	peer := forwarded.PeerOf(s.request.RemoteAddr, s.request.TLS != nil)
	from := originOf(current, &peer, &s.x, &s.req)
	s.x.Client = from.Client
	if refused := f.decide(current, &s.x, &s.req); refused != nil {
		f.refused(&s.x, refused)
		s.answer(newAnswer(&s.x, refused.status, refused.message, &s.req))
		return
	}
	whole, err := s.gather()
	if err == nil {
		s.added = appendForwarded(s.added[:0], &from, &s.x)
		s.added = appendCookies(s.added, &s.req)
		s.call.Added = s.added
		s.call.Begin(wire.Now(), s.kept, whole)
		err = f.send(current, &s.call)
		s.call.End()
	} else {
		err = &upstream.Error{Failure: upstream.Failure{Reason: "client_body", Err: err}}
	}
	if err != nil {
		s.answerError(err)
	}
}

// answerError answers when there is no response of an upstream.
func (s *http2Stream) answerError(err error) {
	var failed *upstream.Error
	switch {
	case errors.Is(err, upstream.ErrBroken):
		s.x.Failure = "broken_off"
		if errors.Is(err, upstream.ErrGone) {
			s.x.Failure = "client_gone"
		}
		panic(http.ErrAbortHandler) // resets the stream
	case errors.Is(err, upstream.ErrGone):
		s.x.Failure, s.x.Status = "client_gone", 499
		panic(http.ErrAbortHandler)
	case errors.As(err, &failed):
		if s.x.Failure == "" {
			s.x.Failure = failed.Failure.Reason
		}
		s.answer(failureAnswer(&s.x, failed, &s.req))
	}
}

// answer says something in the proxy's own name.
func (s *http2Stream) answer(a ownAnswer) {
	s.x.ServedBy, s.x.Status, s.x.Bytes = "proxy", a.status, int64(len(a.text))
	h := s.writer.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Type", a.contentType())
	h.Set("Content-Length", strconv.Itoa(len(a.text)))
	if a.retryAfter {
		h.Set("Retry-After", "1")
	}
	s.mark(h)
	s.writer.WriteHeader(a.status)
	_, _ = io.WriteString(s.writer, a.text)
}

func (s *http2Stream) mark(h http.Header) {
	var lines http1.Fields
	lines.Scan(appendMarks(nil, s.request.TLS != nil, &s.x))
	for i := range lines.Count() {
		h.Add(string(lines.Name(i)), string(lines.Value(i)))
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

// gather reads a short body as a whole, and reports whether that is all of it.
func (s *http2Stream) gather() (whole bool, _ error) {
	n := s.request.ContentLength
	switch {
	case s.req.Framing == http1.NoBody || n == 0:
		return true, nil
	case n < 0 || n > limitGathered:
		s.room = wire.Large()
		return false, nil
	}
	s.req.Drop(http1.Expect)
	s.kept = wire.Large()[:n]
	for read := 0; read < int(n); {
		k, err := s.readSome(s.kept[read:])
		read += k
		if err != nil && read < int(n) {
			return false, err
		}
	}
	return true, nil
}

// readSome waits for a part of the body.
func (s *http2Stream) readSome(p []byte) (int, error) {
	s.reading.Set(wire.Now().Add(s.limits.StallTimeout))
	n, err := s.request.Body.Read(p)
	if s.reading.Clear() {
		s.reading.Await()
	}
	switch {
	case err == nil || errors.Is(err, io.EOF):
		return n, err
	case s.stopped.Load():
		return n, io.ErrClosedPipe
	case s.stalled.Load():
		return n, fmt.Errorf("%w: %w", upstream.ErrClient, errStall)
	}
	return n, upstream.ErrGone
}

// framing is the room that the framing of a chunk takes: its size in hex, and two line
// ends.
const chunkFraming = len("10000\r\n\r\n")

// ReadBody implements upstream.Client.
func (s *http2Stream) ReadBody() ([]byte, error) {
	if s.ended {
		return nil, io.EOF
	}
	if s.req.ExpectContinue && !s.awaitGoOn() {
		return nil, io.ErrClosedPipe
	}
	chunked := s.req.Framing == http1.ByChunks
	room := s.room
	if chunked {
		room = room[chunkFraming : len(room)-chunkFraming-limitTrailerText]
	}
	n, err := s.readSome(room)
	if s.passed += int64(n); s.limits.Body > 0 && s.passed > s.limits.Body {
		return nil, fmt.Errorf("%w: %w", upstream.ErrClient, errTooLarge)
	}
	s.ended = errors.Is(err, io.EOF)
	if chunked {
		return s.frame(n), err
	}
	return room[:n], err
}

// frame makes a chunk of n bytes in the room, and the last one of an ended body.
func (s *http2Stream) frame(n int) []byte {
	start := chunkFraming
	out := s.room[:chunkFraming+n]
	if n > 0 {
		size := append(strconv.AppendInt(make([]byte, 0, chunkFraming), int64(n), 16), "\r\n"...)
		start = chunkFraming - len(size)
		copy(out[start:], size)
		out = append(out, "\r\n"...)
	}
	if s.ended {
		out = append(s.appendTrailer(append(out, "0\r\n"...)), "\r\n"...)
	}
	return out[start:]
}

// limitTrailerText is what a request's trailer may hold: more is dropped.
const limitTrailerText = 4 << 10

func (s *http2Stream) appendTrailer(dst []byte) []byte {
	limit := len(dst) + limitTrailerText - 8
	for name, values := range s.request.Trailer {
		for _, value := range values {
			if http1.MayTrail(name) && len(dst)+len(name)+len(value)+4 < limit {
				dst = http1.AppendField(dst, name, value)
			}
		}
	}
	return dst
}

// awaitGoOn waits until the upstream wants the body or has thought about it for long
// enough: reading it is what tells the client to send it.
func (s *http2Stream) awaitGoOn() bool {
	timer := time.NewTimer(limitExpect)
	defer timer.Stop()
	select {
	case <-s.goOn:
	case <-timer.C:
		s.goesOn()
	case <-s.request.Context().Done():
	}
	return !s.stopped.Load()
}

func (s *http2Stream) goesOn() { s.said.Do(func() { close(s.goOn) }) }

// StopBody implements upstream.Client.
func (s *http2Stream) StopBody() {
	s.stopped.Store(true)
	s.goesOn()
	_ = s.control.SetReadDeadline(wire.Past)
}

// Left implements upstream.Client.
func (s *http2Stream) Left() bool { return s.request.Context().Err() != nil }

// Interim implements upstream.Client.
func (s *http2Stream) Interim(res *http1.Response) error {
	if res.Status == http.StatusContinue {
		s.goesOn()
		return nil
	}
	h := s.writer.Header()
	copyFields(h, res)
	s.writer.WriteHeader(res.Status)
	clear(h)
	return s.request.Context().Err()
}

// copyFields takes over what passes of a response's fields.
func copyFields(h http.Header, res *http1.Response) {
	for i := range res.Count() {
		if res.Marks(i)&(http1.FromResponse|http1.Framed) == 0 {
			name := http.CanonicalHeaderKey(string(res.Name(i)))
			h[name] = append(h[name], string(res.Value(i)))
		}
	}
}

// Begin implements upstream.Client.
func (s *http2Stream) Begin(res *http1.Response) error {
	s.front.checkLeaks(&s.x, res)
	h := s.writer.Header()
	h["Date"], h["Content-Type"] = nil, nil // none is made up
	copyFields(h, res)
	delete(h, "Trailer") // what really comes is announced by its frame
	if res.ContentLength >= 0 && res.Status != http.StatusNoContent {
		h.Set("Content-Length", strconv.FormatInt(res.ContentLength, 10))
	}
	s.mark(h)
	s.writer.WriteHeader(res.Status)
	s.begun = true
	return nil
}

// Data implements upstream.Client: HTTP/2 has a framing of its own.
func (s *http2Stream) Data(*http1.Response) bool { return true }

// Write implements upstream.Client.
func (s *http2Stream) Write(p []byte) error {
	s.writing.Set(wire.Now().Add(s.limits.StallTimeout))
	_, err := s.writer.Write(p)
	return s.wrote(err)
}

// Flush implements upstream.Client.
func (s *http2Stream) Flush() error {
	if !s.begun {
		return nil
	}
	s.writing.Set(wire.Now().Add(s.limits.StallTimeout))
	return s.wrote(s.control.Flush())
}

// wrote ends the time that the client has to take something.
func (s *http2Stream) wrote(err error) error {
	if s.writing.Clear() {
		s.writing.Await()
		return upstream.ErrGone
	}
	return err
}

// End implements upstream.Client.
func (s *http2Stream) End(trailer *http1.Fields) error {
	if trailer == nil {
		return nil
	}
	h := s.writer.Header()
	for i := range trailer.Count() {
		if name := string(trailer.Name(i)); trailer.Marks(i) == 0 && !strings.HasPrefix(strings.ToLower(name), "x-strangler-") {
			h.Add(http.TrailerPrefix+http.CanonicalHeaderKey(name), string(trailer.Value(i)))
		}
	}
	return nil
}

// Tunnel implements upstream.Client. Nothing in HTTP/2 asks for one.
func (s *http2Stream) Tunnel(upstream.Stream) error { return upstream.ErrBroken }
