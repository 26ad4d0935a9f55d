package config

import "github.com/stranglerfig/toolkit/strangler-proxy/route"

// Move is what the file knows about bringing a route of c to another stage. The
// evidence and the limits are for the caller to add.
func (c *Config) Move(r *Route, to route.Stage) route.Move {
	return route.Move{Route: r.Name, From: r.Stage, To: to, Method: r.Match.Method, Data: r.Data, Split: r.Split}
}

// Held says in a sentence what of a route the owner of its tables answers, whatever its
// stage or a panic says; empty: nothing.
func (c *Config) Held(r *Route) string {
	of := route.Route{Match: r.Match, Service: r.Service, Stage: r.Stage, Data: r.Data}
	return of.Held(r.Split, c.Panic != "")
}
