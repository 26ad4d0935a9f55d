package strangler_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// endlessly writes piece until nobody takes it, or enough was written for any limit.
func endlessly(conn net.Conn, piece string) {
	for written := 0; written < 64<<20; written += len(piece) {
		if _, err := io.WriteString(conn, piece); err != nil {
			return
		}
	}
}

// Upstreams whose answer never begins: heads without an end, and more interim answers than
// anybody needs. They are given up long before they end, and the monolith answers.
func TestAnswersThatNeverBegin(t *testing.T) {
	t.Parallel()
	const status = "HTTP/1.1 200 OK\r\n"
	for name, answer := range map[string]func(conn net.Conn){
		"one endless line": func(conn net.Conn) { endlessly(conn, status+strings.Repeat("x", 64<<10)) },
		"endless lines":    func(conn net.Conn) { _, _ = io.WriteString(conn, status); endlessly(conn, "X-Some: thing\r\n") },
		"one endless value": func(conn net.Conn) {
			_, _ = io.WriteString(conn, status+"X: ")
			endlessly(conn, strings.Repeat("y", 4096))
		},
		"a flood of 100":       func(conn net.Conn) { endlessly(conn, "HTTP/1.1 100 Continue\r\n\r\n") },
		"a flood of 103":       func(conn net.Conn) { endlessly(conn, "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n") },
		"a flood of 102":       func(conn net.Conn) { endlessly(conn, "HTTP/1.1 102 Processing\r\n\r\n") },
		"a flood of both":      func(conn net.Conn) { endlessly(conn, "HTTP/1.1 103 X\r\n\r\nHTTP/1.1 100 X\r\n\r\n") },
		"endless blank lines":  func(conn net.Conn) { endlessly(conn, "\r\n\r\n\r\n\r\n") },
		"an interim of 64 MiB": func(conn net.Conn) { endlessly(conn, "HTTP/1.1 103 X\r\nX: "+strings.Repeat("z", 1<<20)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newRaw(t, func(conn net.Conn, _ *bufio.Reader, _ string) { answer(conn) })
			r := start(t, oneRoute(newEcho(t, "monolith").URL, s.url(), "live"))
			served(t, r.do("GET", "/s/x", nil), 200, "monolith", "bad_response")
			got := r.do("POST", "/s/x", strings.NewReader("x"))
			served(t, got, 502, "proxy", "")
			await(t, "the end of all requests", func() bool { return r.status().InFlight == 0 })
		})
	}
}

// What stands behind an answer that has no body is not the answer to the next request,
// nor does it reach the client.
func TestBytesBehindAnAnswer(t *testing.T) {
	t.Parallel()
	const stray = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
	for _, behind := range []string{"poison", stray, stray + stray, strings.Repeat("poison", 20_000)} {
		for _, c := range []struct{ method, head string }{
			{"GET", "HTTP/1.1 304 Not Modified\r\nEtag: \"1\"\r\n\r\n"},
			{"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 6\r\n\r\n"},
			{"GET", "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n"},
			{"GET", "HTTP/1.1 204 No Content\r\n\r\n"},
			{"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n"},
			{"GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
			{"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
		} {
			m := newRaw(t, func(conn net.Conn, in *bufio.Reader, head string) {
				for err := error(nil); err == nil; head, err = readHead(in) {
					answer := "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext"
					if strings.Contains(head, "/first") {
						answer = c.head + behind
					}
					_, _ = io.WriteString(conn, answer)
				}
			})
			r := start(t, "monolith: "+m.url()+"\n")
			for range 3 {
				conn := r.tcp() // both on one connection of the client
				fmt.Fprintf(conn, "%s /first HTTP/1.1\r\nHost: h\r\n\r\nGET /second HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", c.method)
				_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
				text, err := io.ReadAll(conn)
				if strings.Contains(string(text), "poison") || !strings.HasSuffix(string(text), "\r\n\r\nnext") || strings.Count(string(text), "HTTP/1.1 ") != 2 || err != nil {
					t.Errorf("%s %q and %.60q: the client got %.300q %v", c.method, c.head, behind, text, err)
				}
			}
		}
	}
}
