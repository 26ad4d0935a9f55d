package listen_test

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/listen"
)

// What a client does not read waits at whoever writes it, not by the megabyte in the
// system: over HTTP/1 and with a look at the first bytes before it alike.
func TestLittleIsKeptForClientsThatDoNotRead(t *testing.T) {
	t.Parallel()
	for _, h2c := range []bool{false, true} {
		s := plain()
		s.H2C = h2c
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		taken := make(chan int, 1)
		engine := func(conn net.Conn, known, gone func()) {
			known()
			defer gone()
			defer conn.Close()
			taken <- fillUp(t, conn)
		}
		keeper := listen.NewKeeper(&listen.Certificates{}, nil)
		d := listen.NewDoor(l.(*net.TCPListener), listen.Handlers{HTTP1: engine, HTTP2: func(net.Conn) {}}, s, keeper, nil)
		ended := make(chan error, 1)
		go func() { ended <- d.Run() }()
		client, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Write([]byte("GET")); err != nil {
			t.Fatal(err)
		}
		if n := <-taken; n > 1<<20 { // it keeps 128 KiB, and has sent as much as the client's system takes
			t.Errorf("h2c %t: the system took %d KiB for a client that reads nothing", h2c, n>>10)
		}
		client.Close()
		d.Stop(t.Context())
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// fillUp writes until nothing is taken for a while, and returns how much was.
func fillUp(t *testing.T, conn net.Conn) int {
	piece, sum := make([]byte, 64<<10), 0
	for sum < 16<<20 {
		_ = conn.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
		n, err := conn.Write(piece)
		sum += n
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return sum
		}
		if err != nil {
			t.Error(err)
			return sum
		}
	}
	return sum
}
