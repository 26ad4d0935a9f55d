package upstream

import (
	"net/http"
	"strconv"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/http1"
	"github.com/stranglerfig/toolkit/strangler-proxy/wire"
)

// Forward asks the service of the plan, if there is one, and the monolith if the
// service could not answer and the request may be asked again, and relays the answer.
// Its error is an *Error if nothing went to the client, or else ErrBroken.
func (f *Forwarder) Forward(c *Call) error {
	x := c.Exchange
	if c.Watch != nil && len(c.body.kept) > 0 {
		c.Watch.Request(c.body.kept)
	}
	if d := x.Plan.Waits.Deadline; d > 0 {
		c.deadline.Set(wire.Now().Add(d))
	}
	if x.Plan.Service == nil {
		return c.settle(config.MonolithName, c.ask(c.ofMonolith()))
	}
	a := c.guarded()
	reason := c.fallbackReason(a)
	if reason == "" || x.Plan.Alone {
		return c.settle(x.Plan.Service.Name, a)
	}
	c.discard(a)
	c.forget()
	x.Fallback = reason
	if !f.standIn(x.Plan.Fallback.Max) {
		return c.settle(config.MonolithName, answer{failure: &Failure{Reason: ReasonBudget, Err: ErrBudget}})
	}
	a = c.ask(c.ofMonolith())
	if a.failure == nil && c.response.Framing == http1.Tunnel {
		f.standDown() // what follows is no longer a request
		return c.settle(config.MonolithName, a)
	}
	defer f.standDown()
	return c.settle(config.MonolithName, a)
}

func (c *Call) ofMonolith() asking {
	plan := &c.Exchange.Plan
	return asking{target: plan.Monolith, timeout: plan.Monolith.Timeout, policy: plan.Fallback, renews: renewsAll}
}

// inTime ends the time that a response has to begin, and drops one that came too late.
func (c *Call) inTime(a answer) answer {
	if !c.deadline.Clear() {
		return a
	}
	c.deadline.Await()
	if a.failure == nil {
		c.leave()
		c.stopPump(a.conn, a.pump)
		a.conn.Close()
		a = answer{failure: c.fail(c.cause(), true)}
	}
	return a
}

// settle relays an answer, or says that there is none.
func (c *Call) settle(side string, a answer) error {
	x := c.Exchange
	if x.Plan.Waits.Deadline > 0 {
		a = c.inTime(a)
	}
	if a.failure == nil {
		x.ServedBy = side
		return c.relay(a)
	}
	x.ServedBy, x.Failure = config.ProxyName, a.failure.Reason
	return &Error{Side: side, Failure: *a.failure, Before: x.Fallback}
}

// limitHold is the size up to which a service's answer is held back until it is
// complete, so that a truncated one can still be replaced by another or the monolith's.
const limitHold = 16 << 10

func (c *Call) holdLimit() int64 {
	plan := &c.Exchange.Plan
	again := plan.Fallback.Reset || plan.Retry != nil && plan.Retry.On.Reset
	if !again || !c.safe() || string(c.Head.Method) == http.MethodHead {
		return 0
	}
	return limitHold
}

// fallbackReason says in one word why the monolith shall answer, or "" if the
// service's answer or failure is final.
func (c *Call) fallbackReason(a answer) string {
	reason := c.wouldFallBack(a)
	if reason == "" || c.gone() {
		return ""
	}
	if !c.body.again() {
		c.Exchange.NoFallback = "body_too_large"
		return ""
	}
	return reason
}

func (c *Call) gone() bool {
	cause := c.cause()
	return cause != nil && cause != errTooSlow //nolint:errorlint // it is this very value
}

// wouldFallBack is fallbackReason if only the body can be sent again.
func (c *Call) wouldFallBack(a answer) string {
	policy := c.Exchange.Plan.Fallback
	if a.failure == nil {
		status := c.response.Status
		// 501 declares that nothing was done, so any method may be asked again.
		if policy.Status(status) && (c.again() || status == http.StatusNotImplemented) {
			return statusReason(status)
		}
		return ""
	}
	f := a.failure
	switch {
	case c.clientsFault(f):
		return ""
	case !f.Sent:
		if !policy.Connect {
			return ""
		}
	case !c.again():
		return ""
	case f.Timeout && !policy.Timeout, !f.Timeout && !policy.Reset:
		return ""
	}
	return f.Reason
}

// again reports whether the monolith may be asked although the service may have acted.
func (c *Call) again() bool { return c.safe() || c.Exchange.Plan.Fallback.May(c.Head.Method) }

// statusReasons are the words for statuses, made once.
var statusReasons = func() (words [100]string) {
	for i := range words {
		words[i] = "status_" + strconv.Itoa(500+i)
	}
	return words
}()

func statusReason(status int) string { return statusReasons[status-500] }
