package shadow

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// Options tune a Shadow. The zero value is fit for production.
type Options struct {
	Log  *slog.Logger   // nil discards
	Draw func() float64 // of [0, 1), for samples; nil draws at random
}

// A Shadow copies and compares. Goroutines may share it.
type Shadow struct {
	asker   Asker
	opts    Options
	ctx     context.Context // of all copies; ended by Close
	cancel  context.CancelFunc
	start   time.Time
	table   atomic.Pointer[table]
	buffers buffers
	working sync.WaitGroup
	// Comparing is work for a processor, which clients need more: half of them stay free.
	comparing chan struct{}

	mu     sync.Mutex // guards what follows, and changes of the table
	lanes  map[string]*lane
	closed bool
}

// A table is what holds between two calls of Configure. It is immutable.
type table struct {
	routes map[string]*liveRoute
	names  []string
	lanes  map[string]*lane
	urls   map[string]string
}

// A liveRoute is a compiled route with what is known of it.
type liveRoute struct {
	compiled
	limiter *limiter
	reverse *limiter // of what goes to the monolith
	stats   *stats
}

// New returns a Shadow that copies nothing until Configure was called. The caller must
// close it.
func New(asker Asker, opts Options) *Shadow {
	opts.Log = cmp.Or(opts.Log, slog.New(slog.DiscardHandler))
	if opts.Draw == nil {
		opts.Draw = rand.Float64
	}
	s := &Shadow{asker: asker, opts: opts, start: time.Now(), lanes: map[string]*lane{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.comparing = make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))
	s.table.Store(&table{})
	return s
}

// Configure makes c hold for every request that begins from now on. It fails, and
// changes nothing, when the rules of a route are wrong. Routes that stay what they are
// keep their numbers, their mismatches and what was learnt of their noise.
func (s *Shadow) Configure(c Config) error {
	routes, err := compile(c.Routes)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.table.Load()
	t := &table{routes: map[string]*liveRoute{}, lanes: map[string]*lane{}, urls: maps.Clone(c.URLs)}
	for _, r := range routes {
		t.names = append(t.names, r.Name)
		t.routes[r.Name] = newLiveRoute(r)
		t.routes[r.Name].inherit(old.routes[r.Name])
		if r.Service != "" {
			t.lanes[r.Service], t.lanes[Monolith] = nil, nil
		}
	}
	for side := range t.lanes {
		if s.lanes[side] == nil {
			s.lanes[side] = &lane{side: side, shadow: s, stopped: s.closed}
		}
		t.lanes[side] = s.lanes[side]
		t.lanes[side].configure(c.Limits, c.MaxBody)
	}
	s.table.Store(t)
	return nil
}

// What limiters admit at once: a burst of copies to a side is a burst of work for it, the
// ones of a live route's first requests are what one wants to see.
const (
	shortBurst = time.Second / 10
	liveBurst  = time.Second
)

func newLiveRoute(r compiled) *liveRoute {
	return &liveRoute{
		compiled: r, stats: newStats(),
		limiter: newLimiter(r.Settings.Limits.Rate, shortBurst), reverse: newLimiter(r.Settings.LiveRate, liveBurst),
	}
}

// inherit takes over from the route of the same name what still holds.
func (r *liveRoute) inherit(old *liveRoute) {
	if old == nil {
		return
	}
	if old.Settings.Limits.Rate == r.Settings.Limits.Rate {
		r.limiter = old.limiter
	}
	if old.Settings.LiveRate == r.Settings.LiveRate {
		r.reverse = old.reverse
	}
	if old.Match == r.Match && old.Service == r.Service && old.Rules.equal(r.Rules) {
		r.stats, r.differ = old.stats, old.differ
	}
}

// Begin counts a request of which a copy is due, and returns a ticket for the copy, or
// nil if there will be none. It does not wait, and keeps no string of r.
func (s *Shadow) Begin(r Request) *Ticket {
	t := s.table.Load()
	at, way := t.routes[r.Route], t.lanes[r.To]
	if at == nil || way == nil {
		return nil // from before a reload
	}
	at.stats.eligible.Add(1)
	if reason, ok := s.admit(at, way, &r); !ok {
		at.stats.dropped[reason].Add(1)
		return nil
	}
	return &Ticket{shadow: s, route: at, lane: way, id: strings.Clone(r.ID), method: strings.Clone(r.Method)}
}

// admit decides all that needs no body.
func (s *Shadow) admit(at *liveRoute, way *lane, r *Request) (Reason, bool) {
	set := &at.Settings
	switch {
	case r.Upgrade:
		return Upgrade, false
	case !route.Safe(r.Method) && (!set.Sandbox || r.To == Monolith):
		return UnsafeMethod, false
	case set.Percent < 100 && s.opts.Draw()*100 >= set.Percent:
		return Unsampled, false
	case r.Resting:
		return Breaker, false
	case r.Length > int64(set.MaxBody):
		return BodyTooLarge, false
	case way.full(at):
		return QueueFull, false
	}
	if !s.inRate(at, way, r.To == Monolith) {
		return Rate, false
	}
	return 0, true
}

// inRate looks at the clock only where there is a bound.
func (s *Shadow) inRate(at *liveRoute, way *lane, reverse bool) bool {
	own, all := at.limiter, way.limiter.Load()
	reverse = reverse && at.reverse.interval > 0
	if own.interval == 0 && all.interval == 0 && !reverse {
		return true
	}
	now := time.Since(s.start)
	return (!reverse || at.reverse.admit(now)) && own.admit(now) && all.admit(now)
}

// Stats returns the numbers of a route, and false if there is none of this name.
func (s *Shadow) Stats(route string) (Stats, bool) {
	r := s.table.Load().routes[route]
	if r == nil {
		return Stats{}, false
	}
	return r.stats.read(), true
}

// Close drops what waits, breaks off what is under way and returns when all of it has
// ended. A Shadow that is closed drops everything.
func (s *Shadow) Close() {
	s.mu.Lock()
	s.closed = true
	lanes := slices.Collect(maps.Values(s.lanes))
	s.mu.Unlock()
	for _, l := range lanes {
		l.stop()
	}
	s.cancel()
	s.working.Wait()
}
