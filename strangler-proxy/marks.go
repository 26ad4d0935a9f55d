package strangler

import (
	"strings"

	"github.com/stranglerfig/toolkit/strangler-proxy/admin"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/exchange"
	"github.com/stranglerfig/toolkit/strangler-proxy/forwarded"
	"github.com/stranglerfig/toolkit/strangler-proxy/http1"
)

// mark decides whether the client is told who answered: everybody is, nobody, or whoever
// the admin address would let in. That is who shows one of its tokens or, if it asks for
// none, who is on this machine.
func (f *front) mark(s *snapshot, x *exchange.Exchange, head *http1.Request, peer *forwarded.Peer) {
	shown := f.showsToken(head)
	switch s.config.Marks {
	case config.MarksOn:
		x.Marked = true
	case config.MarksOff:
	case config.MarksAuto:
		x.Marked = shown || len(f.knownTokens()) == 0 && x.Client.IsLoopback() && !relayed(s, head, peer)
	}
}

// relayed reports whether somebody asks through a proxy on this machine that is not
// trusted: who that is cannot be known.
func relayed(s *snapshot, head *http1.Request, peer *forwarded.Peer) bool {
	return (head.Index("x-forwarded-for", 0) >= 0 || head.Index("forwarded", 0) >= 0) && !s.config.Trusted.Has(peer.Addr)
}

// markUnread is mark for a head that could not be read.
func (f *front) markUnread(s *snapshot, x *exchange.Exchange, peer *forwarded.Peer) {
	x.Marked = s.config.Marks == config.MarksOn ||
		s.config.Marks == config.MarksAuto && len(f.knownTokens()) == 0 && peer.Addr.IsLoopback()
}

const tokenHeader = "x-strangler-token"

// showsToken reports whether the request bears a token of the admin address. One that
// stands where applications look for theirs is taken away: it is none of their business.
func (f *front) showsToken(head *http1.Request) bool {
	tokens := f.knownTokens()
	if len(tokens) == 0 {
		return false
	}
	shown := false
	for i := head.Index(tokenHeader, 0); i >= 0; i = head.Index(tokenHeader, i+1) {
		shown = shown || tokens.Knows(view(head.Value(i)))
	}
	for i := head.Index("authorization", 0); i >= 0; i = head.Index("authorization", i+1) {
		scheme, secret, _ := strings.Cut(view(head.Value(i)), " ")
		if strings.EqualFold(scheme, "bearer") && tokens.Knows(strings.TrimSpace(secret)) {
			head.DropField(i)
			shown = true
		}
	}
	return shown
}

func (f *front) knownTokens() admin.Tokens {
	if tokens := f.tokens.Load(); tokens != nil {
		return *tokens
	}
	return nil
}
