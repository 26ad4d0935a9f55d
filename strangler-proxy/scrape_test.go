package strangler_test

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	strangler "github.com/stranglerfig/toolkit/strangler-proxy"
)

// manyRoutes is a configuration with routes r0 to r499.
func manyRoutes(upstream, stage string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "monolith: %s\nservices:\n  s: %s\nroutes:\n", upstream, upstream)
	for i := range 500 {
		fmt.Fprintf(&b, "  r%d: { match: \"GET /resource%d/{id}\", to: s, stage: %s }\n", i, i, stage)
	}
	return b.String()
}

func (r *rig) scrape() string {
	r.t.Helper()
	res, err := http.Get("http://" + r.proxy.AdminAddr().String() + "/metrics")
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	page, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		r.t.Fatal(res.Status, err)
	}
	return string(page)
}

// Whoever scrapes many routes every few seconds must not be what the collector of garbage
// works for: 55,000 lines are made of fewer objects.
func TestScrapesTakeLittleMemory(t *testing.T) {
	// Not parallel: it counts the allocations of the process.
	if raceEnabled {
		t.Skip("the race detector allocates by itself")
	}
	m := newRawLoop(t, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	r := start(t, manyRoutes(m, "live"), func(o *strangler.Options) { o.AccessLog = false; o.PollEvery = time.Hour })
	lines := strings.Count(r.scrape(), "\n")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const scrapes = 3
	for range scrapes {
		r.scrape()
	}
	runtime.ReadMemStats(&after)
	if each := int(after.Mallocs-before.Mallocs) / scrapes; lines < 50_000 || each > 45_000 {
		t.Errorf("a scrape of %d lines makes %d objects", lines, each)
	}
}

// What is laid out once says the same as what client_golang would make: series in its
// order, none twice, sums that fit, names by the rules. Two may ask at the same time, and
// routes come and go.
func TestScrapeOfRoutes(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	r := start(t, "monolith: "+m.URL+"\nservices: { s: "+m.URL+" }\nroutes:\n  b: { match: GET /b/**, to: s, stage: live }\n  a: { match: GET /a/**, to: s, stage: shadow }\n")
	for range 3 {
		r.do("GET", "/b/1", nil)
	}
	r.do("GET", "/a/1?status=404", nil)
	answers := make(chan string)
	for range 2 {
		go func() { answers <- r.scrape() }()
	}
	for range 2 {
		checkScrape(t, <-answers)
	}
	for name, want := range map[string]float64{
		`strangler_requests_total{class="2xx",route="b",side="service"}`:                     3,
		`strangler_requests_total{class="4xx",route="a",side="monolith"}`:                    1,
		`strangler_request_duration_seconds_count{route="b",side="service"}`:                 3,
		`strangler_request_duration_seconds_bucket{route="b",side="service",le="+Inf"}`:      3,
		`strangler_request_duration_seconds_bucket{route="b",side="service",le="10"}`:        3,
		`strangler_request_duration_seconds_bucket{route="default",side="monolith",le="10"}`: 0,
	} {
		if got := r.metric(t, name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	version := r.status().Config.Version
	r.write("monolith: " + m.URL + "\nservices: { s: " + m.URL + " }\nroutes:\n  c: { match: GET /c/**, to: s, stage: live }\n")
	r.awaitVersion(version)
	r.do("GET", "/c/1", nil)
	page := r.scrape()
	checkScrape(t, page)
	for _, want := range []string{
		`strangler_requests_total{class="2xx",route="b",side="service"} 3`, // counters outlive their route
		`strangler_requests_total{class="2xx",route="c",side="service"} 1`,
		`strangler_shadow_eligible_total{route="c"} `,
	} {
		if !strings.Contains(page, "\n"+want) {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(page, `strangler_shadow_eligible_total{route="a"}`) {
		t.Error("copies of a route that is no more")
	}
}

func checkScrape(t *testing.T, page string) {
	t.Helper()
	problems, err := promlint.New(strings.NewReader(page)).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	labels := func(m *dto.Metric) string {
		var all []string
		for _, l := range m.Label {
			all = append(all, l.GetValue())
		}
		return strings.Join(all, "\x00")
	}
	for name, f := range families {
		if !slices.IsSortedFunc(f.Metric, func(a, b *dto.Metric) int { return strings.Compare(labels(a), labels(b)) }) {
			t.Errorf("%s is not in order", name)
		}
		for i, m := range f.Metric {
			if i > 0 && labels(m) == labels(f.Metric[i-1]) {
				t.Errorf("%s{%s} is there twice", name, labels(m))
			}
			if h := m.Histogram; h != nil && h.GetSampleCount() != h.Bucket[len(h.Bucket)-1].GetCumulativeCount() {
				t.Errorf("%s{%s} counts %d in all, but %v", name, labels(m), h.GetSampleCount(), h.Bucket)
			}
		}
	}
	var names []string
	for line := range strings.Lines(page) {
		if rest, ok := strings.CutPrefix(line, "# TYPE "); ok {
			names = append(names, strings.Fields(rest)[0])
		}
	}
	if !slices.IsSorted(names) || len(names) != len(families) {
		t.Errorf("the families are not in order: %v", names)
	}
}
