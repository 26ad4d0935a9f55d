package http1

// stepTrailer consumes from the trailer, once all of it is there: whether a line passes
// shows only when its name is complete, and a trailer is small.
func (c *chunks) stepTrailer(in []byte) (pass []byte, n int, _ Reason) {
	if c.trailer == nil {
		switch {
		case in[0] != '\r':
			c.trailer = new(Fields)
			c.trailer.begin(0)
		case len(in) == 1:
			return nil, 0, 0
		case in[1] != '\n':
			return nil, 0, BadLineEnd
		default:
			c.state = chunksDone
			return c.framing(in[:2]), 2, 0
		}
	}
	if !c.checked {
		done, reason := c.trailer.scan(in, Limits{HeaderBytes: limitTrailer, Fields: limitTrailers})
		if reason != 0 || !done {
			return nil, 0, reason
		}
		c.checkTrailer()
	}
	return c.passTrailer(in)
}

func (c *chunks) checkTrailer() {
	c.checked = true
	list := c.trailer.list
	for i := range list {
		if !mayTrail(c.trailer.Name(i)) {
			list[i].marks = HopByHop
		}
	}
}

// passTrailer consumes lines up to the next one that changes between passing and not.
func (c *chunks) passTrailer(in []byte) (pass []byte, n int, _ Reason) {
	from := 0
	for ; c.next < len(c.trailer.list); c.next++ {
		line := c.trailer.list[c.next]
		if line.marks != 0 && n > from {
			c.passed += n
			return c.framing(in[from:n]), n, 0
		}
		n = int(line.next) - c.passed
		if line.marks != 0 {
			from = n
		}
	}
	n = c.trailer.at - c.passed
	c.state = chunksDone
	return c.framing(in[from:n]), n, 0
}

func (c *chunks) framing(b []byte) []byte {
	if c.decode {
		return nil
	}
	return b
}
