package strangler_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// cut is an upstream that answers GET /N with the first N bytes of answer and ends.
func cut(t *testing.T, answer string, reset bool) *raw {
	return newRaw(t, func(conn net.Conn, _ *bufio.Reader, head string) {
		_, path, _ := strings.Cut(head, " /")
		path, _, _ = strings.Cut(path, " ")
		n, err := strconv.Atoi(path)
		if err != nil {
			return
		}
		_, _ = io.WriteString(conn, answer[:n])
		if reset {
			_ = conn.(*net.TCPConn).SetLinger(0)
		}
	})
}

// tell is what a client makes of an answer, read to its end.
func tell(res *http.Response, err error) (status int, text string, _ error) {
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	all, err := io.ReadAll(res.Body)
	return res.StatusCode, string(all), err
}

// get is a GET over a connection of its own.
func get(url, version string) (status int, text string, _ error) {
	address := strings.TrimPrefix(url, "http://")
	address, path, _ := strings.Cut(address, "/")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return 0, "", err
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "GET /%s HTTP/%s\r\nHost: h\r\nConnection: close\r\n\r\n", path, version); err != nil {
		return 0, "", err
	}
	in := bufio.NewReader(conn)
	for {
		res, err := http.ReadResponse(in, nil)
		if err == nil && res.StatusCode < 200 {
			continue
		}
		return tell(res, err)
	}
}

// An upstream that ends at any byte of its answer: the client gets all of it, or an
// error, and never a part that looks like all, whatever it speaks.
func TestAnswersCutAtEveryByte(t *testing.T) {
	t.Parallel()
	const body = "a body of some length, in pieces"
	for name, answer := range map[string]string{
		"by length":   fmt.Sprintf("HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: %d\r\n\r\n%s", len(body), body),
		"chunked":     fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7;e=1\r\n%s\r\n%x\r\n%s\r\n0\r\nX-T: v\r\n\r\n", body[:7], len(body)-7, body[7:]),
		"until close": "HTTP/1.1 200 OK\r\nX: y\r\n\r\n" + body,
		"interim":     fmt.Sprintf("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body),
	} {
		for _, reset := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s reset=%v", name, reset), func(t *testing.T) {
				t.Parallel()
				m := cut(t, answer, reset)
				r := start(t, "monolith: "+m.url()+"\nh2c: true\n")
				two := clearHTTP2(t)
				head := strings.LastIndex(answer[:len(answer)-len("\r\n\r\n")], "\r\n\r\n") + 4
				if name == "chunked" {
					head = strings.Index(answer, "\r\n\r\n") + 4
				}
				for n := range len(answer) + 1 {
					url := r.url("/" + strconv.Itoa(n))
					asked := map[string]func() (int, string, error){
						"HTTP/1.1": func() (int, string, error) { return get(url, "1.1") },
						"HTTP/1.0": func() (int, string, error) { return get(url, "1.0") },
						"HTTP/2": func() (int, string, error) {
							req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
							if err != nil {
								return 0, "", err
							}
							return tell(two.Do(req))
						},
					}
					for version, ask := range asked {
						status, text, err := ask()
						whole := n == len(answer)
						orderly := name == "until close" && !reset && n >= head // nobody can tell
						switch {
						case err != nil && n < head && !errors.Is(err, io.ErrUnexpectedEOF):
							t.Errorf("%s, %d bytes: %v", version, n, err)
						case err != nil && whole && !reset:
							t.Errorf("%s, all bytes: %v", version, err)
						case err == nil && status == 200 && text != body && !orderly:
							t.Errorf("%s, %d of %d bytes: %q looks complete", version, n, len(answer), text)
						case err == nil && status != 200 && status != 502:
							t.Errorf("%s, %d bytes: %d", version, n, status)
						case err == nil && whole && !reset && (status != 200 || text != body):
							t.Errorf("%s, all bytes: %d %q", version, status, text)
						}
					}
				}
			})
		}
	}
}

// What an upstream says in a trailer in the proxy's name does not pass, nor does what
// has no place there.
func TestTrailersOfAnswers(t *testing.T) {
	t.Parallel()
	m := newRaw(t, func(conn net.Conn, _ *bufio.Reader, _ string) {
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\n"+
			"X-Sum: 7\r\nX-Strangler-Served-By: liar\r\nx-strangler-route: liar\r\nContent-Length: 9\r\nSet-Cookie: liar=1\r\nX-Request-Id: liar\r\nConnection: liar\r\nTransfer-Encoding: liar\r\nX-End: 8\r\n\r\n")
	})
	r := start(t, "monolith: "+m.url()+"\nh2c: true\n")
	answer := r.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
	if strings.Contains(answer, "liar") || !strings.HasSuffix(answer, "0\r\nX-Sum: 7\r\nX-End: 8\r\n\r\n") {
		t.Errorf("HTTP/1.1: %q", answer)
	}
	if answer = r.send("GET / HTTP/1.0\r\nHost: h\r\n\r\n"); !strings.HasSuffix(answer, "\r\n\r\nok") {
		t.Errorf("HTTP/1.0: %q", answer)
	}
	res, err := clearHTTP2(t).Get(r.url("/"))
	if _, text, err := tell(res, err); err != nil || text != "ok" {
		t.Fatalf("HTTP/2: %q %v", text, err)
	}
	if got := fmt.Sprint(res.Trailer); got != "map[X-End:[8] X-Sum:[7]]" {
		t.Errorf("HTTP/2: %s", got)
	}
}

// clearHTTP2 is a client that speaks HTTP/2 without TLS over connections of its own.
func clearHTTP2(t *testing.T) *http.Client {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}
