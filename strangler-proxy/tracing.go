package strangler

import (
	"context"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/exchange"
	"github.com/stranglerfig/toolkit/strangler-proxy/http1"
	"github.com/stranglerfig/toolkit/strangler-proxy/trace"
)

// openTracer begins to trace if cfg asks for it.
func (p *Proxy) openTracer(ctx context.Context, cfg *config.Config) error {
	var err error
	p.tracing = cfg.Tracing
	if cfg.Tracing.Problem != "" {
		p.opts.Log.Warn("traces stay in memory and go to no collector", "problem", cfg.Tracing.Problem)
	}
	p.front.tracer, err = trace.New(ctx, cfg.Tracing, trace.Options{Version: strings.TrimSpace(p.opts.Version), Log: p.opts.Log})
	if err != nil {
		return err
	}
	p.metrics.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "strangler_trace_spans_lost_total", Help: "Spans that did not reach the collector.",
	}, func() float64 { return float64(p.front.tracer.Lost()) }))
	return nil
}

// Traces implements admin.Proxy.
func (p *Proxy) Traces(limit int) trace.Report { return p.front.tracer.Last(limit) }

// trace begins the trace of a request, that of the client if it names one. What a
// client says about traces goes no further: the upstream's line is our own.
func (f *front) trace(x *exchange.Exchange, head *http1.Request) {
	i := head.Index("traceparent", 0)
	parent := trace.Parse(nil)
	if i >= 0 && head.Index("traceparent", i+1) < 0 {
		parent = trace.Parse(head.Value(i))
	}
	for ; i >= 0; i = head.Index("traceparent", i+1) {
		head.DropField(i)
	}
	if !parent.IsValid() { // what stands beside a trace that is not continued
		for i := head.Index("tracestate", 0); i >= 0; i = head.Index("tracestate", i+1) {
			head.DropField(i)
		}
	}
	x.Trace = f.tracer.Begin(x, parent)
}
