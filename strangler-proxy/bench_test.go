package strangler_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	strangler "github.com/stranglerfig/toolkit/strangler-proxy"
)

// BenchmarkForward is a GET of 1 KiB through the proxy, keep-alive on both sides. The
// figures hold the test's client and upstream too; "direct" is the same without the proxy.
func BenchmarkForward(b *testing.B) {
	payload := strings.Repeat("x", 1024)
	m := newRawLoop(b, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\n\r\n"+payload)
	quiet := func(o *strangler.Options) { o.AccessLog = false }
	r := start(b, oneRoute(m, m, "live"), quiet)
	var routes strings.Builder
	for i := range 499 {
		fmt.Fprintf(&routes, "  r%d: { match: \"GET /resource%d/{id}\", to: s, stage: live }\n", i, i)
	}
	many := start(b, oneRoute(m, m, "live")+routes.String(), quiet)
	logged := start(b, oneRoute(m, m, "live"), func(o *strangler.Options) { o.AccessOut = io.Discard })
	traced := start(b, "tracing: {}\n"+oneRoute(m, m, "live"), quiet)
	sampled := start(b, "tracing: { sample: 5% }\n"+oneRoute(m, m, "live"), quiet)
	for _, target := range []struct{ name, url string }{
		{"direct", m + "/s/x"},
		{"monolith", r.url("/other")},
		{"service", r.url("/s/x")},
		{"500routes", many.url("/resource250/7")},
		{"logged", logged.url("/s/x")},
		{"traced", traced.url("/s/x")},
		{"sampled", sampled.url("/s/x")},
	} {
		b.Run(target.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(8)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					res, err := r.client.Get(target.url)
					if err != nil {
						b.Error(err)
						return
					}
					n, err := io.Copy(io.Discard, res.Body)
					res.Body.Close()
					if err != nil || n != 1024 || res.StatusCode != http.StatusOK {
						b.Errorf("%d bytes, %v, %v", n, res.Status, err)
						return
					}
				}
			})
		})
	}
}

// BenchmarkCopied is a GET of 1 KiB that the monolith answers and of which a copy goes to
// the service, both answers compared. The client and the upstream allocate nothing.
func BenchmarkCopied(b *testing.B) {
	m := newRawLoop(b, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\n\r\n"+strings.Repeat("x", 1024))
	config := strings.Replace(oneRoute(m, m, "shadow"), "shadow: off", "shadow: { percent: 100 }", 1)
	r := start(b, config, func(o *strangler.Options) { o.AccessLog = false })
	conn, err := net.Dial("tcp", strings.TrimPrefix(r.url(""), "http://"))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	request, answer := []byte("GET /s/x HTTP/1.1\r\nHost: shop.test\r\n\r\n"), make([]byte, 64<<10)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := conn.Write(request); err != nil {
			b.Fatal(err)
		}
		for n := 0; !bytes.HasSuffix(answer[:n], []byte("xx")) || n < 1024; {
			more, err := conn.Read(answer[n:])
			if err != nil {
				b.Fatal(err)
			}
			n += more
		}
	}
}

// BenchmarkFlip flips a route 50 times while requests run at constant load, and
// reports how many of at least 20,000 failed. The figure to reach is 0.
func BenchmarkFlip(b *testing.B) {
	m, s := newEcho(b, "monolith"), newEcho(b, "s")
	r := start(b, oneRoute(m.URL, s.URL, "monolith"), func(o *strangler.Options) { o.AccessLog = false })
	var total flipResult
	for b.Loop() {
		result := flipUnderLoad(b, r, 50, 20_000)
		total.sent += result.sent
		total.flips += result.flips
		total.failures = append(total.failures, result.failures...)
	}
	b.ReportMetric(float64(total.sent)/float64(b.N), "requests/op")
	b.ReportMetric(float64(total.flips)/float64(b.N), "flips/op")
	b.ReportMetric(float64(len(total.failures))/float64(b.N), "failed/op")
	if len(total.failures) > 0 {
		b.Errorf("%d requests failed, the first: %s", len(total.failures), total.failures[0])
	}
}
