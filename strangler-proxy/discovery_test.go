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
	r.do("GET", "/s/x", nil)
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
