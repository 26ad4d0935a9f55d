package listen

import (
	"context"
	"net"
	"sync/atomic"
	"time"
)

// Places are the requests that a connection of HTTP/2 may have at a time. A stream that
// the client resets gives its place back at once, while whoever was asked for the
// answer may go on working at it. So that nobody can make work in this way faster than
// it is done, a client that resets more than it lets be answered has to wait for the
// places of its resets.
type Places struct {
	credit atomic.Int64 // resets that are free; one for each answer
	most   int64        // credit that can be saved up
	ended  <-chan struct{}
}

// placeKept is how long a place stays taken.
const placeKept = time.Second

type placesKey struct{}

// PlacesOf returns the Places of the connection that a request of ctx came on, or nil if
// the server is none of NewHTTP2.
func PlacesOf(ctx context.Context) *Places {
	p, _ := ctx.Value(placesKey{}).(*Places)
	return p
}

// withPlaces is a http.Server's ConnContext.
func withPlaces(ctx context.Context, conn net.Conn, streams int) context.Context {
	if secure, ok := conn.(interface{ NetConn() net.Conn }); ok {
		if inner, ok := secure.NetConn().(*Conn); ok {
			conn = inner
		}
	}
	p := &Places{most: int64(streams)}
	if c, ok := conn.(*Conn); ok {
		p.ended = c.ended
	}
	return context.WithValue(ctx, placesKey{}, p)
}

// Answered says that a request was answered.
func (p *Places) Answered() {
	if p != nil && p.credit.Load() < p.most {
		p.credit.Add(1)
	}
}

// Reset says that the client gave up a request, and returns when its place may go to
// another: as a rule at once.
func (p *Places) Reset() {
	if p == nil {
		return
	}
	for have := p.credit.Load(); have > 0; have = p.credit.Load() {
		if p.credit.CompareAndSwap(have, have-1) {
			return
		}
	}
	timer := time.NewTimer(placeKept)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.ended: // nobody waits for the place
	}
}
