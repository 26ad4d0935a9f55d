package strangler_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	strangler "github.com/stranglerfig/toolkit/strangler-proxy"
)

// A service that announces a failure and then keeps the connection open without
// saying more must not hold the client: the monolith answers at once.
func TestFailureWithoutAnEndFallsBack(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	release := make(chan struct{})
	s := newRaw(t, func(conn net.Conn, _ *bufio.Reader, head string) {
		status := "503 Service Unavailable"
		if strings.HasPrefix(head, "POST") {
			status = "501 Not Implemented"
		}
		framing := "Transfer-Encoding: chunked\r\n\r\n5\r\nsorry\r\n"
		if strings.Contains(head, "/long") {
			framing = "Content-Length: 100000\r\n\r\nsorry"
		}
		fmt.Fprintf(conn, "HTTP/1.1 %s\r\n%s", status, framing)
		<-release
	})
	t.Cleanup(func() { close(release) })
	r := start(t, oneRoute(m.URL, s.url(), "live"))
	r.client.Timeout = 3 * time.Second
	for _, path := range []string{"/s/chunked", "/s/long"} {
		got, err := r.try("GET", path, nil)
		if err != nil {
			t.Fatalf("GET %s: %v", path, err)
		}
		served(t, got, 200, "monolith", "status_503")
		got, err = r.try("POST", path, nil)
		if err != nil {
			t.Fatalf("POST %s: %v", path, err)
		}
		served(t, got, 200, "monolith", "status_501")
	}
}

// A status line with a number that is no status is garbage like any other.
func TestStatusesThatAreNone(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	s := newRaw(t, func(conn net.Conn, _ *bufio.Reader, head string) {
		_, status, _ := strings.Cut(head, "?is=")
		fmt.Fprintf(conn, "HTTP/1.1 %.3s X\r\nContent-Length: 0\r\n\r\n", status)
	})
	r := start(t, oneRoute(m.URL, s.url(), "live"))
	for _, status := range []string{"000", "001", "099"} {
		got, err := r.try("GET", "/s/x?is="+status, nil)
		if err != nil {
			t.Errorf("%s: %v", status, err)
			continue
		}
		served(t, got, 200, "monolith", "bad_response")
		got, err = r.try("POST", "/s/x?is="+status, strings.NewReader("x"))
		if err != nil || got.StatusCode != 502 {
			t.Errorf("POST %s: %v %v", status, got.Response, err)
		}
	}
	if got := r.do("GET", "/s/x?is=999", nil); got.StatusCode != 999 {
		t.Errorf("999 became %d", got.StatusCode)
	}
}

// A response that pauses for longer than a silent client may is still whole.
func TestPauseBeforeTheEndOfAResponse(t *testing.T) {
	t.Parallel()
	m := newRaw(t, func(conn net.Conn, _ *bufio.Reader, _ string) {
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
		<-time.After(500 * time.Millisecond)
		_, _ = io.WriteString(conn, "0\r\n\r\n")
	})
	r := start(t, "monolith: "+m.url()+"\n", func(o *strangler.Options) { o.StallTimeout = 100 * time.Millisecond })
	got, err := r.try("GET", "/", nil)
	if err != nil || got.text != "hello" {
		t.Errorf("got %q %v", got.text, err)
	}
}

// The client says it has no more to send and still gets all that the upstream has to say.
func TestWebSocketHalfClose(t *testing.T) {
	t.Parallel()
	m := newRaw(t, func(conn net.Conn, in *bufio.Reader, _ string) {
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
		all, err := io.ReadAll(in) // ends only with the client's half-close
		if err != nil {
			return
		}
		fmt.Fprintf(conn, "%d bytes:%s", len(all), strings.Repeat("y", 300_000))
	})
	r := start(t, "monolith: "+m.url()+"\n")
	s := r.socket("/chat")
	_ = s.SetDeadline(time.Now().Add(5 * time.Second))
	_, _ = io.WriteString(s, strings.Repeat("x", 100_000))
	if err := s.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(s.in)
	if err != nil || len(rest) != 300_000+len("100000 bytes:") {
		t.Errorf("got %.20q, %d bytes, %v", rest, len(rest), err)
	}
}

// An HTTP/1.0 client does not know interim responses and would take one for the answer.
func TestInterimResponsesAreKeptFromHTTP10(t *testing.T) {
	t.Parallel()
	m := newRaw(t, func(conn net.Conn, _ *bufio.Reader, _ string) {
		_, _ = io.WriteString(conn, "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nX-Strangler-Served-By: liar\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
	})
	r := start(t, "monolith: "+m.url()+"\n")
	if answer := r.send("GET / HTTP/1.0\r\nHost: h\r\n\r\n"); !strings.HasPrefix(answer, "HTTP/1.0 200 ") || strings.Contains(answer, "a.css") {
		t.Errorf("HTTP/1.0 got %q", answer)
	}
	answer := r.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
	if !strings.HasPrefix(answer, "HTTP/1.1 103 ") || !strings.Contains(answer, "HTTP/1.1 200 OK") {
		t.Errorf("HTTP/1.1 got %q", answer)
	}
	if strings.Contains(answer, "liar") {
		t.Errorf("the upstream speaks in the proxy's name: %q", answer)
	}
}

// The client is told once to go on, by whomever.
func TestContinueIsSaidOnce(t *testing.T) {
	t.Parallel()
	m := newRaw(t, func(conn net.Conn, in *bufio.Reader, _ string) {
		_, _ = io.WriteString(conn, "HTTP/1.1 100 Continue\r\n\r\n")
		_, _ = io.CopyN(io.Discard, in, 5)
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
	})
	r := start(t, "monolith: "+m.url()+"\n")
	for range 50 {
		for expect, want := range map[string]int{"Expect: 100-continue\r\n": 1, "": 0} {
			answer := r.send("POST / HTTP/1.1\r\nHost: h\r\n" + expect + "Content-Length: 5\r\nConnection: close\r\n\r\n12345")
			if n := strings.Count(answer, "HTTP/1.1 100"); !strings.HasSuffix(answer, "\r\n\r\nok") || n > want {
				t.Fatalf("%q: %q", expect, answer)
			}
		}
	}
}

// An answer that comes before the body was sent reaches the client, who may still be sending.
func TestEarlyAnswersReachTheClient(t *testing.T) {
	t.Parallel()
	m := newRaw(t, func(conn net.Conn, in *bufio.Reader, _ string) {
		_, _ = io.WriteString(conn, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 7\r\nConnection: close\r\n\r\ntoo big")
		_ = conn.(*net.TCPConn).CloseWrite()
		_ = conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		_, _ = io.Copy(io.Discard, in)
	})
	r := start(t, "monolith: "+m.url()+"\n")
	for i := range 20 {
		got, err := r.try("POST", "/", io.LimitReader(zeros{}, 4<<20))
		if err != nil || got.StatusCode != http.StatusRequestEntityTooLarge || got.text != "too big" {
			t.Fatalf("upload %d: %v %q %v", i, got.Response, got.text, err)
		}
	}
}
