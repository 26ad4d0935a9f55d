package strangler_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// tcp is a plain connection to the proxy.
func (r *rig) tcp() *net.TCPConn {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.proxy.Addr().String())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	return conn.(*net.TCPConn)
}

// A request that is refused by its head gets its answer, also if the client sends all
// of a body before it reads.
func TestRefusalsReachClientsThatStillSend(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	r := start(t, "monolith: "+m.URL+"\nlimits: { body: 1MiB }\n")
	for i := range 10 {
		for head, want := range map[string]string{
			"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 8000000\r\n\r\n":                 "HTTP/1.1 413 ",
			"POST /%00 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n7a1200\r\n": "HTTP/1.1 400 ",
		} {
			conn := r.tcp()
			if i%2 == 1 { // after another request
				_, _ = io.WriteString(conn, "GET /first HTTP/1.1\r\nHost: h\r\n\r\n")
			}
			_, _ = io.WriteString(conn, head)
			_, err := io.Copy(conn, io.LimitReader(zeros{}, 8_000_000))
			answer, readErr := io.ReadAll(conn)
			if !strings.Contains(string(answer), want) || err != nil || readErr != nil {
				t.Fatalf("%q: %.80q, write: %v, read: %v", head, answer, err, readErr)
			}
		}
	}
}

// A service that answers 503 or 501 at the last moment of an upload: the monolith gets
// the whole body, or nobody asks it.
func TestBodySentAgainIsWhole(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	s := newRaw(t, func(conn net.Conn, in *bufio.Reader, head string) {
		status := "503 Service Unavailable"
		if strings.HasPrefix(head, "POST") {
			status = "501 Not Implemented"
		}
		answer := "HTTP/1.1 " + status + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
		_, _ = io.CopyN(io.Discard, in, 60_000) // not all
		_, _ = io.WriteString(conn, answer)
		_, _ = io.Copy(io.Discard, in)
	})
	r := start(t, oneRoute(m.URL, s.url(), "live"))
	for i := range 60 {
		size := 60_000 + i*193
		body := strings.Repeat("z", size)
		method := []string{"GET", "POST"}[i%2]
		framed := fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n", size-1000, body[1000:], 1000, body[:1000])
		conn := r.tcp()
		go func() {
			_, _ = io.WriteString(conn, method+" /s/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"+framed)
		}()
		answer, err := io.ReadAll(conn)
		hash := sha256.Sum256([]byte(body))
		whole := strings.Contains(string(answer), hex.EncodeToString(hash[:]))
		own := strings.HasPrefix(string(answer), "HTTP/1.1 50") && strings.Contains(string(answer), "Served-By: s\r\n")
		if !whole && !own {
			t.Errorf("%d bytes: %.300q %v", size, answer, err)
		}
	}
}

// What came with a long head is all there behind it.
func TestBodyBehindALongHead(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	r := start(t, "monolith: "+m.URL+"\nlimits: { header: 1MiB }\n")
	for _, fill := range []int{100, 60_000, 130_000, 200_000, 270_000, 500_000} {
		for _, size := range []int{65_537, 150_000, 700_000} {
			body := strings.Repeat("0123456789", size/10)
			var fields strings.Builder
			for n := range 20 {
				fmt.Fprintf(&fields, "X-%d: %s\r\n", n, strings.Repeat("f", fill/20))
			}
			for _, framed := range []string{
				fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body),
				fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body),
			} {
				answer := r.send("POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" + fields.String() + framed)
				if hash := sha256.Sum256([]byte(body)); !strings.Contains(answer, hex.EncodeToString(hash[:])) {
					t.Errorf("a head of %d, a body of %d: %.200q", fill, len(body), answer)
				}
			}
		}
	}
}

// An upstream that has answered and reads no further, but keeps its connection open: the
// client gets the answer, and nothing of the request is left behind.
func TestUpstreamThatAnswersAndReadsNoFurther(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	m := newRaw(t, func(conn net.Conn, in *bufio.Reader, head string) {
		answer := "HTTP/1.1 413 Content Too Large\r\nContent-Length: 7\r\n\r\ntoo big"
		if strings.Contains(head, "/garbage") {
			answer = "what?\r\n\r\n"
		}
		_, _ = io.WriteString(conn, answer)
		<-release
	})
	t.Cleanup(func() { close(release) })
	r := start(t, "monolith: "+m.url()+"\n")
	r.client.Timeout = 3 * time.Second
	for path, want := range map[string]int{"/": 413, "/garbage": 502} {
		for _, size := range []int64{48 << 20, 64 << 20} {
			got, err := r.try("POST", path, io.LimitReader(zeros{}, size))
			if err != nil || got.StatusCode != want {
				t.Errorf("%s, %d bytes: %v %v", path, size, got.Response, err)
			}
		}
	}
	await(t, "the end of all requests", func() bool {
		return strings.Contains(r.admin("GET", "/metrics").text, "strangler_requests_in_flight 0")
	})
}
