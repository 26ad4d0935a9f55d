package shadow_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/stranglerfig/toolkit/strangler-proxy/shadow"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A rig is a Shadow over real servers: each request of the test is answered by the
// primary side and ended with its answer, as the proxy does it.
type rig struct {
	*shadow.Shadow
	t        *testing.T
	config   shadow.Config
	monolith *httptest.Server
	service  *httptest.Server
	asked    atomic.Int64 // requests that the service got
	twice    atomic.Int64 // copies that the monolith got
}

func answer(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, body)
	}
}

// newRig starts both sides and a route named "r"; change may alter the configuration.
func newRig(t *testing.T, monolith, service http.HandlerFunc, change func(*shadow.Config)) *rig {
	t.Helper()
	r := &rig{t: t}
	r.monolith = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Header.Get(shadow.Marker) != "" {
			r.twice.Add(1)
		}
		monolith(w, req)
	}))
	r.service = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.asked.Add(1)
		service(w, req)
	}))
	settings := shadow.Default()
	settings.Limits = shadow.Limits{}
	r.config = shadow.Config{
		Limits: shadow.Default().Limits, MaxBody: settings.MaxBody,
		Routes: []shadow.Route{{Name: "r", Match: "/**", Service: "orders", Settings: settings, Rules: shadow.Rules{Margin: shadow.DefaultMargin}}},
		URLs:   map[string]string{"monolith": r.monolith.URL, "orders": r.service.URL},
	}
	if change != nil {
		change(&r.config)
	}
	r.start(r.config.URLs)
	return r
}

func (r *rig) start(urls map[string]string) {
	addresses := map[string]string{}
	for side, url := range urls {
		addresses[side] = strings.TrimPrefix(url, "http://")
	}
	r.Shadow = shadow.New(&wire{addresses: addresses}, shadow.Options{})
	if err := r.Configure(r.config); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		r.Close()
		r.service.Close()
		r.monolith.Close()
	})
}

// get sends a request to the side that is to answer and ends its ticket.
func (r *rig) get(path string, header ...string) { r.send("GET", path, "", "orders", header...) }

func (r *rig) send(method, path, body, to string, header ...string) {
	r.t.Helper()
	ticket := r.Begin(shadow.Request{Route: "r", ID: "id-1", Method: method, To: to, Length: int64(len(body))})
	primary := r.monolith
	if to == shadow.Monolith {
		primary = r.service
	}
	var head strings.Builder
	fmt.Fprintf(&head, "%s %s HTTP/1.1\r\nHost: shop.example\r\n", method, path)
	if body != "" {
		fmt.Fprintf(&head, "Content-Length: %d\r\n", len(body))
	}
	for _, line := range header {
		head.WriteString(line + "\r\n")
	}
	head.WriteString("\r\n")
	ticket.KeepRequest([]byte(body))
	begun := time.Now()
	a, err := (&wire{addresses: map[string]string{"p": strings.TrimPrefix(primary.URL, "http://")}}).Ask(r.t.Context(),
		shadow.Copy{Timeout: 10 * time.Second, Side: "p", Method: method, Head: []byte(head.String()), Body: []byte(body), Limit: 1 << 20})
	if err != nil {
		r.t.Fatal(err)
	}
	ticket.KeepResponse(a.Body)
	a.Body, a.Took = nil, time.Since(begun)
	ticket.End(shadow.Primary{Head: []byte(head.String()), Answer: a})
}

func (r *rig) stats() shadow.Stats {
	r.t.Helper()
	st, ok := r.Stats("r")
	if !ok {
		r.t.Fatal("no route r")
	}
	return st
}

// quiet waits until every copy is accounted for and returns the numbers.
func (r *rig) quiet() shadow.Stats {
	r.t.Helper()
	wait(r.t, func() bool { return settled(r.stats()) })
	return r.stats()
}

func settled(st shadow.Stats) bool {
	return st.Eligible == st.Sent+sum(st.Dropped) && st.Sent == st.Compared+st.Timeouts+sum(st.Errors)
}

func sum(m map[string]uint64) uint64 {
	total := uint64(0)
	for _, n := range m {
		total += n
	}
	return total
}

func wait(t *testing.T, until func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !until(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the condition did not come true in 10 s")
		}
	}
}

func TestMatchesAndMismatches(t *testing.T) {
	t.Parallel()
	r := newRig(t, answer(`{"id":7,"total":10,"lines":[{"n":1}]}`), func(w http.ResponseWriter, req *http.Request) {
		body := `{"lines":[{"n":1.0}],"id":7,"total":10}`
		if req.URL.Path == "/wrong" {
			body = `{"id":7,"total":12,"lines":[{"n":1}]}`
		}
		answer(body)(w, req)
	}, nil)
	r.get("/right")
	r.quiet()
	r.get("/wrong")
	st := r.quiet()
	if st.Matches != 1 || st.Spelled != 1 || st.Mismatched != 1 || st.Mismatches["value"] != 1 || st.Recent != (shadow.Recent{Compared: 2, Mismatches: 1}) {
		t.Errorf("stats: %+v", st)
	}
	m, _ := r.Mismatches("r", 0)
	if len(m.Mismatches) != 1 || !strings.Contains(m.Mismatches[0].Diff, "/total") || !strings.Contains(m.Mismatches[0].Diff, "- 10\n+ 12") {
		t.Errorf("mismatches: %+v", m.Mismatches)
	}
}
