package strangler_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	strangler "github.com/stranglerfig/toolkit/strangler-proxy"
)

// guarded is a configuration with two routes of one service and a breaker.
func guarded(monolith, service, breaker string) string {
	return fmt.Sprintf("monolith: %s\nservices:\n  s: { url: %s, breaker: %s }\nroutes:\n"+
		"  r: { match: /s/**, to: s, stage: live }\n  q: { match: /q/**, to: s, stage: live }\n", monolith, service, breaker)
}

func (r *rig) breaker() string { return r.status().Services[0].Breaker.State }

// With the defaults, the fifth failure opens; from then on the service hears nothing
// on any of its routes, by any method, and a reload changes nothing.
func TestOpenBreakerLetsTheMonolithAnswer(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	var hits atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		hits.Add(1)
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(s.Close)
	r := start(t, guarded(m.URL, s.URL, "{}"))
	for range 5 {
		served(t, r.do("GET", "/s/x", nil), 200, "monolith", "status_503")
	}
	for _, method := range append(safeMethods, unsafeMethods...) {
		for _, path := range []string{"/s/x", "/q/x"} {
			got := r.do(method, path, strings.NewReader("the body"))
			served(t, got, 200, "monolith", "breaker_open")
			if method != "HEAD" && got.saw.Body != sum("the body") {
				t.Errorf("%s: the monolith got another body", method)
			}
		}
	}
	r.write(guarded(m.URL, s.URL, "{}") + "  other: { match: /other, stage: monolith }\n")
	r.awaitVersion(1)
	served(t, r.do("GET", "/s/x", nil), 200, "monolith", "breaker_open")
	if hits.Load() != 5 {
		t.Errorf("the service saw %d requests, want 5", hits.Load())
	}
	metrics := r.admin("GET", "/metrics").text
	for _, want := range []string{
		`strangler_breaker_state{service="s"} 3`, `strangler_breaker_changes_total{service="s",to="open"} 1`,
		`strangler_fallbacks_total{reason="breaker_open",route="q"} 7`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	if b := r.status().Services[0].Breaker; b.State != "open" || b.Opened != 1 || b.Share != 0 {
		t.Errorf("status: %+v", b)
	}
	if !strings.Contains(r.log.String(), `"failures":"5 of the last 20"`) {
		t.Error("the log does not say why")
	}
	r.write(guarded(m.URL, s.URL, "{ open_at: 1 of 1 }"))
	r.awaitVersion(2)
	served(t, r.do("GET", "/s/x", nil), 200, "monolith", "status_503") // other settings begin afresh
}

// The service's own "not implemented" and the client's errors are no failures of it.
func TestWhatDoesNotOpenABreaker(t *testing.T) {
	t.Parallel()
	s := newEcho(t, "s")
	r := start(t, guarded(newEcho(t, "monolith").URL, s.URL, "{ open_at: 1 of 1 }"))
	for _, status := range []int{501, 500, 404, 429, 200} {
		r.do("GET", fmt.Sprintf("/s/x?status=%d", status), nil)
	}
	conn, err := net.Dial("tcp", r.proxy.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "POST /s/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n")
	await(t, "the refusal", func() bool { return r.status().Routes[0].Failed == 1 })
	if got := r.breaker(); got != "closed" || s.hits.Load() < 5 {
		t.Errorf("the breaker is %s", got)
	}
}

func TestOpenBreakerWithoutFallback(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	r := start(t, "defaults: { fallback: { on: [] } }\n"+guarded(m.URL, deadURL(t), "{ open_at: 1 of 1 }"))
	served(t, r.do("GET", "/s/x", nil), 502, "proxy", "")
	got := r.do("GET", "/s/x", nil)
	served(t, got, 503, "proxy", "")
	if got.Header.Get("Retry-After") == "" || m.hits.Load() != 0 || !strings.Contains(got.text, "service s gets a rest") {
		t.Errorf("%q, Retry-After %q, monolith %d", got.text, got.Header.Get("Retry-After"), m.hits.Load())
	}
}

// A service is killed and comes back at the same address: the breaker opens within its
// count and closes again, and no client sees any of it.
func TestServiceIsKilledAndComesBack(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	url, kill := serviceProcess(t)
	r := start(t, guarded(m.URL, url, "{ open_at: 5 of 20, wait: 100ms, probes: 3, ramp: 300ms }"), func(o *strangler.Options) { o.AccessLog = false })
	served(t, r.do("GET", "/s/x", nil), 200, "s", "")
	kill()
	failures := 0
	for r.breaker() != "open" {
		got := r.do("GET", "/s/x", nil)
		if failures++; got.StatusCode != 200 || got.Header.Get("X-Strangler-Served-By") != "monolith" || failures > 5 {
			t.Fatalf("request %d: %v by %q", failures, got.Status, got.Header.Get("X-Strangler-Served-By"))
		}
	}
	if failures != 5 {
		t.Errorf("it opened after %d failures, want 5", failures)
	}
	serviceProcessAt(t, strings.TrimPrefix(url, "http://"))
	await(t, "the service to answer everything again", func() bool {
		if got := r.do("GET", "/s/x", nil); got.StatusCode != 200 {
			t.Fatalf("a client sees %v", got.Status)
		}
		return r.breaker() == "closed"
	})
	for range 20 {
		served(t, r.do("GET", "/s/x", nil), 200, "s", "")
	}
}
