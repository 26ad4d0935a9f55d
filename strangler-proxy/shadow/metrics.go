package shadow

import "github.com/prometheus/client_golang/prometheus"

// A Collector shows the numbers of a Shadow as metrics. Its labels are names of the
// configuration and words of this package.
type Collector struct{ shadow *Shadow }

// NewCollector returns a Collector for s.
func NewCollector(s *Shadow) *Collector { return &Collector{s} }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("strangler_shadow_"+name, help, labels, nil)
}

var (
	descEligible  = desc("eligible_total", "Requests of which a copy was due, by route.", "route")
	descSent      = desc("sent_total", "Copies that were sent, by route.", "route")
	descDropped   = desc("dropped_total", "Copies that were not sent, by route and reason.", "route", "reason")
	descVerdicts  = desc("verdicts_total", "What became of the copies that were sent, by route and verdict.", "route", "verdict")
	descKinds     = desc("mismatches_total", "Mismatches by route and kind of the worst difference.", "route", "kind")
	descErrors    = desc("errors_total", "Copies without an answer that can be compared, by route and reason.", "route", "reason")
	descBaselines = desc("baselines_total", "Copies for which the monolith was asked once more, by route.", "route")
	descQueue     = desc("queue_length", "Copies that wait, by the side that they go to.", "side")
	descInFlight  = desc("in_flight", "Workers that copy and compare now, by the side that they copy to.", "side")
	descBytes     = desc("kept_bytes", "Memory that bodies take which are kept for copies, by side.", "side")
)

// Describe implements prometheus.Collector.
func (c *Collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descEligible, descSent, descDropped, descVerdicts, descKinds, descErrors, descBaselines, descQueue, descInFlight, descBytes,
	} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(out chan<- prometheus.Metric) {
	counter := func(d *prometheus.Desc, n uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	t := c.shadow.table.Load()
	for _, name := range t.names {
		s := t.routes[name].stats.read()
		counter(descEligible, s.Eligible, name)
		counter(descSent, s.Sent, name)
		counter(descBaselines, s.Baselines, name)
		for reason := range reasons {
			counter(descDropped, s.Dropped[reason.String()], name, reason.String())
		}
		failed := uint64(0)
		for f := notReached; f < failures; f++ {
			n := s.Errors[f.String()]
			counter(descErrors, n, name, f.String())
			failed += n
		}
		for _, kind := range Kinds() {
			counter(descKinds, s.Mismatches[string(kind)], name, string(kind))
		}
		for i, n := range []uint64{s.Matches, s.Mismatched, failed, s.Timeouts} {
			counter(descVerdicts, n, name, Verdict(i).String())
		}
	}
	for side, l := range t.lanes {
		l.mu.Lock()
		workers := l.workers
		l.mu.Unlock()
		for _, g := range []struct {
			desc  *prometheus.Desc
			value float64
		}{{descQueue, float64(l.waiting.Load())}, {descInFlight, float64(workers)}, {descBytes, float64(l.budget.used.Load())}} {
			out <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, g.value, side)
		}
	}
}
