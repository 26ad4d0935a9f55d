package strangler_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	strangler "github.com/stranglerfig/toolkit/strangler-proxy"
	"github.com/stranglerfig/toolkit/strangler-proxy/trace"
)

// A request's trace goes on to whoever answers and can be looked at afterwards.
func TestTraces(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "monolith"), newEcho(t, "s")
	r := start(t, "tracing: { memory: 10 }\n"+oneRoute(m.URL, s.URL, "live"))
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	traced := r.do("GET", "/s/x?status=503&token=hush", nil, "Traceparent", parent, "Tracestate", "a=b", "Authorization", "Bearer hush")
	sent := traced.saw.Header.Get("Traceparent")
	if traced.saw.Server != "monolith" || !strings.HasPrefix(sent, parent[:36]) || sent == parent || traced.saw.Header.Get("Tracestate") != "a=b" {
		t.Errorf("%s got traceparent %q, tracestate %q", traced.saw.Server, sent, traced.saw.Header.Get("Tracestate"))
	}
	for _, bad := range [][]string{
		{"Traceparent", "garbage", "Tracestate", "a=b"}, {"Traceparent", parent, "Traceparent", parent, "Tracestate", "a=b"}, {"Tracestate", "a=b"}, {},
	} {
		got := r.do("GET", "/s/y", nil, bad...).saw.Header
		if line := got["Traceparent"]; len(line) != 1 || strings.Contains(line[0], parent[3:35]) || !trace.Parse([]byte(line[0])).IsValid() || got.Get("Tracestate") != "" {
			t.Errorf("%v became %v, %q", bad, line, got.Get("Tracestate"))
		}
	}
	await(t, "the line with the trace", func() bool {
		return strings.Contains(r.log.String(), `"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"`)
	})
	page := r.admin("GET", "/traces")
	var report trace.Report
	if err := json.Unmarshal([]byte(page.text), &report); err != nil || page.StatusCode != http.StatusOK {
		t.Fatalf("%v: %s", err, page.text)
	}
	if len(report.Traces) != 5 || strings.Contains(page.text, "hush") {
		t.Fatalf("%d traces: %s", len(report.Traces), page.text)
	}
	first := report.Traces[4]
	if first.TraceID != parent[3:35] || first.ParentID != parent[36:52] || len(first.Attempts) != 2 ||
		first.Attempts[0].Name != "ask s" || first.Attempts[0].Attributes["http.response.status_code"] != 503.0 ||
		first.Attempts[1].Name != "fall back to monolith" || first.Attributes["strangler.fallback_reason"] != "status_503" {
		t.Errorf("%+v", first)
	}
	for path, status := range map[string]int{"/traces?limit=2": http.StatusOK, "/traces?limit=0": http.StatusBadRequest, "/traces?limit=x": http.StatusBadRequest} {
		if got := r.admin("GET", path).StatusCode; got != status {
			t.Errorf("%s: %d, want %d", path, got, status)
		}
	}
}

// Without tracing, what clients say about traces is none of the proxy's business.
func TestNoTraces(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	r := start(t, "monolith: "+m.URL+"\n")
	got := r.do("GET", "/", nil, "Traceparent", "mine").saw.Header.Get("Traceparent")
	if got != "mine" || strings.Contains(r.admin("GET", "/traces").text, `"on": true`) {
		t.Errorf("traceparent %q", got)
	}
}

// The environment that collectors are configured by switches traces on.
func TestTracesByEnvironment(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	r := start(t, "monolith: "+m.URL+"\n", func(o *strangler.Options) {
		o.LookupEnv = func(name string) (string, bool) {
			return map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": deadURL(t)}[name], name == "OTEL_EXPORTER_OTLP_ENDPOINT"
		}
	})
	for range 20 { // with a collector that is not there
		if got := r.do("GET", "/", nil); got.StatusCode != http.StatusOK || got.saw.Header.Get("Traceparent") == "" {
			t.Fatalf("%d, %v", got.StatusCode, got.saw.Header)
		}
	}
}
