package strangler_test

import (
	"bufio"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Clients that leave at every stage: the upstream's connection ends at once, the log says
// so, nothing counts against the service, and nothing is left behind.
func TestClientsThatLeave(t *testing.T) {
	t.Parallel()
	var open, most atomic.Int64
	s := newRaw(t, func(conn net.Conn, in *bufio.Reader, head string) {
		most.Store(max(most.Load(), open.Add(1)))
		defer open.Add(-1)
		if strings.Contains(head, "/s/begun") {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nbegin")
		}
		_, _ = io.Copy(io.Discard, in)
	})
	r := start(t, strings.Replace(oneRoute("http://127.0.0.1:1", s.url(), "live"), "breaker: off", "breaker: { open_at: 1 of 1 }", 1))
	for name, request := range map[string]string{
		"waiting":                "GET /s/wait HTTP/1.1\r\nHost: h\r\n\r\n",
		"waiting after a body":   "POST /s/wait HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
		"waiting after chunks":   "POST /s/wait HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"within a large body":    "POST /s/wait HTTP/1.1\r\nHost: h\r\nContent-Length: 900000\r\n\r\nhello",
		"within chunks":          "POST /s/wait HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
		"within the response":    "GET /s/begun HTTP/1.1\r\nHost: h\r\n\r\n",
		"asking whether to send": "POST /s/wait HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 900000\r\n\r\n",
	} {
		least := time.Hour // of several, because the machine may be busy with something else
		for try := 0; try < 2 || try < 6 && least > 100*time.Millisecond; try++ {
			lines := strings.Count(r.log.String(), `"client_gone"`)
			conn := r.tcp()
			_, _ = io.WriteString(conn, request)
			await(t, name+": the upstream", func() bool { return open.Load() == 1 })
			if try%2 == 1 {
				_ = conn.SetLinger(0)
			}
			conn.Close()
			left := time.Now()
			await(t, name+": the end at the upstream", func() bool { return open.Load() == 0 })
			least = min(least, time.Since(left))
			await(t, name+": the log", func() bool { return strings.Count(r.log.String(), `"client_gone"`) == lines+1 })
		}
		if least > 100*time.Millisecond {
			t.Errorf("%s: the upstream was left after %v at least", name, least)
		}
	}
	if text := r.admin("GET", "/metrics").text; !strings.Contains(text, `strangler_breaker_state{service="s"} 0`) || !strings.Contains(text, "strangler_requests_in_flight 0") {
		t.Error("a client that left counts against the service, or is counted still")
	}
}

// Hundreds of clients that leave whenever they like do not cost a descriptor.
func TestAbortedClientsLeaveNothing(t *testing.T) {
	m := newEcho(t, "monolith")
	r := start(t, "monolith: "+m.URL+"\n")
	r.do("GET", "/", nil)
	before := descriptors(t)
	var clients sync.WaitGroup
	for worker := range 8 {
		clients.Go(func() {
			random := rand.New(rand.NewPCG(uint64(worker), 7))
			for range 75 {
				conn, err := net.Dial("tcp", r.proxy.Addr().String())
				if err != nil {
					t.Error(err)
					return
				}
				request := "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("x", 100_000)
				_, _ = io.WriteString(conn, request[:random.IntN(len(request))])
				if random.IntN(2) == 0 {
					_ = conn.(*net.TCPConn).SetLinger(0)
				}
				conn.Close()
			}
		})
	}
	clients.Wait()
	await(t, "the descriptors", func() bool { return descriptors(t) <= before+20 })
}

func descriptors(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc/self/fd here")
	}
	return len(all)
}
