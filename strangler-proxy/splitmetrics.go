package strangler

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stranglerfig/toolkit/strangler-proxy/splits"
)

// refusedWrites has names that coordinators have reported, at most limitReports of them.
var refusedWrites = prometheus.NewDesc("strangler_split_refused_writes",
	"Writes of a split's tables that a database has refused because the other side owns them, as the coordinator reported last; SQLite counts at least so many.", []string{"split", "side"}, nil)

// Describe implements prometheus.Collector.
func (s *splitting) Describe(out chan<- *prometheus.Desc) { out <- refusedWrites }

// Collect implements prometheus.Collector.
func (s *splitting) Collect(out chan<- prometheus.Metric) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, r := range s.reports {
		out <- prometheus.MustNewConstMetric(refusedWrites, prometheus.GaugeValue, float64(r.RefusedSource), name, splits.Source)
		out <- prometheus.MustNewConstMetric(refusedWrites, prometheus.GaugeValue, float64(r.RefusedTarget), name, splits.Target)
	}
}
