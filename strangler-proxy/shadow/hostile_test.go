package shadow_test

import (
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/shadow"
)

// AC18: whatever the side of the copy does, Begin and End do not wait for it, each copy
// ends in time with a verdict, and no goroutine stays.
func TestHostileSides(t *testing.T) { //nolint:paralleltest // it counts goroutines
	slowly := func(conn net.Conn, text string) {
		for i := range len(text) {
			if _, err := io.WriteString(conn, text[i:i+1]); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	endless := func(conn net.Conn, piece string) {
		for {
			if _, err := io.WriteString(conn, piece); err != nil {
				return
			}
		}
	}
	const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	for _, c := range []struct {
		name string
		do   func(conn net.Conn) // nil refuses
		want func(st shadow.Stats) uint64
	}{
		{"refuses", nil, func(st shadow.Stats) uint64 { return st.Errors["connect"] }},
		{"hangs", func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }, func(st shadow.Stats) uint64 { return st.Timeouts }},
		{"resets", func(conn net.Conn) { _ = conn.(*net.TCPConn).SetLinger(0) }, func(st shadow.Stats) uint64 { return st.Errors["reset"] }},
		{"answers 500", func(conn net.Conn) { _, _ = io.WriteString(conn, "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n") }, func(st shadow.Stats) uint64 { return st.Mismatches["status"] }},
		{"dribbles", func(conn net.Conn) { slowly(conn, head+"Content-Length: 1000\r\n\r\n"+string(make([]byte, 1000))) }, func(st shadow.Stats) uint64 { return st.Timeouts }},
		{"garbage", func(conn net.Conn) { endless(conn, strings.Repeat("\x00\xffnonsense\r\n", 500)) }, func(st shadow.Stats) uint64 { return sum(st.Errors) }},
		{"endless body", func(conn net.Conn) {
			_, _ = io.WriteString(conn, head+"\r\n")
			endless(conn, strings.Repeat("[", 8<<10))
		}, func(st shadow.Stats) uint64 { return st.Mismatches["size"] }},
		{"truncated", func(conn net.Conn) { _, _ = io.WriteString(conn, head+"Content-Length: 99\r\n\r\n{") }, func(st shadow.Stats) uint64 { return st.Errors["reset"] }},
		{"packed nonsense", func(conn net.Conn) {
			_, _ = io.WriteString(conn, head+"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc")
		}, func(st shadow.Stats) uint64 { return st.Errors["unreadable"] }},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := runtime.NumGoroutine()
			address, stop := hostile(t, c.do)
			s := shadow.New(&wire{addresses: map[string]string{"s": address}}, shadow.Options{})
			settings := shadow.Default()
			settings.Limits = shadow.Limits{} // for the others the default: a busy machine must not look like a slow side
			if c.name == "hangs" || c.name == "dribbles" {
				settings.Timeout = 300 * time.Millisecond
			}
			if err := s.Configure(oneRoute(settings, shadow.Limits{InFlight: 4, Queue: 100})); err != nil {
				t.Fatal(err)
			}
			begun := time.Now()
			for range 12 {
				ticket := s.Begin(shadow.Request{Route: "r", Method: "GET", To: "s"})
				ticket.KeepResponse([]byte(`{"a":1}`))
				ticket.End(shadow.Primary{Head: plainHead, Answer: shadow.Answer{Status: 200, Fields: lines(http.Header{"Content-Type": {"application/json"}})}})
			}
			if took := time.Since(begun); took > 100*time.Millisecond {
				t.Errorf("the front waited %v", took)
			}
			st := quiet(t, s)
			if c.want(st) != 12 {
				t.Errorf("%+v", st)
			}
			if took := time.Since(begun); took > 3*300*time.Millisecond+2*time.Second {
				t.Errorf("the copies took %v", took)
			}
			s.Close()
			stop()
			wait(t, func() bool { return runtime.NumGoroutine() <= before+1 })
		})
	}
}

// hostile listens and does to each connection what do says, after the request's head.
func hostile(t *testing.T, do func(net.Conn)) (address string, stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if do == nil {
		l.Close()
		return l.Addr().String(), func() {}
	}
	var open sync.WaitGroup
	open.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			open.Go(func() {
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
				_, _ = conn.Read(make([]byte, 4<<10))
				do(conn)
			})
		}
	})
	return l.Addr().String(), func() { l.Close(); open.Wait() }
}
