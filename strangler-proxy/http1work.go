package strangler

import (
	"net"
	"sync"

	"github.com/stranglerfig/toolkit/strangler-proxy/exchange"
	"github.com/stranglerfig/toolkit/strangler-proxy/forwarded"
	"github.com/stranglerfig/toolkit/strangler-proxy/http1"
	"github.com/stranglerfig/toolkit/strangler-proxy/upstream"
	"github.com/stranglerfig/toolkit/strangler-proxy/wire"
)

// A work is what a connection needs while it has a request. It is lent for that time:
// most connections have none most of the time, and would hold five times the memory.
type work struct {
	client net.Conn // whose request it is

	rest    wire.Buffer // of a body that did not come with the head
	out     []byte      // what the client has not been sent yet
	req     http1.Request
	body    http1.Body // of the request, as far as it passes
	passed  int64      // bytes of it, with their framing
	passes  bool       // body is that of the present request
	call    upstream.Call
	x       exchange.Exchange
	from    forwarded.Origin
	current *snapshot // by which the request is served
	id      [36]byte
	added   []byte
	marks   []byte
	vectors [2][]byte
	vector  net.Buffers

	patience patience   // with the client that sends the body
	writing  wire.Alarm // the client has to take
}

var works = sync.Pool{New: func() any { return newWork() }}

func newWork() *work {
	w := &work{}
	w.call.Exchange, w.call.Head, w.call.Drop = &w.x, &w.req, http1.FromRequest
	w.call.Init()
	w.writing.Init(func() wire.Instant {
		w.call.Cancel(upstream.ErrGone)
		_ = w.client.SetDeadline(wire.Past)
		return 0
	})
	return w
}

// take lends the connection what it needs for a request.
func (c *http1Conn) take() {
	if c.work != nil {
		return // the last request's
	}
	w := works.Get().(*work)
	w.client, w.call.Client = c.conn, c
	c.mu.Lock()
	c.work = w
	c.mu.Unlock()
}

// release gives back what a connection without a request does not need. Nobody else may
// still be at work.
func (c *http1Conn) release() {
	c.in.Release()
	if c.work != nil {
		c.call.Release()
		c.giveBack()
	}
}

// dismiss is release when no request follows: it ends the timers, too, which would keep what
// a crowd of clients needed until they fire.
func (c *http1Conn) dismiss() {
	c.in.Drop()
	if c.work != nil {
		c.call.Stop()
		c.writing.Stop()
		c.giveBack()
	}
}

func (c *http1Conn) giveBack() {
	w := c.work
	c.mu.Lock()
	c.work = nil
	c.mu.Unlock()
	w.rest.Drop()
	wire.Return(w.out)
	// What is left must not keep alive what it was about.
	w.out, w.current, w.client, w.call.Client = nil, nil, nil, nil
	w.x, w.from, w.vectors, w.vector = exchange.Exchange{}, forwarded.Origin{}, [2][]byte{}, nil
	w.req.Reset()
	works.Put(w)
}
