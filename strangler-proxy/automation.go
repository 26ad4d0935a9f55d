package strangler

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stranglerfig/toolkit/internal/yamldoc"
	"github.com/stranglerfig/toolkit/strangler-proxy/admin"
	"github.com/stranglerfig/toolkit/strangler-proxy/audit"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/promote"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
	"github.com/stranglerfig/toolkit/strangler-proxy/steer"
)

// An automation moves the routes of a proxy with a file by what their clients get.
type automation struct {
	proxy      *Proxy
	file       *steer.File
	controller *promote.Controller
	moves      *prometheus.CounterVec
	series     automationSeries
	log        logCache
	unnoted    atomic.Pointer[string] // a move that the log does not know: what it says cannot be relied on
}

func newAutomation(p *Proxy) *automation {
	a := &automation{
		proxy: p, file: steer.New(p.opts.ConfigPath, steer.Options{LookupEnv: p.opts.LookupEnv}),
		moves: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "strangler_promotion_moves_total", Help: "Moves that were made of themselves, by route or group and by actor.",
		}, []string{"route", "actor"}),
		series: newAutomationSeries(),
		log:    logCache{path: audit.Path(p.opts.ConfigPath)},
	}
	a.controller = promote.New(a, promote.Options{Log: p.opts.Log, Moved: func(m promote.Move) {
		a.moves.WithLabelValues(m.Route, m.Actor).Inc()
	}})
	return a
}

// Survey implements promote.Site.
func (a *automation) Survey() promote.Survey {
	s := a.proxy.current.Load()
	v := promote.Survey{Hash: s.config.Hash, Held: a.held(s)}
	position := map[string]int{}
	for i, r := range s.config.Routes {
		position[r.Name] = i
		if r.Promote != nil || r.Expires > 0 {
			v.Routes = append(v.Routes, promote.Route{
				Name: r.Name, Stage: r.Stage, Settings: r.Promote, Expires: r.Expires, Members: []promote.Member{a.member(s, i, r.Promote)},
			})
		}
	}
	for _, g := range s.config.Groups {
		if g.Promote == nil && g.Expires == 0 {
			continue
		}
		all := promote.Route{Name: g.Name, Stage: g.Stage, Settings: g.Promote, Expires: g.Expires}
		for _, name := range g.Routes {
			all.Members = append(all.Members, a.member(s, position[name], g.Promote))
		}
		v.Routes = append(v.Routes, all)
	}
	return v
}

// held says why nothing may be moved at this moment.
func (a *automation) held(s *snapshot) string {
	if s.config.Panic != "" {
		return "panic: " + s.config.Panic
	}
	if a.proxy.Holds().Any() {
		return "requests are held: tables change hands"
	}
	if move := a.unnoted.Load(); move != nil {
		return "the audit log lacks " + *move + ": mend it and start the proxy again"
	}
	a.proxy.mu.Lock()
	defer a.proxy.mu.Unlock()
	if a.proxy.rejected != nil {
		return "the configuration file is rejected"
	}
	return ""
}

// member is the route at a position of the configuration.
func (a *automation) member(s *snapshot, position int, settings *promote.Settings) promote.Member {
	name := s.config.Routes[position].Name
	return promote.Member{
		Name: name, Window: s.routes[position].counters.judged.window,
		Copies: func() promote.Copies { return copiesFor(a.proxy, name, settings) },
	}
}

// copiesFor are the newest comparisons, or all of them where that is not enough.
func copiesFor(p *Proxy, name string, settings *promote.Settings) promote.Copies {
	stats := p.copiesOf(name)
	if stats == nil {
		return promote.Copies{}
	}
	if recent := stats.Recent; settings == nil || recent.Compared >= settings.MinRequests {
		return promote.Copies{Compared: recent.Compared, Mismatches: recent.Mismatches}
	}
	return promote.Copies{Compared: int(stats.Compared), Mismatches: int(stats.Mismatched)}
}

// History implements promote.Site.
func (a *automation) History() (audit.History, error) { return a.log.read() }

// Apply implements promote.Site. The guard is asked as it is for anybody else, and
// nothing overrules it.
func (a *automation) Apply(ctx context.Context, m promote.Move) error {
	o := steer.Order{Actor: m.Actor, Reason: m.Reason, IfMatch: m.Hash, Evidence: a.proxy.evidence}
	to := steer.Move{Name: m.Route, To: m.To}
	var result *steer.Result
	var err error
	if m.Action == audit.Rollback {
		result, err = a.file.Return(ctx, to, o)
	} else {
		result, err = a.file.Set(ctx, []steer.Move{to}, o)
	}
	var stale *config.StaleError
	switch {
	case errors.As(err, &stale), errors.Is(err, yamldoc.ErrChanged):
		return promote.ErrStale
	case err != nil:
		return err
	case result.NotNoted != nil:
		move := fmt.Sprintf("that %s moved %s to %s", m.Actor, m.Route, m.To)
		a.unnoted.Store(&move)
		a.proxy.opts.Log.Error("automation rests: a move is not in the audit log", "route", m.Route, "error", result.NotNoted.Error())
	}
	return a.proxy.Reload()
}

// evidence is what the copies of a route have shown so far.
func (p *Proxy) evidence(name string) route.Evidence {
	stats := p.copiesOf(name)
	if stats == nil {
		return route.Evidence{}
	}
	return route.Evidence{Compared: stats.Compared, Mismatches: stats.Mismatched}
}

// show fills in what is known of each route's automation and traffic, and what has
// been left lying.
func (a *automation) show(s *snapshot, st *admin.Status) {
	for i := range s.config.Routes {
		if automated, ok := a.controller.Status(s.config.Mover(&s.config.Routes[i])); ok {
			st.Routes[i].Automation = &automated
		}
	}
	if history, err := a.log.read(); err == nil {
		st.Advice = promote.Advise(time.Now(), s.config.Places(), s.config.IdleServices(), history)
	}
}

// traffic fills in how many requests there are.
func traffic(s *snapshot, st *admin.Status) {
	total := s.fallback.counters.judged.rates().Total()
	for i := range s.routes {
		rates := s.routes[i].counters.judged.rates()
		st.Routes[i].Traffic.Rates = rates
		total += rates.Total()
	}
	for i := range st.Routes {
		if t := &st.Routes[i].Traffic; total > 0 {
			t.Share = t.Total() / total
		}
	}
}

// A logCache reads the audit log again only when it has changed.
type logCache struct {
	path string

	mu      sync.Mutex
	seen    os.FileInfo // nil: there was none
	history audit.History
}

func (c *logCache) read() (audit.History, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, err := os.Stat(c.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.seen, c.history = nil, nil
		return nil, nil
	case err != nil:
		return nil, err
	case c.seen != nil && os.SameFile(now, c.seen) && now.Size() == c.seen.Size() && now.ModTime().Equal(c.seen.ModTime()):
		return c.history, nil
	}
	history, err := audit.Read(c.path)
	if err != nil {
		return nil, err
	}
	c.seen, c.history = now, history
	return history, nil
}
