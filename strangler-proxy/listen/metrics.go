package listen

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	accepted, failed, limited prometheus.Counter
	handshakes                *prometheus.CounterVec
	open                      prometheus.GaugeFunc
}

func newMetrics(d *Door) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	m := &metrics{
		accepted: counter("strangler_connections_accepted_total", "Connections of clients."),
		failed:   counter("strangler_accept_errors_total", "Times that the system gave no connection, mostly for want of file descriptors."),
		limited:  counter("strangler_connections_limited_total", "Times that limits.connections made others wait."),
		handshakes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "strangler_tls_handshake_failures_total", Help: "Clients with whom TLS did not come about, by reason.",
		}, []string{"reason"}),
		open: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "strangler_connections", Help: "Connections of clients that are open.",
		}, func() float64 { return float64(d.Open()) }),
	}
	for _, reason := range []string{"not_tls", "timeout", "client_gone", "refused"} {
		m.handshakes.WithLabelValues(reason)
	}
	return m
}

// Describe implements prometheus.Collector.
func (d *Door) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(d, ch) }

// Collect implements prometheus.Collector.
func (d *Door) Collect(ch chan<- prometheus.Metric) {
	for _, c := range []prometheus.Collector{d.metrics.accepted, d.metrics.failed, d.metrics.limited, d.metrics.handshakes, d.metrics.open} {
		c.Collect(ch)
	}
}
