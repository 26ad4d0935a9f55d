package config

import (
	"fmt"
	"time"

	"github.com/stranglerfig/toolkit/internal/yamldoc"
	"github.com/stranglerfig/toolkit/strangler-proxy/promote"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// A Group is a set of routes that agree about every client and, if the group has a
// stage, move with that one word.
type Group struct {
	Name   string
	Routes []string
	Split  string       // the split that moves the data behind the routes; may be empty
	Stage  route.Stage  // of all its routes; 0: each has its own
	Sticky route.Sticky // nil: as in defaults
	// Promote and Expires are those of a group with a stage, see Route.
	Promote *promote.Settings
	Expires time.Duration
	Line    int
}

// Group returns the group named name, or nil.
func (c *Config) Group(name string) *Group {
	for i := range c.Groups {
		if c.Groups[i].Name == name {
			return &c.Groups[i]
		}
	}
	return nil
}

// GroupNames lists the groups' names in file order.
func (c *Config) GroupNames() []string {
	names := make([]string, len(c.Groups))
	for i, g := range c.Groups {
		names[i] = g.Name
	}
	return names
}

// Mover is the name whose stage moves a route: its group's, or its own.
func (c *Config) Mover(r *Route) string {
	if g := c.Group(r.Group); g != nil && g.Stage != 0 {
		return g.Name
	}
	return r.Name
}

// groupSection is a constant in all but name.
var groupSection = Section{"groups.NAME", "A group names routes that belong together: they send a client to the same side, and flip in one step.", []Key{
	{Name: "routes", Type: "list of routes", Required: true, Doc: "Their names. A route is in one group at most."},
	{Name: "stage", Type: "stage", Default: "each route's own", Doc: "The stage of all its routes, which then have none of their own: one word moves them together."},
	{Name: "split", Type: "name", Doc: "The plan that moves the tables behind these routes. Their writes stay on the monolith until it has moved them."},
	{Name: "sticky", Type: "list of keys", Default: "`defaults.sticky`", Doc: "By what a canary recognises clients. Routes of a group have none of their own, for they have to agree."},
	{Name: "promote", Type: "mapping", Doc: "How the canary of a group with a stage moves by itself, see below."},
	{Name: "expires", Type: "duration", Default: "never", Doc: "How long the canary of a group with a stage lasts that nobody confirms, as at a route."},
}}

// A membership is what a route's group says about it.
type membership struct {
	*Group
	staged bool // the group has a stage, be it a good one or not
}

// groups reads the groups before there are routes; routes is the file's mapping of them.
func (c *checker) groups(n, routes *yamldoc.Node, cfg *Config) map[string]membership {
	members := map[string]membership{}
	if n == nil {
		return members
	}
	c.named(n, "group", func(e yamldoc.Entry) {
		what := fmt.Sprintf("group %q", e.Key)
		switch {
		case e.Key == route.Default:
			c.add(e.KeyPos, "", "a group cannot be named %q: requests without a route are reported so", e.Key)
		case routes.Get(e.Key) != nil:
			c.add(e.KeyPos, "give it another name", "%s has the name of a route", what)
		}
		keys, ok := c.section(e.Value, groupSection, what)
		if !ok {
			return
		}
		g := &Group{Name: e.Key, Line: e.KeyPos.Line}
		if s := keys["stage"]; s != nil {
			g.Stage = c.stage(s, what)
		}
		if keys["stage"] != nil {
			g.Promote, g.Expires = c.automation(keys, what)
		} else {
			c.noAutomation(keys, what, "write it at its routes, or give the group a stage")
		}
		if s := keys["split"]; s != nil {
			g.Split = c.splitName(s, what)
		}
		if s := keys["sticky"]; s != nil {
			g.Sticky = c.sticky(s, what+".sticky")
		}
		if r := keys["routes"]; r != nil {
			c.members(r, routes, membership{g, keys["stage"] != nil}, members)
		}
		cfg.Groups = append(cfg.Groups, *g)
	})
	return members
}

// members reads the routes of one group.
func (c *checker) members(n, routes *yamldoc.Node, in membership, members map[string]membership) {
	what := fmt.Sprintf("group %q.routes", in.Name)
	if n.Kind != yamldoc.List || len(n.Items) == 0 {
		c.add(n.Pos, "e.g. [orders-read, orders-create]", "%s must be a list of routes", what)
		return
	}
	var known []string
	if routes != nil {
		for _, e := range routes.Entries {
			known = append(known, e.Key)
		}
	}
	for _, item := range n.Items {
		name := c.text(item, what)
		if name == "" {
			continue
		}
		other, taken := members[name]
		switch {
		case routes.Get(name) == nil:
			c.add(item.Pos, yamldoc.DidYouMean(name, known), "%s: there is no route %q", what, name)
		case taken && other.Group == in.Group:
			c.add(item.Pos, "", "%s: %s stands there twice", what, name)
		case taken:
			c.add(item.Pos, "a route is in one group", "%s: route %q is in group %q (line %d) already", what, name, other.Name, other.Line)
		default:
			members[name] = in
			in.Routes = append(in.Routes, name)
		}
	}
}

func (c *checker) splitName(n *yamldoc.Node, what string) string {
	text := c.text(n, what+".split")
	if text != "" && !validName.MatchString(text) {
		c.add(n.Pos, "letters, digits, . _ -; at most 64", "%s.split: %q is no name", what, text)
	}
	return text
}

// join gives a route what its group says. It reports what the route may not say itself.
func (c *checker) join(r *Route, keys map[string]*yamldoc.Node, at yamldoc.Pos, in membership, cfg *Config) {
	what := fmt.Sprintf("route %q", r.Name)
	r.Sticky = cfg.Sticky
	stage, sticky := keys["stage"], keys["sticky"]
	if in.Group == nil {
		if stage == nil {
			c.add(at, "", "%s has no %q", what, "stage")
		} else {
			r.Stage = c.stage(stage, what)
		}
		if sticky != nil {
			r.Sticky = c.sticky(sticky, what+".sticky")
		}
		return
	}
	r.Group, r.Split = in.Name, in.Split
	switch {
	case in.staged && stage != nil:
		c.add(stage.Pos, "remove one of them", "%s has a stage of its own, and group %q (line %d) has one for all its routes", what, in.Name, in.Line)
	case in.staged:
		r.Stage = in.Stage
	case stage != nil:
		r.Stage = c.stage(stage, what)
	default:
		c.add(at, "", "%s has no %q, nor has its group %q (line %d)", what, "stage", in.Name, in.Line)
	}
	if in.Sticky != nil {
		r.Sticky = in.Sticky
	}
	if sticky != nil {
		c.add(sticky.Pos, fmt.Sprintf("write it at group %q (line %d)", in.Name, in.Line), "%s.sticky: the routes of a group have to agree about clients", what)
	}
}
