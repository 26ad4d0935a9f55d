package strangler_test

import (
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	strangler "github.com/stranglerfig/toolkit/strangler-proxy"
)

// fullURL is the url of a port that takes no more connections, as of a machine that is
// gone: whoever dials it waits.
func fullURL(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", name.(*syscall.SockaddrInet4).Port)
	for range 10 { // nobody accepts, so that after one or two the queue is full
		conn, err := net.DialTimeout("tcp", address, 200*time.Millisecond)
		if err != nil {
			return "http://" + address
		}
		t.Cleanup(func() { conn.Close() })
	}
	t.Skip("the system takes connections that nobody accepts without end")
	return ""
}

// A service that cannot be connected to in time has seen nothing: the monolith answers,
// whatever the method.
func TestServiceThatCannotBeConnectedTo(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	r := start(t, oneRoute(m.URL, fullURL(t), "live"), func(o *strangler.Options) { o.ConnectTimeout = 50 * time.Millisecond })
	for i, method := range append(safeMethods, unsafeMethods...) {
		got := r.do(method, "/s/x", strings.NewReader("the body"))
		served(t, got, 200, "monolith", "connect_timeout")
		if method != "HEAD" && got.saw.Body != sum("the body") || m.hits.Load() != int64(i+1) {
			t.Errorf("%s: %d bytes at the monolith, %d hits", method, got.saw.Length, m.hits.Load())
		}
	}
}
