package origin

import (
	"errors"
	"io"
	"syscall"

	"github.com/stranglerfig/toolkit/strangler-proxy/wire"
)

// A question is the state of Ask. Its callback is made once for each connection.
type question struct {
	raw      syscall.RawConn // nil where the socket cannot be used as such
	callback func(fd uintptr) bool
	out      []byte
	sent     int
	asked    bool
	err      error
	look     func(fd uintptr)
	silent   bool
	one      [1]byte
}

func (c *Conn) prepare() {
	if raw, ok := wire.Raw(c.Conn); ok {
		c.question.raw = raw
		c.question.callback, c.question.look = c.ask, c.peek
	}
}

// ended reports whether a kept connection is over, or no longer silent.
func (c *Conn) ended() bool {
	q := &c.question
	if q.raw == nil {
		return wire.Ended(c.Conn)
	}
	q.silent = false
	return q.raw.Control(q.look) != nil || !q.silent
}

// peek may take the byte that it finds: the connection is closed then.
func (c *Conn) peek(fd uintptr) {
	_, err := wire.ReadSocket(fd, c.question.one[:])
	c.question.silent = errors.Is(err, syscall.EAGAIN)
}

// Ask writes out and waits for the first bytes of the answer. It returns how much was
// written: with an error, the other side may have that much.
func (c *Conn) Ask(out []byte) (sent int, err error) {
	q := &c.question
	if q.raw == nil {
		if sent, err = c.Write(out); err != nil {
			return sent, err
		}
		return sent, c.Fill()
	}
	q.out, q.sent, q.asked, q.err = out, 0, false, nil
	err = q.raw.Read(q.callback)
	q.out = nil
	switch {
	case err != nil:
		return q.sent, err
	case q.err != nil:
		return q.sent, q.err
	case q.asked:
		return q.sent, nil
	}
	// The socket takes no more for now.
	sent = q.sent
	n, err := c.Write(out[sent:])
	if err != nil {
		return sent + n, err
	}
	return sent + n, c.Fill()
}

// ask is called until it returns true, first at once and then when there is something
// to read. Written from in here, the question cannot be answered before the poller
// looks, so that no read is in vain.
func (c *Conn) ask(fd uintptr) bool {
	q := &c.question
	if !q.asked {
		n, err := wire.WriteSocket(fd, q.out)
		q.sent = n
		switch {
		case err != nil && !errors.Is(err, syscall.EAGAIN):
			q.err = err
			return true
		case n < len(q.out):
			return true
		}
		q.asked = true
		return false
	}
	room := c.room()
	n, err := wire.ReadSocket(fd, room)
	switch {
	case errors.Is(err, syscall.EAGAIN):
		return false
	case err != nil:
		q.err = err
	case n == 0:
		q.err = io.EOF
	}
	c.In.Filled(n)
	return true
}
