package hostile_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// Streams that are opened and reset as fast as can be: an upstream never has more to do
// at a time than the connections' limits allow, everybody else is served, and once it
// is over the program has nothing to do.
func TestRapidResets(t *testing.T) {
	t.Parallel()
	const connections, streams = 10, 20
	const work = 300 * time.Millisecond // of the upstream for each request
	var running, most, all atomic.Int64
	m := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/slow" {
			return
		}
		now := running.Add(1)
		defer running.Add(-1)
		all.Add(1)
		for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
		}
		<-time.After(work) // whether or not somebody still waits for it
	}))
	t.Cleanup(m.Close)
	p := start(t, fmt.Sprintf("monolith: %s\nh2c: true\nlimits: { streams: %d }\n", m.URL, streams))
	var sent, reconnected atomic.Int64
	var attackers, normal sync.WaitGroup
	for n := range connections {
		pause := time.Duration(n%2) * 60 * time.Millisecond
		attackers.Go(func() {
			for left := size(100_000, 8000) / connections; left > 0; {
				n, err := p.resetMany(left, pause, streams)
				if err != nil {
					t.Error(err)
					return
				}
				left -= n
				sent.Add(int64(n))
				if left > 0 { // what the connection that was thrown out has begun counts, too
					time.Sleep(2 * work)
				}
				reconnected.Add(1)
			}
		})
	}
	over := make(chan struct{})
	var asked atomic.Int64
	normal.Go(func() {
		two := p.client(true)
		for {
			select {
			case <-over:
				return
			case <-time.After(20 * time.Millisecond):
			}
			asked.Add(1)
			if err := p.get("/"); err != nil {
				t.Errorf("a normal client: %v", err)
			}
			if res, err := two.Get("http://" + p.address + "/"); err != nil || res.StatusCode != http.StatusOK {
				t.Errorf("a normal client of HTTP/2: %v %v", res, err)
			} else {
				res.Body.Close()
			}
		}
	})
	attackers.Wait()
	close(over)
	normal.Wait()
	t.Logf("%d streams over %d connections, %d requests reached the upstream, at most %d at a time; a normal client asked %d times",
		sent.Load(), reconnected.Load(), all.Load(), most.Load(), asked.Load())
	if n := most.Load(); n > connections*streams {
		t.Errorf("the upstream had %d requests at a time, more than %d connections with %d streams", n, connections, streams)
	}
	await(t, "nothing to do", 5*time.Second, func() bool {
		before := p.processor()
		time.Sleep(500 * time.Millisecond)
		return p.processor()-before < 25*time.Millisecond && p.metric("strangler_requests_in_flight") == 0
	})
}

// processor is the processor time that the program has used so far.
func (p *proxy) processor() time.Duration {
	p.t.Helper()
	return time.Duration(p.metric("process_cpu_seconds_total") * float64(time.Second))
}

// resetMany opens and resets streams on one connection, until it ends or all are done.
// After so many it pauses, and then those get as far as the upstream.
func (p *proxy) resetMany(all int, pause time.Duration, after int) (done int, _ error) {
	conn, err := net.Dial("tcp", p.address)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	go func() { _, _ = io.Copy(io.Discard, conn) }()
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		return 0, err
	}
	f := http2.NewFramer(conn, nil)
	err = f.WriteSettings()
	block := fields(":method", "GET", ":scheme", "http", ":authority", "h", ":path", "/slow")
	for ; err == nil && done < all; done++ { // an error means that we are thrown out
		stream := uint32(2*done + 1)
		if err = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block, EndStream: true, EndHeaders: true}); err == nil {
			err = f.WriteRSTStream(stream, http2.ErrCodeCancel)
		}
		if pause > 0 && done%after == after-1 {
			time.Sleep(pause)
		}
	}
	return done, nil
}

// fields is a block of header fields, given as names and values, that refers to no other.
func fields(pairs ...string) []byte {
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	e.SetMaxDynamicTableSize(0)
	for i := 0; i < len(pairs); i += 2 {
		_ = e.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
	}
	return block.Bytes()
}
