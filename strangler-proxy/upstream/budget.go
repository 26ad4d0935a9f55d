package upstream

import (
	"errors"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
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
