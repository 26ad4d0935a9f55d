package config

import (
	"github.com/stranglerfig/toolkit/internal/yamldoc"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// A Guard says what has to be shown before a route goes forward.
type Guard struct {
	Off    bool // a rehearsal: stages may be skipped, and nothing need be compared
	Limits route.Limits
}

// guardSection is a constant in all but name.
var guardSection = Section{"guard", "What has to be shown before a route goes forward; `--force --reason WHY` overrules it once. `off`, for a rehearsal, asks for nothing and lets a route skip stages. Objections about who owns the data, and about leaving `done`, stay.", []Key{
	{Name: "compared", Type: "number", Default: "100", Doc: "So many answers were compared with the monolith's before a route goes live, at least."},
	{Name: "mismatch", Type: "percentage", Default: "1%", Doc: "And so many of them differed, at most."},
}}

func defaultGuard() Guard { return Guard{Limits: route.DefaultLimits()} }

func (c *checker) guard(n *yamldoc.Node) Guard {
	g := defaultGuard()
	if n.Kind != yamldoc.Map && (n.Text == "off" || n.Text == "false") {
		g.Off = true
		return g
	}
	keys, ok := c.section(n, guardSection, "guard")
	if !ok {
		return g
	}
	if k := keys["compared"]; k != nil {
		g.Limits.Compared = uint64(c.count(k, "guard.compared", 1_000_000))
	}
	if k := keys["mismatch"]; k != nil {
		if text := c.text(k, "guard.mismatch"); text != "" {
			hundredths, err := route.ParsePercent(text)
			if err != nil {
				c.add(k.Pos, "e.g. 0.5%", "guard.mismatch: %v", err)
			}
			g.Limits.Mismatch = hundredths
		}
	}
	return g
}

// Objections are what the guard has against bringing a route, one of c, to another stage.
func (c *Config) Objections(r *Route, to route.Stage, evidence route.Evidence) []route.Objection {
	move := c.Move(r, to)
	move.Evidence, move.Limits = evidence, c.Guard.Limits
	var kept []route.Objection
	for _, o := range route.Guard(move) {
		if !c.Guard.Off || o.Rule != route.RuleSteps && o.Rule != route.RuleEvidence {
			kept = append(kept, o)
		}
	}
	return kept
}

// Forward is the stage to which a route at the monolith would go next.
func (c *Config) Forward(r *Route) route.Stage {
	if c.Guard.Off && len(c.Objections(r, route.Live, route.Evidence{})) == 0 {
		return route.Live
	}
	return route.Shadow
}
