package http1_test

import (
	"bufio"
	"bytes"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/http/httpguts"

	"github.com/stranglerfig/toolkit/strangler-proxy/http1"
)

// A reading is data as net/http takes it from a connection.
type reading struct {
	source *bytes.Reader
	*bufio.Reader
}

func read(data []byte) reading {
	source := bytes.NewReader(data)
	return reading{source, bufio.NewReaderSize(source, 128<<10)}
}

// rest is what net/http has not consumed.
func (r reading) rest() int { return r.source.Len() + r.Buffered() }

func mustNotBeARequest(t *testing.T, data []byte) {
	t.Helper()
	if req, err := http.ReadRequest(read(data).Reader); err == nil {
		t.Fatalf("more is waited for, but net/http has a request: %q: %+v", data, req)
	}
}

func agreeOnRequest(t *testing.T, data []byte, r *http1.Request) {
	t.Helper()
	in := read(data)
	req, err := http.ReadRequest(in.Reader)
	if err != nil {
		t.Fatalf("%q is accepted, but by net/http: %v", data, err)
	}
	if got := len(data) - in.rest(); got != r.Len {
		t.Fatalf("%q: head of %d bytes, but for net/http %d", data, r.Len, got)
	}
	if req.Method != string(r.Method) || req.RequestURI != string(r.Target) || req.ProtoMajor != 1 || req.ProtoMinor != r.Minor ||
		!strings.EqualFold(req.Host, string(r.Host)) || req.Close != !r.KeepAlive {
		t.Fatalf("%q: net/http says %q %q minor %d host %q close %v", data, req.Method, req.RequestURI, req.ProtoMinor, req.Host, req.Close)
	}
	if req.URL.EscapedPath() != string(r.Path) && req.URL.RawPath != string(r.Path) && !samePath(req, string(r.Path)) || req.URL.RawQuery != string(r.Query) {
		t.Fatalf("%q: net/http says path %q %q query %q", data, req.URL.Path, req.URL.RawPath, req.URL.RawQuery)
	}
	if !httpguts.ValidHostHeader(req.Host) {
		t.Fatalf("%q: a net/http server refuses the host", data)
	}
	agreeOnFields(t, data, req.Header, &r.Fields, r.Framing)
	agreeOnLength(t, data, req.ContentLength, req.TransferEncoding, r.Framing, max(0, r.ContentLength))
	var b http1.Body
	r.BeginBody(&b, true)
	agreeOnBody(t, data, in, req.Body, &b, r.Len, r.Framing)
}

// samePath reports whether net/http has unescaped the path to what it has.
func samePath(req *http.Request, path string) bool {
	got := req.URL.Path
	return strings.IndexByte(path, '%') < 0 && got == path
}

func agreeOnFields(t *testing.T, data []byte, theirs http.Header, ours *http1.Fields, framing http1.Framing) {
	t.Helper()
	want := http.Header{}
	for i := range ours.Count() {
		name := string(ours.Name(i))
		if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(string(ours.Value(i))) {
			t.Fatalf("%q: a net/http server refuses %q", data, name)
		}
		want.Add(name, string(ours.Value(i)))
	}
	if want.Get("Pragma") == "no-cache" && want["Cache-Control"] == nil {
		want.Set("Cache-Control", "no-cache") // net/http translates
	}
	theirs, want = maps.Clone(theirs), maps.Clone(want)
	for _, h := range []http.Header{theirs, want} { // net/http keeps these elsewhere
		h.Del("Host")
		h.Del("Transfer-Encoding")
		h.Del("Content-Length")
		h.Del("Connection")
		if framing == http1.ByChunks || framing == http1.NoBody {
			h.Del("Trailer")
		}
	}
	if !maps.EqualFunc(theirs, want, slices.Equal) {
		t.Fatalf("%q: fields %q, but for net/http %q", data, want, theirs)
	}
}

func agreeOnLength(t *testing.T, data []byte, length int64, codings []string, framing http1.Framing, want int64) {
	t.Helper()
	chunks := len(codings) == 1 && codings[0] == "chunked"
	switch {
	case framing == http1.ByChunks && !chunks, framing == http1.ByLength && (chunks || length != want):
		t.Fatalf("%q: framing %d length %d, but for net/http length %d codings %q", data, framing, want, length, codings)
	}
}

// agreeOnBody compares data and end of a body behind a head that both have read.
func agreeOnBody(t *testing.T, data []byte, in reading, theirs io.ReadCloser, ours *http1.Body, headBytes int, framing http1.Framing) {
	t.Helper()
	plain, n, err := drain(ours, data[headBytes:], 1+len(data)/2)
	if err != nil {
		return
	}
	got, readErr := io.ReadAll(theirs)
	switch complete := ours.Done() || framing == http1.UntilClose; {
	case !complete && readErr == nil:
		t.Fatalf("%q: more body is waited for, but net/http has %q", data, got)
	case !complete:
	case readErr != nil:
		t.Fatalf("%q: the body is complete, but for net/http: %v", data, readErr)
	case !bytes.Equal(got, plain):
		t.Fatalf("%q: body %q, but for net/http %q", data, plain, got)
	case len(data)-in.rest() != headBytes+n:
		t.Fatalf("%q: message of %d bytes, but for net/http %d", data, headBytes+n, len(data)-in.rest())
	}
}

func agreeOnResponse(t *testing.T, data []byte, r *http1.Response, toHead bool) {
	t.Helper()
	in := read(data)
	method := http.MethodGet
	if toHead {
		method = http.MethodHead
	}
	res, err := http.ReadResponse(in.Reader, &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%q is accepted, but by net/http: %v", data, err)
	}
	if got := len(data) - in.rest(); got != r.Len {
		t.Fatalf("%q: head of %d bytes, but for net/http %d", data, r.Len, got)
	}
	if res.StatusCode != r.Status || res.ProtoMajor != 1 || res.ProtoMinor != r.Minor || r.KeepAlive && res.Close {
		t.Fatalf("%q: net/http says %d minor %d close %v", data, res.StatusCode, res.ProtoMinor, res.Close)
	}
	agreeOnFields(t, data, res.Header, &r.Fields, r.Framing)
	agreeOnLength(t, data, res.ContentLength, res.TransferEncoding, r.Framing, r.ContentLength)
	if r.Framing == http1.Tunnel {
		return // net/http leaves that to its transport
	}
	var b http1.Body
	r.BeginBody(&b, true)
	agreeOnBody(t, data, in, res.Body, &b, r.Len, r.Framing)
}

func agreeOnChunks(t *testing.T, data, plain []byte, n int, done bool) {
	t.Helper()
	const head = post + "Transfer-Encoding: chunked\r\n\r\n"
	in := read(append([]byte(head), data...))
	req, err := http.ReadRequest(in.Reader)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(req.Body)
	switch {
	case !done && err == nil:
		t.Fatalf("%q: more is waited for, but net/http has %q", data, got)
	case !done:
		return
	case err != nil || !bytes.Equal(got, plain) || len(data)-in.rest() != n:
		t.Fatalf("%q: %q in %d bytes, but for net/http %q in %d, %v", data, plain, n, got, len(data)-in.rest(), err)
	}
	if got, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(data))); err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("%q: %q, but for httputil %q, %v", data, plain, got, err)
	}
	theirs := 0
	for _, values := range req.Trailer {
		theirs += len(values)
	}
	if lines := bytes.Count(data[:n], []byte("\r\n")); theirs > lines {
		t.Fatalf("%q: net/http has %d trailers", data, theirs)
	}
}

// A net/http server behind the proxy sees as many requests in a stream as the proxy,
// and the one that follows a smuggler is not poisoned.
func TestServerSeesTheSameRequests(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	seen := map[string][]string{} // by client address
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		seen[r.RemoteAddr] = append(seen[r.RemoteAddr], r.Method+" "+r.RequestURI+" "+string(body))
	}))
	t.Cleanup(server.Close)
	for name, s := range requests {
		stream := append([]byte(s.text), "GET /next HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"...)
		if name == "incomplete body" || name == "incomplete chunks" || s.want != 0 {
			continue
		}
		want := split(t, stream)
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write(stream)
		_ = conn.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, conn)
		mu.Lock()
		got := seen[conn.LocalAddr().String()]
		mu.Unlock()
		conn.Close()
		if !slices.Equal(got, want) || len(want) == 0 {
			t.Errorf("%s: the server sees %q, want %q", name, got, want)
		}
	}
}

// split returns the requests of a connection as a proxy serves them.
func split(t *testing.T, stream []byte) (requests []string) {
	t.Helper()
	var r http1.Request
	for {
		r.Reset()
		if done, err := r.Parse(stream); !done || err != nil {
			return requests
		}
		var b http1.Body
		r.BeginBody(&b, true)
		body, n, err := drain(&b, stream[r.Len:], len(stream))
		if err != nil || !b.Done() {
			return requests
		}
		requests = append(requests, string(r.Method)+" "+string(r.Target)+" "+string(body))
		if !r.KeepAlive {
			return requests
		}
		stream = stream[r.Len+n:]
	}
}
