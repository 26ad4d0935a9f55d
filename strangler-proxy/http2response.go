package strangler

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/stranglerfig/toolkit/strangler-proxy/http1"
	"github.com/stranglerfig/toolkit/strangler-proxy/upstream"
	"github.com/stranglerfig/toolkit/strangler-proxy/wire"
)

// refuse answers a request that is not forwarded, or whose client has left.
func (s *http2Stream) refuse(r *refusal, err error) {
	if err != nil {
		s.answerError(err)
		return
	}
	s.front.refused(&s.x, r)
	a := newAnswer(&s.x, r.status, r.message, &s.req)
	a.retryAfter = r.again
	s.answer(a)
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
	if a.status == http.StatusRequestTimeout {
		h.Set("Connection", "close") // net/http turns it into GOAWAY: such a client may not stay for the idle time, too
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
