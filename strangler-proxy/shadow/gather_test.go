package shadow_test

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stranglerfig/toolkit/strangler-proxy/shadow"
)

// gather sums a metric over its labels.
func gather(s *shadow.Shadow, name string) (float64, error) {
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(shadow.NewCollector(s)); err != nil {
		return 0, err
	}
	families, err := registry.Gather()
	total := 0.0
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				total += m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	return total, err
}

func tick() <-chan time.Time { return time.After(100 * time.Microsecond) }
