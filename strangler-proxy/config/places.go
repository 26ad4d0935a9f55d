package config

import "github.com/stranglerfig/toolkit/strangler-proxy/promote"

// Places lists whatever has a stage of its own: routes, and groups with a stage.
func (c *Config) Places() []promote.Place {
	var all []promote.Place
	for _, g := range c.Groups {
		if g.Stage != 0 {
			all = append(all, promote.Place{Name: g.Name, Stage: g.Stage})
		}
	}
	for _, r := range c.Routes {
		if g := c.Group(r.Group); g == nil || g.Stage == 0 {
			all = append(all, promote.Place{Name: r.Name, Stage: r.Stage})
		}
	}
	return all
}

// IdleServices lists the services that no route goes to.
func (c *Config) IdleServices() []string {
	used := map[string]bool{}
	for _, r := range c.Routes {
		used[r.Service] = true
	}
	var idle []string
	for _, s := range c.Services {
		if !used[s.Name] {
			idle = append(idle, s.Name)
		}
	}
	return idle
}
