package strangler_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// The service is dead and the monolith slow: it gets no more than its budget of the
// service's requests, all of its own, and the places come back, also from clients
// that leave.
func TestFallbackBudget(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	letGo := sync.OnceFunc(func() { close(release) })
	var waiting, most atomic.Int64
	m := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/s/") {
			return
		}
		if n := waiting.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer waiting.Add(-1)
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(m.Close)
	t.Cleanup(letGo)
	r := start(t, "defaults: { fallback: { max: 5 } }\n"+oneRoute(m.URL, deadURL(t), "live"))
	var clients sync.WaitGroup
	leave, cancel := context.WithCancel(t.Context())
	defer cancel()
	for i := range 5 {
		ctx := t.Context()
		if i < 2 {
			ctx = leave
		}
		clients.Go(func() {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url("/s/x"), nil)
			if err != nil {
				t.Error(err)
				return
			}
			if res, err := r.client.Do(req); err == nil {
				res.Body.Close()
			}
		})
	}
	await(t, "5 requests at the monolith", func() bool { return waiting.Load() == 5 })
	for _, method := range []string{"GET", "POST"} {
		got := r.do(method, "/s/x", nil, "Accept", "application/json")
		served(t, got, 503, "proxy", "connect_refused")
		if got.Header.Get("Retry-After") == "" || !strings.Contains(got.text, "the monolith already answers for as many requests as it may") {
			t.Errorf("%s: Retry-After %q, %q", method, got.Header.Get("Retry-After"), got.text)
		}
	}
	served(t, r.do("GET", "/own", nil), 200, "monolith", "")
	text := r.admin("GET", "/metrics").text
	for _, want := range []string{`strangler_fallbacks_in_flight 5`, `strangler_fallbacks_refused_total{route="r"} 2`} {
		if !strings.Contains(text, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	cancel()
	await(t, "the places of those that left", func() bool {
		return strings.Contains(r.admin("GET", "/metrics").text, "strangler_fallbacks_in_flight 3")
	})
	letGo()
	clients.Wait()
	await(t, "every place", func() bool {
		return strings.Contains(r.admin("GET", "/metrics").text, "strangler_fallbacks_in_flight 0")
	})
	served(t, r.do("POST", "/s/x", nil), 200, "monolith", "connect_refused")
	if most.Load() != 5 {
		t.Errorf("the monolith had %d at a time, want 5", most.Load())
	}
}

// A share is one of the requests that are served at the moment.
func TestFallbackBudgetAsAShare(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	m := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(m.Close)
	r := start(t, "defaults: { fallback: { max: 20% } }\n"+oneRoute(m.URL, deadURL(t), "live"))
	var clients sync.WaitGroup
	var refused, answered atomic.Int64
	ask := func(path string, n int) {
		for range n {
			clients.Go(func() {
				switch got, err := r.try("GET", path, nil); {
				case err == nil && got.StatusCode == http.StatusServiceUnavailable:
					refused.Add(1)
				case err == nil && got.StatusCode == http.StatusOK:
					answered.Add(1)
				default:
					t.Errorf("%s: %v %v", path, got.Response, err)
				}
			})
		}
	}
	const own, of = 100, 60 // of the monolith's own, and of the dead service's
	ask("/own", own)
	await(t, "the monolith's own requests", func() bool { return r.status().InFlight == own })
	ask("/s/x", of)
	await(t, "all to be refused or waiting", func() bool {
		return r.status().InFlight+refused.Load() == own+of && r.metric(t, "strangler_fallbacks_in_flight") == float64(of-refused.Load())
	})
	// While they came in, up to all of them were in flight.
	if stand := of - refused.Load(); stand < own*20/100 || stand > (own+of)*20/100 {
		t.Errorf("the monolith stands in for %d, with %d requests of its own", stand, own)
	}
	close(release)
	clients.Wait()
	if n := answered.Load() + refused.Load(); n != own+of || refused.Load() == 0 {
		t.Errorf("%d were answered, %d refused", answered.Load(), refused.Load())
	}
}

// A response that is streamed holds its place until its end; a monolith that is down
// holds none.
func TestFallbackBudgetIsGivenBack(t *testing.T) {
	t.Parallel()
	r := start(t, "defaults: { fallback: { max: 1 } }\n"+oneRoute(deadURL(t), deadURL(t), "live"))
	for range 5 {
		served(t, r.do("GET", "/s/x", nil), 502, "proxy", "connect_refused")
	}
	m := newEcho(t, "monolith")
	r = start(t, "defaults: { fallback: { max: 1 } }\n"+oneRoute(m.URL, deadURL(t), "live"))
	for range 20 {
		served(t, r.do("GET", "/s/x", nil), 200, "monolith", "connect_refused")
		await(t, "the place", func() bool {
			return strings.Contains(r.admin("GET", "/metrics").text, "strangler_fallbacks_in_flight 0")
		})
	}
}
