package hostile_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// A ledger is who got which request that changes something.
type ledger struct {
	mu      sync.Mutex
	entries map[string]int // by the id of the request
}

func (l *ledger) note(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.entries == nil {
		l.entries = map[string]int{}
	}
	l.entries[id]++
}

// A brittle connection is reset once so many bytes have passed, in whichever direction.
type brittle struct {
	net.Conn
	left int
}

var errBrittle = errors.New("it broke")

func (b *brittle) pass(p []byte, f func([]byte) (int, error)) (int, error) {
	if b.left == 0 {
		_ = b.Conn.(*net.TCPConn).SetLinger(0)
		b.Close()
		return 0, errBrittle
	}
	n, err := f(p[:min(len(p), b.left)])
	b.left -= n
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return n, err
}

func (b *brittle) Read(p []byte) (int, error) {
	n, err := b.pass(p, b.Conn.Read)
	if errors.Is(err, io.ErrShortWrite) {
		err = nil
	}
	return n, err
}

func (b *brittle) Write(p []byte) (int, error) { return b.pass(p, b.Conn.Write) }

// newBrittle is an upstream whose connections break at random bytes: within the head of
// a request, its body, the answer, or between two of them. Whose head and body it has
// read, it notes.
func newBrittle(t *testing.T, seed uint64, all *ledger) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(seed, 3))
	var open sync.WaitGroup
	t.Cleanup(func() { l.Close(); open.Wait() })
	open.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			b := &brittle{conn, 1 + random.IntN([]int{300, 5000, 400_000}[random.IntN(3)])}
			open.Go(func() {
				defer b.Close()
				_ = b.SetDeadline(time.Now().Add(time.Minute))
				in := bufio.NewReader(b)
				for {
					req, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					all.note(req.Header.Get("X-Id")) // from here on it may have been acted upon
					_, err = io.Copy(io.Discard, req.Body)
					if err == nil {
						_, err = io.WriteString(b, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
					}
					if err != nil {
						b.left = 0
						_, _ = b.Write(nil)
						return
					}
				}
			})
		}
	})
	return "http://" + l.Addr().String()
}

// Wherever connections to upstreams break, a request that changes something arrives once
// at most, at the services and the monolith together, and exactly once if it was answered.
func TestWritesArriveOnceAtMost(t *testing.T) {
	t.Parallel()
	all := &ledger{}
	services := fmt.Sprintf("[%s, %s, http://127.0.0.1:1]", newBrittle(t, 1, all), newBrittle(t, 2, all))
	p := start(t, "monolith: "+newBrittle(t, 3, all)+"\ndefaults: { retry: { max: 3, on: [connect, reset, timeout, 500-599], budget: 100% } }\n"+
		"services:\n  s: { url: "+services+", breaker: off }\nroutes:\n  r: { match: /s/**, to: s, stage: live, data: none, shadow: off }\n")
	const workers = 8
	var mu sync.Mutex
	answered := map[string]bool{}
	client := p.client(false)
	var clients sync.WaitGroup
	for worker := range workers {
		clients.Go(func() {
			for n := range size(10_000, 960) / workers {
				id := fmt.Sprintf("%d-%d", worker, n)
				body := strings.NewReader(strings.Repeat("b", []int{0, 10, 3000, 20_000, 100_000}[n%5]))
				req, err := http.NewRequestWithContext(t.Context(), []string{"POST", "PUT", "DELETE", "PATCH"}[n%4], "http://"+p.address+"/s/x", body)
				if err != nil {
					t.Error(err)
					return
				}
				req.Header.Set("X-Id", id)
				res, err := client.Do(req)
				if err != nil {
					t.Errorf("%s: %v", id, err) // whatever happens behind it, the proxy answers
					return
				}
				text, err := io.ReadAll(res.Body)
				res.Body.Close()
				mu.Lock()
				answered[id] = err == nil && res.StatusCode == http.StatusOK && string(text) == "ok"
				mu.Unlock()
			}
		})
	}
	clients.Wait()
	all.mu.Lock()
	defer all.mu.Unlock()
	good := 0
	for id, well := range answered {
		if times := all.entries[id]; times > 1 || well && times == 0 {
			t.Errorf("%s arrived %d times; answered: %t", id, times, well)
		}
		if well {
			good++
		}
	}
	t.Logf("%d requests, %d of them answered; %d arrived", len(answered), good, len(all.entries))
	if good < len(answered)/4 || good == len(answered) {
		t.Errorf("%d of %d requests were answered: that tries little", good, len(answered))
	}
}
