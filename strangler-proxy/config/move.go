package config

import "github.com/stranglerfig/toolkit/strangler-proxy/route"

// Move is what the file knows about bringing a route of c to another stage. The
// evidence and the limits are for the caller to add.
func (c *Config) Move(r *Route, to route.Stage) route.Move {
	return route.Move{Route: r.Name, From: r.Stage, To: to, Method: r.Match.Method, Data: r.Data, Split: r.Split}
}
