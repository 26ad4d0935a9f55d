package hostile_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Uploads whose clients ask first, and an upstream that answers before it has seen a
// byte of the body: with a refusal, or as if all were done. Nobody waits for long, and
// the connections to the upstream are used again whether or not the body then comes.
func TestEarlyAnswersToExpectations(t *testing.T) {
	t.Parallel()
	upstream := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/refused":
			w.WriteHeader(http.StatusExpectationFailed)
		case "/early":
			fmt.Fprint(w, "done")
		default:
			n, _ := io.Copy(io.Discard, r.Body)
			fmt.Fprint(w, n)
		}
	})}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var upstreams atomic.Int64
	upstream.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			upstreams.Add(1)
		}
	}
	go func() { _ = upstream.Serve(l) }()
	t.Cleanup(func() { _ = upstream.Close() })
	p := start(t, "monolith: http://"+l.Addr().String()+"\n")
	rounds := size(1000, 60)
	// A body of up to 64 KiB the proxy asks for by itself, so that the upstream need not
	// end its connection, as it must when it does not know whether the body will follow.
	short := p.uploads(rounds, false, 0, 1, 5_000, 65_536)
	t.Logf("%d short uploads: the slowest %v, %d connections to the upstream", rounds, short, upstreams.Load())
	if n := upstreams.Load(); n > 20 {
		t.Errorf("%d uploads took %d connections to the upstream", rounds, n)
	}
	long := max(p.uploads(rounds, false, 65_537, 3_000_000), p.uploads(rounds, true, 0, 1, 100_000))
	t.Logf("%d others: the slowest %v", 2*rounds, long)
	if slowest := max(short, long); slowest > time.Second {
		t.Errorf("an upload took %v", slowest)
	}
}

// uploads sends bodies of these lengths in turn, and returns how long the slowest took.
func (p *proxy) uploads(rounds int, chunked bool, lengths ...int) (slowest time.Duration) {
	p.t.Helper()
	for i := range rounds {
		path, want := "/refused", "417"
		switch i % 3 {
		case 1:
			path, want = "/early", "200"
		case 2:
			path, want = "/taken", "200"
		}
		slowest = max(slowest, p.expect(path, want, lengths[i%len(lengths)], chunked))
	}
	return slowest
}

// expect asks whether to send a body, sends it if it is wanted, and returns how long it
// was until the answer was there.
func (p *proxy) expect(path, want string, length int, chunked bool) time.Duration {
	p.t.Helper()
	conn, err := net.Dial("tcp", p.address)
	if err != nil {
		p.t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	framing, body := fmt.Sprintf("Content-Length: %d", length), strings.Repeat("b", length)
	if chunked {
		framing = "Transfer-Encoding: chunked"
		if length > 0 {
			body = fmt.Sprintf("%x\r\n%s\r\n", length, body)
		}
		body += "0\r\n\r\n"
	}
	begun := time.Now()
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n%s\r\n\r\n", path, framing)
	in := bufio.NewReader(conn)
	status := p.status(in)
	if status == "100" {
		if _, err := io.WriteString(conn, body); err != nil {
			p.t.Logf("the body: %v", err) // the answer counts
		}
		status = p.status(in)
	}
	took := time.Since(begun)
	if status != want {
		p.t.Fatalf("%s with %d bytes (chunked: %t): %q, want %s", path, length, chunked, status, want)
	}
	return took
}

// status reads the head of an answer.
func (p *proxy) status(in *bufio.Reader) string {
	p.t.Helper()
	first, err := in.ReadString('\n')
	if err != nil {
		p.t.Fatalf("no answer: %q %v", first, err)
	}
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			p.t.Fatal(err)
		}
		if line == "\r\n" {
			break
		}
	}
	fields := strings.Fields(first)
	if len(fields) < 2 {
		p.t.Fatalf("%q is no status line", first)
	}
	return fields[1]
}
