package strangler

import (
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/exchange"
	"github.com/stranglerfig/toolkit/strangler-proxy/promote"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// A judged route is one whose figures are kept, for promotion and for whoever wants to
// know what a change would move. It belongs to the route's name and survives reloads.
type judged struct {
	window        *promote.Window
	reads, writes *promote.Traffic
}

func newJudged() *judged {
	return &judged{
		window: promote.NewWindow(promote.DefaultWindow, promote.Default().MinRequests),
		reads:  promote.NewTraffic(), writes: promote.NewTraffic(),
	}
}

// tune lets the window cover what the route's promotion looks at.
func (j *judged) tune(s *promote.Settings) {
	if s != nil {
		j.window.Tune(s.Every, s.MinRequests)
		return
	}
	j.window.Tune(promote.DefaultWindow, promote.Default().MinRequests)
}

func (j *judged) rates() promote.Rates {
	return promote.Rates{Reads: j.reads.PerMinute(), Writes: j.writes.PerMinute()}
}

// watch takes in a finished exchange.
func (j *judged) watch(x *exchange.Exchange) {
	if x.Plan.Monolith == nil {
		return // refused before anybody was to be asked
	}
	now := x.Start.Add(x.Took)
	if route.Safe(x.Method) {
		j.reads.Count(now)
	} else {
		j.writes.Count(now)
	}
	if x.Decision.Route == nil {
		return
	}
	if failed, counts := result(x); counts {
		took := x.Took
		if x.Upgraded || x.Held > 0 {
			took = -1 // no side is to blame for it
		}
		j.window.Observe(now, x.Decision.Side, failed, took)
	}
}

// result says whether the side that was to answer failed, and whether the exchange says
// anything about it. What a stage leaves on the monolith in any case, such as writes,
// is no measure for the rest of the route, and what a tester forces is no client.
func result(x *exchange.Exchange) (failed, counts bool) {
	switch x.Decision.Reason {
	case route.WritesStay, route.ForcedByHeader, route.ForcedByCookie:
		return false, false
	}
	switch {
	case x.ServiceFailed, x.Fallback != "":
		return true, true // whatever the client saw in the end
	case x.ServedBy == config.ProxyName && x.Status < 500:
		return false, false // the client's doing
	}
	switch x.Failure {
	case "client_gone", "client_body", "body_too_large":
		return false, false
	}
	return x.Status >= 500 || x.Failure != "", true
}
