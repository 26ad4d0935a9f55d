package strangler_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	strangler "github.com/stranglerfig/toolkit/strangler-proxy"
	"github.com/stranglerfig/toolkit/strangler-proxy/admin"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
)

// An echo is an upstream that says what it was asked, and counts.
type echo struct {
	*httptest.Server
	name string
	hits atomic.Int64
}

type echoed struct {
	Server  string
	Method  string
	Target  string
	Host    string
	Header  http.Header
	Length  int64
	Body    string // sha256
	Trailer http.Header
}

func newEcho(t testing.TB, name string) *echo {
	e := &echo{name: name}
	e.start()
	t.Cleanup(e.Close)
	return e
}

func (e *echo) start() { e.Server = httptest.NewServer(http.HandlerFunc(e.serve)) }

// serve answers with what it was asked; the query may ask for a status.
func (e *echo) serve(w http.ResponseWriter, r *http.Request) {
	e.hits.Add(1)
	hash := sha256.New()
	_, _ = io.Copy(hash, r.Body)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Strangler-Route", "a lie of "+e.name)
	w.Header().Add("Set-Cookie", "a=1")
	w.Header().Add("Set-Cookie", "b=2")
	status := http.StatusOK
	_, _ = fmt.Sscanf(r.URL.Query().Get("status"), "%d", &status)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(echoed{
		Server: e.name, Method: r.Method, Target: r.RequestURI, Host: r.Host, Header: r.Header,
		Length: r.ContentLength, Body: hex.EncodeToString(hash.Sum(nil)), Trailer: r.Trailer,
	})
}

func sum(body string) string {
	hash := sha256.Sum256([]byte(body))
	return hex.EncodeToString(hash[:])
}

// A raw upstream is a TCP server: handle gets each connection and the head it begins
// with, and writes what it likes.
type raw struct {
	net.Listener
	mu    sync.Mutex
	heads []string
}

func newRaw(t testing.TB, handle func(conn net.Conn, in *bufio.Reader, head string)) *raw {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &raw{Listener: l}
	var open sync.WaitGroup
	t.Cleanup(func() { l.Close(); open.Wait() })
	open.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			open.Go(func() {
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
				in := bufio.NewReader(conn)
				head, err := readHead(in)
				if err != nil {
					return
				}
				r.mu.Lock()
				r.heads = append(r.heads, head)
				r.mu.Unlock()
				handle(conn, in, head)
			})
		}
	})
	return r
}

func (r *raw) url() string { return "http://" + r.Addr().String() }

func (r *raw) requests() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.heads...)
}

func readHead(in *bufio.Reader) (string, error) {
	var head strings.Builder
	for {
		line, err := in.ReadString('\n')
		head.WriteString(line)
		if err != nil || line == "\r\n" {
			return head.String(), err
		}
	}
}

// deadURL is the url of a port where nobody listens, and nobody will while the test runs.
func deadURL(t testing.TB) string {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("http://127.0.0.1:%d", name.(*syscall.SockaddrInet4).Port)
}

// freeURL is the url of a port that was free a moment ago.
func freeURL(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

// A rig is a running proxy with its configuration file.
type rig struct {
	t      testing.TB
	path   string
	proxy  *strangler.Proxy
	client *http.Client
	log    *logBuffer
	stop   func() // ends the proxy and waits for it
}

const header = "version: 1\nlisten: 127.0.0.1:0\nadmin: { listen: 127.0.0.1:0 }\n"

func start(t testing.TB, config string, tune ...func(*strangler.Options)) *rig {
	t.Helper()
	path := filepath.Join(t.TempDir(), "strangler.yaml")
	if err := os.WriteFile(path, []byte(header+config), 0o600); err != nil {
		t.Fatal(err)
	}
	return startAt(t, path, tune...)
}

func startAt(t testing.TB, path string, tune ...func(*strangler.Options)) *rig {
	t.Helper()
	r := &rig{t: t, path: path, log: &logBuffer{}}
	opts := strangler.Options{
		ConfigPath: path, PollEvery: 50 * time.Millisecond, DrainLimit: 5 * time.Second, AccessLog: true,
		Log: slog.New(slog.NewJSONHandler(r.log, nil)), AccessOut: r.log,
	}
	for _, f := range tune {
		f(&opts)
	}
	var err error
	if r.proxy, err = strangler.New(t.Context(), opts); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.proxy.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64}
	r.client = &http.Client{
		Transport: transport, Timeout: time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(func() { transport.CloseIdleConnections(); r.stop() })
	return r
}

func (r *rig) url(path string) string { return "http://" + r.proxy.Addr().String() + path }

// write replaces the configuration file's content.
func (r *rig) write(config string) {
	r.t.Helper()
	if err := os.WriteFile(r.path, []byte(header+config), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

type reply struct {
	*http.Response
	text string
	saw  echoed // what an echo was asked
}

// do sends a request and reads the whole answer.
func (r *rig) do(method, path string, body io.Reader, headers ...string) reply {
	r.t.Helper()
	answer, err := r.try(method, path, body, headers...)
	if err != nil {
		r.t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer
}

func (r *rig) try(method, path string, body io.Reader, headers ...string) (reply, error) {
	req, err := http.NewRequestWithContext(context.Background(), method, r.url(path), body)
	if err != nil {
		return reply{}, err
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
			continue
		}
		req.Header.Add(headers[i], headers[i+1])
	}
	res, err := r.client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	answer := reply{Response: res, text: string(text)}
	_ = json.Unmarshal(text, &answer.saw)
	return answer, err
}

// send writes raw bytes to the proxy and returns all that comes back until it closes.
// The connection stays open for the proxy, so a request should ask it to close.
func (r *rig) send(request string) string {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.proxy.Addr().String())
	if err != nil {
		r.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		r.t.Logf("write: %v", err) // the proxy may refuse before it has read all
	}
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	answer, _ := io.ReadAll(conn)
	return string(answer)
}

func (r *rig) status() admin.Status {
	r.t.Helper()
	return r.proxy.Status()
}

// await waits until condition holds.
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

// awaitVersion waits until a configuration newer than version is in use.
func (r *rig) awaitVersion(version uint64) {
	r.t.Helper()
	await(r.t, fmt.Sprintf("configuration after %d", version), func() bool { return r.status().Config.Version > version })
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

// oneRoute is a configuration with one route for /s/** at stage, whose service is
// asked however often it fails. Nothing is copied, so that every hit is a client's.
func oneRoute(monolith, service, stage string) string {
	return fmt.Sprintf("monolith: %s\nservices:\n  s: { url: %s, breaker: off }\nroutes:\n  r: { match: /s/**, to: s, stage: %s, shadow: off }\n", monolith, service, stage)
}

// impatient is a route that waits 400 ms for its service.
func impatient(monolith, service string) string {
	return strings.Replace(oneRoute(monolith, service, "live"), "to: s,", "to: s, timeout: 400ms,", 1)
}

// newRawLoop is an upstream that answers every request without a body with response,
// at the least cost, and returns its url.
func newRawLoop(t testing.TB, response string) string {
	answer := []byte(response)
	s := newRaw(t, func(conn net.Conn, in *bufio.Reader, _ string) {
		_ = conn.SetDeadline(time.Time{})
		for {
			if _, err := conn.Write(answer); err != nil {
				return
			}
			for { // the next head
				line, err := in.ReadSlice('\n')
				if err != nil {
					return
				}
				if len(line) == 2 {
					break
				}
			}
		}
	})
	return s.url()
}

// metric is a value on the page of metrics; one that is not there is 0.
func (r *rig) metric(t testing.TB, series string) float64 {
	t.Helper()
	_, rest, found := strings.Cut(r.admin("GET", "/metrics").text, "\n"+series+" ")
	if !found {
		return 0
	}
	text, _, _ := strings.Cut(rest, "\n")
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// setStage is an edit of one route at the path.
func setStage(path, name, stage string) error {
	_, err := config.Edit(path, config.EditOptions{}, func(d *config.Draft) error {
		to, err := config.ParseStage(stage)
		if err != nil {
			return err
		}
		return d.SetStage(name, to)
	})
	return err
}
