package config

import (
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
	"github.com/stranglerfig/toolkit/strangler-proxy/yamldoc"
)

// guardSection is a constant in all but name.
var guardSection = Section{"defaults.guard", "What a route has to show before `route set` lets it go live without `--force`.", []Key{
	{Name: "compared", Type: "number", Default: "100", Doc: "So many of its answers were compared with the monolith's, at least."},
	{Name: "mismatch", Type: "percentage", Default: "1%", Doc: "And so many of them differed, at most."},
}}

func (c *checker) guard(n *yamldoc.Node) route.Limits {
	l := route.DefaultLimits()
	keys, ok := c.section(n, guardSection, "defaults.guard")
	if !ok {
		return l
	}
	if k := keys["compared"]; k != nil {
		l.Compared = uint64(c.count(k, "defaults.guard.compared", 1_000_000))
	}
	if k := keys["mismatch"]; k != nil {
		if text := c.text(k, "defaults.guard.mismatch"); text != "" {
			hundredths, err := route.ParsePercent(text)
			if err != nil {
				c.add(k.Pos, "e.g. 0.5%", "defaults.guard.mismatch: %v", err)
			}
			l.Mismatch = hundredths
		}
	}
	return l
}

// Move is what the file knows about bringing a route to another stage; the evidence is
// not in the file. The route is one of c.
func (c *Config) Move(r *Route, to route.Stage) route.Move {
	return route.Move{
		Route: r.Name, From: r.Stage, To: to,
		Method: r.Match.Method, Data: r.Data, Split: r.Split, Limits: c.Guard,
	}
}
