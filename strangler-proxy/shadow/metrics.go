package shadow

import (
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/stranglerfig/toolkit/compare/differ"
	"github.com/stranglerfig/toolkit/strangler-proxy/series"
)

// A Collector shows the numbers of a Shadow as metrics: those of the sides as a
// prometheus.Collector, those of the routes as a series.Source. Its labels are names of the
// configuration and words of this package.
type Collector struct{ shadow *Shadow }

// NewCollector returns a Collector for s.
func NewCollector(s *Shadow) *Collector { return &Collector{s} }

const metricPrefix = "strangler_shadow_"

func desc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc(metricPrefix+name, help, []string{"side"}, nil)
}

var (
	descQueue    = desc("queue_length", "Copies that wait, by the side that they go to.")
	descInFlight = desc("in_flight", "Workers that copy and compare now, by the side that they copy to.")
	descBytes    = desc("kept_bytes", "Memory that bodies take which are kept for copies, by side.")
)

// Describe implements prometheus.Collector.
func (c *Collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descQueue, descInFlight, descBytes} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(out chan<- prometheus.Metric) {
	for side, l := range c.shadow.table.Load().lanes {
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

// verdicts is how many verdicts there are.
const verdicts = Timeout + 1

// A shown is where the numbers of a route are written.
type shown struct {
	stats                     *stats
	eligible, sent, baselines *float64
	dropped                   [reasons]*float64
	failed                    [failures]*float64
	kinds                     []*float64
	verdicts                  [verdicts]*float64
}

// Sheet implements series.Source.
func (c *Collector) Sheet(old *series.Sheet) *series.Sheet {
	t := c.shadow.table.Load()
	if old != nil && old.Of == t {
		return old
	}
	var families []*series.Family
	family := func(name, help string) *series.Family {
		f := series.NewCounters(metricPrefix+name, help)
		families = append(families, f)
		return f
	}
	eligible := family("eligible_total", "Requests of which a copy was due, by route.")
	sent := family("sent_total", "Copies that were sent, by route.")
	dropped := family("dropped_total", "Copies that were not sent, by route and reason.")
	judged := family("verdicts_total", "What became of the copies that were sent, by route and verdict.")
	mismatched := family("mismatches_total", "Mismatches by route and kind of the worst difference.")
	failed := family("errors_total", "Copies without an answer that can be compared, by route and reason.")
	baselines := family("baselines_total", "Copies for which the monolith was asked once more, by route.")
	var ofReason [reasons]*dto.LabelPair
	for reason := range reasons {
		ofReason[reason] = series.Label("reason", reason.String())
	}
	var ofFailure [failures]*dto.LabelPair
	for f := notReached; f < failures; f++ {
		ofFailure[f] = series.Label("reason", f.String())
	}
	var ofVerdict [verdicts]*dto.LabelPair
	for v := range verdicts {
		ofVerdict[v] = series.Label("verdict", v.String())
	}
	kinds := Kinds()
	var ofKind []*dto.LabelPair
	for _, kind := range kinds {
		ofKind = append(ofKind, series.Label("kind", string(kind)))
	}
	var list []shown
	for _, name := range t.names {
		route := series.Label("route", name)
		one := shown{
			stats:    t.routes[name].stats,
			eligible: eligible.Counter(nil, route), sent: sent.Counter(nil, route), baselines: baselines.Counter(nil, route),
		}
		for reason := range reasons {
			one.dropped[reason] = dropped.Counter(nil, ofReason[reason], route)
		}
		for f := notReached; f < failures; f++ {
			one.failed[f] = failed.Counter(nil, ofFailure[f], route)
		}
		for _, kind := range ofKind {
			one.kinds = append(one.kinds, mismatched.Counter(nil, kind, route))
		}
		for v := range verdicts {
			one.verdicts[v] = judged.Counter(nil, route, ofVerdict[v])
		}
		list = append(list, one)
	}
	return series.NewSheet(t, func() {
		for i := range list {
			list[i].fill(kinds)
		}
	}, families...)
}

// fill writes the numbers of now.
func (o *shown) fill(kinds []differ.Kind) {
	s := o.stats
	*o.eligible, *o.sent, *o.baselines = float64(s.eligible.Load()), float64(s.sent.Load()), float64(s.baselines.Load())
	for reason, value := range o.dropped {
		*value = float64(s.dropped[reason].Load())
	}
	errors := uint64(0)
	for f := notReached; f < failures; f++ {
		n := s.failed[f].Load()
		*o.failed[f] = float64(n)
		errors += n
	}
	*o.verdicts[Match], *o.verdicts[Failed], *o.verdicts[Timeout] = float64(s.matches.Load()), float64(errors), float64(s.timeouts.Load())
	s.mu.Lock()
	defer s.mu.Unlock()
	mismatched := uint64(0)
	for i, kind := range kinds {
		*o.kinds[i] = float64(s.mismatches[kind])
		mismatched += s.mismatches[kind]
	}
	*o.verdicts[Mismatch] = float64(mismatched)
}
