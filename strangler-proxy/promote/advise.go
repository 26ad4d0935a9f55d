package promote

import (
	"fmt"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/audit"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// How long a route may stay at a stage before somebody is reminded of it.
const (
	stuckAfter   = 14 * 24 * time.Hour
	settledAfter = 30 * 24 * time.Hour
)

// A Place is a route, or a group with a stage, in a configuration.
type Place struct {
	Name  string
	Stage route.Stage
}

// An Advice is something that has been left lying.
type Advice struct {
	Rule   string `json:"rule"` // done, canary or service
	Name   string `json:"name"` // of the route, group or service
	Text   string `json:"text"`
	Remedy string `json:"remedy"`
}

// Advise names what has been at its stage for too long, as far as the log h knows when
// it came there, and the services that no route goes to.
func Advise(now time.Time, places []Place, idle []string, h audit.History) []Advice {
	all := []Advice{}
	for _, p := range places {
		since, known := cameTo(h, p)
		if !known {
			continue
		}
		days := int(now.Sub(since) / (24 * time.Hour))
		switch {
		case p.Stage == route.Done && now.Sub(since) > settledAfter:
			all = append(all, Advice{
				"done", p.Name, fmt.Sprintf("%s has been done for %d days", p.Name, days),
				"delete what it replaced in the monolith, then the route",
			})
		case p.Stage.IsCanary() && now.Sub(since) > stuckAfter:
			all = append(all, Advice{
				"canary", p.Name, fmt.Sprintf("%s has been at %s for %d days", p.Name, p.Stage, days),
				"move it on or back: a canary is meant to be short",
			})
		}
	}
	for _, name := range idle {
		all = append(all, Advice{"service", name, fmt.Sprintf("no route goes to service %s", name), "take it out of the file, or add a route"})
	}
	return all
}

// cameTo is when the log last saw the place come to its stage.
func cameTo(h audit.History, p Place) (time.Time, bool) {
	entries := h.Of(p.Name)
	for i := len(entries) - 1; i >= 0; i-- {
		switch e := entries[i]; {
		case e.To == "":
		case e.To != p.Stage.String():
			return time.Time{}, false // it came here unseen
		case e.From != e.To:
			return e.Time, true
		}
	}
	return time.Time{}, false
}
