package strangler

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/stranglerfig/toolkit/strangler-proxy/admin"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
)

var _ admin.Proxy = (*Proxy)(nil)

// Ready implements admin.Proxy.
func (p *Proxy) Ready() error {
	if p.stopping.Load() {
		return errors.New("stopping")
	}
	return nil
}

// Status implements admin.Proxy.
func (p *Proxy) Status() admin.Status {
	s := p.current.Load()
	st := admin.Status{
		Schema: 1, Version: p.opts.Version, Started: p.started,
		Listen: p.Addr().String(), Admin: p.AdminAddr().String(),
		Draining: p.stopping.Load(), InFlight: p.front.open.Load(),
		Panic: s.config.Panic, Config: p.configStatus(s), Certificates: p.keeper.Status(),
		Monolith: upstreamStatus(s.config.Monolith),
		Services: []admin.Upstream{}, Routes: []admin.Route{},
		Default: counters(s.fallback.counters), BurnDown: p.learned.journal.BurnDown(),
		Splits: p.Splits(), Holds: p.Holds().List(),
	}
	for i, u := range s.config.Services {
		service := upstreamStatus(u)
		service.Breaker, service.Instances = breakerStatus(s.services[i]), instancesStatus(s.services[i])
		st.Services = append(st.Services, service)
	}
	for i, r := range s.config.Routes {
		st.Routes = append(st.Routes, admin.Route{
			Name: r.Name, Match: r.Match.String(), To: r.Service, Stage: r.Stage.String(),
			Counters: counters(s.routes[i].counters), Copies: p.copiesOf(r.Name), Held: s.config.Held(&r),
		})
	}
	traffic(s, &st)
	if p.automation != nil {
		p.automation.show(s, &st)
	}
	st.Next = next(st, s.config)
	return st
}

func (p *Proxy) configStatus(s *snapshot) admin.Config {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := admin.Config{
		Path: p.opts.ConfigPath, State: "active", Version: s.version, Hash: s.config.Hash,
		Loaded: s.loaded, FileHash: p.fileHash, NeedsStart: p.needsRestart(s.config),
	}
	switch {
	case p.opts.ConfigPath == "":
		c.State = "none"
	case p.rejected != nil:
		c.State, c.Errors = "rejected", reasons(p.rejected)
	}
	return c
}

func upstreamStatus(u config.Upstream) admin.Upstream {
	st := admin.Upstream{Name: u.Name}
	for _, target := range u.URLs {
		st.URLs = append(st.URLs, target.String())
	}
	return st
}

func counters(c *routeCounters) admin.Counters {
	return admin.Counters{
		Monolith: c.monolith.Load(), Service: c.service.Load(),
		Fallbacks: c.fallbacks.Load(), Failed: c.failed.Load(),
	}
}

// sameRoute reports whether two routes say the same, wherever they stand in the file.
func sameRoute(a, b config.Route) bool {
	a.Line, b.Line = 0, 0
	return reflect.DeepEqual(a, b)
}

// changes lists what a reload altered, one short text each, for the log.
func changes(before, after *config.Config) []string {
	texts := []string{}
	olds, kept := map[string]*config.Route{}, map[string]bool{}
	for i := range before.Routes {
		olds[before.Routes[i].Name] = &before.Routes[i]
	}
	for _, r := range after.Routes {
		old := olds[r.Name]
		kept[r.Name] = true
		switch {
		case old == nil:
			texts = append(texts, fmt.Sprintf("%s: new, %s", r.Name, r.Stage))
		case old.Stage != r.Stage:
			texts = append(texts, fmt.Sprintf("%s: %s -> %s", r.Name, old.Stage, r.Stage))
		case !sameRoute(*old, r):
			texts = append(texts, r.Name+": changed")
		}
	}
	for _, r := range before.Routes {
		if !kept[r.Name] {
			texts = append(texts, r.Name+": removed")
		}
	}
	const limit = 20
	if more := len(texts) - limit; more > 0 {
		texts = append(texts[:limit], fmt.Sprintf("and %d more", more))
	}
	return texts
}
