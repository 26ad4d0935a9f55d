package strangler

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"
	"unsafe"

	"github.com/stranglerfig/toolkit/strangler-proxy/http1"
	"github.com/stranglerfig/toolkit/strangler-proxy/upstream"
	"github.com/stranglerfig/toolkit/strangler-proxy/wire"
)

// limitGathered is up to which length a body is read before anybody is asked: what is
// short and complete can be sent again, costs no second goroutine, and lets no slow
// client occupy an upstream.
const limitGathered = 64 << 10

// gather returns what is known of the body before anybody is asked, and whether that is
// all of it. What is not comes from ReadBody.
func (c *http1Conn) gather() (kept []byte, whole bool, _ error) {
	r := &c.req
	switch {
	case r.Framing == http1.NoBody || r.Framing == http1.ByLength && r.ContentLength == 0:
		return nil, true, nil
	case r.Framing == http1.ByLength && r.ContentLength <= limitGathered:
		if err := c.gatherAll(r.Len + int(r.ContentLength)); err != nil {
			return nil, false, err
		}
		return c.in.Bytes()[r.Len : r.Len+int(r.ContentLength)], true, nil
	}
	// What follows the head moves aside, so that the head stays where it is.
	came := c.in.Bytes()[r.Len:]
	room := wire.Large()
	if len(came) > len(room) { // behind a head of almost the size of a grown buffer
		wire.Return(room)
		room = make([]byte, 2*len(came))
	}
	c.rest.Lend(room)
	c.rest.Filled(copy(c.rest.Room(), came))
	r.BeginBody(&c.body, false)
	c.passed, c.passes = 0, true
	return nil, false, nil
}

// gatherAll waits until so many bytes are there. A client that asks whether to send
// them is told to: refusing so few is not worth a connection.
func (c *http1Conn) gatherAll(want int) error {
	if c.in.Len() >= want {
		c.mayGoOn = true
		c.req.Drop(http1.Expect)
		return nil
	}
	if !c.mayGoOn {
		c.mayGoOn = true
		if err := c.writeGoOn(); err != nil {
			return err
		}
	}
	var failed error
	for c.in.Len() < want && failed == nil {
		failed = c.waitFor(&c.in)
	}
	// The bytes may have moved, also when the rest of them did not come.
	c.req.Reset()
	if done, err := c.req.Parse(c.in.Bytes()); !done {
		return fmt.Errorf("the head is not there any more: %w", err)
	}
	name(&c.x, &c.req)
	c.front.showsToken(&c.req) // takes it away anew
	if unsafe.StringData(c.x.ID) != &c.id[0] {
		c.x.ID = requestID(&c.req, &c.id, c.x.Start)
	}
	c.req.Drop(http1.Expect)
	return failed
}

var goOn = []byte("HTTP/1.1 100 Continue\r\n\r\n")

// waitFor reads on in the request's body.
func (c *http1Conn) waitFor(b *wire.Buffer) error {
	begun, had := wire.Now(), b.Len()
	c.reading.Set(c.patience.end(begun))
	err := c.fill(b)
	c.noLongerReading()
	c.patience.waited(begun, b.Len()-had)
	switch {
	case err == nil && c.stalled.Swap(false) && !c.stopped.Load():
		c.allowReads()
		return nil
	case err == nil:
		return nil
	case c.stopped.Load():
		return io.ErrClosedPipe
	case c.stalled.Load():
		return fmt.Errorf("%w: %w", upstream.ErrClient, errStall)
	}
	return upstream.ErrGone
}

// noLongerReading ends the time that the client has to send. If that was over at the
// same moment, what came has won.
func (c *http1Conn) noLongerReading() {
	if c.reading.Clear() {
		c.reading.Await()
	}
}

// ReadBody implements upstream.Client.
func (c *http1Conn) ReadBody() ([]byte, error) {
	for {
		pass, n, err := c.body.Step(c.rest.Bytes())
		c.rest.Consume(n)
		if c.passed += int64(len(pass)); c.limits.Body > 0 && c.passed > c.limits.Body {
			return nil, fmt.Errorf("%w: %w", upstream.ErrClient, errTooLarge)
		}
		switch {
		case err != nil:
			return pass, err
		case c.body.Done():
			return pass, io.EOF
		case len(pass) > 0:
			return pass, nil
		case n > 0:
			continue
		}
		if err := c.awaitBody(); err != nil {
			return nil, err
		}
	}
}

// limitExpect is how long an upstream may think about whether it wants the body, before
// the client is told to send it: many know nothing of the question.
const limitExpect = time.Second

func (c *http1Conn) awaitBody() error {
	if !c.goesOn() && c.rest.Len() == 0 {
		_ = c.conn.SetReadDeadline(time.Now().Add(limitExpect))
		c.heedStops()
		err := c.fill(&c.rest)
		_ = c.conn.SetReadDeadline(time.Time{})
		c.heedStops()
		if err == nil {
			return nil
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) || c.stopped.Load() {
			return upstream.ErrGone
		}
		if err := c.sayGoOn(); err != nil {
			return err
		}
	}
	return c.waitFor(&c.rest)
}

// heedStops ends the wait for a body that StopBody or abort meant to end, and whose
// deadline was set anew just then.
func (c *http1Conn) heedStops() {
	if c.stopped.Load() || c.aborted.Load() {
		_ = c.conn.SetReadDeadline(wire.Past)
	}
}

func (c *http1Conn) goesOn() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mayGoOn
}

// sayGoOn tells the client to send its body, once.
func (c *http1Conn) sayGoOn() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mayGoOn || c.begun {
		return nil
	}
	c.mayGoOn = true
	return c.writeGoOn()
}

// writeGoOn is given up as any answer is that the client does not take.
func (c *http1Conn) writeGoOn() error {
	c.writing.Set(wire.Now().Add(c.limits.StallTimeout))
	_, err := c.conn.Write(goOn)
	if c.wrote(err) != nil {
		return upstream.ErrGone
	}
	return nil
}

// StopBody implements upstream.Client.
func (c *http1Conn) StopBody() {
	c.stopped.Store(true)
	_ = c.conn.SetReadDeadline(wire.Past)
}
