package strangler

import (
	"context"
	"log/slog"
	"net/url"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/discover"
	"github.com/stranglerfig/toolkit/strangler-proxy/exchange"
	"github.com/stranglerfig/toolkit/strangler-proxy/http1"
)

// hostsOf are the hosts of the upstreams.
func hostsOf(cfg *config.Config) *discover.Hosts {
	var urls []*url.URL
	for _, u := range append([]config.Upstream{cfg.Monolith}, cfg.Services...) {
		urls = append(urls, u.URLs...)
	}
	return discover.NewHosts(urls...)
}

// checkLeaks counts a response that names a host which no client should learn, and
// says so once a minute and route. The response goes on as it is.
func (f *front) checkLeaks(x *exchange.Exchange, res *http1.Response) {
	s := f.current.Load()
	name := discover.Leaks(func(name string) (values []string) {
		for i := res.Lookup(name, 0); i >= 0; i = res.Lookup(name, i+1) {
			values = append(values, string(res.Value(i)))
		}
		return values
	}, s.hosts, x.Host)
	if name == "" {
		return
	}
	f.metrics.leaks.WithLabelValues(x.Decision.Name()).Inc()
	if f.learned.leakIsNews(x.Decision.Name(), time.Now()) {
		f.learned.log.LogAttrs(context.Background(), slog.LevelWarn, "a response names an internal host",
			slog.String("route", x.Decision.Name()), slog.String("header", name), slog.String("path", x.Path), slog.String("served_by", x.ServedBy))
	}
}

// leakIsNews reports whether a minute has passed since a leak of the route was logged.
func (d *discovery) leakIsNews(route string, now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if now.Sub(d.leaks[route]) < time.Minute {
		return false
	}
	d.leaks[route] = now
	return true
}
