package strangler_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	strangler "github.com/stranglerfig/toolkit/strangler-proxy"
	"github.com/stranglerfig/toolkit/strangler-proxy/hold"
	"github.com/stranglerfig/toolkit/strangler-proxy/splits"
)

// split is a configuration with a route for /s/** whose tables the split moves, one that
// only has to wait, and one that has nothing to do with it.
func split(monolith, service, stage string) string {
	return fmt.Sprintf(`h2c: true
monolith: %s
defaults: { shadow: { percent: 0 } }
services:
  s: { url: %s, breaker: off }
  other: %[2]s
groups:
  reviews: { routes: [r], split: reviews }
routes:
  r: { match: /s/**, to: s, stage: %[3]s } # one word
  wait: { match: /wait/**, stage: monolith }
  free: { match: /free/**, to: other, stage: monolith }
`, monolith, service, stage)
}

const holdOrder = `{"id":"reviews","holder":"a test","split":"reviews","routes":["r","wait"],"ttl":"20s","limit":"30s"%s}`

// hold begins a hold of the routes r and wait, with more keys.
func (r *rig) hold(more string) {
	r.t.Helper()
	if got := r.order("POST", "/-/holds", fmt.Sprintf(holdOrder, more)); got.StatusCode != 200 {
		r.t.Fatalf("hold: %s %s", got.Status, got.text)
	}
}

func (r *rig) release() {
	r.t.Helper()
	if got := r.order("DELETE", "/-/holds/reviews", ""); got.StatusCode != 200 {
		r.t.Fatalf("release: %s %s", got.Status, got.text)
	}
}

func (r *rig) awaitParked(n int) {
	r.t.Helper()
	await(r.t, fmt.Sprintf("%d parked requests", n), func() bool {
		holds := r.status().Holds
		return len(holds) == 1 && holds[0].Parked == n
	})
}

// flip tells the proxy who owns the tables.
func (r *rig) flip(owner string, epoch int) reply {
	r.t.Helper()
	return r.order("PUT", "/-/splits/reviews/owner", fmt.Sprintf(`{"owner":%q,"epoch":%d,"routes":["r"]}`, owner, epoch))
}

// both runs a test with a client of each door.
func both(t *testing.T, test func(t *testing.T, client func() *http.Client)) {
	t.Run("http1", func(t *testing.T) {
		t.Parallel()
		test(t, func() *http.Client {
			transport := &http.Transport{}
			t.Cleanup(transport.CloseIdleConnections)
			return &http.Client{Transport: transport}
		})
	})
	t.Run("http2", func(t *testing.T) {
		t.Parallel()
		test(t, func() *http.Client { return clearHTTP2(t) })
	})
}

// A sent request is one whose answer is still to come.
type sent struct {
	status int
	retry  string
	server string
	text   string
	err    error
}

func (r *rig) begin(c *http.Client, method, path, body string) <-chan sent {
	out := make(chan sent, 1)
	go func() {
		req, err := http.NewRequest(method, r.url(path), strings.NewReader(body))
		if err != nil {
			out <- sent{err: err}
			return
		}
		res, err := c.Do(req)
		if err != nil {
			out <- sent{err: err}
			return
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		var saw echoed
		_ = json.Unmarshal(text, &saw)
		out <- sent{res.StatusCode, res.Header.Get("Retry-After"), saw.Server, string(text), err}
	}()
	return out
}

func (s sent) want(t *testing.T, server string) {
	t.Helper()
	if s.err != nil || s.status != 200 || s.server != server {
		t.Errorf("got %d %s %q, %v; want an answer of %s", s.status, s.server, s.text, s.err, server)
	}
}

func TestHeldRequestsAreServedByWhoeverOwnsTheTablesThen(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, client func() *http.Client) {
		m, s := newEcho(t, "monolith"), newEcho(t, "s")
		r := start(t, split(m.URL, s.URL, "shadow"))
		c := client()
		(<-r.begin(c, "POST", "/s/x", "before")).want(t, "monolith")
		r.hold("")
		// Before anything of a long body is read, and after all of a short one.
		waiting := []<-chan sent{r.begin(c, "POST", "/s/x", "short"), r.begin(c, "PUT", "/s/y", strings.Repeat("long", 64<<10)), r.begin(c, "DELETE", "/wait/x", "")}
		r.awaitParked(3)
		(<-r.begin(c, "GET", "/s/x", "")).want(t, "monolith")
		(<-r.begin(c, "POST", "/free/x", "")).want(t, "monolith")
		if got := m.hits.Load() + s.hits.Load(); got != 3 {
			t.Errorf("%d requests reached somebody, want 3: a held one passed", got)
		}
		if got := r.flip("target", 1); got.StatusCode != 200 || !strings.Contains(got.text, `"epoch": 1`) {
			t.Fatalf("flip: %s %s", got.Status, got.text)
		}
		(<-r.begin(c, "GET", "/s/x", "")).want(t, "s")
		r.release()
		for i, server := range []string{"s", "s", "monolith"} {
			(<-waiting[i]).want(t, server)
		}
		if text := r.file(); !strings.Contains(text, "stage: live } # one word\n") {
			t.Errorf("the file is\n%s", text)
		}
		r.hold("")
		back := r.begin(c, "POST", "/s/x", "again")
		r.awaitParked(1)
		if got := r.flip("source", 2); got.StatusCode != 200 {
			t.Fatalf("flip back: %s %s", got.Status, got.text)
		}
		r.release()
		(<-back).want(t, "monolith")
		await(t, "the line of a held request", func() bool { return strings.Contains(r.log.String(), `"held_ms":`) })
	})
}

func TestHoldOfReads(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "monolith"), newEcho(t, "s")
	r := start(t, split(m.URL, s.URL, "canary 100%"))
	r.hold(`,"reads":true`)
	waiting := r.begin(r.client, "GET", "/s/x", "")
	r.awaitParked(1)
	r.release()
	(<-waiting).want(t, "s")
}

func TestHoldThatIsFull(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, client func() *http.Client) {
		m, s := newEcho(t, "monolith"), newEcho(t, "s")
		r := start(t, split(m.URL, s.URL, "shadow"))
		r.hold(`,"max_requests":2`)
		c := client()
		waiting := []<-chan sent{r.begin(c, "POST", "/s/1", "x"), r.begin(c, "POST", "/s/2", "x")}
		r.awaitParked(2)
		for range 5 {
			got := <-r.begin(c, "POST", "/s/3", strings.Repeat("x", 200<<10))
			if got.status != 503 || got.retry == "" || !strings.Contains(got.text, "is being moved") {
				t.Fatalf("beyond the hold: %+v", got)
			}
		}
		r.release()
		for _, w := range waiting {
			(<-w).want(t, "monolith")
		}
		if got := m.hits.Load(); got != 2 {
			t.Errorf("%d requests reached the monolith, want 2", got)
		}
		(<-r.begin(c, "POST", "/s/4", "x")).want(t, "monolith")
		if text := r.admin("GET", "/metrics").text; !strings.Contains(text, `strangler_held_requests_total{outcome="full"} 5`) || !strings.Contains(text, `strangler_rejected_requests_total{reason="hold_full"} 5`) {
			t.Error("the metrics do not count what was refused")
		}
	})
}

// Not more of a body is read while its request is parked than has come with the head.
func TestHoldReadsNoBodies(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "monolith"), newEcho(t, "s")
	r := start(t, split(m.URL, s.URL, "shadow"))
	r.hold("")
	conn, err := net.Dial("tcp", r.proxy.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const size = 32 << 20
	fmt.Fprintf(conn, "POST /s/x HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", size)
	r.awaitParked(1)
	_ = conn.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
	block := make([]byte, 1<<20)
	wrote := 0
	for wrote < size {
		n, err := conn.Write(block)
		if wrote += n; err != nil {
			break
		}
	}
	if wrote == size {
		t.Error("the whole body was taken while the request was parked")
	}
	if held := r.status().Holds[0].Bytes; held > 1<<10 {
		t.Errorf("%d bytes are parked", held)
	}
	_ = conn.SetWriteDeadline(time.Time{})
	r.release()
	for wrote < size {
		n, err := conn.Write(block[:min(len(block), size-wrote)])
		if wrote += n; err != nil {
			t.Fatal(err)
		}
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || res.StatusCode != 200 {
		t.Fatal(res, err)
	}
	var saw echoed
	if err := json.NewDecoder(res.Body).Decode(&saw); err != nil || saw.Length != size {
		t.Errorf("the monolith saw %d bytes, %v", saw.Length, err)
	}
	res.Body.Close()
}

// Requests of one connection stay in their order, whatever is held of them.
func TestHoldKeepsTheOrderOfAConnection(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "monolith"), newEcho(t, "s")
	r := start(t, split(m.URL, s.URL, "shadow"))
	r.hold("")
	conn, err := net.Dial("tcp", r.proxy.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for i := range 6 {
		method := []string{"POST", "GET"}[i%2]
		fmt.Fprintf(conn, "%s /s/%d HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nxx", method, i)
	}
	r.awaitParked(1)
	if got := m.hits.Load(); got != 0 {
		t.Errorf("%d requests overtook a held one", got)
	}
	r.release()
	in := bufio.NewReader(conn)
	for i := range 6 {
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		var saw echoed
		if err := json.NewDecoder(res.Body).Decode(&saw); err != nil || saw.Target != fmt.Sprintf("/s/%d", i) {
			t.Fatalf("answer %d is to %s, %v", i, saw.Target, err)
		}
		res.Body.Close()
	}
}

func TestClientThatLeavesFreesItsPlace(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, client func() *http.Client) {
		m, s := newEcho(t, "monolith"), newEcho(t, "s")
		r := start(t, split(m.URL, s.URL, "shadow"))
		r.hold(`,"max_requests":1`)
		leaving := client()
		leaving.Timeout = 200 * time.Millisecond
		gone := r.begin(leaving, "POST", "/s/1", "x")
		r.awaitParked(1)
		if got := <-gone; got.err == nil {
			t.Fatalf("%+v", got)
		}
		r.awaitParked(0)
		stays := r.begin(client(), "POST", "/s/2", "x")
		r.awaitParked(1)
		r.release()
		(<-stays).want(t, "monolith")
		if got := m.hits.Load(); got != 1 {
			t.Errorf("%d requests reached the monolith, want 1", got)
		}
	})
}

func TestDrainNamesWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, client func() *http.Client) {
		free := make(chan struct{})
		m := newRaw(t, func(conn net.Conn, in *bufio.Reader, head string) {
			if strings.HasPrefix(head, "POST") {
				_, _ = io.CopyN(io.Discard, in, 1)
			}
			<-free
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n{\"Server\":\"monolith\"}")
		})
		r := start(t, split(m.url(), m.url(), "shadow"))
		c := client()
		slow := r.begin(c, "POST", "/s/slow", "x")
		reading := r.begin(c, "GET", "/s/slow", "")
		await(t, "both requests", func() bool { return len(m.requests()) == 2 })
		r.hold("")
		var got struct{ hold.Drain }
		answer := r.order("POST", "/-/holds/reviews/drain", `{"wait":"100ms"}`)
		if err := json.Unmarshal([]byte(answer.text), &got); err != nil || got.Drained || got.Left != 1 || got.Requests[0].Route != "r" || got.Requests[0].AgeMS < 100 {
			t.Fatalf("%s %s %v: want one request, older than 100 ms", answer.Status, answer.text, err)
		}
		close(free)
		answer = r.order("POST", "/-/holds/reviews/drain", `{"wait":"20s"}`)
		got.Drain = hold.Drain{}
		if err := json.Unmarshal([]byte(answer.text), &got); err != nil || !got.Drained || got.Left != 0 {
			t.Fatalf("%s %s %v", answer.Status, answer.text, err)
		}
		(<-slow).want(t, "monolith")
		(<-reading).want(t, "monolith")
	})
}

// A request whose short body comes slowly is not under way: it meets the hold when the
// body is there, and goes to the new owner even if it was decided before the flip.
func TestSlowBodyIsDecidedWhenItIsThere(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "monolith"), newEcho(t, "s")
	r := start(t, split(m.URL, s.URL, "shadow"))
	conn, err := net.Dial("tcp", r.proxy.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "POST /s/x HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nab")
	await(t, "the request", func() bool { return r.status().InFlight == 1 })
	r.hold("")
	if got := r.order("POST", "/-/holds/reviews/drain", ""); !strings.Contains(got.text, `"drained": true`) {
		t.Fatalf("a body that does not come is waited for: %s", got.text)
	}
	if got := r.flip("target", 1); got.StatusCode != 200 {
		t.Fatal(got.text)
	}
	r.release()
	_, _ = io.WriteString(conn, "cd")
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if by := res.Header.Get("X-Strangler-Served-By"); by != "s" {
		t.Errorf("served by %s", by)
	}
}

func TestHoldEndsWhenItsHolderDies(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ record, server string }{
		"nothing was decided":    {"", "monolith"},
		"the service owns it":    {`{"schema":1,"splits":{"reviews":{"owner":"target","epoch":4,"since":"2026-11-25T10:00:00Z","routes":["r"],"pending":true}}}`, "s"},
		"it was decided to stay": {`{"schema":1,"splits":{"reviews":{"owner":"source","epoch":5,"since":"2026-11-25T10:00:00Z","routes":["r"],"pending":true}}}`, "monolith"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, s := newEcho(t, "monolith"), newEcho(t, "s")
			r := start(t, split(m.URL, s.URL, "shadow"))
			if got := r.order("POST", "/-/holds", `{"id":"reviews","holder":"a test","routes":["r"],"ttl":"600ms"}`); got.StatusCode != 200 {
				t.Fatal(got.text)
			}
			waiting := r.begin(r.client, "POST", "/s/x", "x")
			r.awaitParked(1)
			if c.record != "" { // another proxy on the same file was told
				if err := os.WriteFile(splits.Path(r.path), []byte(c.record), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			(<-waiting).want(t, c.server)
			await(t, "the line in the log", func() bool { return strings.Contains(r.log.String(), `"why":"expired"`) })
			if len(r.status().Holds) != 0 {
				t.Error("the hold is still there")
			}
		})
	}
}

// Rounds of hold, drain, flip and release under load: no request fails, and none reaches
// a side that does not own the tables.
func TestRoundsOfHoldsUnderLoad(t *testing.T) {
	t.Parallel()
	rounds := 100
	if raceEnabled || testing.Short() {
		rounds = 25
	}
	var owner atomic.Int64 // 0 between two owners, 1 the monolith, 2 the service
	owner.Store(1)
	var wrong, writes atomic.Int64
	side := func(name string, me int64) *echo {
		e := &echo{name: name}
		e.start()
		inner := e.Config.Handler
		e.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			if q.Method == "POST" {
				writes.Add(1)
				if owner.Load() != me {
					wrong.Add(1)
					w.WriteHeader(http.StatusConflict)
					return
				}
			}
			inner.ServeHTTP(w, q)
			if q.Method == "POST" && owner.Load() != me {
				wrong.Add(1) // it was still under way when the tables went
			}
		})
		t.Cleanup(e.Close)
		return e
	}
	m, s := side("monolith", 1), side("s", 2)
	r := start(t, split(m.URL, s.URL, "shadow"), func(o *strangler.Options) { o.AccessLog = false })
	stop := make(chan struct{})
	var clients sync.WaitGroup
	var failed atomic.Int64
	two := clearHTTP2(t)
	for i := range 6 {
		c := r.client
		if i%2 == 1 {
			c = two
		}
		clients.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				method := []string{"POST", "POST", "GET"}[n%3]
				if got := <-r.begin(c, method, "/s/x", strings.Repeat("x", n%7*1000)); got.err != nil || got.status != 200 {
					failed.Add(1)
					t.Errorf("%s: %+v", method, got)
				}
			}
		})
	}
	var held time.Duration
	for round := range rounds {
		before := writes.Load()
		await(t, "writes between two rounds", func() bool { return writes.Load() > before })
		began := time.Now()
		r.hold("")
		if got := r.order("POST", "/-/holds/reviews/drain", `{"wait":"10s"}`); !strings.Contains(got.text, `"drained": true`) {
			t.Fatalf("round %d: %s", round, got.text)
		}
		owner.Store(0)
		next := []string{"target", "source"}[round%2]
		if got := r.flip(next, round+1); got.StatusCode != 200 {
			t.Fatalf("round %d: %s", round, got.text)
		}
		owner.Store(int64(2 - round%2))
		r.release()
		held += time.Since(began)
	}
	close(stop)
	clients.Wait()
	t.Logf("%d writes, %d rounds, held %s each on average", writes.Load(), rounds, held/time.Duration(rounds))
	if failed.Load() > 0 || wrong.Load() > 0 {
		t.Errorf("%d requests failed, %d met a side that did not own the tables", failed.Load(), wrong.Load())
	}
}
