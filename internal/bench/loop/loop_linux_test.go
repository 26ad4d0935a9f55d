package loop_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/internal/bench/loop"
)

// begin runs a loop until the test ends, and waits until it listens.
func begin(t *testing.T, serve func(ctx context.Context, addr string) error) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- serve(ctx, addr) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	for {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
			return addr
		}
		select {
		case err := <-done:
			done <- err
			t.Fatal(err)
		case <-time.After(time.Millisecond):
		}
	}
}

func TestLoadThroughTheRelay(t *testing.T) {
	t.Parallel()
	upstream := begin(t, loop.Upstream)
	relay := begin(t, func(ctx context.Context, addr string) error { return loop.Relay(ctx, addr, upstream) })
	for name, load := range map[string]loop.Load{
		"1k":     {Path: "/x/1k", Connections: 8},
		"64k":    {Path: "/x/64k", Connections: 8},
		"post":   {Path: "/x/1k", Connections: 8, Body: 4096},
		"a rate": {Path: "/x/1k", Connections: 4, Rate: 500},
	} {
		load.Addr, load.Duration = relay, 200*time.Millisecond
		got, err := load.Run(t.Context())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got.Failed != 0 || got.Requests < int64(load.Connections) || got.P50 <= 0 || got.P99 < got.P50 {
			t.Errorf("%s: %+v", name, got)
		}
		if load.Rate > 0 && got.Requests != 100 {
			t.Errorf("%d requests in 200 ms at 500 a second, want 100", got.Requests)
		}
	}
}

// TestWarmthIsNotCounted: neither requests nor processor time of the time before.
func TestWarmthIsNotCounted(t *testing.T) {
	t.Parallel()
	upstream := begin(t, loop.Upstream)
	var looks []time.Duration
	clock := func() time.Duration {
		looks = append(looks, time.Duration(len(looks)*len(looks))*time.Second)
		return looks[len(looks)-1]
	}
	got, err := loop.Load{
		Addr: upstream, Path: "/x/1k", Connections: 4, Rate: 500, Warm: 200 * time.Millisecond, Duration: 100 * time.Millisecond, Clock: clock,
	}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// Some may have been answered on the other side of the line than they were due.
	if got.Failed != 0 || got.Requests < 40 || got.Requests >= 150 || got.Processor != time.Second || len(looks) != 2 {
		t.Errorf("%+v after %d looks at the clock, want about 50 of 150 requests, and 1 s from the first to the second", got, len(looks))
	}
}

// TestUpstreamSpeaksHTTP asks with a client that is strict.
func TestUpstreamSpeaksHTTP(t *testing.T) {
	t.Parallel()
	addr := begin(t, loop.Upstream)
	for path, want := range map[string]int{"/a/1k": 1024, "/a/64k": 64 << 10} {
		for range 3 {
			res, err := http.Post("http://"+addr+path, "text/plain", strings.NewReader(strings.Repeat("y", 100_000)))
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			res.Body.Close()
			if err != nil || len(body) != want {
				t.Errorf("%s: %d bytes, %v, want %d", path, len(body), err, want)
			}
		}
	}
}

// TestLoadCountsFailures: statuses, ends of connections and stalls are all charged.
func TestLoadCountsFailures(t *testing.T) {
	t.Parallel()
	count := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.Header.Get("Cookie")) == 0 || r.Host == "" {
			t.Error("no headers")
		}
		count++
		switch count % 3 { // one connection: one after the other
		case 0:
			w.WriteHeader(http.StatusBadGateway)
		case 1:
			panic(http.ErrAbortHandler)
		}
		io.WriteString(w, "good")
	}))
	defer server.Close()
	got, err := loop.Load{
		Addr: server.Listener.Addr().String(), Path: "/", Connections: 1, Rate: 300, Duration: 100 * time.Millisecond,
	}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.Requests != 10 || got.Failed != 20 || got.FirstFail == "" {
		t.Errorf("%+v, want 10 good ones and 20 failed", got)
	}
}

// TestLoadChargesWaiting: a server that stalls is charged for all who had to wait.
func TestLoadChargesWaiting(t *testing.T) {
	t.Parallel()
	stall := make(chan struct{})
	time.AfterFunc(400*time.Millisecond, func() { close(stall) })
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		<-stall
		io.WriteString(w, "good")
	}))
	defer server.Close()
	got, err := loop.Load{
		Addr: server.Listener.Addr().String(), Path: "/", Connections: 1, Rate: 100, Duration: 500 * time.Millisecond,
	}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.Requests != 50 || got.P50 < 100*time.Millisecond {
		t.Errorf("%+v: the stall was not charged", got)
	}
}
