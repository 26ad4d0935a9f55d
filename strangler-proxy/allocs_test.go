package strangler_test

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	strangler "github.com/stranglerfig/toolkit/strangler-proxy"
)

// A request that is plain costs no memory, whatever is switched on by default: routing
// over many routes, a breaker, metrics, ids, forwarded headers, discovery.
func TestPlainRequestsTakeNoMemory(t *testing.T) {
	// Not parallel: it counts the allocations of the process.
	if raceEnabled {
		t.Skip("the race detector allocates by itself")
	}
	payload := strings.Repeat("x", 1024)
	m := newRawLoop(t, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\n\r\n"+payload)
	var routes strings.Builder
	for i := range 200 {
		fmt.Fprintf(&routes, "  r%d: { match: \"GET /resource%d/{id}\", to: s, stage: live }\n", i, i)
	}
	config := fmt.Sprintf("monolith: %s\ndefaults: { shadow: { percent: 0 } }\nservices:\n  s: %s\nroutes:\n  r: { match: /s/**, to: s, stage: live }\n", m, m)
	r := start(t, config+routes.String(), func(o *strangler.Options) { o.AccessLog = false; o.PollEvery = time.Hour })
	conn, err := net.Dial("tcp", r.proxy.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	in := bufio.NewReaderSize(conn, 8<<10)
	for name, target := range map[string]string{"monolith": "GET /other", "service": "GET /s/x", "many routes": "GET /resource150/7"} {
		request := []byte(target + " HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: Mozilla/5.0\r\nAccept: application/json\r\nCookie: session=3f9a1c0b7de84f1e; theme=dark\r\n\r\n")
		once := func() {
			if _, err := conn.Write(request); err != nil {
				t.Fatal(err)
			}
			for {
				line, err := in.ReadSlice('\n')
				if err != nil {
					t.Fatal(err)
				}
				if len(line) == 2 {
					break
				}
			}
			if n, err := io.CopyN(io.Discard, in, int64(len(payload))); err != nil || n != int64(len(payload)) {
				t.Fatal(n, err)
			}
		}
		for range 500 {
			once()
		}
		// What runs beside, such as the collector of garbage, allocates now and then: the best
		// of some rounds shows what the requests do.
		const requests = 500
		expected := requests // io.CopyN makes a LimitedReader
		if name == "monolith" {
			expected += requests // discovery, beside the request, takes the path down
		}
		least := math.MaxInt
		for range 8 {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range requests {
				once()
			}
			runtime.ReadMemStats(&after)
			least = min(least, int(after.Mallocs-before.Mallocs)-expected)
		}
		if least > requests/20 {
			t.Errorf("%s: %d requests made %d allocations", name, requests, least)
		}
	}
}

// A connection's request needs no more stack than 4 KiB, most of which the connection would
// keep until it rests.
func TestRequestsTakeLittleStack(t *testing.T) {
	// Not parallel: it looks at the stacks of the process.
	if raceEnabled {
		t.Skip("the race detector needs more")
	}
	m := newRawLoop(t, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	r := start(t, oneRoute(m, m, "live"), func(o *strangler.Options) { o.AccessLog = false })
	const conns = 256
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range conns {
		conn, err := net.Dial("tcp", r.proxy.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "GET /s/x HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || line != "HTTP/1.1 200 OK\r\n" {
			t.Fatal(line, err)
		}
	}
	runtime.ReadMemStats(&after)
	if each := (int(after.StackInuse) - int(before.StackInuse)) / conns; each > 5<<10 {
		t.Errorf("a connection has a stack of %d bytes", each)
	}
}
