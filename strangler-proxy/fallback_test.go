package strangler_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	strangler "github.com/stranglerfig/toolkit/strangler-proxy"
)

var (
	safeMethods   = []string{"GET", "HEAD", "OPTIONS"}
	unsafeMethods = []string{"POST", "PUT", "PATCH", "DELETE"}
)

// served checks who answered and why.
func served(t *testing.T, got reply, status int, by, fallback string) {
	t.Helper()
	if got.StatusCode != status || got.Header.Get("X-Strangler-Served-By") != by || got.Header.Get("X-Strangler-Fallback") != fallback {
		t.Errorf("%s %s: got %d by %q, fallback %q; want %d by %q, fallback %q", got.Request.Method, got.Request.URL.Path,
			got.StatusCode, got.Header.Get("X-Strangler-Served-By"), got.Header.Get("X-Strangler-Fallback"), status, by, fallback)
	}
}

func TestServiceThatIsDown(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	r := start(t, oneRoute(m.URL, deadURL(t), "live"))
	for i, method := range append(safeMethods, unsafeMethods...) {
		got := r.do(method, "/s/x", strings.NewReader("the body"))
		served(t, got, 200, "monolith", "connect_refused")
		if method != "HEAD" && got.saw.Body != sum("the body") {
			t.Errorf("%s: the monolith got another body, of %d bytes", method, got.saw.Length)
		}
		if m.hits.Load() != int64(i+1) {
			t.Errorf("%s: %d hits", method, m.hits.Load())
		}
	}
	await(t, "7 requests counted", func() bool { return r.status().Routes[0].Fallbacks == 7 })
	st := r.status().Routes[0]
	if st.Monolith != 7 || st.Service != 0 {
		t.Errorf("counters: %+v", st)
	}
}

// The connection is dropped after the request was read: a POST is never sent again.
func TestServiceThatResets(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	s := newRaw(t, func(conn net.Conn, in *bufio.Reader, head string) {
		if strings.Contains(head, "Content-Length: 8") {
			_, _ = io.CopyN(io.Discard, in, 8)
		}
		_ = conn.(*net.TCPConn).SetLinger(0)
	})
	r := start(t, oneRoute(m.URL, s.url(), "live"))
	for _, method := range safeMethods {
		served(t, r.do(method, "/s/x", nil), 200, "monolith", "reset")
	}
	before, hits := len(s.requests()), m.hits.Load()
	for i, method := range []string{"POST", "PUT", "PATCH"} {
		served(t, r.do(method, "/s/x", strings.NewReader("the body"), "Idempotency-Key", "k"), 502, "proxy", "")
		if n := len(s.requests()) - before; n != i+1 {
			t.Errorf("%s: the service saw %d requests, want %d", method, n, i+1)
		}
	}
	served(t, r.do("DELETE", "/s/x", nil), 502, "proxy", "")
	served(t, r.do("POST", "/s/x", nil, "Idempotency-Key", "k"), 502, "proxy", "")
	if n := len(s.requests()) - before; n != 5 || m.hits.Load() != hits {
		t.Errorf("5 unsafe requests: %d at the service, %d at the monolith", n, m.hits.Load()-hits)
	}
}

// Over a kept connection that the service drops after it has read the request,
// net/http would send a request without a body again.
func TestNothingIsSentTwiceOverKeptConnections(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	s := newRaw(t, func(conn net.Conn, in *bufio.Reader, _ string) {
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		if _, err := readHead(in); err == nil {
			secondHits.Add(1)
		}
	})
	r := start(t, oneRoute(m.URL, s.url(), "live"))
	for i := range 5 {
		served(t, r.do("GET", "/s/x", nil), 200, "s", "")
		before := secondHits.Load()
		first := len(s.requests())
		got := r.do("POST", "/s/x", nil, "Idempotency-Key", fmt.Sprint(i), "X-Idempotency-Key", "x")
		sent := secondHits.Load() - before + int64(len(s.requests())-first)
		if sent != 1 {
			t.Fatalf("the service saw the POST %d times, answer %v", sent, got.Status)
		}
	}
	if m.hits.Load() != 0 {
		t.Errorf("the monolith saw %d requests", m.hits.Load())
	}
}

var secondHits atomic.Int64 // of TestNothingIsSentTwiceOverKeptConnections only

func TestServiceThatIsSlow(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	release := make(chan struct{})
	var hits atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		hits.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		<-release
	}))
	t.Cleanup(s.Close)
	t.Cleanup(func() { close(release) })
	r := start(t, impatient(m.URL, s.URL))
	for _, method := range safeMethods {
		began := time.Now()
		served(t, r.do(method, "/s/x", nil), 200, "monolith", "timeout")
		if took := time.Since(began); took < 400*time.Millisecond {
			t.Errorf("%s: gave up after %v", method, took)
		}
	}
	before := m.hits.Load()
	got := r.do("POST", "/s/x", strings.NewReader("x"), "Accept", "application/json")
	served(t, got, 504, "proxy", "")
	if !strings.Contains(got.text, `"message":"service s did not answer in time"`) || m.hits.Load() != before || hits.Load() != 4 {
		t.Errorf("POST: %q, monolith %d, service %d", got.text, m.hits.Load()-before, hits.Load())
	}
}

// A body that the client sends slowly is not the service's fault.
func TestSlowUploadsDoNotTimeOut(t *testing.T) {
	t.Parallel()
	s := newEcho(t, "s")
	r := start(t, impatient(newEcho(t, "monolith").URL, s.URL))
	in, out := io.Pipe()
	go func() {
		for range 4 {
			fmt.Fprint(out, "part")
			time.Sleep(200 * time.Millisecond) // in all longer than the route's timeout of 400 ms
		}
		out.Close()
	}()
	served(t, r.do("POST", "/s/x", in), 200, "s", "")
}

func TestStatusesOfTheService(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "monolith"), newEcho(t, "s")
	// The query is the same for both, so the monolith must ignore it.
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		m.hits.Add(1)
		fmt.Fprint(w, "from the monolith")
	}))
	t.Cleanup(plain.Close)
	r := start(t, oneRoute(plain.URL, s.URL, "live"))
	for _, status := range []int{501, 502, 503, 504} {
		path := fmt.Sprintf("/s/x?status=%d", status)
		reason := fmt.Sprintf("status_%d", status)
		for _, method := range safeMethods {
			served(t, r.do(method, path, nil), 200, "monolith", reason)
		}
		for _, method := range unsafeMethods {
			got := r.do(method, path, strings.NewReader("x"))
			if status == 501 { // nothing was done
				served(t, got, 200, "monolith", reason)
				continue
			}
			served(t, got, status, "s", "")
			if got.saw.Server != "s" {
				t.Errorf("%s %d: %q", method, status, got.text)
			}
		}
	}
	served(t, r.do("POST", "/s/x?status=501", nil), 200, "monolith", "status_501")
	// Of a body that passed through without being kept nothing can be sent again.
	served(t, r.do("POST", "/s/x?status=501", io.LimitReader(zeros{}, 1<<20)), 501, "s", "")
	await(t, "the reason in the log", func() bool { return strings.Count(r.log.String(), `"no_fallback":"body_too_large"`) == 1 })
	served(t, r.do("POST", "/s/x?status=501", io.LimitReader(zeros{}, 60_000)), 200, "monolith", "status_501")
	served(t, r.do("POST", "/s/x?status=503", nil), 503, "s", "")
	for _, status := range []int{200, 404, 422, 429, 500, 505} {
		served(t, r.do("GET", fmt.Sprintf("/s/x?status=%d", status), nil), status, "s", "")
	}
}

// What may be done twice falls back as what only reads does, unless the service owns the
// data.
func TestMethodsThatMayBeDoneTwice(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "monolith"), newEcho(t, "s")
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.hits.Add(1)
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s", r.Method, body)
	}))
	t.Cleanup(plain.Close)
	broken := newRaw(t, func(net.Conn, *bufio.Reader, string) {}) // it closes at once
	r := start(t, fmt.Sprintf(`monolith: %s
defaults: { fallback: { twice: [PUT, DELETE] }, shadow: { percent: 0 } }
services:
  s: { url: %s, breaker: off }
  b: { url: %s, breaker: off }
routes:
  r: { match: /s/**, to: s, stage: live }
  none: { match: /none/**, to: s, stage: live, fallback: { twice: [] } }
  broken: { match: /broken/**, to: b, stage: live }
  own: { match: /own/**, to: s }
groups:
  owned: { routes: [own], split: reviews, stage: live }
`, plain.URL, s.URL, broken.url()))
	for _, method := range []string{"PUT", "DELETE"} {
		got := r.do(method, "/s/x?status=503", strings.NewReader("body"))
		served(t, got, 200, "monolith", "status_503")
		if got.text != method+" body" {
			t.Errorf("the monolith was asked for %q", got.text)
		}
		served(t, r.do(method, "/broken/x", strings.NewReader("body")), 200, "monolith", "reset")
		served(t, r.do(method, "/none/x?status=503", nil), 503, "s", "")
		served(t, r.do(method, "/own/x?status=503", nil), 503, "s", "")
	}
	for _, method := range []string{"POST", "PATCH"} {
		served(t, r.do(method, "/s/x?status=503", nil), 503, "s", "")
		served(t, r.do(method, "/broken/x", nil), 502, "proxy", "")
	}
}

func TestServiceThatAnswersGarbage(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	var answer atomic.Pointer[string]
	s := newRaw(t, func(conn net.Conn, _ *bufio.Reader, _ string) { _, _ = io.WriteString(conn, *answer.Load()) })
	r := start(t, oneRoute(m.URL, s.url(), "live"))
	for garbage, reason := range map[string]string{
		"":                             "reset",
		"HTTP/1.1 20":                  "bad_response",
		"hello, I am not HTTP\r\n\r\n": "bad_response",
		"HTTP/9.9 200 OK\r\n\r\n":      "bad_response",
		"HTTP/1.1 xyz\r\n\r\n":         "bad_response",
		"HTTP/1.1 200 OK\r\nContent-Length: nonsense\r\n\r\n":                                        "bad_response",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!":                    "bad_response",
		"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n":                                                   "bad_response",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: strange\r\n\r\n":                                      "bad_response",
		"HTTP/1.1 200 OK\r\nX-Big: " + strings.Repeat("x", 1<<20) + "\r\n\r\n":                       "bad_response",
		"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this":                                    "reset",
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\nsurprise!!!": "bad_response",
	} {
		answer.Store(&garbage)
		got := r.do("GET", "/s/x", nil)
		served(t, got, 200, "monolith", reason)
		if got.saw.Server != "monolith" {
			t.Errorf("%.40q: the body is %.80q", garbage, got.text)
		}
		before := m.hits.Load()
		if got, err := r.try("POST", "/s/x", strings.NewReader("x")); err == nil && got.StatusCode != 502 || m.hits.Load() != before {
			t.Errorf("POST %.40q: %v by %q", garbage, got.Status, got.Header.Get("X-Strangler-Served-By"))
		}
	}
}

// A response that breaks off after a part has gone to the client must not look whole.
func TestTruncatedResponsesStayTruncated(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	var answer atomic.Pointer[string]
	s := newRaw(t, func(conn net.Conn, _ *bufio.Reader, _ string) { _, _ = io.WriteString(conn, *answer.Load()) })
	r := start(t, oneRoute(m.URL, s.url(), "live"))
	big := strings.Repeat("x", 50_000)
	for _, broken := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + big,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\nhello\r\n",
	} {
		answer.Store(&broken)
		got, err := r.try("GET", "/s/x", nil)
		if err == nil {
			t.Errorf("%.80q: the client saw a whole answer of %d bytes by %s", broken, len(got.text), got.Header.Get("X-Strangler-Served-By"))
		}
	}
	if m.hits.Load() != 0 {
		t.Errorf("the monolith was asked %d times", m.hits.Load())
	}
	await(t, "the log to say so", func() bool { return strings.Contains(r.log.String(), `"failure":"broken_off"`) })
}

func TestBothSidesDown(t *testing.T) {
	t.Parallel()
	r := start(t, oneRoute(deadURL(t), deadURL(t), "live"))
	got := r.do("GET", "/s/x", nil)
	served(t, got, 502, "proxy", "connect_refused")
	if got.text != "the service failed (connect_refused) and the monolith could not be reached\n" || got.Header.Get("X-Strangler-Route") != "r" {
		t.Errorf("%q %v", got.text, got.Header)
	}
	got = r.do("POST", "/other", strings.NewReader("x"))
	served(t, got, 502, "proxy", "")
	if got.text != "the monolith could not be reached\n" {
		t.Errorf("%q", got.text)
	}
}

func TestMonolithsOwnFailuresAreNotHidden(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	r := start(t, oneRoute(m.URL, deadURL(t), "monolith"))
	served(t, r.do("GET", "/s/x?status=503", nil), 503, "monolith", "")
	served(t, r.do("GET", "/other?status=501", nil), 501, "monolith", "")
}

func TestInstancesTakeTurns(t *testing.T) {
	t.Parallel()
	m, one, two := newEcho(t, "monolith"), newEcho(t, "one"), newEcho(t, "two")
	config := "monolith: %s\nservices: {s: {url: [%s]}}\nroutes:\n  r: { match: /s/**, to: s, stage: live }\n"
	r := start(t, fmt.Sprintf(config, m.URL, strings.Join([]string{one.URL, deadURL(t), two.URL}, ", ")))
	for range 30 {
		served(t, r.do("POST", "/s/x", strings.NewReader("x")), 200, "s", "")
	}
	if a, b := one.hits.Load(), two.hits.Load(); a+b != 30 || a < 10 || b < 10 || m.hits.Load() != 0 {
		t.Errorf("one %d, two %d, monolith %d", a, b, m.hits.Load())
	}
}

func TestFallbackCanBeNarrowed(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	r := start(t, "defaults: { fallback: { on: [503] } }\n"+oneRoute(m.URL, deadURL(t), "live"))
	served(t, r.do("GET", "/s/x", nil), 502, "proxy", "")
	if m.hits.Load() != 0 {
		t.Error("the monolith was asked")
	}
}

// However and whenever a service breaks off, a POST reaches the two sides together
// at most once.
func TestPostReachesAnUpstreamAtMostOnce(t *testing.T) {
	t.Parallel()
	var ledger sync.Map // id of a request -> *atomic.Int64
	note := func(id string) {
		n, _ := ledger.LoadOrStore(id, new(atomic.Int64))
		n.(*atomic.Int64).Add(1)
	}
	m := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		note(r.Header.Get("X-Id"))
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	t.Cleanup(m.Close)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		note(r.Header.Get("X-Id"))
		chance := rand.IntN(6)
		if chance > 2 {
			_, _ = io.CopyN(io.Discard, r.Body, rand.Int64N(3000))
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		switch chance {
		case 0, 3:
			_ = conn.(*net.TCPConn).SetLinger(0)
		case 1:
			_, _ = io.WriteString(conn, "garbage\r\n\r\n")
		case 4:
			_, _ = io.WriteString(conn, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
		case 5:
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart")
		}
	}))
	t.Cleanup(s.Close)
	r := start(t, oneRoute(m.URL, s.URL, "live"), func(o *strangler.Options) { o.AccessLog = false })
	var clients sync.WaitGroup
	for c := range 8 {
		clients.Go(func() {
			for i := range 100 {
				body := strings.NewReader(strings.Repeat("x", rand.IntN(3000)))
				id := fmt.Sprintf("%d-%d", c, i)
				_, _ = r.try("POST", "/s/x", body, "X-Id", id, "Idempotency-Key", id)
			}
		})
	}
	clients.Wait()
	total := 0
	ledger.Range(func(id, n any) bool {
		total++
		if got := n.(*atomic.Int64).Load(); got != 1 {
			t.Errorf("POST %s was seen %d times", id, got)
		}
		return true
	})
	if total < 600 { // one that meets the end of a kept connection is seen by nobody
		t.Errorf("only %d of 800 POSTs were seen at all", total)
	}
}

// An upstream that has ended a kept connection, as many do after a few idle seconds,
// costs no write its answer.
func TestWritesSurviveEndedConnections(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{}, 10)
	s := newRaw(t, func(conn net.Conn, in *bufio.Reader, head string) {
		if strings.Contains(head, "Content-Length: 8") {
			_, _ = io.CopyN(io.Discard, in, 8)
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		conn.Close()
		ended <- struct{}{}
	})
	r := start(t, oneRoute(deadURL(t), s.url(), "live"))
	for range 50 {
		for _, method := range []string{"POST", "PUT", "GET"} {
			var body io.Reader
			if method != "GET" {
				body = strings.NewReader("the body")
			}
			served(t, r.do(method, "/s/x", body), 200, "s", "")
			<-ended
		}
	}
	if n := len(s.requests()); n != 150 {
		t.Errorf("the service saw %d requests, want 150", n)
	}
}

// A service that breaks off over connections that were kept may have closed them just
// then, so that a request that only reads is sent once more. If it does so each time,
// that is bounded as retries are, and seen in the log.
func TestKeptConnectionsThatEndAreBounded(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	var sent atomic.Int64
	s := newRaw(t, func(conn net.Conn, in *bufio.Reader, _ string) {
		sent.Add(1)
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		if _, err := readHead(in); err == nil {
			sent.Add(1)
			_ = conn.(*net.TCPConn).SetLinger(0)
		}
	})
	r := start(t, fmt.Sprintf("monolith: %s\nservices: { s: { url: %s, breaker: off } }\nroutes:\n  r: { match: /s/**, to: s, stage: live, shadow: off }\n", m.URL, s.url()))
	served(t, r.do("GET", "/s/warm", nil), 200, "s", "")
	before := sent.Load()
	served(t, r.do("GET", "/s/x", nil), 200, "s", "")
	if n := sent.Load() - before; n != 2 {
		t.Errorf("the service got the request %d times, want twice", n)
	}
	await(t, "the log", func() bool { return strings.Contains(r.log.String(), `"retries":1,`) })
	const requests = 100
	before = sent.Load()
	for range requests {
		if got := r.do("GET", "/s/x", nil); got.StatusCode != 200 {
			t.Fatal(got.Status)
		}
	}
	if n := sent.Load() - before; n > requests*12/10+3 {
		t.Errorf("%d requests were %d to the service, want at most 1.2 times as many and 3", requests, n)
	}
	if m.hits.Load() == 0 {
		t.Error("the monolith never stood in, so the budget had nothing to do")
	}
}
