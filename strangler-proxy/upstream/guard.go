package upstream

import (
	"errors"
	"net/http"

	"github.com/stranglerfig/toolkit/strangler-proxy/breaker"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
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
func (f *Forwarder) guarded(req *http.Request, plan exchange.Plan, body *body) answer {
	permit, state, ok := plan.Service.Breaker.Admit(safe(req.Method))
	if !ok {
		reason := reasonOpen
		if state == breaker.Ramping {
			reason = reasonRamping
		}
		return answer{failure: &Failure{Reason: reason, Err: ErrRest}}
	}
	a := f.ask(req, plan.Service, plan.Timeout, body, holdLimit(req, plan.Fallback))
	switch {
	case a.failure != nil && (req.Context().Err() != nil || errors.Is(a.failure.Err, ErrClient)):
		permit.Dropped()
	case a.failure != nil, sick(a.response.StatusCode, plan.Fallback):
		permit.Failed()
	default:
		permit.Succeeded()
	}
	return a
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
