package strangler

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/http1"
	"github.com/stranglerfig/toolkit/strangler-proxy/upstream"
	"github.com/stranglerfig/toolkit/strangler-proxy/wire"
)

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
	begun := wire.Now()
	s.reading.Set(s.patience.end(begun))
	n, err := s.request.Body.Read(p)
	if s.reading.Clear() {
		s.reading.Await()
	}
	s.patience.waited(begun, n)
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

// chunkFraming is the room that the framing of a chunk takes: its size in hex, and two line
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
