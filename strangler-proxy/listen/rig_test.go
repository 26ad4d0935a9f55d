package listen_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stranglerfig/toolkit/internal/testcert"
	"github.com/stranglerfig/toolkit/strangler-proxy/listen"
)

// write puts a pair for names into its files.
func write(t testing.TB, ca *testcert.Authority, pair listen.Pair, names ...string) *x509.Certificate {
	t.Helper()
	return ca.Write(t, pair.Cert, pair.Key, names...)
}

func put(t testing.TB, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func pairIn(t testing.TB, name string) listen.Pair {
	t.Helper()
	folder := t.TempDir()
	return listen.Pair{Cert: filepath.Join(folder, name+".pem"), Key: filepath.Join(folder, name+".key")}
}

// A house is a Door with an engine behind each protocol.
type house struct {
	*listen.Door
	keeper *listen.Keeper
	queue  *listen.Queue
	http1  *http.Server
	http2  *http.Server
	log    *logBuffer
	kinds  chan string // what the HTTP/1 engine got
	stop   func()
}

// open starts a house whose engines answer with the protocol and what handler adds.
func open(t testing.TB, s listen.Settings, handler http.HandlerFunc) *house {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	certificates, err := listen.LoadCertificates(s.TLS)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{log: &logBuffer{}, kinds: make(chan string, 1000)}
	log := slog.New(slog.NewJSONHandler(h.log, nil))
	h.keeper, h.queue = listen.NewKeeper(certificates, log), listen.NewQueue(l.Addr())
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if handler != nil {
			handler(w, r)
		}
		fmt.Fprintf(w, "%s tls=%t", r.Proto, r.TLS != nil)
	})
	h.http1 = &http.Server{Handler: answer}
	h.http2 = listen.NewHTTP2(answer, s.Limits, log)
	h.Door = listen.NewDoor(l.(*net.TCPListener), listen.Handlers{HTTP1: h.serveHTTP1, HTTP2: h.queue.Put}, s, h.keeper, log)
	var running sync.WaitGroup
	running.Go(func() {
		if err := h.Run(); err != nil {
			t.Errorf("run: %v", err)
		}
	})
	running.Go(func() { _ = h.http2.Serve(h.queue) })
	h.stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		h.Stop(ctx)
		_ = h.http2.Close()
		running.Wait()
	})
	t.Cleanup(h.stop)
	return h
}

// serveHTTP1 is an engine that serves one connection with net/http.
func (h *house) serveHTTP1(conn net.Conn, known, gone func()) {
	defer gone()
	known()
	h.kinds <- fmt.Sprintf("%T", conn)
	one := listen.NewQueue(conn.LocalAddr())
	ended := make(chan struct{})
	s := &http.Server{Handler: h.http1.Handler, ConnState: func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed || state == http.StateHijacked {
			close(ended)
		}
	}}
	go func() { _ = s.Serve(one) }()
	one.Put(conn)
	<-ended
	_ = s.Close()
	_ = conn.Close()
}

func limits() listen.Limits {
	l := listen.DefaultLimits()
	l.HeaderTimeout = 2 * time.Second
	return l
}

func plain() listen.Settings { return listen.Settings{Limits: limits()} }

// client speaks one protocol with TLS, verifying by pool.
func client(t testing.TB, pool *x509.CertPool, http2 bool) *http.Client {
	t.Helper()
	var p http.Protocols
	p.SetHTTP1(!http2)
	p.SetHTTP2(http2)
	tr := &http.Transport{Protocols: &p, TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "shop.example"}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 10 * time.Second}
}

func get(t testing.TB, c *http.Client, url string) string {
	t.Helper()
	res, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func dial(t testing.TB, h *house) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", h.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	return conn
}

// ask sends a request over conn and returns the body of the answer.
func ask(t testing.TB, conn net.Conn) string {
	t.Helper()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	return answer(t, conn)
}

func answer(t testing.TB, conn net.Conn) string {
	t.Helper()
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func await(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// metric is the sum of a collector's series with a name.
func metric(t testing.TB, c prometheus.Collector, name string) float64 {
	t.Helper()
	r := prometheus.NewRegistry()
	r.MustRegister(c)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}
