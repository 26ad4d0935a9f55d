package strangler

import (
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/series"
)

// sideNames are the sides of a routeMetrics.
var sideNames = [3]string{config.MonolithName, "service", config.ProxyName}

// durationBounds are the upper bounds of the buckets of durations.
var durationBounds = [...]time.Duration{
	500 * time.Microsecond, time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second,
}

// A sideMetrics counts the requests of a route that one side answered.
type sideMetrics struct {
	classes [5]atomic.Uint64 // 1xx to 5xx
	within  [len(durationBounds) + 1]atomic.Uint64
	took    atomic.Int64 // all of them together
}

func (m *sideMetrics) observe(took time.Duration) {
	i := 0
	for i < len(durationBounds) && took > durationBounds[i] {
		i++
	}
	m.within[i].Add(1)
	m.took.Add(int64(took))
}

// show writes the durations down.
func (m *sideMetrics) show(h *dto.Histogram) {
	n := uint64(0)
	for i, b := range h.Bucket {
		n += m.within[i].Load()
		*b.CumulativeCount = n
	}
	*h.SampleCount = n + m.within[len(durationBounds)].Load()
	*h.SampleSum = time.Duration(m.took.Load()).Seconds()
}

// A routeSeries shows the metrics that each route has many series of.
type routeSeries struct {
	mu  sync.Mutex
	all []*routeMetrics // none ever goes
}

func (s *routeSeries) add(r *routeMetrics) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, r)
}

// Sheet implements series.Source.
func (s *routeSeries) Sheet(old *series.Sheet) *series.Sheet {
	s.mu.Lock()
	all := slices.Clip(s.all)
	s.mu.Unlock()
	if old != nil && old.Of == len(all) {
		return old
	}
	requests := series.NewCounters("strangler_requests_total", "Requests answered, by route, by the side that answered and by status class.")
	durations := series.NewHistograms("strangler_request_duration_seconds", "Time from a request's head to the end of its response.")
	var sides, classes []*dto.LabelPair
	for _, name := range sideNames {
		sides = append(sides, series.Label("side", name))
	}
	for class := range 5 {
		classes = append(classes, series.Label("class", strconv.Itoa(class+1)+"xx"))
	}
	var bounds []float64
	for _, b := range durationBounds {
		bounds = append(bounds, b.Seconds())
	}
	type shown struct {
		side      *sideMetrics
		classes   [5]*float64
		durations *dto.Histogram
	}
	var list []shown
	for _, r := range all {
		name := series.Label("route", r.name)
		for i := range r.sides {
			one := shown{side: &r.sides[i], durations: durations.Histogram(r.created, bounds, name, sides[i])}
			for class := range classes {
				one.classes[class] = requests.Counter(r.created, classes[class], name, sides[i])
			}
			list = append(list, one)
		}
	}
	return series.NewSheet(len(all), func() {
		for _, one := range list {
			for class, value := range one.classes {
				*value = float64(one.side.classes[class].Load())
			}
			one.side.show(one.durations)
		}
	}, requests, durations)
}
