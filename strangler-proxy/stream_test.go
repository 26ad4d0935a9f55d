package strangler_test

import (
	"bufio"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// newSocketServer is an upstream that upgrades to WebSocket and then returns every
// byte it gets, with its name first.
func newSocketServer(t *testing.T, name string) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
			http.Error(w, "no upgrade", http.StatusBadRequest)
			return
		}
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		accept := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n%s:",
			base64.StdEncoding.EncodeToString(accept[:]), name)
		_, _ = io.Copy(conn, rw)
	}))
	t.Cleanup(s.Close)
	return s
}

type socket struct {
	net.Conn
	in   *bufio.Reader
	head string
}

func (r *rig) socket(path string) *socket {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.proxy.Addr().String())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", path)
	s := &socket{Conn: conn, in: bufio.NewReader(conn)}
	if s.head, err = readHead(s.in); err != nil || !strings.HasPrefix(s.head, "HTTP/1.1 101 ") {
		r.t.Fatalf("upgrade: %q %v", s.head, err)
	}
	return s
}

func (s *socket) expect(t *testing.T, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(s.in, got); err != nil || string(got) != want {
		t.Fatalf("got %.40q %v, want %.40q", got, err, want)
	}
}

func TestWebSocketSurvivesReloads(t *testing.T) {
	t.Parallel()
	m, s := newSocketServer(t, "monolith"), newSocketServer(t, "s")
	configured := func(stage string, extra int) string {
		return oneRoute(m.URL, s.URL, stage) + fmt.Sprintf("  other: { match: /other/%d, stage: monolith }\n", extra)
	}
	r := start(t, configured("monolith", 0))
	old := r.socket("/s/chat")
	if !strings.Contains(old.head, "X-Strangler-Served-By: monolith") || !strings.Contains(old.head, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") {
		t.Errorf("head %q", old.head)
	}
	old.expect(t, "monolith:")
	payload := make([]byte, 70_000)
	_, _ = rand.Read(payload)
	for i := 1; i <= 20; i++ {
		r.write(configured("monolith", i))
		r.awaitVersion(uint64(i))
		part := payload[:i*i*150]
		go func() { _, _ = old.Write(part) }()
		old.expect(t, string(part))
	}
	r.write(configured("live", 20))
	r.awaitVersion(21)
	fmt.Fprint(old, "still here")
	old.expect(t, "still here")
	fresh := r.socket("/s/chat")
	fresh.expect(t, "s:")
	if err := old.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(old.in); err != nil || len(rest) != 0 {
		t.Errorf("after the close: %q %v", rest, err)
	}
}

func TestWebSocketFallsBackWhenTheServiceIsDown(t *testing.T) {
	t.Parallel()
	m := newSocketServer(t, "monolith")
	r := start(t, oneRoute(m.URL, deadURL(t), "live"))
	s := r.socket("/s/chat")
	if !strings.Contains(s.head, "X-Strangler-Fallback: connect_refused") {
		t.Errorf("head %q", s.head)
	}
	s.expect(t, "monolith:")
}

// newEvents is an upstream that passes on as server-sent events what it is told.
func newEvents(t *testing.T, events <-chan string) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_ = http.NewResponseController(w).Flush()
		for {
			select {
			case <-r.Context().Done():
				return
			case e, open := <-events:
				if !open {
					return
				}
				fmt.Fprintf(w, "data: %s\n\n", e)
				_ = http.NewResponseController(w).Flush()
			}
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// expectEvent says an event and returns how long it took to the client.
func expectEvent(t *testing.T, events chan<- string, in *bufio.Reader, event string) time.Duration {
	t.Helper()
	said := time.Now()
	events <- event
	if line, err := in.ReadString('\n'); err != nil || line != "data: "+event+"\n" {
		t.Fatalf("event %s: %q %v", event, line, err)
	}
	took := time.Since(said)
	_, _ = in.ReadString('\n')
	return took
}

func TestServerSentEventsSurviveReloads(t *testing.T) {
	t.Parallel()
	events := make(chan string)
	m, s := newEvents(t, events), newEcho(t, "s")
	r := start(t, oneRoute(m.URL, s.URL, "monolith"))
	res, err := r.client.Get(r.url("/s/events"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	in := bufio.NewReader(res.Body)
	for i := range 20 {
		r.write(oneRoute(m.URL, s.URL, []string{"live", "monolith"}[i%2]))
		r.awaitVersion(uint64(i + 1))
		expectEvent(t, events, in, fmt.Sprint(i))
	}
	close(events)
	if rest, err := io.ReadAll(in); err != nil || len(rest) != 0 {
		t.Errorf("the end: %q %v", rest, err)
	}
}

// No event waits for another one, nor for a time, at whichever door.
func TestEventsPassAtOnce(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	for door, get := range map[string]func(r *rig) (*http.Response, error){
		"HTTP/1.1":        func(r *rig) (*http.Response, error) { return r.client.Get(r.url("/events")) },
		"HTTP/1.1 in TLS": func(r *rig) (*http.Response, error) { return r.secure(t, p, false).Get(r.https("/events")) },
		"HTTP/2":          func(r *rig) (*http.Response, error) { return r.secure(t, p, true).Get(r.https("/events")) },
	} {
		events := make(chan string)
		config := "monolith: " + newEvents(t, events).URL + "\n"
		if door != "HTTP/1.1" {
			config += p.yaml()
		}
		res, err := get(start(t, config))
		if err != nil {
			t.Fatal(err)
		}
		in, least := bufio.NewReader(res.Body), time.Hour
		for i := range 10 { // the least of them is what the proxy takes, the rest is the machine's
			least = min(least, expectEvent(t, events, in, fmt.Sprint(i)))
		}
		if least > 100*time.Millisecond {
			t.Errorf("%s: events took %v at least", door, least)
		}
		res.Body.Close()
	}
}
