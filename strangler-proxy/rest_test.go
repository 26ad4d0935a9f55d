package strangler_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	strangler "github.com/stranglerfig/toolkit/strangler-proxy"
)

// A connection that waits for long is moved to a new goroutine. Whatever comes around that
// moment is served as at any other.
func TestConnectionsRest(t *testing.T) {
	t.Parallel()
	m := newRawLoop(t, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	r := start(t, oneRoute(m, m, "live"), func(o *strangler.Options) { o.AccessLog, o.IdleTimeout = false, 2500*time.Millisecond })
	var all sync.WaitGroup
	const conns = 60
	for i := range conns {
		all.Go(func() {
			conn, err := net.Dial("tcp", strings.TrimPrefix(r.url(""), "http://"))
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			in := bufio.NewReader(conn)
			var asked time.Time // before the end of the request was written, so that no wait for a processor counts
			ask := func(parts ...string) {
				for n, part := range parts {
					if n > 0 { // from just before to just after the rest begins
						time.Sleep(950*time.Millisecond + time.Duration(i)*100*time.Millisecond/conns)
					}
					asked = time.Now()
					if _, err := io.WriteString(conn, part); err != nil {
						t.Error(err)
						return
					}
				}
				res, err := http.ReadResponse(in, nil)
				if err != nil {
					t.Errorf("connection %d: %v", i, err)
					return
				}
				if body, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusOK || string(body) != "ok" {
					t.Errorf("connection %d: %s %q, %v", i, res.Status, body, err)
				}
			}
			const head, end = "GET /s/x HTTP/1.1\r\nHost: h\r\n", "\r\n"
			ask(head + end)
			ask("", head+end)  // the request comes around the rest
			ask("", head, end) // its head begins then
			if err := conn.SetReadDeadline(asked.Add(20 * time.Second)); err != nil {
				t.Error(err)
			}
			_, err = in.ReadByte()
			if idle := time.Since(asked); !errors.Is(err, io.EOF) || idle < 2500*time.Millisecond {
				t.Errorf("connection %d was to be idle for 2.5 s: %v after %v", i, err, idle)
			}
		})
	}
	all.Wait()
}

// What a crowd needed for its requests is given back to the system although its connections
// stay, and they go on working.
func TestRestingCrowdGivesMemoryBack(t *testing.T) {
	t.Parallel()
	m := newRawLoop(t, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	r := start(t, oneRoute(m, m, "live"), func(o *strangler.Options) { o.AccessLog = false })
	var crowd [200]net.Conn
	for i := range crowd {
		conn, err := net.Dial("tcp", r.proxy.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		crowd[i] = conn
	}
	ask := func() {
		t.Helper()
		for _, conn := range crowd {
			if _, err := io.WriteString(conn, "GET /s/x HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
		}
		for _, conn := range crowd {
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			if body, err := io.ReadAll(res.Body); err != nil || string(body) != "ok" {
				t.Fatalf("%q, %v", body, err)
			}
		}
	}
	forced := func() uint32 {
		var now runtime.MemStats
		runtime.ReadMemStats(&now)
		return now.NumForcedGC
	}
	before, begun := forced(), time.Now()
	for forced() == before {
		// On a busy machine those who were first may rest before the last have asked, which
		// makes no crowd; so they may try again.
		if time.Since(begun) > 25*time.Second {
			t.Fatal("no memory was given back")
		}
		ask()
		for asked := time.Now(); forced() == before && time.Since(asked) < 6*time.Second; {
			time.Sleep(20 * time.Millisecond)
		}
	}
	ask()
}
