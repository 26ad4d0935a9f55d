package hostile_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// drip is how often a side reads that takes one byte at a time.
const drip = 10 * time.Millisecond

// narrow makes a socket that has room for little of what it does not read.
func narrow(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 1024) })
}

// takeDrops reads a byte now and then until the other side has ended the connection,
// whatever of it there is still to be read, or the test has no patience any more.
func takeDrops(conn net.Conn) {
	end := time.Now().Add(10 * time.Second)
	for one := make([]byte, 1); !over(conn.(*net.TCPConn)) && time.Now().Before(end); time.Sleep(drip) {
		_ = conn.SetReadDeadline(time.Now().Add(drip))
		_, _ = conn.Read(one)
	}
}

// flood says more and more until the other side has ended the connection.
func flood(conn net.Conn, piece string) error {
	_ = conn.(*net.TCPConn).SetWriteBuffer(64 << 10)
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	for {
		if _, err := io.WriteString(conn, piece); err != nil {
			return err
		}
	}
}

// newDripping is an upstream with a few narrow places; open counts the requests at them.
func newDripping(t *testing.T, open *atomic.Int64) string {
	t.Helper()
	narrowly := net.ListenConfig{Control: narrow}
	l, err := narrowly.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			return
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		open.Add(1)
		defer open.Add(-1)
		switch r.URL.Path {
		case "/talk":
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
			_ = flood(conn, strings.Repeat("talk", 16<<10))
		case "/socket/talk":
			_, _ = io.WriteString(conn, upgrade)
			_ = flood(conn, strings.Repeat("talk", 16<<10))
		case "/socket/take":
			_, _ = io.WriteString(conn, upgrade)
			takeDrops(conn)
		case "/take":
			takeDrops(conn)
		}
	})}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return "http://" + l.Addr().String()
}

// The places at which a side takes one byte at a time, and what somebody does there.
var drips = map[string]func(p *proxy) error{
	"client of HTTP/1": func(p *proxy) error { return p.sip("GET /talk HTTP/1.1\r\nHost: h\r\n\r\n") },
	"client of HTTP/2": func(p *proxy) error {
		return p.sip(http2.ClientPreface + // SETTINGS and WINDOW_UPDATE with the largest windows, and GET /talk.
			"\x00\x00\x06\x04\x00\x00\x00\x00\x00" + "\x00\x04\x7f\xff\xff\xff" + "\x00\x00\x04\x08\x00\x00\x00\x00\x00\x7f\x00\x00\x00" +
			"\x00\x00\x0c\x01\x05\x00\x00\x00\x01" + "\x82\x86\x41\x01h\x04\x05/talk")
	},
	"client of a tunnel": func(p *proxy) error {
		return p.sip("GET /socket/talk HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	},
	"upstream of HTTP/1": func(p *proxy) error { return p.push(false) },
	"upstream of HTTP/2": func(p *proxy) error { return p.push(true) },
	"upstream of a tunnel": func(p *proxy) error {
		conn, _, err := p.socket("/socket/take")
		if err != nil {
			return err
		}
		defer conn.Close()
		_ = flood(conn, strings.Repeat("push", 16<<10))
		return nil
	},
}

// sip says something and takes what comes byte by byte.
func (p *proxy) sip(says string) error {
	conn, err := (&net.Dialer{Control: narrow}).DialContext(p.t.Context(), "tcp", p.address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err = io.WriteString(conn, says); err == nil {
		takeDrops(conn)
	}
	return err
}

// push sends a body without an end to an upstream that takes it byte by byte.
func (p *proxy) push(two bool) error {
	body, writes := io.Pipe()
	defer body.Close()
	go func() {
		for err := error(nil); err == nil; {
			_, err = io.WriteString(writes, strings.Repeat("push", 16<<10))
		}
	}()
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, "http://"+p.address+"/take", body)
	if err != nil {
		return err
	}
	res, err := p.client(two).Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusGatewayTimeout {
		return fmt.Errorf("answered %s", res.Status)
	}
	return nil
}

// A client or an upstream that takes one byte at a time, whatever it is sent, keeps the
// other side no longer than its limit allows, takes no memory to speak of, and nobody else
// notices.
func TestSidesThatTakeDrops(t *testing.T) {
	t.Parallel()
	const limit = 500 * time.Millisecond
	var open atomic.Int64
	p := start(t, fmt.Sprintf("monolith: { url: %q, timeout: %v }\nh2c: true\nlimits: { stall_timeout: %v }\n", newDripping(t, &open), limit, limit))
	each := size(100, 4)
	_ = p.steady(t, 100*time.Millisecond) // so that code and buffers are there
	before, most := p.usage(), p.watchMemory()
	var sides sync.WaitGroup
	for name, side := range drips {
		for range each {
			sides.Go(func() {
				begun := time.Now()
				err := side(p)
				if took := time.Since(begun); err != nil || took < limit || took > 5*time.Second {
					t.Errorf("%s: %v after %v", name, err, took)
				}
			})
		}
	}
	_ = p.steady(t, 2*limit)
	sides.Wait()
	await(t, "no request to be left at the upstream", 10*time.Second, func() bool { return open.Load() == 0 })
	grown := most() - before.memory
	t.Logf("%d sides: memory grew by %d KiB from %v", each*len(drips), grown>>10, before)
	if bound := int64(8<<20 + each*len(drips)*(256<<10)); grown > bound {
		t.Errorf("memory grew by %d KiB, more than %d", grown>>10, bound>>10)
	}
	await(t, "nothing to be left of them", 20*time.Second, func() bool {
		after := p.usage()
		return near(after.files, before.files, 10) && near(after.goroutines, before.goroutines, 10)
	})
}

// A client that lets one stream of HTTP/2 have a byte at a time loses that stream alone.
func TestStreamThatTakesDrops(t *testing.T) {
	t.Parallel()
	var open atomic.Int64
	p := start(t, "monolith: "+newDripping(t, &open)+"\nh2c: true\nlimits: { stall_timeout: 500ms }\n")
	c := newPeer(t, p.address, http2.ClientPreface)
	c.raw(http2.FrameSettings, 0, 0, "\x00\x04\x00\x00\x00\x01") // a window of one byte
	c.raw(http2.FrameHeaders, whole, 1, string(fields(":method", "GET", ":scheme", "http", ":path", "/talk", ":authority", "h")))
	ctx, stop := context.WithCancel(t.Context())
	var dripping sync.WaitGroup
	dripping.Go(func() {
		for ctx.Err() == nil {
			c.raw(http2.FrameWindowUpdate, 0, 1, "\x00\x00\x00\x01")
			time.Sleep(drip)
		}
	})
	begun := time.Now()
	c.until(func() bool { return c.reset != nil })
	stop()
	dripping.Wait()
	if took := time.Since(begun); c.reset == nil || c.over || len(c.sizes) < 10 || took < 500*time.Millisecond || took > 7*time.Second {
		t.Errorf("after %v: %v", took, c)
	}
	await(t, "no request to be left at the upstream", 10*time.Second, func() bool { return open.Load() == 0 })
	c.raw(http2.FrameHeaders, whole, 3, get())
	c.until(func() bool { return c.ended })
	if c.status != "200" || c.over || c.goAway != nil {
		t.Errorf("another request of the connection: %v", c)
	}
}
