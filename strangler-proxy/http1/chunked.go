package http1

import "math"

// chunks checks a body in chunked coding while it passes. It hands on slices of its
// input: all bytes but the extensions and the trailer fields that do not belong in a
// trailer, or, to decode, the data alone.
type chunks struct {
	decode bool // hand on the data alone

	state   chunkState
	digits  int   // of the current size
	size    int64 // of the current chunk
	left    int64 // bytes of its data yet to come
	ext     int   // bytes of its extension
	excess  int64 // bytes of framing beyond what data needs
	trailer *Fields
	checked bool // the trailer is complete and its fields are marked
	passed  int  // bytes of the trailer consumed so far
	next    int  // field of the trailer to pass next
}

type chunkState uint8

const (
	inSize chunkState = iota
	inExtension
	afterSize // LF
	inData
	afterData    // CR
	afterDataEnd // LF
	inTrailer
	chunksDone
)

func (c *chunks) skip(n int64) {
	c.left -= n
	if c.left == 0 {
		c.state = afterData
	}
}

// step consumes n bytes and returns those of them to hand on, also before a refusal.
func (c *chunks) step(in []byte) (pass []byte, n int, _ Reason) {
	from, i := 0, 0
	for i < len(in) && c.state < inTrailer {
		if c.state == inData {
			k := min(c.left, int64(len(in)-i))
			i += int(k)
			c.skip(k)
			continue
		}
		withheld := c.withholds(in[i])
		if withheld && i > from {
			return in[from:i], i, 0
		}
		if reason := c.frame(in[i]); reason != 0 {
			return in[from:i], i, reason
		}
		i++
		if withheld {
			from = i
		}
	}
	if c.state != inTrailer || i > from || i == len(in) {
		return in[from:i], i, 0
	}
	pass, n, reason := c.stepTrailer(in[i:])
	return pass, i + n, reason
}

// withholds reports whether the byte, which is not data, is kept back.
func (c *chunks) withholds(b byte) bool {
	return c.decode || c.state == inExtension && b != '\r' || c.state == inSize && b == ';'
}

// frame takes a byte that is not data.
func (c *chunks) frame(b byte) Reason {
	switch c.state {
	case inSize:
		return c.frameSize(b)
	case inExtension:
		switch {
		case b == '\r':
			c.state = afterSize
		case b < ' ' && b != '\t' || b == 0x7f:
			return BadExtension
		case c.ext == limitExtension:
			return LongExtension
		default:
			c.ext++
		}
	case afterSize:
		if b != '\n' {
			return BadLineEnd
		}
		return c.beginData()
	case afterData:
		if b != '\r' {
			return BadChunkEnd
		}
		c.state = afterDataEnd
	case afterDataEnd:
		if b != '\n' {
			return BadChunkEnd
		}
		c.state, c.digits, c.size, c.ext = inSize, 0, 0, 0
	}
	return 0
}

func (c *chunks) frameSize(b byte) Reason {
	switch {
	case isHex(b):
		if c.digits++; c.digits > limitDigits || c.size > math.MaxInt64>>8 {
			return LargeChunk
		}
		digit := int64(b - '0')
		if !isDigit(b) {
			digit = int64(lower(b)-'a') + 10
		}
		c.size = c.size<<4 | digit
	case c.digits == 0:
		return BadChunkSize
	case b == '\r':
		c.state = afterSize
	case b == ';':
		c.state, c.ext = inExtension, 1
	default:
		return BadChunkSize
	}
	return 0
}

// beginData follows a chunk's line. Somebody who sends mostly framing is up to no good,
// however many chunks it takes; one byte a chunk is still fine.
func (c *chunks) beginData() Reason {
	c.excess += int64(c.digits + c.ext + len("\r\n") - limitDigits)
	c.excess = max(0, c.excess-2*min(c.size, limitExcess))
	switch {
	case c.excess > limitExcess:
		return LongExtension
	case c.size == 0:
		c.state = inTrailer
	default:
		c.state, c.left = inData, c.size
	}
	return 0
}
