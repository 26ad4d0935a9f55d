package upstream

import (
	"errors"
	"net/http"

	"github.com/stranglerfig/toolkit/strangler-proxy/breaker"
	"github.com/stranglerfig/toolkit/strangler-proxy/exchange"
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
func (f *Forwarder) guarded(req *http.Request, x *exchange.Exchange, body *body) answer {
	plan := x.Plan
	permit, state, ok := plan.Service.Breaker.Admit(safe(req.Method))
	if !ok {
		reason := reasonOpen
		if state == breaker.Ramping {
			reason = reasonRamping
		}
		x.ServiceFailed = true
		return answer{failure: &Failure{Reason: reason, Err: ErrRest}}
	}
	a := f.ask(asking{
		req: req, target: plan.Service, timeout: plan.Timeout, body: body,
		hold: holdLimit(req, plan.Fallback), policy: plan.Fallback,
	})
	switch verdict(req, plan.Fallback, a) {
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
