package upstream

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/exchange"
)

// ReasonBudget is the failure of a request that the monolith may not answer in place of
// its service, because it already does so for as many as the budget allows.
const ReasonBudget = "fallback_budget"

// ErrBudget marks such a failure.
var ErrBudget = errors.New("fallback.max is reached")

// standIn takes a place among the fallbacks in flight, unless all are taken.
func (f *Forwarder) standIn(budget config.Budget) bool {
	if f.fallbacks.Add(1) > budget.Limit(f.inFlight()) {
		f.fallbacks.Add(-1)
		return false
	}
	return true
}

func (f *Forwarder) standDown() { f.fallbacks.Add(-1) }

// Fallbacks is how many requests the monolith answers in place of services now.
func (f *Forwarder) Fallbacks() int64 { return f.fallbacks.Load() }

// fallBack asks the monolith in place of the service, within the budget.
func (f *Forwarder) fallBack(req *http.Request, plan exchange.Plan, body *body) answer {
	if !f.standIn(plan.Fallback.Max) {
		return answer{failure: &Failure{Reason: ReasonBudget, Err: ErrBudget}}
	}
	return f.countUntilEnd(f.ask(ofMonolith(req, plan, body)))
}

// countUntilEnd gives the place back when the response has ended. A switched protocol
// is no longer a request.
func (f *Forwarder) countUntilEnd(a answer) answer {
	if a.failure != nil || a.response.StatusCode == http.StatusSwitchingProtocols {
		f.standDown()
		return a
	}
	a.response.Body = &countedBody{ReadCloser: a.response.Body, forwarder: f}
	return a
}

type countedBody struct {
	io.ReadCloser
	forwarder *Forwarder
	ended     atomic.Bool
}

func (b *countedBody) Close() error {
	if b.ended.CompareAndSwap(false, true) {
		b.forwarder.standDown()
	}
	return b.ReadCloser.Close()
}
