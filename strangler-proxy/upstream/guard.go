package upstream

import (
	"errors"

	"github.com/stranglerfig/toolkit/strangler-proxy/breaker"
)

// Reasons of a failure that no attempt was made for.
const (
	reasonOpen    = "breaker_open"
	reasonRamping = "breaker_ramping"
)

// ErrRest marks a request that the service was not asked, because its breaker gives
// it a rest.
var ErrRest = errors.New("its breaker is open")

// guarded asks the plan's service if its breaker admits it, and tells the breaker.
func (c *Call) guarded() answer {
	x := c.Exchange
	plan := &x.Plan
	permit, state, ok := plan.Service.Breaker.Admit(c.safe())
	if !ok {
		reason := reasonOpen
		if state == breaker.Ramping {
			reason = reasonRamping
		}
		x.ServiceFailed = true
		return answer{failure: &Failure{Reason: reason, Err: ErrRest}}
	}
	q := asking{target: plan.Service, timeout: plan.Waits.Timeout, try: plan.Waits.Try, hold: c.holdLimit(), policy: plan.Fallback}
	if state == breaker.Closed {
		q.retry, q.renews = plan.Retry, renewsBounded // one that tries a doubtful service tries it once
	}
	a := c.ask(q)
	switch c.verdict(plan.Fallback, a) {
	case well:
		permit.Succeeded()
	case ill:
		permit.Failed()
		x.ServiceFailed = true
	case unknown:
		permit.Dropped()
	}
	return a
}
