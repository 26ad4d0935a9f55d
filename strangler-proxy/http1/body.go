package http1

// A Body tells which bytes behind a head belong to its message, and checks them while
// they pass. BeginBody of the head makes it ready; its zero value is the body of a
// message without one. A Body is not for several goroutines at once.
type Body struct {
	framing  Framing
	response bool
	left     int64 // ByLength
	offset   int64 // bytes consumed so far
	chunks   chunks
	failed   *Error
}

// BeginBody makes b ready for the body behind the head. With decode, what it hands on is
// the data alone, without the framing of chunks.
func (r *Request) BeginBody(b *Body, decode bool) { b.reset(r.Framing, r.ContentLength, decode, false) }

// BeginBody makes b ready for the body behind the head. With decode, what it hands on is
// the data alone, without the framing of chunks, as a client that speaks HTTP/1.0 needs it.
func (r *Response) BeginBody(b *Body, decode bool) {
	b.reset(r.Framing, r.ContentLength, decode, true)
}

func (b *Body) reset(framing Framing, length int64, decode, response bool) {
	*b = Body{framing: framing, response: response, chunks: chunks{decode: decode}}
	if framing == ByLength {
		b.left = length
	}
}

// Done reports whether the body is complete: bytes that follow are not its own.
func (b *Body) Done() bool {
	switch b.framing {
	case NoBody:
		return true
	case ByLength:
		return b.left == 0
	case ByChunks:
		return b.chunks.state == chunksDone
	default:
		return false
	}
}

// Trailer returns the fields of the trailer of a body that is done, or nil. Those that
// bear a mark do not belong in one.
func (b *Body) Trailer() *Fields {
	if b.framing != ByChunks {
		return nil
	}
	return b.chunks.trailer
}

// Ahead is the number of bytes that are to be handed on next whatever they are: they may
// be relayed without Step, and are then taken off with Skip. It is -1 if all bytes are.
func (b *Body) Ahead() int64 {
	switch b.framing {
	case NoBody:
		return 0
	case ByLength:
		return b.left
	case ByChunks:
		return b.chunks.left
	default:
		return -1
	}
}

// Skip takes off n bytes, no more than Ahead and no less than none, that were relayed
// without Step.
func (b *Body) Skip(n int64) {
	b.offset += n
	switch {
	case b.framing == ByLength:
		b.left -= n
	case b.framing == ByChunks && n > 0:
		b.chunks.skip(n)
	}
}

// Step consumes n bytes at the front of in and returns those of them to hand on, as one
// slice. The next call gets what was not consumed, with whatever arrived since. If n is
// 0, the body is done or in must grow before it makes sense to call again; it never has
// to grow beyond 4 KiB. Bytes handed on before or with an error were good. The error is
// an *Error and stays.
func (b *Body) Step(in []byte) (pass []byte, n int, err error) {
	if b.failed != nil {
		return nil, 0, b.failed
	}
	var reason Reason
	switch b.framing {
	case NoBody:
	case ByLength:
		n = int(min(b.left, int64(len(in))))
		b.left -= int64(n)
		pass = in[:n]
	case ByChunks:
		pass, n, reason = b.chunks.step(in)
	default:
		pass, n = in, len(in)
	}
	b.offset += int64(n)
	if reason != 0 {
		return pass, n, b.fail(reason)
	}
	return pass, n, nil
}

// End is told that no more bytes come. It fails if the body is not complete: what was
// handed on must then not look complete to its recipient.
func (b *Body) End() error {
	switch {
	case b.failed != nil:
		return b.failed
	case b.Done() || b.framing == UntilClose || b.framing == Tunnel:
		return nil
	default:
		return b.fail(Truncated)
	}
}

func (b *Body) fail(reason Reason) error {
	b.failed = &Error{Reason: reason, Offset: b.offset, Response: b.response}
	return b.failed
}
