package strangler_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	strangler "github.com/stranglerfig/toolkit/strangler-proxy"
)

// An instance that can fall ill: its health path and its answers say so.
type patient struct {
	*httptest.Server
	hits, checks atomic.Int64
	unhealthy    atomic.Bool
	failing      atomic.Bool
}

func newPatient(t *testing.T) *patient {
	p := &patient{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		bad := p.failing.Load()
		if r.URL.Path == "/healthz" {
			p.checks.Add(1)
			bad = p.unhealthy.Load()
		} else {
			p.hits.Add(1)
		}
		if bad {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(p.Close)
	return p
}

func (r *rig) instances() string {
	var states []string
	for _, i := range r.status().Services[0].Instances {
		states = append(states, i.State)
	}
	return strings.Join(states, " ")
}

func several(m string, options string, patients ...*patient) string {
	var urls []string
	for _, p := range patients {
		urls = append(urls, p.URL)
	}
	return fmt.Sprintf("monolith: %s\nservices: { s: { url: [%s], %s } }\nroutes:\n  r: { match: /s/**, to: s, stage: live }\n", m, strings.Join(urls, ", "), options)
}

// The checks find the ill instance; no request has to meet it, and it comes back.
func TestHealthChecksLeaveAnInstanceOut(t *testing.T) {
	t.Parallel()
	m, one, two, three := newEcho(t, "monolith"), newPatient(t), newPatient(t), newPatient(t)
	r := start(t, several(m.URL, "health: { path: /healthz, interval: 100ms }, slow_start: 0s", one, two, three))
	two.unhealthy.Store(true)
	await(t, "the second to be left out", func() bool { return r.instances() == "well down well" })
	before := two.hits.Load()
	for range 30 {
		served(t, r.do("GET", "/s/x", nil), 200, "s", "")
	}
	if a, b, c := one.hits.Load(), two.hits.Load()-before, three.hits.Load(); a != 15 || b != 0 || c != 15 {
		t.Errorf("hits %d, %d, %d; want 15, 0, 15", a, b, c)
	}
	if text := r.admin("GET", "/metrics").text; !strings.Contains(text, `strangler_instances_available{service="s"} 2`) {
		t.Error("the metrics do not say that 2 are left")
	}
	if !strings.Contains(r.log.String(), `"instance left out","service":"s","instance":"`+two.URL+`","state":"down"`) {
		t.Error("the log does not say which")
	}
	r.write(several(m.URL, "health: { path: /healthz, interval: 100ms }, slow_start: 0s", one, two, three) + "  other: { match: /o, stage: monolith }\n")
	r.awaitVersion(1)
	if got := r.instances(); got != "well down well" {
		t.Errorf("after a reload: %s", got)
	}
	two.unhealthy.Store(false)
	await(t, "the second to be back", func() bool { return r.instances() == "well well well" })
	for range 30 {
		r.do("GET", "/s/x", nil)
	}
	if got := two.hits.Load() - before; got != 10 {
		t.Errorf("the second got %d of 30, want 10", got)
	}
}

// One bad instance is left out after three failures, long before the breaker would
// give the whole service a rest; the monolith covers for those three.
func TestFailingInstanceDoesNotOpenTheBreaker(t *testing.T) {
	t.Parallel()
	m, one, two := newEcho(t, "monolith"), newPatient(t), newPatient(t)
	one.failing.Store(true)
	r := start(t, several(m.URL, "slow_start: 1s", one, two))
	covered := 0
	for range 60 {
		got := r.do("GET", "/s/x", nil)
		if got.StatusCode != 200 {
			t.Fatalf("a client sees %v", got.Status)
		}
		if got.Header.Get("X-Strangler-Fallback") == "status_503" {
			covered++
		}
	}
	if covered != 3 || one.hits.Load() != 3 || r.breaker() != "closed" || r.instances() != "ejected well" {
		t.Errorf("%d covered, %d at the bad one, breaker %s, instances %s", covered, one.hits.Load(), r.breaker(), r.instances())
	}
}

// A single instance is not checked, and checks end with the configuration that asks for them.
func TestWhoIsChecked(t *testing.T) {
	t.Parallel()
	m, one, two := newEcho(t, "monolith"), newPatient(t), newPatient(t)
	const checked = "health: { path: /healthz, interval: 100ms }"
	r := start(t, several(m.URL, checked, one), func(o *strangler.Options) { o.AccessLog = false })
	r.write(several(m.URL, checked, one, two))
	await(t, "a check of the second", func() bool { return two.checks.Load() > 0 })
	r.write(several(m.URL, "slow_start: 0s", one, two))
	r.awaitVersion(2)
	was, since := int64(-1), time.Now()
	await(t, "the end of the checks", func() bool {
		if n := one.checks.Load(); n != was {
			was, since = n, time.Now()
		}
		return time.Since(since) > 300*time.Millisecond
	})
}
