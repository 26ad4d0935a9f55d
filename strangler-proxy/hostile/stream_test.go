package hostile_test

import (
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A source yields a stream that repeats no part of 1 MiB at another place.
type source struct {
	block []byte
	left  int64
	at    int
}

func newSource(bytes int64) *source {
	s := &source{block: make([]byte, 1<<20-7), left: bytes}
	chaos := rand.NewChaCha8([32]byte{1})
	_, _ = chaos.Read(s.block)
	return s
}

func (s *source) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(int64(len(p)), s.left)], s.block[s.at:])
	s.left -= int64(n)
	s.at = (s.at + n) % len(s.block)
	return n, nil
}

// sum is the checksum of all that r yields.
func sum(r io.Reader) (uint32, int64, error) {
	hash := crc32.New(castagnoli)
	n, err := io.CopyBuffer(struct{ io.Writer }{hash}, struct{ io.Reader }{r}, make([]byte, 64<<10))
	return hash.Sum32(), n, err
}

// Gigabytes pass in both directions and by both protocols, every byte of them, and the
// program holds no more than a few buffers of them.
func TestStreamsPassInConstantMemory(t *testing.T) {
	t.Parallel()
	bytes := int64(size(2<<10, 64)) << 20
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			if r.URL.Path == "/known" {
				w.Header().Set("Content-Length", strconv.FormatInt(bytes, 10))
			}
			_, _ = io.Copy(w, newSource(bytes))
			return
		}
		crc, n, err := sum(r.Body)
		fmt.Fprintf(w, "%d bytes, %08x, %v", n, crc, err)
	}))
	t.Cleanup(upstream.Close)
	p := start(t, "monolith: "+upstream.URL+"\nh2c: true\n")
	crc, _, _ := sum(newSource(bytes))
	want := fmt.Sprintf("%d bytes, %08x, <nil>", bytes, crc)
	one, two := p.client(false), p.client(true)
	for _, c := range []*http.Client{one, two} { // so that code and buffers are there
		if got := transfer(t, c, p.address, http.MethodPut, "/known", 1<<20); got == "" {
			t.Fatal("no answer")
		}
	}
	before, begun := p.resident(), time.Now()
	most := p.watchMemory()
	for _, c := range []*http.Client{one, two} {
		for _, method := range []string{http.MethodPut, http.MethodGet} {
			for _, path := range []string{"/known", "/chunked"} {
				if !soak() && (path == "/known") == (method == http.MethodPut) {
					continue // one of each pair is enough for the short form
				}
				if got := transfer(t, c, p.address, method, path, bytes); got != want {
					t.Errorf("%s %s: got %q, want %q", method, path, got, want)
				}
			}
		}
	}
	grown := most() - before
	t.Logf("%d MiB at a time, %v in all: resident memory grew by %d KiB from %d KiB", bytes>>20, time.Since(begun), grown>>10, before>>10)
	if grown >= 32<<20 {
		t.Errorf("resident memory grew by %d MiB", grown>>20)
	}
}

// transfer sends or fetches a stream and says what arrived.
func transfer(t *testing.T, c *http.Client, address, method, path string, bytes int64) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+address+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if method == http.MethodPut {
		req.Body, req.ContentLength = io.NopCloser(newSource(bytes)), -1
		if path == "/known" {
			req.ContentLength = bytes
		}
	}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if method == http.MethodPut {
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Error(err)
		}
		return string(text)
	}
	crc, n, err := sum(res.Body)
	return fmt.Sprintf("%d bytes, %08x, %v", n, crc, err)
}

// client speaks HTTP/1.1 or, without TLS, HTTP/2.
func (p *proxy) client(two bool) *http.Client {
	var protocols http.Protocols
	protocols.SetHTTP1(!two)
	protocols.SetUnencryptedHTTP2(two)
	tr := &http.Transport{Protocols: &protocols, DisableCompression: true}
	p.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// watchMemory looks at the process's memory until most is called, which returns the
// most that there was.
func (p *proxy) watchMemory() (most func() int64) {
	var highest atomic.Int64
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			highest.Store(max(highest.Load(), p.resident()))
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return func() int64 {
		close(stop)
		<-done
		return highest.Load()
	}
}
