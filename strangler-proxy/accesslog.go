package strangler

import (
	"context"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stranglerfig/toolkit/strangler-proxy/accesslog"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/exchange"
)

// logAccess writes the line of a finished request.
func (f *front) logAccess(x *exchange.Exchange) { f.access.Write(x) }

// openAccessLog opens the access log that the options and cfg ask for.
func (p *Proxy) openAccessLog(cfg *config.Config) error {
	var err error
	p.front.access, err = accesslog.Open(p.logSettings(cfg), accesslog.Options{Out: p.opts.AccessOut, Text: p.opts.AccessText, Log: p.opts.Log})
	if err != nil {
		return err
	}
	p.metrics.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "strangler_access_log_lost_total", Help: "Lines of the access log that were dropped because they could not be written in time.",
	}, func() float64 { return float64(p.front.access.Lost()) }))
	return nil
}

func (p *Proxy) logSettings(cfg *config.Config) config.AccessLog {
	if !p.opts.AccessLog {
		return config.AccessLog{Format: config.LogOff}
	}
	return cfg.AccessLog
}

// useAccessLog goes on with the access log that cfg asks for. If its file cannot be
// opened, lines keep going where they went: requests matter more.
func (p *Proxy) useAccessLog(cfg *config.Config) {
	if err := p.front.access.Use(p.logSettings(cfg)); err != nil {
		p.opts.Log.Error("the access log stays where it was", "err", err)
	}
}

// ReopenLogs opens the file of the access log again, after somebody has moved it away.
func (p *Proxy) ReopenLogs() error { return p.front.access.Reopen() }

// writeAccessLog writes lines out until stop is called, and then those that are left.
func (p *Proxy) writeAccessLog() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { p.front.access.Run(ctx) })
	return func() {
		cancel()
		running.Wait()
		_ = p.front.access.Close()
	}
}
