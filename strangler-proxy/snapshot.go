package strangler

import (
	"log/slog"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/balance"
	"github.com/stranglerfig/toolkit/strangler-proxy/breaker"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/discover"
	"github.com/stranglerfig/toolkit/strangler-proxy/exchange"
	"github.com/stranglerfig/toolkit/strangler-proxy/listen"
	"github.com/stranglerfig/toolkit/strangler-proxy/origin"
	"github.com/stranglerfig/toolkit/strangler-proxy/retry"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// A snapshot is everything that a request needs of one configuration. It is
// immutable; a reload puts another in its place.
type snapshot struct {
	config   *config.Config
	version  uint64
	loaded   time.Time
	limits   listen.Limits
	hosts    *discover.Hosts // of the upstreams
	monolith *exchange.Target
	services []*exchange.Target // in file order
	routes   []liveRoute        // by route.Route.Position
	fallback *liveRoute         // for requests without a route
}

// A liveRoute is a route with what it needs at run time.
type liveRoute struct {
	service  *exchange.Target // nil if the route names none
	waits    config.Waits
	fallback *config.Fallback
	retry    *config.Retry // nil: none
	counters *routeCounters
}

// routeCounters count what happened to the requests of one route. They belong to the
// route's name and survive reloads.
type routeCounters struct {
	monolith, service, fallbacks, failed atomic.Uint64
	metrics                              *routeMetrics
	judged                               *judged
	calls                                *discover.Calls
}

// A registry keeps the state that outlives a configuration.
type registry struct {
	mu       sync.Mutex
	targets  map[string]*exchange.Target
	counters map[string]*routeCounters
	metrics  *metrics
	journal  *discover.Journal
	log      *slog.Logger

	origins map[string]*origin.Origin // by scheme and host
	connect origin.Options
}

func newRegistry(m *metrics, journal *discover.Journal, log *slog.Logger, connect origin.Options) *registry {
	return &registry{
		targets: map[string]*exchange.Target{}, counters: map[string]*routeCounters{}, metrics: m, journal: journal, log: log,
		origins: map[string]*origin.Origin{}, connect: connect,
	}
}

// origin returns the instance at u with its kept connections.
func (r *registry) origin(u *url.URL) *origin.Origin {
	key := u.Scheme + "://" + u.Host
	o := r.origins[key]
	if o == nil {
		o = origin.New(u, r.connect)
		r.origins[key] = o
	}
	return o
}

// close ends the kept connections.
func (r *registry) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, o := range r.origins {
		o.Close()
	}
}

// snapshot prepares cfg. Services and routes that stay keep their state.
func (r *registry) snapshot(cfg *config.Config, version uint64) *snapshot {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &snapshot{
		config: cfg, version: version, loaded: time.Now(),
		monolith: r.target(cfg.Monolith), hosts: hostsOf(cfg),
		fallback: &liveRoute{counters: r.countersOf(route.Default), waits: cfg.Waits, fallback: &cfg.Fallback},
	}
	services := map[string]*exchange.Target{}
	for _, u := range cfg.Services {
		services[u.Name] = r.target(u)
		s.services = append(s.services, services[u.Name])
	}
	for i := range cfg.Routes {
		rt := &cfg.Routes[i]
		live := liveRoute{service: services[rt.Service], waits: rt.Waits, fallback: &rt.Fallback, counters: r.countersOf(rt.Name)}
		if rt.Retry.Max > 0 {
			live.retry = &rt.Retry
		}
		s.routes = append(s.routes, live)
		live.counters.judged.tune(cfg.PromotionOf(rt))
	}
	return s
}

func (r *registry) target(u config.Upstream) *exchange.Target {
	old := r.targets[u.Name]
	same := old != nil && slices.EqualFunc(old.URLs, u.URLs, sameURL) && sameBreaker(old.Breaker, u.Breaker)
	t := &exchange.Target{Name: u.Name, URLs: u.URLs, Timeout: u.Timeout, Retries: &retry.Budget{}}
	if old != nil {
		t.Retries = old.Retries
	}
	for _, instance := range u.URLs {
		t.Origins = append(t.Origins, r.origin(instance))
	}
	if len(u.URLs) > 1 {
		var before *balance.Pool
		if old != nil {
			before = old.Pool
		}
		t.Pool = balance.New(u.URLs, balance.Options{
			SlowStart: u.SlowStart,
			Changed:   func(instance string, now balance.State) { r.instanceChanged(u.Name, instance, now) },
		}, before)
	}
	switch {
	case same:
		t.Breaker = old.Breaker
	case u.Breaker != nil:
		t.Breaker = breaker.New(*u.Breaker, func(c breaker.Change) { r.breakerChanged(u.Name, *u.Breaker, c) })
	}
	r.targets[u.Name] = t
	return t
}

func sameBreaker(b *breaker.Breaker, settings *breaker.Settings) bool {
	if b == nil || settings == nil {
		return b == nil && settings == nil
	}
	return b.Settings() == *settings
}

func (r *registry) countersOf(name string) *routeCounters {
	c := r.counters[name]
	if c == nil {
		c = &routeCounters{metrics: r.metrics.route(name), judged: newJudged(), calls: r.journal.Calls(name)}
		r.counters[name] = c
	}
	return c
}

// live returns the run-time half of a decision's route.
func (s *snapshot) live(d route.Decision) *liveRoute {
	if d.Route == nil {
		return s.fallback
	}
	return &s.routes[d.Route.Position]
}

// plan says whom to ask for a decision.
func (s *snapshot) plan(d route.Decision) exchange.Plan {
	live := s.live(d)
	p := exchange.Plan{Monolith: s.monolith, Fallback: live.fallback, Waits: live.waits}
	if d.Side == route.ToService {
		p.Alone = !d.Fallback
		p.Service, p.Retry = live.service, live.retry
	}
	return p
}
