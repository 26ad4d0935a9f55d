package origin_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/origin"
)

// A server hands each connection to handle.
type server struct {
	net.Listener
	accepted atomic.Int64
}

func newServer(t *testing.T, handle func(conn net.Conn)) (*server, *url.URL) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{Listener: l}
	var open sync.WaitGroup
	t.Cleanup(func() { l.Close(); open.Wait() })
	open.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.accepted.Add(1)
			open.Go(func() {
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
				handle(conn)
			})
		}
	})
	return s, &url.URL{Scheme: "http", Host: l.Addr().String()}
}

func dial(t *testing.T, o *origin.Origin) *origin.Conn {
	t.Helper()
	c, err := o.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func echo(conn net.Conn) { _, _ = io.Copy(conn, conn) }

func TestConnectionsAreKept(t *testing.T) {
	t.Parallel()
	s, u := newServer(t, echo)
	o := origin.New(u, origin.Options{})
	t.Cleanup(o.Close)
	if o.Kept() != nil {
		t.Fatal("a connection from nowhere")
	}
	c := dial(t, o)
	for i := range 50 {
		message := fmt.Sprintf("message %d", i)
		if n, err := c.Ask([]byte(message)); err != nil || n != len(message) {
			t.Fatal(n, err)
		}
		for c.In.Len() < len(message) {
			if err := c.Fill(); err != nil {
				t.Fatal(err)
			}
		}
		if got := string(c.In.Bytes()); got != message {
			t.Fatalf("%q", got)
		}
		c.In.Consume(len(message))
		c.Keep()
		if c = o.Kept(); c == nil || !c.Used() {
			t.Fatal("the connection was not kept")
		}
	}
	if n := s.accepted.Load(); n != 1 {
		t.Errorf("%d connections were made", n)
	}
	c.Close()
}

// A message that the socket does not take at once goes out whole, while the other side
// begins to read late.
func TestLargeQuestions(t *testing.T) {
	t.Parallel()
	begin := make(chan struct{})
	_, u := newServer(t, func(conn net.Conn) {
		<-begin
		hash := sha256.New()
		_, _ = io.CopyN(hash, conn, 8<<20)
		_, _ = conn.Write(hash.Sum(nil))
	})
	o := origin.New(u, origin.Options{})
	t.Cleanup(o.Close)
	c := dial(t, o)
	defer c.Close()
	message := bytes.Repeat([]byte("0123456789abcdef"), 8<<20/16)
	time.AfterFunc(50*time.Millisecond, func() { close(begin) })
	if n, err := c.Ask(message); err != nil || n != len(message) {
		t.Fatal(n, err)
	}
	for c.In.Len() < sha256.Size {
		if err := c.Fill(); err != nil {
			t.Fatal(err)
		}
	}
	if want := sha256.Sum256(message); !bytes.Equal(c.In.Bytes(), want[:]) {
		t.Error("the other side read something else")
	}
}

// What has ended, or says what nobody asked for, is not used again.
func TestUnfitConnectionsAreDropped(t *testing.T) {
	t.Parallel()
	for name, handle := range map[string]func(conn net.Conn, said chan<- struct{}){
		"closed": func(conn net.Conn, said chan<- struct{}) { conn.Close(); close(said) },
		"reset": func(conn net.Conn, said chan<- struct{}) {
			_ = conn.(*net.TCPConn).SetLinger(0)
			conn.Close()
			close(said)
		},
		"talkative": func(conn net.Conn, said chan<- struct{}) {
			_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\n\r\n"))
			close(said)
			_, _ = conn.Read(make([]byte, 1))
		},
	} {
		said, again := make(chan struct{}), make(chan struct{})
		_, u := newServer(t, func(conn net.Conn) {
			_, _ = io.ReadFull(conn, make([]byte, 2))
			_, _ = conn.Write([]byte("ok"))
			<-again
			handle(conn, said)
		})
		o := origin.New(u, origin.Options{})
		c := dial(t, o)
		if _, err := c.Ask([]byte("hi")); err != nil {
			t.Fatal(err)
		}
		c.In.Consume(c.In.Len())
		c.Keep()
		close(again)
		<-said
		deadline := time.Now().Add(5 * time.Second)
		for { // the end is on its way
			c := o.Kept()
			if c == nil {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: the connection is lent", name)
			}
			c.Keep()
		}
		o.Close()
	}
	_, u := newServer(t, echo)
	o := origin.New(u, origin.Options{})
	t.Cleanup(o.Close)
	c := dial(t, o)
	if _, err := c.Ask([]byte("more than was asked for")); err != nil {
		t.Fatal(err)
	}
	c.Keep() // with bytes that nobody has read
	if o.Kept() != nil {
		t.Error("a connection with bytes in it is lent")
	}
}

// Idle connections end after a while, those that are used stay.
func TestIdleConnectionsEnd(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{}, 10)
	_, u := newServer(t, func(conn net.Conn) {
		echo(conn)
		ended <- struct{}{}
	})
	o := origin.New(u, origin.Options{IdleTimeout: 50 * time.Millisecond, IdleConns: 2})
	t.Cleanup(o.Close)
	conns := []*origin.Conn{dial(t, o), dial(t, o), dial(t, o)}
	for _, c := range conns {
		if _, err := c.Ask([]byte("x")); err != nil {
			t.Fatal(err)
		}
		c.In.Consume(1)
		c.Keep()
	}
	for range conns { // the third is one too many
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			t.Fatal("an idle connection stays open")
		}
	}
	if o.Kept() != nil {
		t.Error("an ended connection is lent")
	}
}

func TestBreakEndsAWait(t *testing.T) {
	t.Parallel()
	_, u := newServer(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	o := origin.New(u, origin.Options{})
	t.Cleanup(o.Close)
	c := dial(t, o)
	defer c.Close()
	time.AfterFunc(30*time.Millisecond, c.Break)
	var late net.Error
	if _, err := c.Ask([]byte("x")); !errors.As(err, &late) || !late.Timeout() {
		t.Errorf("%v", err)
	}
}

func TestWhatIsNeverDialled(t *testing.T) {
	t.Parallel()
	o := origin.New(&url.URL{Scheme: "http", Host: "169.254.169.254"}, origin.Options{})
	if _, err := o.Dial(t.Context()); !errors.Is(err, origin.ErrLinkLocal) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := o.Dial(ctx); err == nil {
		t.Error("a dial that nobody waits for")
	}
}
