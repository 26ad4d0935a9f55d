package hostile_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// answer sends a request's beginning and returns the status of what comes back, while
// the client still seems to send.
func (p *proxy) answer(request string) string {
	p.t.Helper()
	conn := p.dial()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	go func() { _, _ = io.WriteString(conn, request) }()
	return p.status(bufio.NewReader(conn))
}

// Too much of a head or of a body is refused while it comes, and nobody is asked.
func TestWhatIsTooMuchIsRefusedBeforeItsEnd(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	m := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			asked.Add(1)
		}
		_, _ = io.Copy(io.Discard, r.Body) // who answers before the end would be quicker than the limit
	}))
	t.Cleanup(m.Close)
	p := start(t, "monolith: "+m.URL+"\nlimits: { body: 1MiB }\n")
	for name, c := range map[string]struct{ request, want string }{
		"one header":   {"GET / HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("x", 70<<10), "431"},
		"many headers": {"GET / HTTP/1.1\r\nHost: h\r\n" + strings.Repeat("X-Some-Name: and a value\r\n", 4000), "431"},
		"url":          {"GET /?" + strings.Repeat("x", 17<<10), "414"},
		"length":       {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1048577\r\n\r\n", "413"},
		"expected":     {"POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1048577\r\n\r\n", "413"},
	} {
		if got := p.answer(c.request); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	if n := asked.Load(); n > 0 {
		t.Errorf("the upstream was asked %d times", n)
	}
	chunks := "POST /chunked HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("10000\r\n"+strings.Repeat("c", 1<<16)+"\r\n", 17)
	if got := p.answer(chunks); got != "413" {
		t.Errorf("chunks: %s, want 413", got)
	}
}

// No number of query parameters hides one from the routes: 10,000 and one are seen as
// the upstream will see them, or refused.
func TestManyQueryParametersHideNone(t *testing.T) {
	t.Parallel()
	named := func(name string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "%s %s", name, r.URL.RawQuery[max(0, len(r.URL.RawQuery)-8):])
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	config := "monolith: " + named("monolith") + "\nh2c: true\nservices: { s: \"" + named("s") + "\" }\n" +
		"routes:\n  r: { match: { path: /q, query: { last: yes } }, to: s, stage: live, shadow: off }\n"
	narrow, wide := start(t, config), start(t, config+"limits: { url: 1MiB }\n")
	for _, two := range []bool{false, true} {
		for query, want := range map[string]string{
			strings.Repeat("a=1&", 10_000) + "last=yes":  "s last=yes",
			"last=yes&" + strings.Repeat("a=1&", 10_000): "s a=1&a=1&",
			strings.Repeat("a=1&", 10_000) + "last=not":  "monolith last=not",
			strings.Repeat("&", 20_000) + "last=yes":     "s last=yes",
		} {
			for p, status := range map[*proxy]int{narrow: 414, wide: 200} {
				res, err := p.client(two).Get("http://" + p.address + "/q?" + query)
				if err != nil {
					t.Fatal(err)
				}
				text, _ := io.ReadAll(res.Body)
				res.Body.Close()
				if res.StatusCode != status || status == 200 && string(text) != want {
					t.Errorf("HTTP/2 %t, %.20s…: %d %.80q, want %d %q", two, query, res.StatusCode, text, status, want)
				}
			}
		}
	}
}
