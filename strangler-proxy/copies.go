package strangler

import (
	"errors"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/exchange"
	"github.com/stranglerfig/toolkit/strangler-proxy/http1"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
	"github.com/stranglerfig/toolkit/strangler-proxy/shadow"
	"github.com/stranglerfig/toolkit/strangler-proxy/upstream"
	"github.com/stranglerfig/toolkit/strangler-proxy/wire"
)

// send forwards a request and, if that is due, sees to a copy of it. Both doors call it
// in place of the Forwarder.
func (f *front) send(s *snapshot, c *upstream.Call) error {
	ticket := f.ticket(s, c)
	if ticket == nil {
		return f.forward.Forward(c)
	}
	return f.sendCopied(c, ticket)
}

// sendCopied is send for a request of which a copy is made.
func (f *front) sendCopied(c *upstream.Call, ticket *shadow.Ticket) error {
	defer ticket.Drop(shadow.NoAnswer) // unless it was ended
	w := &copyWatch{ticket: ticket}
	c.Watch = w
	err := f.forward.Forward(c)
	x := c.Exchange
	switch {
	case errors.Is(err, upstream.ErrGone):
		ticket.Drop(shadow.ClientGone)
	case err != nil, x.Fallback != "", !c.BodyEnded():
		// Nobody answered, or the other side did already, or the answer does not need all of
		// the request.
	default:
		head := c.Head.AppendHead(wire.Small()[:0], c.Drop, c.Added)
		ticket.End(shadow.Primary{
			Head: head, Framed: c.Head.Framing == http1.ByChunks,
			Answer: shadow.Answer{Status: w.status, Framed: w.framed, Took: time.Since(x.Start) - x.Held},
		})
		wire.Return(head)
	}
	return err
}

// ticket asks for a copy if the decision says that one is due.
func (f *front) ticket(s *snapshot, c *upstream.Call) *shadow.Ticket {
	x := c.Exchange
	if x.Decision.Copy == route.NoCopy || f.copies == nil {
		return nil
	}
	r := shadow.Request{
		Route: x.Decision.Name(), ID: x.ID, Method: x.Method, To: config.MonolithName, Length: c.Head.ContentLength, Upgrade: c.Head.WebSocket,
	}
	if x.Decision.Copy == route.CopyToService {
		service := s.live(x.Decision).service
		r.To, r.Resting = service.Name, service.Breaker.Resting()
	}
	return f.copies.Begin(r)
}

// A copyWatch keeps for a copy what passes.
type copyWatch struct {
	ticket *shadow.Ticket
	status int
	framed bool
}

// Request implements upstream.Watcher.
func (w *copyWatch) Request(p []byte) { w.ticket.KeepRequest(p) }

// Head implements upstream.Watcher.
func (w *copyWatch) Head(r *http1.Response, framed bool) {
	w.status, w.framed = r.Status, framed
	w.ticket.KeepFields(r.Lines())
}

// Response implements upstream.Watcher.
func (w *copyWatch) Response(p []byte) { w.ticket.KeepResponse(p) }

// side finds whom a copy goes to in the configuration of now.
func (p *Proxy) side(name string) *exchange.Target {
	s := p.current.Load()
	if name == config.MonolithName {
		return s.monolith
	}
	for _, t := range s.services {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// Mismatches implements admin.Proxy.
func (p *Proxy) Mismatches(name string, limit int) (shadow.Mismatches, bool) {
	return p.copies.Mismatches(name, limit)
}

// copiesOf is what became of the copies of a route, nil if it has none.
func (p *Proxy) copiesOf(name string) *shadow.Stats {
	stats, ok := p.copies.Stats(name)
	if !ok {
		return nil
	}
	return &stats
}

// configureCopies makes cfg hold for the copies of requests that begin from now on.
func (p *Proxy) configureCopies(cfg *config.Config) {
	if err := p.copies.Configure(cfg.ShadowConfig()); err != nil {
		p.opts.Log.Error("copies go on as before", "error", err) // the check of the file has missed something
	}
}
