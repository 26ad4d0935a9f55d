package discover_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/strangler-proxy/discover"
)

func TestLeaks(t *testing.T) {
	t.Parallel()
	var urls []*url.URL
	for _, text := range []string{"http://10.0.0.5:9001", "http://orders.internal", "https://legacy.internal", "http://127.0.0.1:9000", "http://[::1]:9002", "http://shop.example:8080"} {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		urls = append(urls, u)
	}
	hosts := discover.NewHosts(urls...)
	for line, leaks := range map[string]bool{
		"Location: http://10.0.0.5:9001/x":                    true,
		"Location: //10.0.0.5:9001/x":                         true,
		"Location: //10.0.0.5/x":                              false,
		"Location: //orders.internal/x":                       true,
		"Location: http://10.0.0.5/x":                         false,
		"Location: /x?to=http://10.0.0.5:9001/x":              false,
		"Location: http://ORDERS.internal:80/":                true,
		"Location: https://orders.internal/":                  false,
		"Location: https://legacy.internal/login":             true,
		"Location: http://legacy.internal:443/":               true,
		"Location: http://127.0.0.1:9000/":                    true,
		"Location: http://127.0.0.1:8080/":                    false,
		"Location: http://[::1]:9002/":                        true,
		"Location: https://shop.example/x":                    false,
		"Location: https://user:pw@orders.internal:80/":       true,
		"Location: http://shop.example:8080/":                 true,
		"Location: http://%zz//":                              false,
		"Content-Location: http://10.0.0.5:9001/":             true,
		"Access-Control-Allow-Origin: http://orders.internal": true,
		"Access-Control-Allow-Origin: *":                      false,
		"Set-Cookie: a=b; Path=/; Domain=orders.internal":     true,
		"Set-Cookie: a=b; domain = .Orders.Internal ; Secure": true,
		"Set-Cookie: a=orders.internal; Path=/":               false,
		"Set-Cookie: a=b; Domain=shop.example":                false, // the client's own
		"Set-Cookie: a=b; Domain=":                            false,
		"X-Backend: http://10.0.0.5:9001/":                    false,
	} {
		name, value, _ := strings.Cut(line, ": ")
		header := http.Header{name: {"harmless", value}}
		want := ""
		if leaks {
			want = name
		}
		if got := discover.Leaks(header.Values, hosts, "shop.example"); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
	own := http.Header{"Location": {"http://shop.example:8080/x"}, "Set-Cookie": {"a=b; Domain=127.0.0.1"}}
	if got := discover.Leaks(own.Values, hosts, "shop.example:8080"); got != "Set-Cookie" {
		t.Errorf("the client's own address: %q", got)
	}
	delete(own, "Location")
	if got := discover.Leaks(own.Values, hosts, "127.0.0.1:8080"); got != "" {
		t.Errorf("the client's own host: %q", got)
	}
}

func BenchmarkLeaks(b *testing.B) {
	u, _ := url.Parse("http://10.0.0.5:9001")
	hosts := discover.NewHosts(u)
	header := http.Header{"Content-Type": {"text/plain"}, "Set-Cookie": {"a=b; Path=/; HttpOnly"}}
	values := header.Values
	b.ReportAllocs()
	for b.Loop() {
		if discover.Leaks(values, hosts, "shop.example") != "" {
			b.Fatal("leaks")
		}
	}
}
