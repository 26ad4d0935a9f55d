package strangler_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	strangler "github.com/stranglerfig/toolkit/strangler-proxy"
)

func TestForwardedHeadersAreTheProxysOwn(t *testing.T) {
	t.Parallel()
	m := newRaw(t, func(conn net.Conn, _ *bufio.Reader, _ string) {
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	})
	r := start(t, "monolith: "+m.url()+"\n")
	spoof := "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Prefix: /evil\r\nX-Forwarded-Port: 1\r\n" +
		"X_Forwarded_For: 6.6.6.6\r\nX.Forwarded.Host: evil\r\nForwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nx_real_ip: 6.6.6.6\r\n" +
		"X-Strangler-Force: service\r\nX-Strangler-Shadow: 1\r\nx_strangler_force: service\r\n"
	for i, extra := range []string{
		"", "Connection: X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Proto, X-Request-Id\r\n", "Connection: close, x-forwarded-for\r\nConnection: X-Real-IP\r\n",
		"Connection: \r\nConnection: X-Forwarded-For\r\n", "X-Forwarded-For: 7.7.7.7\r\n", "Connection: Host\r\n",
	} {
		answer := r.send("GET /x HTTP/1.1\r\nHost: shop.example\r\n" + spoof + extra + "Connection: close\r\n\r\n")
		if !strings.HasPrefix(answer, "HTTP/1.1 200") {
			t.Fatalf("%q: %q", extra, answer)
		}
		head := m.requests()[i]
		for _, want := range []string{"\r\nX-Forwarded-For: 127.0.0.1\r\n", "\r\nX-Forwarded-Host: shop.example\r\n", "\r\nX-Forwarded-Proto: http\r\n", "\r\nHost: shop.example\r\n", "\r\nX-Request-Id: "} {
			if strings.Count(head, want) != 1 {
				t.Errorf("%q: want %q once in\n%s", extra, want, head)
			}
		}
		for _, no := range []string{"6.6.6.6", "7.7.7.7", "evil", "strangler", "prefix", "connection:"} {
			if strings.Contains(strings.ToLower(head), no) {
				t.Errorf("%q: %q reached the monolith:\n%s", extra, no, head)
			}
		}
	}
}

func TestHopByHopHeadersAndUpgradesAreDropped(t *testing.T) {
	t.Parallel()
	m := newRaw(t, func(conn net.Conn, _ *bufio.Reader, _ string) {
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	})
	r := start(t, "monolith: "+m.url()+"\n")
	for i, extra := range []string{
		"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n",
		"Upgrade: TLS/1.0\r\nConnection: Upgrade\r\n", "Upgrade: websocket, h2c\r\nConnection: Upgrade\r\n", "Upgrade: h2c\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
		"Upgrade: websocket\r\n", "Keep-Alive: 5\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: x\r\nTE: gzip\r\nX-Mine: 1\r\nConnection: X-Mine\r\n",
	} {
		answer := r.send("GET /x HTTP/1.1\r\nHost: h\r\n" + extra + "Connection: close\r\n\r\n")
		if !strings.HasPrefix(answer, "HTTP/1.1 200") {
			t.Fatalf("%q: %q", extra, answer)
		}
		head := strings.ToLower(m.requests()[i])
		for _, no := range []string{"upgrade", "http2-settings", "connection", "keep-alive", "proxy-authorization", "\r\nte:", "x-mine"} {
			if strings.Contains(head, no) {
				t.Errorf("%q: %q reached the monolith:\n%s", extra, no, head)
			}
		}
	}
}

// What is refused never reaches an upstream.
func TestRefusedRequests(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "monolith"), newEcho(t, "s")
	r := start(t, "monolith: "+m.URL+"\nservices: {s: \""+s.URL+"\"}\nroutes:\n  o: { match: /orders/**, to: s, stage: live }\n  a: { match: /admin, stage: monolith }\n")
	const end = " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
	for request, want := range map[string]string{
		"GET /orders/..%2fadmin" + end:               "400",
		"GET /orders/../admin" + end:                 "400",
		"GET /orders/%2e%2e/admin" + end:             "400",
		"GET /orders\\..\\admin" + end:               "400",
		"GET /orders%5c..%5cadmin" + end:             "400",
		"GET //admin" + end:                          "400",
		"GET /a%00b" + end:                           "400",
		"GET /a%0d%0aX:y" + end:                      "400",
		"GET /a%7f" + end:                            "400",
		"GET /a\x01b" + end:                          "400",
		"GET /a#b" + end:                             "400",
		"GET /a%zz" + end:                            "400",
		"GET a" + end:                                "400",
		"GET *" + end:                                "400",
		"OPTIONS *" + end:                            "400",
		"CONNECT h:443" + end:                        "405",
		"GET /" + strings.Repeat("a", 17<<10) + end:  "414",
		"GET /?" + strings.Repeat("a", 17<<10) + end: "414",
		"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-A: " + strings.Repeat("a", 65<<10) + "\r\n\r\n":        "431",
		"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" + strings.Repeat("X-A: 1234567890\r\n", 5000) + "\r\n": "431",
		"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-A: " + strings.Repeat("a", 300<<10) + "\r\n\r\n":       "431",
		"GET / HTTP/1.1\r\nConnection: close\r\n\r\n":                                                               "400",
		"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n":                                         "400",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\nConnection: close\r\n\r\nxx":       "400",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\nConnection: close\r\n\r\n":                             "400",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\nConnection: close\r\n\r\nx":                            "400",
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, identity\r\nConnection: close\r\n\r\n0\r\n\r\n":  "501",
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\nConnection: close\r\n\r\n0\r\n\r\n":           "501",
		"GET / HTTP/1.1\r\nHost: h\r\nX A: 1\r\nConnection: close\r\n\r\n":                                          "400",
		"GET / HTTP/1.1\r\nHost: h\r\nX-A: 1\x00\r\nConnection: close\r\n\r\n":                                      "400",
		"GET / HTTP/1.1\r\nHost : h\r\nConnection: close\r\n\r\n":                                                   "400",
		"GET / HTTP/3.9\r\nHost: h\r\nConnection: close\r\n\r\n":                                                    "505",
		"GET  /  HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n":                                                  "400",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + strings.Repeat("x", 200) + "\r\n\r\n":                      "400",
	} {
		answer := r.send(request)
		if !strings.HasPrefix(answer, "HTTP/1.1 "+want+" ") {
			t.Errorf("%.60q: got %.80q, want %s", request, answer, want)
		}
	}
	if n := m.hits.Load() + s.hits.Load(); n != 0 {
		t.Errorf("%d refused requests reached an upstream", n)
	}
	if got := r.do("GET", "/orders/1", nil); got.saw.Server != "s" {
		t.Errorf("afterwards a good request got %v %s", got.Status, got.text)
	}
	for reason, target := range map[string]string{"ambiguous_path": "/orders/..%2fadmin", "bad_path": "/a%00b"} {
		before := r.metric(t, `strangler_rejected_requests_total{reason="`+reason+`"}`)
		r.send("GET " + target + end)
		if after := r.metric(t, `strangler_rejected_requests_total{reason="`+reason+`"}`); after != before+1 {
			t.Errorf("%s: the counter went from %v to %v", target, before, after)
		}
	}
}

// Two lengths are refused, and what stands in a body is never a request.
func TestSmuggledRequestsStayBodies(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	r := start(t, "monolith: "+m.URL+"\n")
	const inner = "GET /two HTTP/1.1\r\nHost: h\r\n\r\n"
	for framed, status := range map[string]string{
		"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner:                 "400",
		"Transfer-Encoding: chunked\r\nContent-Length: 40\r\n\r\n1e\r\n" + inner + "\r\n0\r\n\r\n": "400",
		"Content-Length: 33\r\n\r\n" + inner + "12345":                                             "200",
		"Transfer-Encoding: chunked\r\n\r\n1e;x=y\r\n" + inner + "\r\n0\r\n\r\n" + inner:           "200",
	} {
		before := m.hits.Load()
		answer := r.send("POST /one HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" + framed)
		hits := m.hits.Load() - before
		if strings.Count(answer, "HTTP/1.1 ") != 1 || !strings.HasPrefix(answer, "HTTP/1.1 "+status) || strings.Contains(answer, "/two") || (hits == 1) != (status == "200") {
			t.Errorf("%q: %d requests went on, got %q", framed, hits, answer)
		}
	}
}

func TestSlowClientsAreDropped(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	r := start(t, "monolith: "+m.URL+"\n", func(o *strangler.Options) {
		o.HeaderTimeout, o.StallTimeout, o.IdleTimeout = 200*time.Millisecond, 200*time.Millisecond, 200*time.Millisecond
	})
	for name, request := range map[string]string{
		"head":   "GET / HTTP/1.1\r\nHost: h\r\nX-",
		"body":   "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc",
		"chunks": "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
		"idle":   "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
	} {
		conn, err := net.Dial("tcp", r.proxy.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprint(conn, request)
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		answer, err := io.ReadAll(conn)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: the connection stays open", name)
		}
		if strings.HasPrefix(request, "POST") && !strings.HasPrefix(string(answer), "HTTP/1.1 408 ") {
			t.Errorf("%s: got %.80q", name, answer)
		}
	}
	// A response that takes longer than the client's limits is no one's fault.
	slow := newRaw(t, func(conn net.Conn, in *bufio.Reader, _ string) {
		_, _ = io.CopyN(io.Discard, in, 3)
		<-time.After(500 * time.Millisecond)
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nslow")
	})
	r.write("monolith: " + slow.url() + "\n")
	r.awaitVersion(1)
	if got := r.do("POST", "/", strings.NewReader("abc")); got.text != "slow" {
		t.Errorf("a slow response became %v %q", got.Status, got.text)
	}
}

// A client that does not read its response is let go.
func TestClientThatDoesNotReadIsDropped(t *testing.T) {
	t.Parallel()
	m := newRaw(t, func(conn net.Conn, _ *bufio.Reader, _ string) {
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
		_, _ = io.Copy(conn, io.LimitReader(zeros{}, 1<<30))
	})
	r := start(t, "monolith: "+m.url()+"\n", func(o *strangler.Options) { o.StallTimeout = 200 * time.Millisecond })
	conn, err := net.Dial("tcp", r.proxy.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	await(t, "the request in flight", func() bool { return r.status().InFlight == 1 })
	await(t, "the request to be given up", func() bool { return r.status().InFlight == 0 })
}

func TestBrokenChunksAreTheClientsFault(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	r := start(t, "monolith: "+m.URL+"\n")
	for _, chunks := range []string{"zz\r\nabc\r\n0\r\n\r\n", "-1\r\n", "3\nabc\n0\n\n", "3\r\nabcd\r\n0\r\n\r\n", "ffffffffffffffffff\r\n"} {
		answer := r.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + chunks)
		if !strings.HasPrefix(answer, "HTTP/1.1 400 ") || !strings.Contains(answer, "X-Strangler-Served-By: proxy") {
			t.Errorf("%q: got %.200q", chunks, answer)
		}
	}
}

func TestMetricLabelsAreBounded(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	r := start(t, "monolith: "+m.URL+"\n")
	series := func() int {
		res, err := http.Get("http://" + r.proxy.AdminAddr().String() + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, _ := io.ReadAll(res.Body)
		return strings.Count(string(text), "\nstrangler_")
	}
	r.do("GET", "/first", nil)
	before := series()
	for i := range 200 {
		r.do("GET", fmt.Sprintf("/<script>%d?x=%d", i, i), nil, "User-Agent", fmt.Sprint(i), "Host", fmt.Sprintf("h%d", i))
	}
	if after := series(); after != before {
		t.Errorf("200 paths made %d new series", after-before)
	}
}
