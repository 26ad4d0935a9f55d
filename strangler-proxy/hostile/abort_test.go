package hostile_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// newServer is an upstream with a fast, a slow and a large answer; it takes any body.
func newServer(t testing.TB) string {
	t.Helper()
	block := strings.Repeat("0123456789abcdef", 4<<10)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		switch r.URL.Path {
		case "/slow":
			select {
			case <-r.Context().Done():
			case <-time.After(5 * time.Second):
			}
		case "/large":
			for range 16 {
				if _, err := io.WriteString(w, block); err != nil {
					return
				}
			}
		}
		fmt.Fprint(w, "the end")
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// The ways of a client to leave: what it has said, whether it reads a little, and
// whether it says good-bye.
var departures = []struct {
	says  string
	reads bool
}{
	{"", false},
	{"GET /slow HT", false},
	{"GET /slow HTTP/1.1\r\nHost: h\r\n\r\n", false},
	{"GET /large HTTP/1.1\r\nHost: h\r\n\r\n", true},
	{"GET /fast HTTP/1.1\r\nHost: h\r\n\r\nGET /fast HTTP/1.1\r\nHost: h\r\n\r\nGET /slow HTTP/1.1\r\nHost: h\r\n\r\n", true},
	{"POST /fast HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nhalf", false},
	{"POST /fast HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\nhalf", false},
	{"POST /fast HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nha", false},
	{"POST /fast HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1000000\r\n\r\n", true},
	{http2.ClientPreface, false},
	{http2.ClientPreface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00", true},
	// HEADERS of stream 1: GET /slow of h over http, once with the stream's end and once without.
	{http2.ClientPreface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00" + "\x00\x00\x0c\x01\x05\x00\x00\x00\x01" + "\x82\x86\x41\x01h\x04\x05/slow", true},
	{http2.ClientPreface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00" + "\x00\x00\x0c\x01\x04\x00\x00\x00\x01" + "\x83\x86\x41\x01h\x04\x05/slow", true},
}

// Whenever and however clients leave, nothing of them stays.
func TestAbortedClientsLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	p := start(t, "monolith: "+newServer(t)+"\nh2c: true\n")
	if err := p.get("/fast"); err != nil {
		t.Fatal(err)
	}
	before := p.usage()
	clients := size(100_000, 2600)
	var next atomic.Int64
	var open sync.WaitGroup
	for range 40 {
		open.Go(func() {
			for n := next.Add(1); n <= int64(clients); n = next.Add(1) {
				if err := p.depart(int(n)); err != nil {
					t.Errorf("client %d: %v", n, err)
					return
				}
			}
		})
	}
	open.Wait()
	var after usage
	await(t, "as little to be open as before", 30*time.Second, func() bool {
		after = p.usage()
		return near(after.files, before.files, 10) && near(after.goroutines, before.goroutines, 10)
	})
	t.Logf("before %v; after %d clients %v", before, clients, after)
	await(t, "the end of all requests", 30*time.Second, func() bool { return p.metric("strangler_requests_in_flight") == 0 })
	if err := p.get("/fast"); err != nil {
		t.Error(err)
	}
}

func near(a, b, within int) bool { return max(a-b, b-a) <= within }

// depart is the visit of the nth client.
func (p *proxy) depart(n int) error {
	d := departures[n%len(departures)]
	conn, err := net.Dial("tcp", p.address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if n/len(departures)%4 != 0 {
		_ = conn.(*net.TCPConn).SetLinger(0)
	}
	if _, err := io.WriteString(conn, d.says); err != nil {
		return err
	}
	if d.reads {
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := conn.Read(make([]byte, 100)); err != nil {
			return fmt.Errorf("after %.60q: %w", d.says, err)
		}
	}
	return nil
}
