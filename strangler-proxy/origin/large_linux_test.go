package origin_test

import (
	"net"
	"net/url"
	"syscall"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/origin"
	"github.com/stranglerfig/toolkit/strangler-proxy/wire"
)

// What follows a large answer is read in one piece: head and 64 KiB fit.
func TestLargeAnswerIsReadAtOnce(t *testing.T) {
	t.Parallel()
	const size = 64<<10 + 500
	for name, test := range map[string]struct{ last, want int64 }{
		"after a small one": {1000, wire.SmallBytes},
		"after a large one": {64 << 10, size},
	} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		go func() {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			conn.Write(make([]byte, size-1))
			conn.Read(make([]byte, 1))
			conn.Write(make([]byte, 1)) // behind the question, so that there is a notice
			conn.Read(make([]byte, 1))
		}()
		o := origin.New(&url.URL{Scheme: "http", Host: listener.Addr().String()}, origin.Options{})
		defer o.Close()
		conn, err := o.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.Conn.(*net.TCPConn).SetReadBuffer(1 << 20); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(10 * time.Second); waiting(t, conn.Conn) < size-1; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: only %d bytes have arrived", name, waiting(t, conn.Conn))
			}
		}
		conn.Expect(test.last)
		if _, err := conn.Ask([]byte("?")); err != nil {
			t.Fatal(err)
		}
		if got := int64(conn.In.Len()); got != test.want && got != test.want-1 { // the last byte may still be on its way
			t.Errorf("%s: read %d bytes at once, want %d", name, got, test.want)
		}
	}
}

// waiting is how many bytes have arrived that nobody has read.
func waiting(t *testing.T, conn net.Conn) int {
	t.Helper()
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	if err := raw.Control(func(fd uintptr) {
		n, _, _ = syscall.Recvfrom(int(fd), make([]byte, 128<<10), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	}); err != nil {
		t.Fatal(err)
	}
	return n
}
