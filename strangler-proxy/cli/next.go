package cli

import (
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// nextMove is the command by which a route, or the group that it moves with, would
// sensibly go on; none for a route without a service and for one that has arrived.
func (t *tool) nextMove(cfg *config.Config, r *config.Route) []string {
	next := nextStage(cfg, r)
	if r.Service == "" || next == 0 {
		return []string{}
	}
	return []string{t.command("route", "set", cfg.Mover(r), next.String())}
}

// nextStage is where a route may go now. What is live is done only after some quiet
// time, so nobody is told to hurry: the step shown is the way back.
func nextStage(cfg *config.Config, r *config.Route) route.Stage {
	switch {
	case r.Stage <= route.Monolith:
		return cfg.Forward(r)
	case r.Stage == route.Live:
		return route.Monolith
	}
	return r.Stage.Next()
}
