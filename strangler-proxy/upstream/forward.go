package upstream

import (
	"fmt"
	"net/http"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/exchange"
)

// An Error says that nobody could answer.
type Error struct {
	Side    string // whom the failure belongs to: the monolith or a service
	Failure Failure
	Before  string // why the service could not answer, when Side only stood in for it
}

func (e *Error) Error() string {
	text := fmt.Sprintf("%s: %s: %v", e.Side, e.Failure.Reason, e.Failure.Err)
	if e.Before != "" {
		text += " (in place of the service: " + e.Before + ")"
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Failure.Err }

// RoundTrip asks the service of the plan, if there is one, and the monolith if the
// service could not answer and the request may be asked again. Its error is an *Error.
func (f *Forwarder) RoundTrip(req *http.Request) (*http.Response, error) {
	x := exchange.From(req.Context())
	body := newBody(req.Body)
	avoidReplay(req)
	if x.Plan.Service != nil {
		answer := f.guarded(req, x, body)
		reason := fallbackReason(req, x.Plan.Fallback, answer, body)
		if reason == "" || x.Plan.Alone {
			return settle(x, x.Plan.Service.Name, answer)
		}
		answer.discard()
		x.Fallback = reason
		return settle(x, config.MonolithName, f.fallBack(req, x.Plan, body))
	}
	return settle(x, config.MonolithName, f.ask(ofMonolith(req, x.Plan, body)))
}

func ofMonolith(req *http.Request, plan exchange.Plan, body *body) asking {
	return asking{req: req, target: plan.Monolith, timeout: plan.Monolith.Timeout, body: body, policy: plan.Fallback}
}

func settle(x *exchange.Exchange, side string, a answer) (*http.Response, error) {
	if a.failure == nil {
		x.ServedBy = side
		return a.response, nil
	}
	x.ServedBy, x.Failure = config.ProxyName, a.failure.Reason
	return nil, &Error{Side: side, Failure: *a.failure, Before: x.Fallback}
}

// safe reports whether a method only reads.
func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// avoidReplay keeps http.Transport from sending a request that changes something a
// second time over a fresh connection, which it does for one without a body when it
// carries an Idempotency-Key in the canonical spelling. Header names have no case.
func avoidReplay(req *http.Request) {
	if safe(req.Method) {
		return
	}
	for canonical, other := range map[string]string{"Idempotency-Key": "idempotency-key", "X-Idempotency-Key": "x-idempotency-key"} {
		if values, ok := req.Header[canonical]; ok {
			delete(req.Header, canonical)
			req.Header[other] = values
		}
	}
}

// limitHold is the size up to which a service's answer is held back until it is
// complete, so that a truncated one can still be replaced by the monolith's.
const limitHold = 16 << 10

func holdLimit(req *http.Request, policy *config.Fallback) int64 {
	if req.Method == http.MethodHead || !safe(req.Method) || !policy.Reset {
		return 0
	}
	return limitHold
}

// fallbackReason says in one word why the monolith shall answer, or "" if the
// service's answer or failure is final.
func fallbackReason(req *http.Request, policy *config.Fallback, a answer, body *body) string {
	if req.Context().Err() != nil || !body.untouched() {
		return ""
	}
	if a.failure == nil {
		status := a.response.StatusCode
		if !policy.Status(status) {
			return ""
		}
		// 501 declares that nothing was done, so any method may be asked again.
		if safe(req.Method) || status == http.StatusNotImplemented && body.empty() {
			return fmt.Sprintf("status_%d", status)
		}
		return ""
	}
	switch {
	case !a.failure.Sent:
		if !policy.Connect {
			return ""
		}
	case !safe(req.Method):
		return ""
	case a.failure.Timeout && !policy.Timeout, !a.failure.Timeout && !policy.Reset:
		return ""
	}
	return a.failure.Reason
}
