package strangler_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	strangler "github.com/stranglerfig/toolkit/strangler-proxy"
)

// A recorder is an upstream that reads strictly, says what it was asked for, and notes
// what should never have come.
type recorder struct {
	mu       sync.Mutex
	problems []string
	hits     int
}

func newRecorder(t testing.TB) (*recorder, string) {
	rec := &recorder{}
	up := newRaw(t, func(conn net.Conn, in *bufio.Reader, head string) {
		_ = conn.SetDeadline(time.Time{})
		for err := error(nil); err == nil; head, err = readHead(in) {
			if !rec.serve(conn, in, head) {
				return
			}
		}
	})
	return rec, up.url()
}

func (rec *recorder) note(format string, args ...any) bool {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	if len(rec.problems) < 10 {
		rec.problems = append(rec.problems, fmt.Sprintf(format, args...))
	}
	return false
}

// serve answers one request and reports whether the connection is still in step.
func (rec *recorder) serve(conn net.Conn, in *bufio.Reader, head string) bool {
	rec.mu.Lock()
	rec.hits++
	rec.mu.Unlock()
	for line := range strings.SplitSeq(strings.TrimSuffix(head, "\r\n"), "\r\n") {
		if strings.ContainsFunc(line, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) || line != "" && strings.ContainsAny(line[:1], " \t") {
			return rec.note("forbidden bytes in %q of %q", line, head)
		}
	}
	req, err := http.ReadRequest(bufio.NewReader(io.MultiReader(strings.NewReader(head), in)))
	if err != nil {
		return rec.note("net/http does not read %q: %v", head, err)
	}
	lengths, codings := strings.Count(strings.ToLower(head), "\ncontent-length:"), strings.Count(strings.ToLower(head), "\ntransfer-encoding:")
	// The proxy says about each request that it has seen whom it came from.
	if lengths+codings > 1 || strings.Count(head, "\r\nX-Forwarded-For: 127.0.0.1\r\n") != 1 || strings.Count(head, "\r\nX-Request-Id: ") != 1 {
		return rec.note("out of step: %q", head)
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return false // the client broke off
	}
	text := fmt.Sprintf("%s %d", req.RequestURI, len(body))
	if req.Method == http.MethodHead {
		_, err = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(text))
	} else {
		_, err = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
	}
	return err == nil && codings == 0 // what was read ahead of chunks is lost
}

const inner = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"

// hostileSeeds are requests that servers have been known to disagree about.
var hostileSeeds = func() []string {
	seeds := []string{
		"GET /a HTTP/1.1\r\nHost: h\r\n\r\n", "HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n", "GET /a HTTP/1.0\r\n\r\n", "GET http://h/a HTTP/1.1\r\nHost: h\r\n\r\n",
		"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", "PUT /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n5;ext=\"a\"\r\nhello\r\n0\r\nX: y\r\n\r\n",
		"POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
		"GET /chat HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: k\r\n\r\n",
		"GET /a HTTP/1.1\r\nHost: h\r\nConnection: close, X-Forwarded-For, Content-Length\r\nContent-Length: 0\r\n\r\n",
	}
	for _, framing := range []string{
		"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\nContent-Length: %d\r\n", "Transfer-Encoding: xchunked\r\nContent-Length: %d\r\n",
		"Transfer-Encoding : chunked\r\nContent-Length: %d\r\n", "Transfer-Encoding:\tchunked\r\nX: %d\r\n", "Content-Length: %d\r\nContent-Length: 0\r\n", "Content-Length: 0, %d\r\n",
		"Content-Length: +%d\r\n", "Content-Length: %d \r\n", "Content-Length: 0x%x\r\n", "Content-Length: %d\r\n X: y\r\n", "Content-Length:\n %d\r\n", "X: y\rContent-Length: %d\r\n",
		"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\nX: %d\r\n", "Transfer-Encoding: chunked, identity\r\nX: %d\r\n", "Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\nX: %d\r\n",
		"X: \x00\r\nContent-Length: %d\r\n", "Content_Length: %d\r\n", "Content-Length: %d\r\nConnection: Content-Length\r\n", "Expect: 100-continue\r\nContent-Length: %d\r\n",
	} {
		for _, method := range []string{"GET", "POST"} {
			seeds = append(seeds, method+" /a HTTP/1.1\r\nHost: h\r\n"+fmt.Sprintf(framing, len(inner))+"\r\n"+inner,
				method+" /a HTTP/1.1\r\nHost: h\r\n"+fmt.Sprintf(framing, 5+len(inner))+"\r\n0\r\n\r\n"+inner,
				method+" /a HTTP/1.1\r\nHost: h\r\n"+fmt.Sprintf(framing, 4)+"\r\n"+strconv.FormatInt(int64(len(inner)), 16)+"\r\n"+inner+"\r\n0\r\n\r\n")
		}
	}
	return seeds
}()

// mutate changes a request in less than so many places where it matters.
func mutate(seed string, changes int, random *rand.Rand) string {
	b := []byte(seed)
	special := []string{"\r", "\n", "\r\n", "\x00", " ", "\t", ":", ";", "0", "\x7f", "\x80", ",", "%0d%0a", "/", "?", "#", "\v", "-", "+"}
	for range random.IntN(changes) {
		at := random.IntN(len(b) + 1)
		piece := special[random.IntN(len(special))]
		switch random.IntN(3) {
		case 0:
			b = append(b[:at:at], append([]byte(piece), b[at:]...)...)
		case 1:
			b = append(b[:at:at], append([]byte(piece), b[min(at+1, len(b)):]...)...)
		default:
			b = append(b[:at:at], b[min(at+1+random.IntN(3), len(b)):]...)
		}
	}
	return string(b)
}

// poison sends a request and one behind it on the same connection, and then looks whether
// the next client gets what it has asked for.
func poison(r *rig, request string, n int) (problem string) {
	conn, err := net.Dial("tcp", r.proxy.Addr().String())
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	mark := fmt.Sprintf("/mark-%d", n)
	_, _ = io.WriteString(conn, request+"GET "+mark+" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
	_ = conn.(*net.TCPConn).CloseWrite()
	answer, _ := io.ReadAll(conn)
	if bytes.Count(answer, []byte(mark+" ")) > 1 {
		return fmt.Sprintf("the client got %q", answer)
	}
	check := fmt.Sprintf("/check-%d", n)
	got, err := r.try("GET", check, nil)
	if err != nil || got.text != check+" 0" {
		return fmt.Sprintf("the next client got %q, %v", got.text, err)
	}
	return ""
}

func smuggle(t *testing.T, r *rig, rec *recorder, request string, n int) {
	t.Helper()
	if problem := poison(r, request, n); problem != "" {
		t.Errorf("%q: %s", request, problem)
	}
	rec.mu.Lock()
	defer rec.mu.Unlock()
	for _, problem := range rec.problems {
		t.Errorf("%q: %s", request, problem)
	}
	rec.problems = nil
}

// Nothing that a client writes reaches the upstream as something else than the proxy
// took it for.
func TestNothingIsSmuggled(t *testing.T) {
	t.Parallel()
	rec, url := newRecorder(t)
	r := start(t, "monolith: "+url+"\n", func(o *strangler.Options) {
		o.StallTimeout, o.HeaderTimeout = 200*time.Millisecond, 200*time.Millisecond
	})
	for n, seed := range hostileSeeds {
		smuggle(t, r, rec, seed, n)
	}
	many, changes := 1500, 3
	if os.Getenv("SOAK") != "" {
		many, changes = 150_000, 6
	}
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 1))
	for n := range many {
		if t.Failed() {
			t.Fatalf("random seed %d", seed)
		}
		smuggle(t, r, rec, mutate(hostileSeeds[random.IntN(len(hostileSeeds))], changes, random), 1000+n)
	}
	t.Logf("%d requests, random seed %d: %d came through", len(hostileSeeds)+many, seed, rec.hits)
	if rec.hits < many {
		t.Errorf("only %d requests came through", rec.hits)
	}
}

func FuzzNothingIsSmuggled(f *testing.F) {
	for _, seed := range hostileSeeds {
		f.Add(seed)
	}
	rec, url := newRecorder(f)
	r := start(f, "monolith: "+url+"\n", func(o *strangler.Options) {
		o.StallTimeout, o.HeaderTimeout = 200*time.Millisecond, 200*time.Millisecond
	})
	f.Fuzz(func(t *testing.T, request string) {
		if len(request) > 8<<10 {
			return
		}
		smuggle(t, r, rec, request, 1)
	})
}
