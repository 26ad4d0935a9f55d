package strangler

import (
	"strconv"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stranglerfig/toolkit/strangler-proxy/admin"
	"github.com/stranglerfig/toolkit/strangler-proxy/breaker"
	"github.com/stranglerfig/toolkit/strangler-proxy/exchange"
)

// breakerChanged reports a step of a service's breaker.
func (r *registry) breakerChanged(service string, s breaker.Settings, c breaker.Change) {
	r.metrics.breakerChanges.WithLabelValues(service, c.To.String()).Inc()
	if c.To == breaker.Open {
		args := []any{"service", service, "from", c.From.String(), "try_again_in", s.Wait.String()}
		if c.From != breaker.Probing {
			args = append(args, "failures", strconv.Itoa(c.Failures)+" of the last "+strconv.Itoa(s.Window))
		}
		r.log.Warn("breaker opened: the monolith answers for the service", args...)
		return
	}
	r.log.Info("breaker "+c.To.String(), "service", service, "from", c.From.String())
}

func breakerStatus(t *exchange.Target) *admin.Breaker {
	if t.Breaker == nil {
		return nil
	}
	v, s := t.Breaker.View(), t.Breaker.Settings()
	return &admin.Breaker{
		State: v.State.String(), Since: v.Since, Failures: v.Failures, Window: s.Window,
		OpenAt: s.Failures, Opened: v.Opened, Share: v.Share,
	}
}

// conditions shows the breakers and instances of the configuration in use when somebody looks.
type conditions struct {
	current *atomic.Pointer[snapshot]
	state   *prometheus.Desc
	well    *prometheus.Desc
}

func newConditions(current *atomic.Pointer[snapshot]) *conditions {
	labels := []string{"service"}
	return &conditions{
		current,
		prometheus.NewDesc("strangler_breaker_state", "The service's breaker: 0 closed, 1 ramping, 2 half-open, 3 open.", labels, nil),
		prometheus.NewDesc("strangler_instances_available", "Instances of the service that are asked.", labels, nil),
	}
}

// Describe implements prometheus.Collector.
func (b *conditions) Describe(out chan<- *prometheus.Desc) {
	out <- b.state
	out <- b.well
}

// Collect implements prometheus.Collector.
func (b *conditions) Collect(out chan<- prometheus.Metric) {
	s := b.current.Load()
	if s == nil {
		return
	}
	for _, t := range s.services {
		out <- prometheus.MustNewConstMetric(b.well, prometheus.GaugeValue, float64(available(t)), t.Name)
		if t.Breaker != nil {
			out <- prometheus.MustNewConstMetric(b.state, prometheus.GaugeValue, float64(t.Breaker.View().State), t.Name)
		}
	}
}
