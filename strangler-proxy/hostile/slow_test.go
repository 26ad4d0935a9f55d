package hostile_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/sys/unix"
)

// The ways to be slow: what is said at once, and what is said again and again; one that
// says nothing more reads as slowly.
var slowness = []struct {
	name, begins, goesOn string
	limit                string // whose time it is
}{
	{"head", "GET / HTTP/1.1\r\nHost: h\r\n", "X-A: b\r\n", "header"},
	{"body", "POST /up HTTP/1.1\r\nHost: h\r\nContent-Length: 8192\r\n\r\n", "a=b&", "stall"},
	{"long body", "POST /up HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\n\r\n", "a=b&", "stall"},
	{"chunks", "POST /up HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", "4\r\na=b&\r\n", "stall"},
	{"reader", "GET /large HTTP/1.1\r\nHost: h\r\n\r\n", "", "take"},
	{"reader of many", strings.Repeat("GET /large HTTP/1.1\r\nHost: h\r\n\r\n", 10), "", "take"},
	// HEADERS of POST /up of h over http and then one byte of DATA after the other.
	{"body by HTTP/2", http2.ClientPreface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00" + "\x00\x00\x0a\x01\x04\x00\x00\x00\x01" + "\x83\x86\x41\x01h\x04\x03/up", "\x00\x00\x01\x00\x00\x00\x00\x00\x01x", "stall"},
	{"head by HTTP/2", http2.ClientPreface, "", "header"},
	// SETTINGS with the largest window for streams, as much for the connection, and GET /large.
	{"reader by HTTP/2", http2.ClientPreface + "\x00\x00\x06\x04\x00\x00\x00\x00\x00" + "\x00\x04\x7f\xff\xff\xff" +
		"\x00\x00\x04\x08\x00\x00\x00\x00\x00\x7f\x00\x00\x00" + "\x00\x00\x0d\x01\x05\x00\x00\x00\x01" + "\x82\x86\x41\x01h\x04\x06/large", "", "stream"},
}

// A siege is a number of slow clients.
type siege struct {
	p        *proxy
	interval time.Duration
	allow    map[string]time.Duration // how long each may stay, by what limits it
	clients  sync.WaitGroup
	mu       sync.Mutex
	longest  map[string]time.Duration // that one of a kind stayed
}

// Slow clients are let go in time, a thousand at a time, and while they are there a
// normal client notices nothing of them. What they took comes back.
func TestSlowClientsHarmNobody(t *testing.T) {
	t.Parallel()
	block := make([]byte, 1<<20)
	// It stands for another machine: what waits in the system for it must not be what fills up the memory
	// that the connections of this one share.
	bound := func(conn net.Conn, state http.ConnState) {
		if state == http.StateNew {
			_ = conn.(*net.TCPConn).SetWriteBuffer(64 << 10)
		}
	}
	upstream := http.Server{ConnState: bound, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		for range 32 * strings.Count(r.URL.Path, "/large") {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	})}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = upstream.Serve(l) }()
	t.Cleanup(func() { _ = upstream.Close() })

	header, stall := time.Second, time.Second
	if soak() {
		header, stall = 10*time.Second, 30*time.Second
	}
	limits := fmt.Sprintf("limits: { header_timeout: %v, stall_timeout: %v, idle_timeout: %v }\n", header, stall, stall)
	p := start(t, "monolith: http://"+l.Addr().String()+"\nh2c: true\n"+limits)
	besiege := func(t *testing.T, what string, clients int) *siege {
		s := &siege{
			p: p, interval: stall / 20, longest: map[string]time.Duration{},
			allow: map[string]time.Duration{"header": header, "stall": stall, "stream": 2 * stall, "take": stall},
		}
		s.clients.Go(func() { s.begin(t, what, clients) })
		return s
	}
	besiege(t, "", 3*len(slowness)).clients.Wait() // so that code and buffers are there
	idle := p.steady(t, time.Duration(size(20, 1))*time.Second)
	before := p.usage()
	for _, what := range []string{"head", "body", "reader"} {
		t.Run(what, func(t *testing.T) {
			s := besiege(t, what, size(1000, 300))
			busy := p.steady(t, time.Duration(size(60, 2))*time.Second)
			s.clients.Wait()
			for kind, took := range s.longest {
				t.Logf("slow %s: the longest stayed %v", kind, took.Round(time.Millisecond))
			}
			t.Logf("p99 of a normal client: %v when idle, %v besieged by the kind %s", idle, busy, what)
			if limit := max(3*idle, 10*time.Millisecond); soak() && busy > limit {
				t.Errorf("p99 %v, more than %v", busy, limit)
			}
			var after usage
			await(t, "as little to be open as before", 60*time.Second, func() bool {
				after = p.usage()
				return near(after.files, before.files, 20) && near(after.goroutines, before.goroutines, 10)
			})
			t.Logf("before %v, after %v", before, after)
		})
	}
	limit := before.memory * 110 / 100
	await(t, fmt.Sprintf("no more than %d KiB of memory to be in use", limit>>10), 60*time.Second, func() bool { return p.resident() <= limit })
}

// begin lets clients come that are slow in some way, 200 each second.
func (s *siege) begin(t *testing.T, what string, clients int) {
	var kinds []int
	for kind := range slowness {
		if strings.Contains(slowness[kind].name, what) {
			kinds = append(kinds, kind)
		}
	}
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for n := range clients {
		<-ticker.C
		s.clients.Go(func() { s.client(t, kinds[n%len(kinds)]) })
	}
}

// client is one slow client, from its beginning to its end.
func (s *siege) client(t *testing.T, kind int) {
	how := slowness[kind]
	d := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 1024) })
	}}
	conn, err := d.DialContext(context.Background(), "tcp", s.p.address)
	if err != nil {
		t.Errorf("slow %s: %v", how.name, err)
		return
	}
	defer conn.Close()
	begun := time.Now()
	_, err = io.WriteString(conn, how.begins)
	limit := s.allow[how.limit] + 5*time.Second
	answer := make([]byte, 5)
	for err == nil {
		_ = conn.SetReadDeadline(time.Now().Add(s.interval))
		if _, err = conn.Read(answer); err == nil && how.goesOn == "" {
			time.Sleep(s.interval) // it reads slowly
			if over(conn.(*net.TCPConn)) {
				break
			}
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			_, err = io.WriteString(conn, how.goesOn)
		}
		if time.Since(begun) > limit {
			t.Errorf("slow %s: still there after %v", how.name, time.Since(begun))
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.longest[how.name] = max(s.longest[how.name], time.Since(begun))
}

// over reports whether the other side has ended a connection, whatever is still to be
// read from it.
func over(conn *net.TCPConn) bool {
	raw, err := conn.SyscallConn()
	if err != nil {
		return true
	}
	state := uint8(0)
	err = raw.Control(func(fd uintptr) {
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			state = info.State
		}
	})
	return err != nil || state != unix.BPF_TCP_ESTABLISHED
}

// steady is a normal client: 50 requests a second, each of which has to be answered. It returns the 99th percentile of their times, waiting included.
func (p *proxy) steady(t *testing.T, lasts time.Duration) time.Duration {
	t.Helper()
	kept := p.client(false)
	var mu sync.Mutex
	var times []time.Duration
	var open sync.WaitGroup
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for n, end := 0, time.Now().Add(lasts); time.Now().Before(end); n++ {
		due := <-ticker.C
		open.Go(func() {
			err := func() error {
				if n%2 == 0 {
					return p.get("/")
				}
				res, err := kept.Get("http://" + p.address + "/")
				if err == nil {
					res.Body.Close()
				}
				return err
			}()
			mu.Lock()
			defer mu.Unlock()
			if times = append(times, time.Since(due)); err != nil {
				t.Errorf("a normal client: %v", err)
			}
		})
	}
	open.Wait()
	slices.Sort(times)
	return times[len(times)*99/100]
}
