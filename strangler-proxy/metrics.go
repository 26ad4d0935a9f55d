package strangler

import (
	"net/url"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/exchange"
	"github.com/stranglerfig/toolkit/strangler-proxy/series"
	"github.com/stranglerfig/toolkit/strangler-proxy/upstream"
)

// metrics is the proxy's own registry. Every label is bounded by the configuration:
// route names, three sides, five status classes, the reasons that the code knows.
type metrics struct {
	registry  *prometheus.Registry
	gatherer  *series.Gatherer // of the registry and of what it does not have
	routes    *routeSeries
	fallbacks *prometheus.CounterVec
	rejected  *prometheus.CounterVec

	breakerChanges *prometheus.CounterVec
	refused        *prometheus.CounterVec
	retries        *prometheus.CounterVec
	noRetries      *prometheus.CounterVec
	leaks          *prometheus.CounterVec

	reloadGood, reloadTime, configVersion prometheus.Gauge
	configInfo                            *prometheus.GaugeVec
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		routes:   &routeSeries{},
		fallbacks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "strangler_fallbacks_total", Help: "Requests that the monolith answered because the service could not, by reason.",
		}, []string{"route", "reason"}),
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "strangler_rejected_requests_total", Help: "Requests that were refused and never forwarded, by reason.",
		}, []string{"reason"}),

		breakerChanges: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "strangler_breaker_changes_total", Help: "Steps of the services' breakers, by the state that followed.",
		}, []string{"service", "to"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "strangler_fallbacks_refused_total", Help: "Requests answered 503 because fallback.max was reached.",
		}, []string{"route"}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "strangler_retries_total", Help: "Further tries at the same side: instances that did not take the request, and retries.",
		}, []string{"route"}),
		noRetries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "strangler_retries_refused_total", Help: "Requests that were not tried again because retry.budget was spent.",
		}, []string{"route"}),
		leaks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "strangler_leaks_total", Help: "Responses that named an internal host to clients.",
		}, []string{"route"}),

		reloadGood:    gauge("strangler_config_last_reload_successful", "1 if the last look at the configuration found it good, else 0."),
		reloadTime:    gauge("strangler_config_last_reload_success_timestamp_seconds", "When a configuration was last taken over."),
		configVersion: gauge("strangler_config_version", "Number of configurations taken over since the start."),
		configInfo: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "strangler_config_hash", Help: "1 for the hash of the configuration in use.",
		}, []string{"hash"}),
	}
	m.registry.MustRegister(m.fallbacks, m.rejected, m.breakerChanges, m.refused, m.retries, m.noRetries, m.leaks,
		m.reloadGood, m.reloadTime, m.configVersion, m.configInfo,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func gauge(name, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
}

// loaded notes that s is in use.
func (m *metrics) loaded(s *snapshot) {
	m.reloadGood.Set(1)
	m.reloadTime.Set(float64(s.loaded.UnixMilli()) / 1000)
	m.configVersion.Set(float64(s.version))
	m.configInfo.Reset()
	m.configInfo.WithLabelValues(s.config.Hash).Set(1)
}

// routeMetrics are a route's series, looked up once.
type routeMetrics struct {
	name      string
	created   *timestamppb.Timestamp
	sides     [3]sideMetrics // as sideNames
	fallbacks *prometheus.CounterVec
	refused   prometheus.Counter
	retries   prometheus.Counter
	noRetries prometheus.Counter
}

func (m *metrics) route(name string) *routeMetrics {
	r := &routeMetrics{
		name: name, created: timestamppb.Now(), fallbacks: m.fallbacks.MustCurryWith(prometheus.Labels{"route": name}),
		refused: m.refused.WithLabelValues(name), retries: m.retries.WithLabelValues(name), noRetries: m.noRetries.WithLabelValues(name),
	}
	m.leaks.WithLabelValues(name) // shown from the beginning
	m.routes.add(r)
	return r
}

// record counts a finished exchange.
func (c *routeCounters) record(x *exchange.Exchange) {
	side := &c.metrics.sides[1]
	switch x.ServedBy {
	case config.MonolithName:
		side = &c.metrics.sides[0]
		c.monolith.Add(1)
	case config.ProxyName:
		side = &c.metrics.sides[2]
		c.failed.Add(1)
	default:
		c.service.Add(1)
	}
	side.classes[min(max(x.Status/100, 1), 5)-1].Add(1)
	if !x.Upgraded {
		side.observe(x.Took)
	}
	if x.Retries > 0 {
		c.metrics.retries.Add(float64(x.Retries))
	}
	if x.NoRetry {
		c.metrics.noRetries.Inc()
	}
	if x.Failure == upstream.ReasonBudget {
		c.metrics.refused.Inc()
		return
	}
	if x.Fallback != "" {
		c.fallbacks.Add(1)
		c.metrics.fallbacks.WithLabelValues(x.Fallback).Inc()
	}
}

func sameURL(a, b *url.URL) bool { return *a == *b }
