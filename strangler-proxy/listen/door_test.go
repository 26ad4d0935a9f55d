package listen_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/internal/testcert"
	"github.com/stranglerfig/toolkit/strangler-proxy/listen"
)

func TestPlainConnectionsAreNotWrapped(t *testing.T) {
	t.Parallel()
	h := open(t, plain(), nil)
	if got := ask(t, dial(t, h)); got != "HTTP/1.1 tls=false" {
		t.Errorf("got %q", got)
	}
	if kind := <-h.kinds; kind != "*net.TCPConn" {
		t.Errorf("the engine got a %s", kind)
	}
}

func TestProtocolsOverTLS(t *testing.T) {
	t.Parallel()
	ca := testcert.New(t)
	pair := pairIn(t, "shop")
	write(t, ca, pair, "shop.example")
	s := plain()
	s.TLS = []listen.Pair{pair}
	h := open(t, s, nil)
	url := "https://" + h.Addr().String()
	if got := get(t, client(t, ca.Pool, true), url); got != "HTTP/2.0 tls=true" {
		t.Errorf("h2: %q", got)
	}
	if got := get(t, client(t, ca.Pool, false), url); got != "HTTP/1.1 tls=true" {
		t.Errorf("http/1.1: %q", got)
	}
	if kind := <-h.kinds; kind != "*tls.Conn" {
		t.Errorf("the engine got a %s", kind)
	}
	if got := ask(t, dial(t, h)); got != "this address speaks https\n" {
		t.Errorf("plain HTTP: %q", got)
	}
	await(t, "one failed handshake", func() bool {
		return metric(t, h.Door, "strangler_tls_handshake_failures_total") == 1
	})
}

// A connection that stays silent, or sends its handshake byte by byte, costs others no
// time and is closed at the limit.
func TestSlowHandshakesBlockNobody(t *testing.T) {
	t.Parallel()
	ca := testcert.New(t)
	pair := pairIn(t, "shop")
	write(t, ca, pair, "shop.example")
	s := plain()
	s.TLS, s.Limits.HeaderTimeout = []listen.Pair{pair}, time.Second
	h := open(t, s, nil)
	began := time.Now()
	var slow []net.Conn
	for i := range 200 {
		conn := dial(t, h)
		if i%2 == 0 {
			_, _ = io.WriteString(conn, "\x16\x03\x01\x02\x00\x01")
		}
		slow = append(slow, conn)
	}
	if got := get(t, client(t, ca.Pool, true), "https://"+h.Addr().String()); got != "HTTP/2.0 tls=true" {
		t.Errorf("got %q", got)
	}
	for _, conn := range slow {
		if n, err := io.Copy(io.Discard, conn); err != nil && n == 0 && !errors.Is(err, net.ErrClosed) && !strings.Contains(err.Error(), "reset") {
			t.Fatalf("a slow connection is not closed: %v", err)
		}
	}
	if took := time.Since(began); took < time.Second/2 || took > 6*time.Second {
		t.Errorf("slow connections were closed after %v", took)
	}
}

func TestH2C(t *testing.T) {
	t.Parallel()
	s := plain()
	s.H2C = true
	h := open(t, s, nil)
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	tr := &http.Transport{Protocols: &p}
	defer tr.CloseIdleConnections()
	c := &http.Client{Transport: tr, Timeout: 10 * time.Second}
	for range 3 {
		if got := get(t, c, "http://"+h.Addr().String()); got != "HTTP/2.0 tls=false" {
			t.Errorf("got %q", got)
		}
	}
	if got := ask(t, dial(t, h)); got != "HTTP/1.1 tls=false" {
		t.Errorf("HTTP/1.1: %q", got)
	}
	if kind := <-h.kinds; kind != "*listen.Conn" {
		t.Errorf("the engine got a %s", kind)
	}
}

// However a client splits its bytes, none is lost and none is waited for.
func TestSniffingLosesNothing(t *testing.T) {
	t.Parallel()
	s := plain()
	s.H2C = true
	h := open(t, s, nil)
	for _, request := range []string{
		"GET / HTTP/1.1\r\nHost: h\r\n\r\n", "P / HTTP/1.1\r\nHost: h\r\n\r\n", "PRI / HTTP/1.1\r\nHost: h\r\n\r\n", "PROPFIND / HTTP/1.1\r\nHost: h\r\n\r\n",
	} {
		for size := 1; size <= len(request); size += 3 {
			conn := dial(t, h)
			for rest := request; rest != ""; {
				n := min(size, len(rest))
				if _, err := io.WriteString(conn, rest[:n]); err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			if got := answer(t, conn); got != "HTTP/1.1 tls=false" {
				t.Errorf("%q by %d: %q", request, size, got)
			}
			conn.Close()
		}
	}
	// What begins like the preface but is none belongs to the HTTP/1 engine.
	conn := dial(t, h)
	_, _ = io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n")
	if got, _ := io.ReadAll(conn); !strings.HasPrefix(string(got), "HTTP/1.1 ") {
		t.Errorf("a false preface: %q", got)
	}
}

func TestConnUnwrap(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 1)
	none, _ := listen.LoadCertificates(nil)
	s := plain()
	s.H2C = true
	d := listen.NewDoor(l.(*net.TCPListener), listen.Handlers{HTTP1: func(conn net.Conn, _, gone func()) {
		defer gone()
		defer conn.Close()
		tcp, read := conn.(*listen.Conn).Unwrap()
		rest, _ := io.ReadAll(tcp)
		got <- string(read) + string(rest)
	}, HTTP2: func(conn net.Conn) { conn.Close() }}, s, listen.NewKeeper(none, nil), nil)
	done := make(chan error, 1)
	go func() { done <- d.Run() }()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(conn, "PUT /x")
	conn.Close()
	if all := <-got; all != "PUT /x" {
		t.Errorf("got %q", all)
	}
	await(t, "no connection", func() bool { return d.Open() == 0 })
	d.Stop(context.Background())
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// What is beyond the limit waits, and is served once another connection ends.
func TestConnectionLimit(t *testing.T) {
	t.Parallel()
	s := plain()
	s.Limits.Connections = 2
	h := open(t, s, nil)
	first, second, third := dial(t, h), dial(t, h), dial(t, h)
	ask(t, first)
	ask(t, second)
	_, _ = io.WriteString(third, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	await(t, "the limit", func() bool { return strings.Contains(h.log.String(), "others wait") })
	if h.Open() != 2 {
		t.Errorf("%d connections are open", h.Open())
	}
	first.Close()
	if got := answer(t, third); got != "HTTP/1.1 tls=false" {
		t.Errorf("got %q", got)
	}
	s.Limits.Connections = 3 // while it runs
	h.Use(s)
	if got := ask(t, dial(t, h)); got != "HTTP/1.1 tls=false" {
		t.Errorf("after a change: %q", got)
	}
}

func TestStopClosesWhatIsSilent(t *testing.T) {
	t.Parallel()
	s := plain()
	s.H2C, s.Limits.HeaderTimeout = true, time.Minute
	h := open(t, s, nil)
	silent := dial(t, h)
	served := dial(t, h)
	ask(t, served)
	await(t, "both", func() bool { return h.Open() == 2 })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	h.Stop(ctx)
	if n, err := silent.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Error("the silent connection is open")
	}
	if got := ask(t, served); got != "HTTP/1.1 tls=false" {
		t.Errorf("the engine's connection: %q", got)
	}
	if _, err := net.Dial("tcp", h.Addr().String()); err == nil {
		t.Error("the door is open")
	}
}
