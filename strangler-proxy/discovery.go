package strangler

import (
	"context"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/discover"
	"github.com/stranglerfig/toolkit/strangler-proxy/exchange"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// A discovery is what the proxy learns from the exchanges that pass.
type discovery struct {
	observer *discover.Observer
}

func newDiscovery(_ Options, _ *config.Config) *discovery {
	return &discovery{observer: discover.NewObserver(nil)}
}

// run blocks until ctx ends.
func (d *discovery) run(ctx context.Context) { d.observer.Run(ctx) }

// record learns from a finished exchange. It does not wait.
func (d *discovery) record(x *exchange.Exchange) {
	if x.Decision.Reason == route.NoRoute && x.ServedBy == config.MonolithName {
		d.observer.Observe(x.Method, x.Path, x.Status, x.Took)
	}
}

// Discovery implements admin.Proxy.
func (p *Proxy) Discovery() discover.Report {
	cfg := p.current.Load().config
	quiet := cfg.Discovery.QuietAfter
	report := discover.Report{Schema: 1, Since: p.started, QuietAfter: config.DaysText(quiet), Findings: p.learned.observer.Findings(quiet)}
	report.Endpoints = discover.Unclaimed(report.Endpoints, cfg.Table)
	report.Next = []string{}
	if len(report.Endpoints) > 0 {
		report.Next = append(report.Next, "strangler route discover -o yaml"+configFlag(p.opts.ConfigPath))
	}
	return report
}

func configFlag(path string) string {
	if path == "" {
		return ""
	}
	return " --config " + path
}
