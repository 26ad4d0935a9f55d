package upstream

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/wire"
)

// mayRetry reports whether the service is asked again after a failure or an answer that
// nobody has seen. What says so has taken from the budget.
func (c *Call) mayRetry(q asking, a answer, retries int) bool {
	r := q.retry
	if r == nil || retries >= r.Max || !c.safe() || c.gone() || !c.body.again() || !c.worthRetry(&r.On, a) {
		return false
	}
	// The time is looked at before the budget, which what is taken from it cannot get back.
	if !c.timeLeft(q) || !q.target.Breaker.Closed() {
		return false
	}
	if !q.target.Retries.Take(r.Budget) {
		c.Exchange.NoRetry = true
		return false
	}
	return true
}

// mayRenew reports whether a request is sent over a new connection because the kept one
// ended without a word. Such an end mostly has nothing to do with the request, but a
// service that breaks off whatever it gets looks the same, so that it is a retry.
func (c *Call) mayRenew(q asking) bool {
	if q.renews == renewsNone || !c.timeLeft(q) {
		return false
	}
	if q.renews == renewsAll || q.target.Retries.Take(budgetOf(q.retry)) {
		return true
	}
	c.Exchange.NoRetry = true
	return false
}

func budgetOf(r *config.Retry) int {
	if r == nil {
		return config.DefaultRetryBudget
	}
	return r.Budget
}

func (c *Call) worthRetry(on *config.Causes, a answer) bool {
	f := a.failure
	switch {
	case f == nil:
		return on.Status(c.response.Status)
	case c.clientsFault(f):
		return false
	case !f.Sent:
		return on.Connect
	case f.Timeout:
		return on.Timeout
	}
	return on.Reset
}

// timeLeft counts the time of a try that has ended, and reports whether there is any
// for another.
func (c *Call) timeLeft(q asking) bool {
	if q.timeout == 0 {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.since != 0 {
		c.spent += time.Duration(wire.Now() - c.since)
		c.since = 0
	}
	return c.spent < q.timeout
}

// tryTime is how long the next try may take.
func (c *Call) tryTime(q asking) time.Duration {
	left := max(q.timeout-c.spent, 1) // 0 would be no limit
	switch {
	case q.timeout == 0:
		return q.try
	case q.try == 0 || left < q.try:
		return left
	}
	return q.try
}

// Pauses before the same instance is asked again.
const (
	firstBackOff = 20 * time.Millisecond
	limitBackOff = 500 * time.Millisecond
)

// backOff doubles, and is drawn so that requests that failed together do not come back
// together.
func backOff(retries int) time.Duration {
	most := min(firstBackOff<<min(retries, 16), limitBackOff)
	return most/2 + rand.N(most/2)
}

// pauseFor waits. It reports false if the waiting for an upstream is over.
func (c *Call) pauseFor(d time.Duration) bool {
	began := wire.Now()
	ctx, stop := context.WithTimeout(context.Background(), d)
	defer stop()
	c.mu.Lock()
	if c.over == nil {
		c.stop = stop
	} else {
		stop()
	}
	c.mu.Unlock()
	<-ctx.Done()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stop = nil
	c.spent += time.Duration(wire.Now() - began)
	return c.over == nil
}
