// Package series shows metrics that have many series, such as those with some for each
// route. client_golang makes each series anew whenever somebody asks, of a dozen objects;
// here they are laid out once, and asking writes their values into them. What is shown is
// the same in every format.
package series

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// A Source has such metrics. It may be asked from several goroutines.
type Source interface {
	// Sheet returns old, or a new Sheet if old is nil or the series are others by now.
	Sheet(old *Sheet) *Sheet
}

// A Sheet is families with all of their series.
type Sheet struct {
	Of       any    // what the series were made for
	Fill     func() // writes the present values
	families []*dto.MetricFamily
}

// NewSheet returns a Sheet of families that nothing is added to any more.
func NewSheet(of any, fill func(), families ...*Family) *Sheet {
	s := &Sheet{Of: of, Fill: fill}
	for _, f := range families {
		slices.SortFunc(f.dto.Metric, byLabels)
		s.families = append(s.families, f.dto)
	}
	return s
}

// byLabels is the order of a registry.
func byLabels(a, b *dto.Metric) int {
	return slices.CompareFunc(a.Label, b.Label, func(a, b *dto.LabelPair) int { return strings.Compare(a.GetValue(), b.GetValue()) })
}

// A Family is the series of one name.
type Family struct{ dto *dto.MetricFamily }

// NewCounters returns a Family of counters.
func NewCounters(name, help string) *Family {
	return &Family{&dto.MetricFamily{Name: &name, Help: &help, Type: dto.MetricType_COUNTER.Enum()}}
}

// NewHistograms returns a Family of histograms.
func NewHistograms(name, help string) *Family {
	return &Family{&dto.MetricFamily{Name: &name, Help: &help, Type: dto.MetricType_HISTOGRAM.Enum()}}
}

// Label is a label for Counter and Histogram. Many series may share it.
func Label(name, value string) *dto.LabelPair { return &dto.LabelPair{Name: &name, Value: &value} }

// Counter adds a series to counters, and returns where its value is to be written. Labels
// go in the order of their names; created may be nil.
func (f *Family) Counter(created *timestamppb.Timestamp, labels ...*dto.LabelPair) *float64 {
	value := new(float64)
	f.dto.Metric = append(f.dto.Metric, &dto.Metric{Label: labels, Counter: &dto.Counter{Value: value, CreatedTimestamp: created}})
	return value
}

// Histogram adds a series to histograms, whose Bucket, SampleCount and SampleSum are to be
// written. Without one for the rest, there is a bucket for each bound.
func (f *Family) Histogram(created *timestamppb.Timestamp, bounds []float64, labels ...*dto.LabelPair) *dto.Histogram {
	h := &dto.Histogram{SampleCount: new(uint64), SampleSum: new(float64), CreatedTimestamp: created}
	for i := range bounds {
		h.Bucket = append(h.Bucket, &dto.Bucket{CumulativeCount: new(uint64), UpperBound: &bounds[i]})
	}
	f.dto.Metric = append(f.dto.Metric, &dto.Metric{Label: labels, Histogram: h})
	return h
}

// A Gatherer shows what a registry has, and what sources have.
type Gatherer struct {
	rest    prometheus.Gatherer
	sources []Source
	mu      sync.Mutex // held while somebody reads the sheets
	sheets  []*Sheet
}

// NewGatherer returns a Gatherer. No name may be in both.
func NewGatherer(rest prometheus.Gatherer, sources ...Source) *Gatherer {
	return &Gatherer{rest: rest, sources: sources, sheets: make([]*Sheet, len(sources))}
}

// Gather implements prometheus.TransactionalGatherer.
func (g *Gatherer) Gather() (families []*dto.MetricFamily, done func(), err error) {
	families, err = g.rest.Gather()
	sheets, done := g.sheets, g.mu.Unlock
	if !g.mu.TryLock() { // who reads them may be slow, and nobody waits for that
		sheets, done = make([]*Sheet, len(g.sources)), func() {}
	}
	for i, source := range g.sources {
		sheets[i] = source.Sheet(sheets[i])
		sheets[i].Fill()
		families = append(families, sheets[i].families...)
	}
	slices.SortFunc(families, func(a, b *dto.MetricFamily) int { return cmp.Compare(a.GetName(), b.GetName()) })
	return families, done, err
}
