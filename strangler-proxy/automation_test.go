package strangler_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/audit"
	"github.com/stranglerfig/toolkit/strangler-proxy/promote"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
	"github.com/stranglerfig/toolkit/strangler-proxy/steer"
)

// newPlain is an upstream that answers every request alike.
func newPlain(t testing.TB, status int) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"answer":42}`)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// moving is a configuration with a route r for /s/** that moves by itself. Times are
// not compared: the machine of a test decides them.
func moving(monolith, service, stage, keys string) string {
	return fmt.Sprintf("monolith: %s\ndefaults: { fallback: { on: [connect, 500-599] } }\nservices:\n  s: %s\nroutes:\n  r: # moves\n    match: GET /s/**\n    to: s\n    stage: %s # by itself\n    %s\n", monolith, service, stage, keys)
}

const fast = `promote: { steps: [1, 50, 100], every: 1s, for: 500ms, check: 100ms, min_requests: 30, threshold: 2, require: { p95_ratio: off }, then: live }`

// moves lists what the audit log says of stages, each as "actor from > to".
func (r *rig) moves() []string {
	var all []string
	for _, e := range r.history() {
		if e.From != e.To {
			all = append(all, e.Actor+" "+e.From+" > "+e.To)
		}
	}
	return all
}

// drive sends requests for a route until done, and fails the test if a client sees
// anything but 200.
func (r *rig) drive(what string, done func() bool, others ...*rig) {
	r.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !done() {
		if time.Now().After(deadline) {
			r.t.Fatalf("waited in vain: %s; %+v", what, r.status().Routes[0].Automation)
		}
		for _, p := range append(others, r) {
			if res := p.do("GET", "/s/x", nil); res.StatusCode != http.StatusOK {
				r.t.Fatalf("a client saw %s", res.Status)
			}
		}
		time.Sleep(time.Millisecond)
	}
}

// A service that answers 500 to everything, while the monolith stands in and every
// client sees 200, has 100 % errors and goes back.
func TestFailuresBehindAFallbackCount(t *testing.T) {
	t.Parallel()
	for name, breaker := range map[string]string{"asked": "off", "given a rest": "{ open_at: 5 of 20 }"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, moving(newPlain(t, 200), fmt.Sprintf("{ url: %s, breaker: %s }", newPlain(t, 500), breaker), "canary 50%", fast))
			r.drive("the way back", func() bool { return r.status().Routes[0].Stage != "canary 50%" })
			if got := r.moves(); !slices.Equal(got, []string{"auto:rollback canary 50% > canary 1%"}) {
				t.Errorf("moves: %q", got)
			}
			e := r.history()[0]
			if e.Action != audit.Rollback || !strings.Contains(e.Reason, "errors 100 %") {
				t.Errorf("%+v", e)
			}
			await(t, "the status", func() bool { return r.status().Routes[0].Automation.Frozen != "" })
			metrics := r.admin("GET", "/metrics").text
			for _, want := range []string{`strangler_promotion_frozen{route="r"} 1`, `strangler_promotion_moves_total{actor="auto:rollback",route="r"} 1`} {
				if !strings.Contains(metrics, want) {
					t.Errorf("no %s", want)
				}
			}
			if source, _ := os.ReadFile(r.path); !strings.Contains(string(source), "stage: canary 1% # by itself") {
				t.Errorf("the file:\n%s", source)
			}
		})
	}
}

// A service that is as good as the monolith goes all the way, also with two proxies on
// one file, each step once: at 100 % the monolith's last figures count, and live is
// allowed because the copies agreed.
func TestGoodServiceGoesLive(t *testing.T) {
	t.Parallel()
	good := newPlain(t, 200)
	r := start(t, moving(newPlain(t, 200), good, "canary 50%", fast)+"guard: { compared: 15 }\n")
	second := startAt(t, r.path)
	r.drive("live", func() bool { return r.status().Routes[0].Stage == "live" }, second)
	want := []string{"auto:promote canary 50% > canary 100%", "auto:promote canary 100% > live"}
	if got := r.moves(); !slices.Equal(got, want) {
		t.Errorf("moves: %q", got)
	}
	if report, err := audit.Verify(audit.Path(r.path), ""); err != nil || len(report.Problems) != 0 {
		t.Errorf("%+v %v", report, err)
	}
	st := r.status().Routes[0]
	if st.Traffic.Share != 1 || st.Traffic.Reads < 60 {
		t.Errorf("%+v", st.Traffic)
	}
}

// The guard holds for automation too: without a copy that agreed the route does not go live.
func TestGuardHoldsAutomation(t *testing.T) {
	t.Parallel()
	r := start(t, moving(newPlain(t, 200), newPlain(t, 200), "canary 50%", fast+"\n    shadow: off"))
	r.drive("the refusal", func() bool {
		a := r.status().Routes[0].Automation
		return a != nil && strings.Contains(a.Problem, "0 of at least 100 copies")
	})
	if got := r.status(); got.Routes[0].Stage != "canary 100%" || !strings.Contains(strings.Join(got.Next, "\n"), "route show r") {
		t.Errorf("%s, %q", got.Routes[0].Stage, got.Next)
	}
}

// The routes of a group move together, and one that fails is enough.
func TestGroupMovesTogether(t *testing.T) {
	t.Parallel()
	m, good, bad := newPlain(t, 200), newPlain(t, 200), newPlain(t, 500)
	config := fmt.Sprintf("monolith: %s\ndefaults: { fallback: { on: [500-599] } }\nservices: { s: %s, bad: %s }\nroutes:\n"+
		"  a: { match: GET /s/**, to: s }\n  b: { match: GET /b/**, to: bad }\ngroups:\n  g:\n    routes: [a, b]\n    stage: canary 50%%\n    %s\n", m, good, bad, fast)
	r := start(t, config)
	r.drive("the way back", func() bool {
		r.do("GET", "/b/x", nil)
		return r.status().Routes[0].Stage != "canary 50%"
	})
	if got := r.status().Routes; got[0].Stage != "canary 1%" || got[1].Stage != "canary 1%" || got[1].Automation.Name != "g" {
		t.Errorf("%+v", got)
	}
	if e := r.history()[0]; e.Group != "g" || e.Actor != promote.ActorRollback {
		t.Errorf("%+v", e)
	}
}

// A canary that nobody confirms goes back one stage, also when its time ran out while
// no proxy ran; a panic and a pause stop that.
func TestCanaryExpires(t *testing.T) {
	t.Parallel()
	r := start(t, moving(newPlain(t, 200), newPlain(t, 200), "shadow", "expires: 2s"))
	file := steer.New(r.path, steer.Options{})
	set := func(stage route.Stage) {
		t.Helper()
		if _, err := file.Set(t.Context(), []steer.Move{{Name: "r", To: stage}}, steer.Order{Actor: "cli:x", Reason: "try"}); err != nil {
			t.Fatal(err)
		}
	}
	set(route.Canary(1_00))
	set(route.Canary(5_00))
	begun := time.Now()
	stage := func() string { return r.status().Routes[0].Stage }
	await(t, "the canary", func() bool { return stage() == "canary 5%" })
	await(t, "the lease", func() bool { a := r.status().Routes[0].Automation; return a != nil && a.LeaseLeft != "" })
	if metrics := r.admin("GET", "/metrics").text; !strings.Contains(metrics, `strangler_canary_lease_end_timestamp_seconds{route="r"} `) {
		t.Error("no metric of the lease")
	}
	await(t, "the end of the lease", func() bool { return stage() == "canary 1%" })
	if took := time.Since(begun); took < 1900*time.Millisecond {
		t.Errorf("the lease of 2 s ended after %s", took)
	}
	r.stop()
	time.Sleep(time.Until(begun.Add(4100 * time.Millisecond))) // the second lease runs out with nobody there
	if _, err := file.Panic(t.Context(), steer.Order{Actor: "cli:x", Reason: "fire"}); err != nil {
		t.Fatal(err)
	}
	r = startAt(t, r.path)
	await(t, "the hold", func() bool { a := r.status().Routes[0].Automation; return a != nil && a.Held == "panic: fire" })
	if got := stage(); got != "canary 1%" {
		t.Error("moved in a panic, to", got)
	}
	if _, err := file.Calm(t.Context(), steer.Order{Actor: "cli:x"}); err != nil {
		t.Fatal(err)
	}
	await(t, "the second lease's end", func() bool { return stage() == "shadow" })
	want := []string{"cli:x shadow > canary 1%", "cli:x canary 1% > canary 5%", "auto:expired canary 5% > canary 1%", "auto:expired canary 1% > shadow"}
	if got := r.moves(); !slices.Equal(got, want) {
		t.Errorf("moves: %q", got)
	}
}

// Nothing that clients do themselves is held against a service.
func TestWhatCountsAgainstAService(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	hits := make(chan struct{}, 10)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/s/hang":
			hits <- struct{}{}
			<-r.Context().Done()
		case "/s/broken":
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "x")
		case "/s/501":
			w.WriteHeader(http.StatusNotImplemented)
		case "/s/404":
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(s.Close)
	r := start(t, fmt.Sprintf("monolith: %s\nservices: { s: { url: %s, breaker: off } }\nroutes:\n  r: { match: /s/**, to: s, stage: canary 100%%, shadow: off, promote: { require: { error_delta: off, p95_ratio: off, error_rate: 50%% } } }\n", m.URL, s.URL))
	figures := func() promote.Analysis {
		a := r.status().Routes[0].Automation
		if a == nil || len(a.Checks) == 0 {
			return promote.Analysis{}
		}
		return a.Checks[0].Analysis
	}
	// What came before the first look at a stage is forgotten.
	await(t, "the first look", func() bool { return r.status().Routes[0].Automation != nil })
	r.do("GET", "/s/404", nil)
	r.do("POST", "/s/404", strings.NewReader("stays on the monolith"))
	r.do("GET", "/s/501", nil) // the monolith answers
	_, _ = r.try("GET", "/s/broken", nil)
	conn := r.send("GET /s/404 HTTP/1.1\r\nHost: h\r\nX-Strangler-Force: monolith\r\nConnection: close\r\n\r\n")
	if !strings.Contains(conn, "404") {
		t.Error(conn)
	}
	leave(t, r, hits)
	r.do("GET", "/s/404", nil)
	await(t, "the figures", func() bool {
		return r.status().Routes[0].Service+r.status().Routes[0].Fallbacks+r.status().Routes[0].Failed >= 6
	})
	// A check is made every 30 s: the first one may have come before.
	set := strings.Replace(read(t, r.path), "promote: {", "promote: { check: 100ms,", 1)
	if err := os.WriteFile(r.path, []byte(set), 0o600); err != nil {
		t.Fatal(err)
	}
	await(t, "a check", func() bool { return figures().Service.Requests >= 5 })
	if got := figures(); got.Service.Requests != 5 || got.Service.Failed != 2 || got.Monolith.Requests != 0 {
		t.Errorf("service %+v, monolith %+v", got.Service, got.Monolith)
	}
}

func read(t testing.TB, path string) string {
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(source)
}

// leave asks for something that never comes, and goes.
func leave(t testing.TB, r *rig, hits <-chan struct{}) {
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url("/s/hang"), nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() { <-hits; cancel() }()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	if _, err := client.Do(req); err == nil {
		t.Error("an answer of a service that hangs")
	}
}
