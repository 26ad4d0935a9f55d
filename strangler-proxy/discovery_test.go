package strangler_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	strangler "github.com/stranglerfig/toolkit/strangler-proxy"
	"github.com/stranglerfig/toolkit/strangler-proxy/discover"
)

func (r *rig) discovery() discover.Report {
	r.t.Helper()
	var report discover.Report
	answer := r.admin("GET", "/discover")
	if err := json.Unmarshal([]byte(answer.text), &report); err != nil || answer.StatusCode != 200 {
		r.t.Fatalf("%v %v: %.300s", err, answer.Status, answer.text)
	}
	return report
}

// Ten thousand users are one endpoint; what a route takes is none; and no client can
// add series to the metrics.
func TestDiscovery(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "monolith"), newEcho(t, "s")
	r := start(t, oneRoute(m.URL, s.URL, "monolith"), func(o *strangler.Options) { o.AccessLog = false })
	r.do("GET", "/s/x", nil)
	await(t, "the first request", func() bool { return r.status().Routes[0].Monolith == 1 })
	before := len(names(`(?m)^(strangler_\S+) `, r.admin("GET", "/metrics").text))
	var clients sync.WaitGroup
	const users, parallel = 10_000, 8
	for c := range parallel {
		clients.Go(func() {
			for i := c; i < users; i += parallel {
				query := ""
				if i%10 == 0 {
					query = "?status=500"
				}
				if _, err := r.try("GET", fmt.Sprintf("/users/%d%s", i+1, query), nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	clients.Wait()
	r.do("GET", "/nothing?status=404", nil)
	await(t, "the figures", func() bool {
		d := r.discovery()
		return len(d.Endpoints) == 1 && d.Endpoints[0].Requests == users && d.Unknown == 1
	})
	e := r.discovery().Endpoints[0]
	if e.Match() != "GET /users/{id}" || e.Errors != users/10 || e.ErrorRate != 0.1 || e.P95 <= 0 || e.First.IsZero() || e.Last.Before(e.First) {
		t.Errorf("%+v", e)
	}
	if after := len(names(`(?m)^(strangler_\S+) `, r.admin("GET", "/metrics").text)); after > before {
		t.Errorf("%d series, %d before", after, before)
	}
	version := r.status().Config.Version
	r.write(oneRoute(m.URL, s.URL, "monolith") + "  users: { match: '/users/{id}', stage: monolith }\n")
	r.awaitVersion(version)
	if d := r.discovery(); len(d.Endpoints) != 0 {
		t.Errorf("a route takes it now: %+v", d.Endpoints)
	}
	if got := r.admin("POST", "/discover"); got.StatusCode != 405 {
		t.Errorf("POST: %v", got.Status)
	}
	if got := r.do("GET", "/discover", nil); !strings.Contains(got.text, "monolith") {
		t.Errorf("on the public port: %.100s", got.text)
	}
}

// What was seen is known after a restart: a route at done that did not call the
// monolith can be deleted, and one that did cannot.
func TestDoneIsProven(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "monolith"), newEcho(t, "s")
	config := func(stage string) string {
		return fmt.Sprintf("monolith: %s\nservices: { s: %s, gone: %s }\ndiscovery: { quiet_after: 1m }\nroutes:\n"+
			"  r: { match: /s/**, to: s, stage: %s, data: none }\n  g: { match: /g, to: gone, stage: live, data: none }\n", m.URL, s.URL, deadURL(t), stage)
	}
	r := start(t, config("monolith"))
	r.do("GET", "/s/x", nil)
	r.do("GET", "/g", nil)
	r.do("POST", "/s/y", nil)
	r.do("GET", "/users/7", nil)
	uses := func(r *rig) map[string]discover.RouteUse {
		all := map[string]discover.RouteUse{}
		for _, u := range r.discovery().Routes {
			all[u.Route] = u
		}
		return all
	}
	await(t, "the calls", func() bool { u := uses(r); return u["r"].Requests == 2 && u["g"].Fallbacks == 1 })
	version := r.status().Config.Version
	r.write(config("done"))
	r.awaitVersion(version)
	r.do("GET", "/s/x", nil)
	r.stop()
	if int(m.hits.Load()) != 4 {
		t.Fatalf("the monolith got %d requests", m.hits.Load())
	}

	again := startAt(t, r.path)
	again.do("GET", "/s/x", nil)
	await(t, "the requests", func() bool { return again.discovery().BurnDown.Requests == 6 })
	d, u := again.discovery(), uses(again)
	if got := u["r"]; got.Requests != 2 || got.Fallbacks != 0 || got.Deletable || got.LastKind != "request" || !strings.Contains(got.Why, "the monolith got a request, and was watched for") {
		t.Errorf("%+v", got)
	}
	if got := u["g"]; got.Fallbacks != 1 || got.LastKind != "fallback" || !strings.Contains(got.Why, "stands by at stage live") {
		t.Errorf("%+v", got)
	}
	if b := d.BurnDown; b.Endpoints != 3 || b.EndpointsMoved != 2 || b.RequestsMoved != 2 || len(b.Hours) == 0 {
		t.Errorf("%+v", b)
	}
	if len(d.Endpoints) != 1 || d.Endpoints[0].Match() != "GET /users/{id}" {
		t.Errorf("%+v", d.Endpoints)
	}
	if st := again.status(); st.BurnDown.Requests != 6 || st.BurnDown.Hours != nil {
		t.Errorf("%+v", st.BurnDown)
	}
	if text := again.admin("GET", "/metrics").text; !strings.Contains(text, "strangler_burndown_endpoints_moved 2\n") || !strings.Contains(text, `strangler_monolith_last_call_timestamp_seconds{route="g"} 1`) {
		t.Errorf("%s", text)
	}
}

// A response that leads clients past the proxy is counted, and logged once.
func TestLeaksAreSaid(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	s := newRawLoop(t, "HTTP/1.1 302 Found\r\nLocation: "+m.URL+"/x\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n")
	r := start(t, oneRoute(m.URL, s, "live"))
	for range 3 {
		if got := r.do("GET", "/s/x", nil); got.Header.Get("Location") != m.URL+"/x" {
			t.Errorf("the response was changed: %v", got.Header)
		}
	}
	r.do("GET", "/other", nil)
	if text := r.admin("GET", "/metrics").text; !strings.Contains(text, `strangler_leaks_total{route="r"} 3`) || !strings.Contains(text, `strangler_leaks_total{route="default"} 0`) {
		t.Errorf("%s", text)
	}
	if n := strings.Count(r.log.String(), "a response names an internal host"); n != 1 {
		t.Errorf("said %d times", n)
	}
}

// A route at live calls the monolith with copies, which keep its code in use as well.
func TestCopiesAreCalls(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "monolith"), newEcho(t, "s")
	r := start(t, fmt.Sprintf("monolith: %s\nservices: { s: %s }\nroutes:\n  r: { match: /s/**, to: s, stage: live, data: none }\n", m.URL, s.URL))
	r.do("GET", "/s/x", nil)
	await(t, "the copy", func() bool { return m.hits.Load() == 1 && r.discovery().Routes[0].Copies == 1 })
	if u := r.discovery().Routes[0]; u.Requests != 0 || u.Fallbacks != 0 || u.LastKind != "copy" {
		t.Errorf("%+v", u)
	}
}
