package cli

import (
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// nextMove is the command by which a route, or the group that it moves with, would
// sensibly go on; none for a route without a service and for one that has arrived.
func (t *tool) nextMove(cfg *config.Config, r *config.Route) []string {
	next := nextStage(r.Stage)
	if r.Service == "" || next == 0 {
		return []string{}
	}
	name := r.Name
	if g := cfg.Group(r.Group); g != nil && g.Stage != 0 {
		name = g.Name
	}
	return []string{t.command("route", "set", name, next.String())}
}

// nextStage is the next step of a migration; 0 after the last one. What is live is done
// only after some quiet time, so nobody is told to hurry: the step shown is the way back.
func nextStage(s route.Stage) route.Stage {
	switch {
	case s <= route.Monolith:
		return route.Live
	case s == route.Shadow:
		return route.Canary(usualShares[0])
	case s == route.Live:
		return route.Monolith
	case s == route.Done:
		return 0
	}
	for _, share := range usualShares {
		if share > s.Share() {
			return route.Canary(share)
		}
	}
	return route.Live
}

// usualShares are the shares by which a canary usually grows.
var usualShares = [...]int{5_00, 25_00, 50_00, 100_00} //nolint:gochecknoglobals // a constant that Go cannot spell
