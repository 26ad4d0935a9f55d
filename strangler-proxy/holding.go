package strangler

import (
	"net/http"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/exchange"
	"github.com/stranglerfig/toolkit/strangler-proxy/hold"
	"github.com/stranglerfig/toolkit/strangler-proxy/http1"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
	"github.com/stranglerfig/toolkit/strangler-proxy/upstream"
)

// limitHeld is how long a request waits at most, in one hold after the other.
const limitHeld = time.Minute

// Requests stop at two gates. The first one comes before the body: what is parked there
// has cost no more than what came with its head. The second one comes when somebody is
// about to be asked: a short body may have taken a while to arrive, and the world may be
// another since the request was decided.

// park keeps a request while a hold asks for it, and then decides about it anew. came is
// how much of it is there. The error is upstream.ErrGone for a client that did not wait.
func (f *front) park(s *snapshot, x *exchange.Exchange, head *http1.Request, came int, c hold.Client) (*snapshot, *refusal, error) {
	for {
		h := f.holds.For(x.Decision.Name(), route.Safe(x.Method))
		if h == nil {
			return s, nil, nil
		}
		began := time.Now()
		outcome := f.holds.Park(h, int64(came), limitHeld-x.Held, c)
		x.Held += time.Since(began)
		switch outcome {
		case hold.Full:
			return s, &refusal{http.StatusServiceUnavailable, "hold_full", "the data behind this address is being moved, and as many requests as may wait for that do", true}, nil
		case hold.Late:
			return s, &refusal{http.StatusServiceUnavailable, "hold_late", "the data behind this address is being moved, and that takes too long", true}, nil
		case hold.Left:
			return s, nil, upstream.ErrGone
		case hold.Released:
		}
		var refused *refusal
		if s, refused = f.decideAnew(x, head); refused != nil {
			return s, refused, nil
		}
	}
}

// takeOff is the second gate. From then on a drain knows of the request, until
// flight.Leave: it is entered first and looked at then, so no hold can miss it.
func (f *front) takeOff(s *snapshot, x *exchange.Exchange, head *http1.Request, flight *hold.Flight, came int, c hold.Client) (_ *snapshot, refused *refusal, err error) {
	for {
		flight.Enter(x.Decision.Route, x.Start, route.Safe(x.Method))
		held := f.holds.For(x.Decision.Name(), route.Safe(x.Method)) != nil
		if !held && f.current.Load() == s {
			return s, nil, nil
		}
		flight.Leave()
		if held {
			s, refused, err = f.park(s, x, head, came, c)
		} else {
			s, refused = f.decideAnew(x, head)
		}
		if refused != nil || err != nil {
			return s, refused, err
		}
	}
}

// decideAnew decides by the configuration of now.
func (f *front) decideAnew(x *exchange.Exchange, head *http1.Request) (*snapshot, *refusal) {
	s := f.current.Load()
	x.ConfigVersion = s.version
	return s, f.choose(s, x, head)
}
