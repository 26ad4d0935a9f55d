package hold

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// totals count what happened since the start. Their labels are the words of this
// package and no others.
type totals struct {
	parked   atomic.Int64 // now
	outcomes [4]atomic.Uint64
	nanos    atomic.Uint64 // that requests have waited, all together
	ends     [4]atomic.Uint64
}

// outcomeWords are the outcomes in metrics, and endWords the reasons of ends.
var (
	outcomeWords = [4]string{Released: "released", Full: "full", Left: "client_gone", Late: "late"}
	endWords     = [4]string{ByHolder, ByTTL, ByLimit, ByClosing}
)

func (t *totals) count(o Outcome, waited time.Duration) {
	t.outcomes[o].Add(1)
	t.nanos.Add(uint64(waited))
}

func (t *totals) end(why string) {
	for i, word := range endWords {
		if word == why {
			t.ends[i].Add(1)
		}
	}
}

// A collector shows what a Keeper does.
type collector struct {
	keeper                              *Keeper
	holds, parked, outcomes, ends, took *prometheus.Desc
}

// NewCollector returns the metrics of a Keeper.
func NewCollector(k *Keeper) prometheus.Collector {
	return &collector{
		keeper:   k,
		holds:    prometheus.NewDesc("strangler_holds", "Holds in force.", nil, nil),
		parked:   prometheus.NewDesc("strangler_held_requests", "Requests that a hold keeps now.", nil, nil),
		outcomes: prometheus.NewDesc("strangler_held_requests_total", "Requests that met a hold, by what became of them.", []string{"outcome"}, nil),
		ends:     prometheus.NewDesc("strangler_holds_ended_total", "Holds that ended, by the reason.", []string{"reason"}, nil),
		took:     prometheus.NewDesc("strangler_held_seconds_total", "Time that requests have waited in holds, all together.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.holds, c.parked, c.outcomes, c.ends, c.took} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	t := &c.keeper.totals
	gauge := func(d *prometheus.Desc, v float64) { out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v) }
	counter := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	gauge(c.holds, float64(len(c.keeper.all())))
	gauge(c.parked, float64(t.parked.Load()))
	for i, word := range outcomeWords {
		counter(c.outcomes, float64(t.outcomes[i].Load()), word)
	}
	for i, word := range endWords {
		counter(c.ends, float64(t.ends[i].Load()), word)
	}
	counter(c.took, time.Duration(t.nanos.Load()).Seconds())
}
