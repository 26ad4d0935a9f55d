package strangler_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	strangler "github.com/stranglerfig/toolkit/strangler-proxy"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
)

func TestStopLetsRequestsEnd(t *testing.T) {
	t.Parallel()
	began, release := make(chan struct{}), make(chan struct{})
	m := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(began)
		<-release
		fmt.Fprint(w, "the end")
	}))
	t.Cleanup(m.Close)
	r := start(t, "monolith: "+m.URL+"\n")
	answer := make(chan string, 1)
	go func() {
		res, err := r.client.Get(r.url("/"))
		if err != nil {
			answer <- err.Error()
			return
		}
		defer res.Body.Close()
		text, _ := io.ReadAll(res.Body)
		answer <- string(text)
	}()
	<-began
	stopped := make(chan struct{})
	go func() { r.stop(); close(stopped) }()
	await(t, "the drain", func() bool { return r.proxy.Ready() != nil })
	close(release)
	if got := <-answer; got != "the end" {
		t.Errorf("the request in flight got %q", got)
	}
	<-stopped
	if _, err := http.Get(r.url("/")); err == nil {
		t.Error("the proxy still answers")
	}
}

func TestStopBreaksOffAtTheLimit(t *testing.T) {
	t.Parallel()
	m := newSocketServer(t, "monolith")
	r := start(t, "monolith: "+m.URL+"\n", func(o *strangler.Options) { o.DrainLimit = 300 * time.Millisecond })
	s := r.socket("/chat")
	s.expect(t, "monolith:")
	began := time.Now()
	r.stop()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("stopping took %v", took)
	}
	if _, err := io.ReadAll(s.in); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("the socket: %v", err)
	}
	if !strings.Contains(r.log.String(), "requests broken off at the drain limit") {
		t.Error("the log does not say that requests were broken off")
	}
}

// Clients with kept connections see no failure but a refused connection.
func TestStopUnderLoad(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	r := start(t, "monolith: "+m.URL+"\n", func(o *strangler.Options) { o.AccessLog = false })
	var sent, bad atomic.Int64
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			for {
				got, err := r.try("POST", "/", strings.NewReader("x"))
				if err != nil {
					if !strings.Contains(err.Error(), "connection refused") {
						t.Logf("failed: %v", err)
						bad.Add(1)
					}
					return
				}
				if sent.Add(1); got.StatusCode != 200 {
					bad.Add(1)
				}
			}
		})
	}
	await(t, "some load", func() bool { return sent.Load() > 300 })
	r.stop()
	clients.Wait()
	if bad.Load() != 0 {
		t.Errorf("%d of %d requests failed", bad.Load(), sent.Load())
	}
	if got := m.hits.Load(); got != sent.Load() {
		t.Errorf("the monolith saw %d requests, %d were answered", got, sent.Load())
	}
}

func TestAddressInUse(t *testing.T) {
	t.Parallel()
	r := start(t, "monolith: http://127.0.0.1:1\n")
	cfg, err := config.Single(r.proxy.Addr().String(), "127.0.0.1:0", "http://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := strangler.New(t.Context(), strangler.Options{Config: cfg}); err == nil || !strings.Contains(err.Error(), "is already in use") {
		t.Errorf("listen: %v", err)
	}
	if _, err := strangler.New(t.Context(), strangler.Options{Config: cfg, Listen: "127.0.0.1:0", Admin: r.proxy.Addr().String()}); err == nil || !strings.Contains(err.Error(), "is already in use") {
		t.Errorf("admin: %v", err)
	}
}

func TestNothingLeaks(t *testing.T) {
	// Not parallel: it counts the goroutines of the process.
	m := newEcho(t, "monolith")
	r := start(t, oneRoute(m.URL, deadURL(t), "live"))
	r.do("GET", "/s/x", nil)
	settled := func() int {
		r.client.CloseIdleConnections()
		m.CloseClientConnections()
		least := runtime.NumGoroutine()
		for range 100 {
			time.Sleep(time.Millisecond)
			least = min(least, runtime.NumGoroutine())
		}
		return least
	}
	before := settled()
	for range 300 { // clients that leave in the middle
		conn, err := net.Dial("tcp", r.proxy.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(conn, "POST /s/x HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc")
		conn.Close()
	}
	await(t, "no request in flight", func() bool { return r.status().InFlight == 0 })
	if after := settled(); after > before+10 {
		t.Errorf("%d goroutines became %d", before, after)
	}
}
