package upstream

import (
	"errors"
	"net/http"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/balance"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/exchange"
	"github.com/stranglerfig/toolkit/strangler-proxy/origin"
)

// An asking is one request to a target, whichever of its instances takes it.
type asking struct {
	target  *exchange.Target
	timeout time.Duration // of all tries together; 0 means none
	try     time.Duration // of one; 0 means none
	hold    int64
	policy  *config.Fallback
	retry   *config.Retry // nil: none
	renews  renewals
}

// renewals say whether a request that was sent over a kept connection, which then ended
// without a word, is sent over a new one.
type renewals int

const (
	renewsNone    renewals = iota
	renewsBounded          // as the budget of retries allows
	renewsAll
)

// A choice goes through the instances of a target.
type choice struct {
	target   *exchange.Target
	turn     balance.Turn
	instance *balance.Instance // nil of a target with only one
	origin   *origin.Origin
}

// next chooses an instance that was not chosen before, if there is one.
func (s *choice) next() bool {
	if s.target.Pool == nil {
		if s.origin != nil {
			return false
		}
		s.origin = s.target.Origins[0]
		return true
	}
	i := s.turn.Next()
	if i == nil {
		return false
	}
	s.instance, s.origin = i, s.target.Origins[s.turn.At()]
	return true
}

// begin chooses the first instance of a round.
func (s *choice) begin() {
	s.origin = nil
	if s.target.Pool != nil {
		s.turn = s.target.Pool.Turn()
	}
	s.next()
}

// ask tries the instances of a target in turn until one takes the request, and again
// where that is allowed.
func (c *Call) ask(q asking) answer {
	s := choice{target: q.target}
	s.begin()
	c.spent = 0
	if q.renews == renewsBounded {
		q.target.Retries.Asked()
	}
	for retries := 0; ; {
		result := c.askOne(q, s.origin)
		if s.instance != nil {
			c.judge(q, s.instance, result)
		}
		// What nobody has taken may go to the next, whatever it is.
		if f := result.failure; f != nil && !f.Sent && c.body.again() && c.cause() == nil && c.timeLeft(q) && s.next() {
			c.Exchange.Retries++
			continue
		}
		if !c.mayRetry(q, result, retries) {
			return result
		}
		c.discard(result)
		c.forget()
		if !s.next() {
			if !c.pauseFor(backOff(retries)) {
				return answer{failure: c.fail(c.cause(), false)}
			}
			s.begin()
		}
		retries++
		c.Exchange.Retries++
	}
}

// judge notes what an answer says about the instance.
func (c *Call) judge(q asking, instance *balance.Instance, a answer) {
	switch c.verdict(q.policy, a) {
	case well:
		instance.Succeeded()
	case ill:
		instance.Failed()
	case unknown:
	}
}

// limitStale is how many ended connections one request may come to; each is dropped.
const limitStale = 16

// askOne asks one instance. Kept connections that had ended before anything was sent
// say nothing about it: it is tried again.
func (c *Call) askOne(q asking, o *origin.Origin) answer {
	a := attempt{origin: o, hold: q.hold}
	for stale := 0; ; stale++ {
		a.timeout = c.tryTime(q)
		result := c.traced(q, a)
		f := result.failure
		if f == nil || !f.Stale || stale == limitStale || !c.body.again() || c.cause() != nil {
			return result
		}
		if f.Sent {
			if !c.mayRenew(q) {
				return result
			}
			a.fresh = true
			c.Exchange.Retries++
		}
	}
}

// A condition is what an answer says about who gave it.
type condition int

const (
	unknown condition = iota // the client was the cause
	well
	ill
)

func (c *Call) verdict(policy *config.Fallback, a answer) condition {
	switch {
	case a.failure != nil && c.clientsFault(a.failure):
		return unknown
	case a.failure != nil, sick(c.response.Status, policy):
		return ill
	}
	return well
}

func (c *Call) clientsFault(f *Failure) bool {
	return errors.Is(f.Err, ErrClient) || errors.Is(f.Err, ErrGone) || errors.Is(f.Err, ErrStopped)
}

// sick reports whether a status speaks against the service. 501 does not: the service
// is well and says that it has not learned this yet.
func sick(status int, policy *config.Fallback) bool {
	switch status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	case http.StatusNotImplemented:
		return false
	}
	return policy.Status(status)
}
