package strangler

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stranglerfig/toolkit/strangler-proxy/promote"
)

// The series of automation. Their labels are names of the configuration in use.
type automationSeries struct {
	verdict, frozen, errors, p95, lease *prometheus.Desc
}

func newAutomationSeries() automationSeries {
	return automationSeries{
		prometheus.NewDesc("strangler_promotion_verdict", "1 if every check passes, 0 if nothing can be concluded, -1 if one fails, by route or group.", []string{"route"}, nil),
		prometheus.NewDesc("strangler_promotion_frozen", "1 if somebody has to act before the route or group moves by itself again.", []string{"route"}, nil),
		prometheus.NewDesc("strangler_promotion_error_rate", "Share of the requests of the period that failed, by the side that was to answer.", []string{"route", "side"}, nil),
		prometheus.NewDesc("strangler_promotion_p95_seconds", "95th percentile of the period, by side.", []string{"route", "side"}, nil),
		prometheus.NewDesc("strangler_canary_lease_end_timestamp_seconds", "When the canary goes back unless somebody confirms it.", []string{"route"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (a *automation) Describe(out chan<- *prometheus.Desc) {
	a.moves.Describe(out)
	for _, d := range []*prometheus.Desc{a.series.verdict, a.series.frozen, a.series.errors, a.series.p95, a.series.lease} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (a *automation) Collect(out chan<- prometheus.Metric) {
	for _, place := range a.proxy.current.Load().config.Places() {
		if st, ok := a.controller.Status(place.Name); ok {
			a.collect(place.Name, st, out)
		}
	}
	a.moves.Collect(out)
}

func (a *automation) collect(name string, st promote.Status, out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	a.moves.WithLabelValues(name, promote.ActorExpired) // a counter that is watched begins with 0
	if st.LeaseUntil != nil {
		gauge(a.series.lease, float64(st.LeaseUntil.Unix()), name)
	}
	if !st.Promotes {
		return
	}
	for _, actor := range []string{promote.ActorPromote, promote.ActorRollback} {
		a.moves.WithLabelValues(name, actor)
	}
	gauge(a.series.verdict, map[promote.Verdict]float64{promote.Pass: 1, promote.Fail: -1}[st.Verdict], name)
	frozen := 0.0
	if st.Frozen != "" {
		frozen = 1
	}
	gauge(a.series.frozen, frozen, name)
	for _, c := range st.Checks {
		for side, f := range map[string]promote.Shown{"service": c.Service, "monolith": c.Monolith} {
			gauge(a.series.errors, f.ErrorRate, c.Route, side)
			gauge(a.series.p95, f.P95, c.Route, side)
		}
	}
}
