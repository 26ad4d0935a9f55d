package strangler_test

import (
	"fmt"
	"strings"
	"testing"

	strangler "github.com/stranglerfig/toolkit/strangler-proxy"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
)

// Servlet containers cut ";…" off a segment before they resolve dots.
func TestDotsWithParametersAreDots(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "monolith"), newEcho(t, "s")
	r := start(t, "monolith: "+m.URL+"\nservices: {s: \""+s.URL+"\"}\nroutes:\n  o: { match: /orders/**, to: s, stage: live }\n  a: { match: /admin, stage: monolith }\n")
	for _, path := range []string{
		"/orders/..;/admin", "/orders/..;a=b/admin", "/orders/%2e%2e;/admin", "/orders/.;/..;/admin", "/orders/..%3b/admin", "/orders/..;x%2fadmin", "/orders/.;x/..;y/admin",
		"/x/..;/orders/1",
	} {
		if got := r.do("GET", path, nil); got.StatusCode != 400 {
			t.Errorf("%s: %d by %s", path, got.StatusCode, got.saw.Server)
		}
	}
	for path, want := range map[string]string{
		"/orders;jsessionid=1": "monolith", "/orders/1;jsessionid=1": "s", "/orders/a..;b": "s", "/orders/...;b": "s", "/orders/1;/2": "s",
	} {
		if got := r.do("GET", path, nil); got.saw.Server != want || got.saw.Target != path {
			t.Errorf("%s: %d by %q as %q, want %s", path, got.StatusCode, got.saw.Server, got.saw.Target, want)
		}
	}
}

// A path that must be read in many ways cannot be so deep that reading it costs much.
func TestDeepPaths(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	r := start(t, "monolith: "+m.URL+"\nroutes:\n  a: { match: \"/a/{x}/**\", stage: monolith }\n")
	for unit, want := range map[string]int{"/x": 200, "/%2e;": 400, "/a%5c": 400, "//": 400, "/.;\\%2f": 400, "/%20": 400} {
		if got := r.do("GET", "/a/b"+strings.Repeat(unit, 10_000/len(unit)), nil); got.StatusCode != want {
			t.Errorf("%s: %d", unit, got.StatusCode)
		}
		if got := r.do("GET", "/a/b"+strings.Repeat(unit, 60), nil); got.StatusCode != 200 {
			t.Errorf("60 times %s: %d", unit, got.StatusCode)
		}
	}
}

// What a request's headers may not say, its trailers may not say either.
func TestForwardingHeadersInTrailers(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	r := start(t, "monolith: "+m.URL+"\n")
	for _, announced := range []string{"Trailer: X-Forwarded-For, X-Strangler-Force, X-Sum, x_forwarded_host\r\n", "Trailer: X-Sum\r\n"} {
		answer := r.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n" + announced + "Connection: close\r\n\r\n" +
			"3\r\nabc\r\n0\r\nX-Forwarded-For: 6.6.6.6\r\nX-Strangler-Force: service\r\nX-Sum: 1\r\nX_Forwarded_Host: evil\r\nX-Request-Id: evil\r\n\r\n")
		if !strings.Contains(answer, `"Trailer":{"X-Sum":["1"]}`) {
			t.Errorf("%q: got %q", announced, answer)
		}
	}
}

// A proxy that is its own upstream would ask itself until nothing is left.
func TestProxyIsNotItsOwnUpstream(t *testing.T) {
	t.Parallel()
	free := strings.TrimPrefix(freeURL(t), "http://127.0.0.1:")
	for _, c := range []struct{ listen, to string }{
		{"127.0.0.1:" + free, "127.0.0.1:" + free},
		{":" + free, "127.0.0.1:" + free},
		{"0.0.0.0:" + free, "localhost:" + free},
		{"[::]:" + free, "127.0.0.2:" + free},
	} {
		source := fmt.Sprintf("version: 1\nlisten: %q\nadmin: { listen: 127.0.0.1:0 }\nmonolith: http://%s\n", c.listen, c.to)
		if _, _, err := config.Parse("c.yaml", []byte(source), config.Options{}); err == nil || !strings.Contains(err.Error(), "the proxy's own address") {
			t.Errorf("file, %v: %v", c, err)
		}
		if cfg, err := config.Single(c.listen, "127.0.0.1:0", "http://"+c.to); err == nil {
			p, err := strangler.New(t.Context(), strangler.Options{Config: cfg})
			if err == nil {
				p.Close()
				t.Errorf("without a file, %v: accepted", c)
			}
		}
		fine, err := config.Single("127.0.0.1:0", "127.0.0.1:0", "http://"+c.to)
		if err != nil {
			t.Fatal(err)
		}
		p, err := strangler.New(t.Context(), strangler.Options{Config: fine, Listen: c.listen})
		if err == nil {
			p.Close()
			t.Errorf("by flag, %v: accepted", c)
		}
	}
	r := start(t, "monolith: http://127.0.0.1:1\n")
	r.write("monolith: " + r.url("") + "\n")
	if err := r.proxy.Reload(); err == nil || !strings.Contains(err.Error(), "the proxy's own address") {
		t.Errorf("by reload: %v", err)
	}
}
