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
	timeout time.Duration
	hold    int64
	policy  *config.Fallback
}

// ask tries the instances of a target in turn until one takes the request.
func (c *Call) ask(q asking) answer {
	if q.target.Pool == nil {
		return c.askOne(q, q.target.Origins[0])
	}
	turn := q.target.Pool.Turn()
	instance := turn.Next()
	for {
		result := c.askOne(q, q.target.Origins[turn.At()])
		c.judge(q, instance, result)
		if result.failure == nil || result.failure.Sent || !c.body.again() || c.cause() != nil {
			return result
		}
		next := turn.Next()
		if next == nil {
			return result
		}
		c.Exchange.Retries++
		instance = next
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

// askOne asks one instance. Kept connections that had ended say nothing about it: it
// is tried again.
func (c *Call) askOne(q asking, o *origin.Origin) answer {
	for stale := 0; ; stale++ {
		result := c.traced(q, attempt{origin: o, timeout: q.timeout, hold: q.hold})
		if result.failure == nil || !result.failure.Stale || stale == limitStale || !c.body.again() || c.cause() != nil {
			return result
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
