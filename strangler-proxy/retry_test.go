package strangler_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// retrying is a route that tries its service again.
func retrying(monolith, service, retry, more string) string {
	return fmt.Sprintf("monolith: %s\ndefaults: { retry: %s }\nservices:\n  s: { url: %s, breaker: off }\nroutes:\n  r: { match: /s/**, to: s, stage: live, shadow: off%s }\n", monolith, retry, service, more)
}

// flaky is an upstream that answers the connections for which fails is false, and
// resets the others once it has their request.
func flaky(t *testing.T, fails func(n int64) bool) (url string, hits *atomic.Int64) {
	hits = new(atomic.Int64)
	up := newRaw(t, func(conn net.Conn, _ *bufio.Reader, _ string) {
		if n := hits.Add(1); fails(n) {
			_ = conn.(*net.TCPConn).SetLinger(0)
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\nservice")
	})
	return up.url(), hits
}

func TestRetry(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	for _, c := range []struct {
		name, retry, method string
		failures            int64 // before the service answers
		hits                int64
		served              string
		fallback            string
		status              int
	}{
		{"the second try", "{ max: 2 }", "GET", 1, 2, "s", "", 200},
		{"the third try", "{ max: 2 }", "GET", 2, 3, "s", "", 200},
		{"then the monolith", "{ max: 2 }", "GET", 9, 3, "monolith", "reset", 200},
		{"no retry by default", "{}", "GET", 1, 1, "monolith", "reset", 200},
		{"not for this cause", "{ max: 2, on: [connect] }", "GET", 1, 1, "monolith", "reset", 200},
		{"never a write", "{ max: 2 }", "POST", 1, 1, "proxy", "", 502},
		{"never a DELETE", "{ max: 2 }", "DELETE", 1, 1, "proxy", "", 502},
		{"HEAD", "{ max: 2 }", "HEAD", 1, 2, "s", "", 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			url, hits := flaky(t, func(n int64) bool { return n <= c.failures })
			r := start(t, retrying(m.URL, url, c.retry, ""))
			served(t, r.do(c.method, "/s/x", nil), c.status, c.served, c.fallback)
			if got := hits.Load(); got != c.hits {
				t.Errorf("the service was asked %d times, want %d", got, c.hits)
			}
			await(t, "the log", func() bool { return strings.Contains(r.log.String(), fmt.Sprintf(`"retries":%d`, c.hits-1)) })
		})
	}
}

// The status of an answer is a cause, too, and its body has to be sent again as it was.
func TestRetryAfterStatus(t *testing.T) {
	t.Parallel()
	var hits atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if hits.Add(1) < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write(body)
	}))
	t.Cleanup(s.Close)
	body := strings.Repeat("lines of a body\n", 2000)
	for _, body := range []io.Reader{strings.NewReader(body), io.MultiReader(strings.NewReader(body))} { // with a length and without
		hits.Store(0)
		r := start(t, retrying("http://127.0.0.1:1", s.URL, "{ max: 3, on: [503] }", ", fallback: off"))
		if got := r.do("GET", "/s/x", body); got.StatusCode != 200 || got.text != strings.Repeat("lines of a body\n", 2000) || hits.Load() != 3 {
			t.Errorf("%d with %d bytes after %d tries", got.StatusCode, len(got.text), hits.Load())
		}
	}
}

// A service that is fully down gets a fifth more than what it gets anyway.
func TestRetryBudget(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	url, hits := flaky(t, func(int64) bool { return true })
	r := start(t, retrying(m.URL, url, "{ max: 5 }", ""))
	const requests = 200
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for range requests / 4 {
				if got, err := r.try("GET", "/s/x", nil); err != nil || got.StatusCode != 200 {
					t.Errorf("%v, %v", got.Response, err)
				}
			}
		})
	}
	clients.Wait()
	if got := hits.Load(); got > requests*12/10+3 || got < requests*11/10 {
		t.Errorf("%d requests were %d to the service, want 1.2 times as many", requests, got)
	}
	for _, want := range []string{fmt.Sprintf(`strangler_retries_total{route="r"} %d`, hits.Load()-requests), `strangler_retries_refused_total{route="r"} `} {
		await(t, want, func() bool { return strings.Contains(r.admin("GET", "/metrics").text, want) })
	}
}

// Another instance is asked at once; what one has not taken is passed on without a
// budget, also a write.
func TestRetryAtOtherInstances(t *testing.T) {
	t.Parallel()
	bad, badHits := flaky(t, func(int64) bool { return true })
	good, goodHits := flaky(t, func(int64) bool { return false })
	urls := "[" + bad + ", " + good + ", " + deadURL(t) + "]"
	r := start(t, retrying("http://127.0.0.1:1", urls, "{ max: 1 }", ", fallback: off"))
	for range 6 {
		served(t, r.do("GET", "/s/x", nil), 200, "s", "")
	}
	if goodHits.Load() != 6 || badHits.Load() > 3 {
		t.Errorf("the instances were asked %d and %d times", goodHits.Load(), badHits.Load())
	}
	r = start(t, retrying("http://127.0.0.1:1", "["+deadURL(t)+", "+good+"]", "{ max: 0 }", ", fallback: off"))
	for range 4 {
		served(t, r.do("POST", "/s/x", strings.NewReader("body")), 200, "s", "")
	}
}

// A service whose breaker tries it out gets each of its probes once.
func TestNoRetryWhileTheBreakerTries(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	url, hits := flaky(t, func(int64) bool { return true })
	r := start(t, strings.Replace(retrying(m.URL, url, "{ max: 3, budget: 100% }", ""), "breaker: off", "breaker: { open_at: 1 of 1, wait: 50ms, probes: 1, ramp: 0s }", 1))
	served(t, r.do("GET", "/s/x", nil), 200, "monolith", "reset")
	if hits.Load() != 4 {
		t.Fatalf("%d tries, want 4", hits.Load())
	}
	for probes := int64(1); probes <= 3; probes++ {
		await(t, "a probe", func() bool {
			return r.do("GET", "/s/x", nil).Header.Get("X-Strangler-Fallback") == "reset"
		})
		if got := hits.Load(); got != 4+probes {
			t.Fatalf("%d requests at the service after %d probes, want %d", got, probes, 4+probes)
		}
	}
}

// silent is an upstream that never answers.
func silent(t *testing.T) (url string, hits *atomic.Int64) {
	hits = new(atomic.Int64)
	up := newRaw(t, func(_ net.Conn, in *bufio.Reader, _ string) {
		hits.Add(1)
		_, _ = io.Copy(io.Discard, in)
	})
	return up.url(), hits
}

func TestTryTimeoutAndTimeout(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	for _, c := range []struct {
		name, retry, more string
		hits              int64
		least, most       time.Duration
	}{
		{"each try has its time", "{ max: 2, on: [timeout] }", ", try_timeout: 100ms, timeout: 5s", 3, 300 * time.Millisecond, 4 * time.Second},
		{"a try alone", "{ max: 2 }", ", try_timeout: 100ms, timeout: 5s", 1, 100 * time.Millisecond, 4 * time.Second},
		{"the timeout bounds all of them", "{ max: 9, on: [timeout], budget: 100% }", ", try_timeout: 150ms, timeout: 400ms", 3, 400 * time.Millisecond, 1200 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			url, hits := silent(t)
			r := start(t, retrying(m.URL, url, c.retry, c.more))
			began := time.Now()
			served(t, r.do("GET", "/s/x", nil), 200, "monolith", "timeout")
			if took := time.Since(began); took < c.least || took > c.most || hits.Load() != c.hits {
				t.Errorf("%d tries, %v", hits.Load(), took)
			}
		})
	}
}

// The deadline bounds everything: tries, the monolith in their place, and its own.
func TestDeadline(t *testing.T) {
	t.Parallel()
	hung, _ := silent(t)
	slow, _ := silent(t)
	dead := deadURL(t)
	for _, c := range []struct{ name, config, path, fallback string }{
		{"the service", retrying(hung, slow, "{}", ", deadline: 300ms, timeout: 5s"), "/s/x", ""},
		{"retries", retrying(hung, slow, "{ max: 9, on: [timeout], budget: 100% }", ", deadline: 300ms, try_timeout: 200ms"), "/s/x", ""},
		{"the monolith in place of the service", retrying(hung, dead, "{}", ", deadline: 300ms"), "/s/x", "connect_refused"},
		{"the monolith in place of a slow service", retrying(hung, slow, "{}", ", deadline: 300ms, timeout: 150ms"), "/s/x", "timeout"},
		{"the monolith without a route", "defaults: { deadline: 300ms }\nmonolith: " + hung + "\n", "/x", ""},
		{"the monolith by the stage", "monolith: " + hung + "\nroutes: { r: { match: /s/**, stage: monolith, deadline: 300ms } }\n", "/s/x", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := start(t, c.config)
			least := time.Hour
			for try := 0; try < 2 || try < 6 && least > 350*time.Millisecond; try++ { // the second on the same connection, more on a busy machine
				began := time.Now()
				served(t, r.do("GET", c.path, nil), 504, "proxy", c.fallback)
				least = min(least, time.Since(began))
			}
			if least < 300*time.Millisecond || least > 350*time.Millisecond {
				t.Errorf("after %v at least", least)
			}
			await(t, "the log", func() bool { return strings.Contains(r.log.String(), `"failure":"deadline"`) })
		})
	}
}

// A response that has begun may take its time; and a client that does not send its
// request has only itself to blame.
func TestDeadlineIsForTheBeginning(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "begin ")
		_ = http.NewResponseController(w).Flush()
		select {
		case <-time.After(400 * time.Millisecond):
		case <-r.Context().Done():
		}
		_, _ = io.WriteString(w, "end")
	}))
	t.Cleanup(s.Close)
	r := start(t, retrying("http://127.0.0.1:1", s.URL, "{}", ", deadline: 200ms"))
	if got := r.do("GET", "/s/x", nil); got.text != "begin end" {
		t.Errorf("got %q", got.text)
	}
	never, hits := silent(t)
	r = start(t, strings.Replace(retrying("http://127.0.0.1:1", never, "{}", ", deadline: 200ms, timeout: 10s"), "breaker: off", "breaker: { open_at: 1 of 1 }", 1))
	began := time.Now()
	answer := r.send("POST /s/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
	if !strings.HasPrefix(answer, "HTTP/1.1 408 ") || time.Since(began) > 2*time.Second {
		t.Errorf("after %v: %q", time.Since(began), answer)
	}
	// So the service has not failed: it is asked again.
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url("/s/x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if res, err := r.client.Do(req); err == nil {
		res.Body.Close()
	}
	if hits.Load() != 2 {
		t.Errorf("the service was asked %d times, want 2", hits.Load())
	}
}

func TestFallbackOfARoute(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "monolith"), newEcho(t, "s")
	r := start(t, fmt.Sprintf("monolith: %s\ndefaults: { fallback: { on: [connect, 503] } }\nservices:\n  s: { url: %s, breaker: off }\n  dead: { url: %s, breaker: off }\nroutes:\n", m.URL, s.URL, deadURL(t))+
		"  usual: { match: /usual, to: s, stage: live, shadow: off }\n  off: { match: /off, to: s, stage: live, shadow: off, fallback: off }\n"+
		"  own: { match: /own, to: s, stage: live, shadow: off, fallback: { on: [500] } }\n  dead: { match: /dead, to: dead, stage: live, shadow: off, fallback: off }\n")
	served(t, r.do("GET", "/usual?status=503", nil), 503, "monolith", "status_503")
	served(t, r.do("GET", "/usual?status=500", nil), 500, "s", "")
	served(t, r.do("GET", "/off?status=503", nil), 503, "s", "")
	served(t, r.do("GET", "/own?status=503", nil), 503, "s", "")
	served(t, r.do("GET", "/own?status=500", nil), 500, "monolith", "status_500")
	served(t, r.do("GET", "/dead", nil), 502, "proxy", "")
	if m.hits.Load() != 2 {
		t.Errorf("the monolith was asked %d times, want 2", m.hits.Load())
	}
}
