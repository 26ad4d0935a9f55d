package listen_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// raw is a connection of HTTP/2 without TLS, after the settings were exchanged.
func raw(t *testing.T, h *house) (*http2.Framer, net.Conn) {
	t.Helper()
	conn := dial(t, h)
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	f := http2.NewFramer(conn, conn)
	if err := f.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	return f, conn
}

func begin(t *testing.T, f *http2.Framer, stream uint32, path string) {
	t.Helper()
	if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: head(path), EndStream: true, EndHeaders: true}); err != nil {
		t.Fatal(err)
	}
}

func head(path string) []byte {
	var block sink
	e := hpack.NewEncoder(&block)
	for _, field := range [][2]string{{":method", "GET"}, {":scheme", "http"}, {":authority", "h"}, {":path", path}} {
		_ = e.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
	}
	return block
}

type sink []byte

func (s *sink) Write(p []byte) (int, error) {
	*s = append(*s, p...)
	return len(p), nil
}

// A graceful stop tells the client, and the request that runs comes to its end.
func TestShutdownOfHTTP2(t *testing.T) {
	t.Parallel()
	began, release := make(chan struct{}), make(chan struct{})
	s := plain()
	s.H2C = true
	h := open(t, s, func(http.ResponseWriter, *http.Request) {
		close(began)
		<-release
	})
	f, _ := raw(t, h)
	begin(t, f, 1, "/")
	<-began
	ended := make(chan error, 1)
	go func() { ended <- h.http2.Shutdown(context.Background()) }()
	var last uint32
	var goAway, data bool
	for !data {
		frame, err := f.ReadFrame()
		if err != nil {
			t.Fatalf("%v (told: %t)", err, goAway)
		}
		switch frame := frame.(type) {
		case *http2.GoAwayFrame:
			last = frame.LastStreamID
			if !goAway && frame.ErrCode == http2.ErrCodeNo {
				goAway = true
				close(release)
			}
		case *http2.DataFrame:
			data = string(frame.Data()) == "HTTP/2.0 tls=false"
		}
	}
	if !goAway || last == 0 {
		t.Errorf("told: %t, last stream %d", goAway, last)
	}
	if err := <-ended; err != nil {
		t.Errorf("shutdown: %v", err)
	}
	await(t, "the connection's end", func() bool { return h.Open() == 0 })
}

// A client that opens and resets streams as fast as it can never has more requests
// running than one connection may have, and ends being thrown out, not served.
func TestRapidReset(t *testing.T) {
	t.Parallel()
	var running, most atomic.Int64
	s := plain()
	s.H2C, s.Limits.Streams = true, 10
	h := open(t, s, func(_ http.ResponseWriter, r *http.Request) {
		now := running.Add(1)
		defer running.Add(-1)
		for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
		}
		if r.URL.Path == "/slow" { // as an upstream that does not notice
			time.Sleep(20 * time.Millisecond)
		}
	})
	f, conn := raw(t, h)
	go func() { _, _ = io.Copy(io.Discard, conn) }()
	var err error
	sent := 0
	for stream := uint32(1); err == nil && sent < 20_000; stream, sent = stream+2, sent+1 {
		if err = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: head("/slow"), EndStream: true, EndHeaders: true}); err == nil {
			err = f.WriteRSTStream(stream, http2.ErrCodeCancel)
		}
	}
	t.Logf("%d streams before %v", sent, err)
	if n := most.Load(); n > int64(s.Limits.Streams) {
		t.Errorf("%d requests ran at a time", n)
	}
	await(t, "the end of all", func() bool { return running.Load() == 0 && h.Open() == 0 })
	// Everybody else goes on.
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	if got := get(t, &http.Client{Transport: &http.Transport{Protocols: &p}}, "http://"+h.Addr().String()); got != "HTTP/2.0 tls=false" {
		t.Errorf("got %q", got)
	}
}

// A client that opens a connection of HTTP/2 and sends nothing more is not kept for ever.
func TestIdleHTTP2Ends(t *testing.T) {
	t.Parallel()
	s := plain()
	s.H2C, s.Limits.IdleTimeout = true, 300*time.Millisecond
	h := open(t, s, nil)
	_, conn := raw(t, h)
	if _, err := io.Copy(io.Discard, conn); err != nil && !errors.Is(err, io.EOF) {
		t.Errorf("the connection: %v", err)
	}
	await(t, "no connection", func() bool { return h.Open() == 0 })
}
