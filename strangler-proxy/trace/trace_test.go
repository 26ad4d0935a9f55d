package trace_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/exchange"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
	"github.com/stranglerfig/toolkit/strangler-proxy/trace"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

func newTracer(t testing.TB, s config.Tracing) *trace.Tracer {
	t.Helper()
	s.On = true
	tracer, err := trace.New(t.Context(), s, trace.Options{Version: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tracer.Close)
	return tracer
}

func some() *exchange.Exchange {
	match, err := route.ParseTemplate("GET /reset/{token}")
	if err != nil {
		panic(err)
	}
	return &exchange.Exchange{
		ID: "id-1", Start: time.Now(), Method: "GET", Path: "/reset/hush", Query: "password=hush", Host: "shop.example", ConfigVersion: 3,
		Client: netip.MustParseAddr("192.0.2.1"), Decision: route.Decision{Route: &route.Route{Name: "reset", Match: match, Stage: route.Live}},
		ServedBy: "monolith", Fallback: "status_503", Status: 200, Bytes: 5, Took: 7 * time.Millisecond,
	}
}

// request traces a request that falls back.
func request(t *trace.Tracer, x *exchange.Exchange, parent string) {
	s := t.Begin(x, trace.Parse([]byte(parent)))
	s.Attempt("orders", "127.0.0.1:1", false)
	s.EndAttempt(0, "connect_refused")
	s.Attempt("monolith", "127.0.0.1:2", true)
	s.EndAttempt(200, "")
	s.End(x)
}

func TestLastRequests(t *testing.T) {
	t.Parallel()
	tracer := newTracer(t, config.Tracing{Sample: route.Everyone, Memory: 3})
	for i := range 10 {
		x := some()
		x.ID = fmt.Sprint("id-", i)
		request(tracer, x, parent)
		if x.TraceID != "4bf92f3577b34da6a3ce929d0e0e4736" {
			t.Fatalf("trace id %q", x.TraceID)
		}
	}
	report := tracer.Last(0)
	if len(report.Traces) != 3 || !report.On || report.Lost != 0 {
		t.Fatalf("%+v", report)
	}
	q := report.Traces[0]
	if q.Name != "GET reset" || q.ParentID != "00f067aa0ba902b7" || q.TookMS != 7 || q.Failed || len(q.Attempts) != 2 {
		t.Errorf("%+v", q)
	}
	for key, want := range map[string]any{
		"strangler.request_id": "id-9", "url.path": "/reset/{token}", "strangler.fallback_reason": "status_503", "strangler.served_by": "monolith",
		"strangler.stage": "live", "http.response.status_code": int64(200), "client.address": "192.0.2.1",
	} {
		if q.Attributes[key] != want {
			t.Errorf("%s is %v, want %v", key, q.Attributes[key], want)
		}
	}
	first, second := q.Attempts[0], q.Attempts[1]
	if first.Name != "ask orders" || !first.Failed || first.Attributes["error.type"] != "connect_refused" ||
		second.Name != "fall back to monolith" || second.Failed || second.Attributes["http.response.status_code"] != int64(200) {
		t.Errorf("%+v\n%+v", first, second)
	}
	if strings.Contains(fmt.Sprint(report), "hush") {
		t.Errorf("a secret is in %v", report)
	}
	if got := tracer.Last(1); len(got.Traces) != 1 {
		t.Errorf("%d traces", len(got.Traces))
	}
}

// What a client says about traces is continued if it is sound, else replaced.
func TestParents(t *testing.T) {
	t.Parallel()
	tracer := newTracer(t, config.Tracing{Sample: route.Everyone, Memory: 10})
	for text, continued := range map[string]bool{
		parent: true, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00": true, "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more": true,
		"": false, "garbage": false, strings.ToUpper(parent): false, parent + "-x": false, parent + "x": false, "ff" + parent[2:]: false,
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01": false, "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01": false,
		"00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01": false, "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01": false, parent[:54]: false,
	} {
		x := some()
		s := tracer.Begin(x, trace.Parse([]byte(text)))
		line := string(s.AppendHeader(nil))
		s.End(x)
		ours := trace.Parse([]byte(strings.TrimSuffix(strings.TrimPrefix(line, "traceparent: "), "\r\n")))
		if !ours.IsValid() || !strings.HasSuffix(line, "\r\n") || ours.TraceID().String() != x.TraceID {
			t.Errorf("%q: the upstream gets %q", text, line)
		}
		if (x.TraceID == parent[3:35]) != continued || strings.Contains(line, "00f067aa0ba902b7") {
			t.Errorf("%q: continued %v, want %v (%s)", text, !continued, continued, line)
		}
		if sampled := !strings.HasSuffix(text, "-00"); ours.IsSampled() != sampled {
			t.Errorf("%q: sampled %v", text, ours.IsSampled())
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(parent))
	f.Add([]byte("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-09-x"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if sc := trace.Parse(text); sc.IsValid() && (!strings.Contains(string(text), sc.TraceID().String()) || !strings.Contains(string(text), sc.SpanID().String())) {
			t.Fatalf("%q became %v", text, sc)
		}
	})
}

func TestSample(t *testing.T) {
	t.Parallel()
	tracer := newTracer(t, config.Tracing{Sample: 10_00, Memory: 10_000})
	const n = 5000
	for range n {
		request(tracer, some(), "")
	}
	if kept := len(tracer.Last(0).Traces); kept < 400 || kept > 600 { // n·p ± 4·√(n·p·(1−p)), and some
		t.Errorf("%d of %d are kept", kept, n)
	}
}

// Spans stay small and sound, whatever clients send.
func TestHostileExchanges(t *testing.T) {
	t.Parallel()
	tracer := newTracer(t, config.Tracing{Sample: route.Everyone, Memory: 1})
	rapid.Check(t, func(t *rapid.T) {
		hostile := rapid.SampledFrom([]string{"", "\xff\xfe", "\x1b[2J", strings.Repeat("é", 5000), "GET\n", "<script>"})
		x := &exchange.Exchange{Start: time.Now(), Method: hostile.Draw(t, "m"), Path: hostile.Draw(t, "p"), Host: hostile.Draw(t, "h"), ID: hostile.Draw(t, "i"), Status: 200}
		request(tracer, x, hostile.Draw(t, "parent"))
		q := tracer.Last(1).Traces[0]
		if q.Name != "HTTP default" {
			t.Fatalf("named %q", q.Name)
		}
		for key, value := range q.Attributes {
			if s, ok := value.(string); ok && len(s) > 3*256 {
				t.Fatalf("%s has %d bytes", key, len(s))
			}
		}
	})
}

// sink is a collector.
type sink struct {
	*httptest.Server
	mu    sync.Mutex
	names []string
	path  string
}

func newSink(t *testing.T, before func(w http.ResponseWriter) bool) *sink {
	s := &sink{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if before != nil && !before(w) {
			return
		}
		var export collector.ExportTraceServiceRequest
		if err != nil || proto.Unmarshal(body, &export) != nil {
			t.Errorf("what came is no export: %v", err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.path = r.URL.Path
		for _, resource := range export.GetResourceSpans() {
			for _, scope := range resource.GetScopeSpans() {
				for _, span := range scope.GetSpans() {
					s.names = append(s.names, span.GetName())
				}
			}
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *sink) got() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.names)
}

func TestCollector(t *testing.T) {
	t.Parallel()
	s := newSink(t, nil)
	tracer := newTracer(t, config.Tracing{OTLP: s.URL + "/v1/traces", Sample: route.Everyone, Memory: 1})
	for range 700 { // more than a batch
		request(tracer, some(), "")
	}
	tracer.Close() // sends what is left
	got := s.got()
	if len(got) != 2100 || !slices.Contains(got, "GET reset") || !slices.Contains(got, "fall back to monolith") || s.path != "/v1/traces" || tracer.Lost() != 0 {
		t.Errorf("%d spans at %s, %d lost", len(got), s.path, tracer.Lost())
	}
}

// A collector that refuses, answers errors or hangs costs spans and no time.
func TestCollectorThatIsIll(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	let := make(chan struct{})
	var asked atomic.Bool
	hanging := newSink(t, func(http.ResponseWriter) bool {
		asked.Store(true)
		<-let
		return false
	})
	bad := newSink(t, func(w http.ResponseWriter) bool {
		w.WriteHeader(http.StatusBadRequest)
		return false
	})
	for name, url := range map[string]string{"gone": gone.URL, "hanging": hanging.URL, "bad": bad.URL} {
		tracer := newTracer(t, config.Tracing{OTLP: url, Sample: route.Everyone, Memory: 1})
		const requests = 5000
		begun := time.Now()
		for range requests {
			request(tracer, some(), "")
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("%s: the requests took %v", name, took)
		}
		tracer.Close()
		if tracer.Lost() != 3*requests {
			t.Errorf("%s: %d of %d spans are counted as lost", name, tracer.Lost(), 3*requests)
		}
	}
	close(let)
	if !asked.Load() {
		t.Error("the collector that hangs was never asked")
	}
}

func TestOff(t *testing.T) {
	t.Parallel()
	tracer, err := trace.New(t.Context(), config.Tracing{}, trace.Options{})
	if err != nil || tracer != nil || tracer.Lost() != 0 || tracer.Last(5).On {
		t.Errorf("%v %v", tracer, err)
	}
	tracer.Close()
}

func BenchmarkRequest(b *testing.B) {
	for name, sample := range map[string]int{"sampled": route.Everyone, "unsampled": 0} {
		b.Run(name, func(b *testing.B) {
			tracer := newTracer(b, config.Tracing{Sample: sample, Memory: 100})
			x := some()
			b.ReportAllocs()
			for b.Loop() {
				request(tracer, x, "")
			}
		})
	}
}
