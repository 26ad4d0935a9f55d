package strangler

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/discover"
	"github.com/stranglerfig/toolkit/strangler-proxy/exchange"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
	"github.com/stranglerfig/toolkit/strangler-proxy/shadow"
	"github.com/stranglerfig/toolkit/strangler-proxy/upstream"
)

// A discovery is what the proxy learns from the exchanges that pass.
type discovery struct {
	journal *discover.Journal
	state   string // the file in use; empty without one
	log     *slog.Logger

	mu    sync.Mutex
	leaks map[string]time.Time // when one of the route was logged
}

func newDiscovery(opts Options, cfg *config.Config) *discovery {
	path := cfg.Discovery.StatePath(opts.ConfigPath)
	return &discovery{journal: discover.OpenJournal(discover.JournalOptions{Path: path, Log: opts.Log}), state: path, log: opts.Log, leaks: map[string]time.Time{}}
}

// start lets the journal sort and save until stop is called, which returns when
// everything is in the file. The end of ctx does not matter: requests may still end.
func (d *discovery) start(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.journal.Run(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

// record learns from a finished exchange. It does not wait.
func (d *discovery) record(calls *discover.Calls, x *exchange.Exchange) {
	if x.Decision.Reason == "" {
		return // refused before anybody was chosen
	}
	calls.Note(kindOf(x), x.Start.Add(x.Took))
	if x.Decision.Reason == route.NoRoute && x.ServedBy == config.MonolithName {
		took := x.Took
		if x.Upgraded {
			took = -1 // it is the client's business how long a WebSocket stays
		}
		d.journal.Observe(x.Method, x.Path, x.Status, took)
	}
}

// kindOf says who was asked. When nobody could answer, the monolith may have been asked
// for all that is known, so that counts.
func kindOf(x *exchange.Exchange) discover.Kind {
	switch {
	case x.Fallback != "" && x.Failure != upstream.ReasonBudget:
		return discover.Fallback
	case x.ServedBy == config.MonolithName, x.ServedBy == config.ProxyName && x.Decision.Side == route.ToMonolith:
		return discover.Request
	}
	return discover.Service
}

// A copyNoter notes the copies that the monolith gets before they are sent.
type copyNoter struct {
	shadow.Asker
	journal *discover.Journal
}

// Ask implements shadow.Asker.
func (n *copyNoter) Ask(ctx context.Context, c shadow.Copy) (shadow.Answer, error) {
	if c.Side == config.MonolithName {
		n.journal.Calls(c.Route).Note(discover.Copy, time.Now())
	}
	return n.Asker.Ask(ctx, c)
}

// Discovery implements admin.Proxy.
func (p *Proxy) Discovery() discover.Report {
	quiet := p.current.Load().config.Discovery.QuietAfter
	report := p.learned.journal.Report(quiet)
	report.QuietAfter = config.DaysText(quiet)
	if len(report.Endpoints) > 0 {
		report.Next = append(report.Next, "strangler route discover -o yaml"+configFlag(p.opts.ConfigPath))
	}
	for _, r := range report.Routes {
		if r.Deletable {
			report.Next = append(report.Next, "strangler route deletable"+configFlag(p.opts.ConfigPath))
			break
		}
	}
	return report
}

func configFlag(path string) string {
	if path == "" {
		return ""
	}
	return " --config " + path
}

// discoveryMetrics shows what was learned when somebody looks.
type discoveryMetrics struct {
	learned *discovery
	current *atomic.Pointer[snapshot]

	endpoints, moved, share, dropped, lastCall *prometheus.Desc
}

func newDiscoveryMetrics(learned *discovery, current *atomic.Pointer[snapshot]) *discoveryMetrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &discoveryMetrics{
		learned, current,
		desc("strangler_burndown_endpoints", "Endpoints that are known: routes, and what traffic showed besides."),
		desc("strangler_burndown_endpoints_moved", "Those of them that services answer: routes at live or done."),
		desc("strangler_burndown_requests_ratio", "Share of the requests of the last 24 hours that services answered."),
		desc("strangler_discovery_dropped_total", "Requests without a route that came too fast to be looked at."),
		desc("strangler_monolith_last_call_timestamp_seconds", "When the route last called the monolith, as far as is known.", "route"),
	}
}

// Describe implements prometheus.Collector.
func (d *discoveryMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{d.endpoints, d.moved, d.share, d.dropped, d.lastCall} {
		out <- desc
	}
}

// Collect implements prometheus.Collector.
func (d *discoveryMetrics) Collect(out chan<- prometheus.Metric) {
	if d.current.Load() == nil {
		return
	}
	b := d.learned.journal.BurnDown()
	for desc, value := range map[*prometheus.Desc]float64{
		d.endpoints: float64(b.Endpoints), d.moved: float64(b.EndpointsMoved), d.share: b.RequestsShare,
	} {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value)
	}
	out <- prometheus.MustNewConstMetric(d.dropped, prometheus.CounterValue, float64(d.learned.journal.Dropped()))
	for name, at := range d.learned.journal.LastCalls() {
		out <- prometheus.MustNewConstMetric(d.lastCall, prometheus.GaugeValue, float64(at.Unix()), name)
	}
}
