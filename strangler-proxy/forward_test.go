package strangler_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestEverythingPassesToTheMonolith(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	r := start(t, "monolith: "+m.URL+"\nroutes: []\n")
	body := make([]byte, 100_000)
	_, _ = rand.Read(body)
	sum := sha256.Sum256(body)
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "X-OWN"} {
		got := r.do(method, "/a%20b/%C3%A9;v=1?q=a;b=c&%zz&x", bytes.NewReader(body),
			"Host", "shop.example", "Accept-Encoding", "br", "X-Own", "1", "X-Own", "2", "Cookie", "a=b")
		if method == "HEAD" {
			if got.StatusCode != http.StatusOK || got.text != "" {
				t.Errorf("HEAD: %v %q", got.Status, got.text)
			}
			continue
		}
		if got.saw.Method != method || got.saw.Target != "/a%20b/%C3%A9;v=1?q=a;b=c&%zz&x" || got.saw.Host != "shop.example" || got.saw.Body != hex.EncodeToString(sum[:]) {
			t.Errorf("%s: the monolith saw %+v", method, got.saw)
		}
		if strings.Join(got.saw.Header["X-Own"], ",") != "1,2" || got.saw.Header.Get("Accept-Encoding") != "br" || got.saw.Length != int64(len(body)) {
			t.Errorf("%s: headers %v", method, got.saw.Header)
		}
		if cookies := got.Header["Set-Cookie"]; len(cookies) != 2 {
			t.Errorf("%s: cookies %v", method, cookies)
		}
		if by, route := got.Header["X-Strangler-Served-By"], got.Header["X-Strangler-Route"]; by[0] != "monolith" || len(route) != 1 || route[0] != "default" {
			t.Errorf("%s: served by %v, route %v", method, by, route)
		}
	}
}

// The bytes of the target are forwarded as they came, and nothing is added.
func TestTargetBytesAndNoAddedHeaders(t *testing.T) {
	t.Parallel()
	m := newRaw(t, func(conn net.Conn, _ *bufio.Reader, _ string) {
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
	})
	r := start(t, "monolith: "+m.url()+"\n")
	targets := []string{
		"/", "/a|b^c{d}\"<e>`", "/\xc3\xa9\xff", "/%e9%C3%a9", "/a?b=c?d/../e", "/a?", "//x/y", "/a%2fb/../c", "/?" + strings.Repeat("a=1&", 3000) + "last=1",
		"/a?x=%zz;y&&=", "/*", "/a:b@c,d;e=f",
	}
	for i, target := range targets {
		answer := r.send("GET " + target + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
		if !strings.HasPrefix(answer, "HTTP/1.1 200 OK\r\n") || !strings.HasSuffix(answer, "ok") {
			t.Errorf("%q: answer %q", target, answer)
			continue
		}
		heads := m.requests()
		if len(heads) != i+1 || !strings.HasPrefix(heads[i], "GET "+target+" HTTP/1.1\r\n") {
			t.Fatalf("%q: the monolith got %q", target, heads[len(heads)-1])
		}
		for _, line := range strings.Split(heads[i], "\r\n")[1:] {
			name, _, _ := strings.Cut(line, ":")
			switch name {
			case "", "Host", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Request-Id":
			default:
				t.Errorf("%q: header added: %s", target, line)
			}
		}
		if strings.Contains(answer, "Content-Type") {
			t.Errorf("%q: a content type was made up: %q", target, answer)
		}
	}
}

func TestAbsoluteFormNeverChoosesTheUpstream(t *testing.T) {
	t.Parallel()
	m, other := newEcho(t, "monolith"), newEcho(t, "other")
	r := start(t, "monolith: "+m.URL+"\n")
	for _, target := range []string{other.URL + "/x?y=1", other.URL + "?y=1", other.URL} {
		answer := r.send("GET " + target + " HTTP/1.1\r\nHost: " + strings.TrimPrefix(other.URL, "http://") + "\r\nConnection: close\r\n\r\n")
		if !strings.Contains(answer, `"Server":"monolith"`) {
			t.Errorf("%s: %q", target, answer)
		}
		answer = r.send("GET " + target + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
		if !strings.HasPrefix(answer, "HTTP/1.1 400 ") {
			t.Errorf("%s with another Host: %q", target, answer)
		}
	}
	if other.hits.Load() != 0 {
		t.Error("the other server was asked")
	}
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	r := start(t, "monolith: "+m.URL+"\n")
	kept := r.do("GET", "/", nil, "X-Request-Id", "abc-123_X.")
	if id := kept.Header.Get("X-Request-Id"); id != "abc-123_X." || kept.saw.Header.Get("X-Request-Id") != id {
		t.Errorf("a sane id became %q", id)
	}
	for _, bad := range []string{"a b", "<script>", strings.Repeat("x", 129), "é", "a/b"} {
		made := r.do("GET", "/", nil, "X-Request-Id", bad)
		id := made.Header.Get("X-Request-Id")
		if len(id) != 36 || id[14] != '7' || made.saw.Header.Get("X-Request-Id") != id {
			t.Errorf("for %q the id is %q, upstream %q", bad, id, made.saw.Header.Get("X-Request-Id"))
		}
	}
}

func TestResponsesPassUnchanged(t *testing.T) {
	t.Parallel()
	m := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/redirect":
			http.Redirect(w, r, "http://elsewhere.example/x", http.StatusFound)
		case "/empty":
			w.WriteHeader(http.StatusNoContent)
		case "/notmodified":
			w.Header().Set("Etag", `"1"`)
			w.WriteHeader(http.StatusNotModified)
		case "/hints":
			w.Header().Set("Link", "</a.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusOK)
		case "/trailers":
			w.Header().Set("Trailer", "X-Sum")
			_, _ = io.Copy(w, r.Body)
			w.Header().Set("X-Sum", "42 "+r.Trailer.Get("X-Client-Sum"))
		case "/gzip":
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = io.WriteString(w, "not really gzip")
		case "/hop":
			w.Header().Set("Connection", "X-Mine")
			w.Header().Set("X-Mine", "1")
			w.Header().Set("Keep-Alive", "timeout=5")
			w.Header().Set("Proxy-Authenticate", "Basic")
			w.Header().Set("X-Strangler-Fallback", "a lie")
		}
	}))
	t.Cleanup(m.Close)
	r := start(t, "monolith: "+m.URL+"\n")
	if got := r.do("GET", "/redirect", nil); got.StatusCode != 302 || got.Header.Get("Location") != "http://elsewhere.example/x" {
		t.Errorf("redirect: %v %v", got.Status, got.Header)
	}
	if got := r.do("GET", "/empty", nil); got.StatusCode != 204 || got.text != "" {
		t.Errorf("empty: %v", got.Status)
	}
	if got := r.do("GET", "/notmodified", nil); got.StatusCode != 304 || got.Header.Get("Etag") != `"1"` {
		t.Errorf("not modified: %v", got.Status)
	}
	if got := r.do("GET", "/gzip", nil); got.text != "not really gzip" || got.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("gzip: %q %v", got.text, got.Header)
	}
	hop := r.do("GET", "/hop", nil)
	for _, name := range []string{"X-Mine", "Keep-Alive", "Proxy-Authenticate", "X-Strangler-Fallback", "Connection"} {
		if hop.Header.Get(name) != "" {
			t.Errorf("hop-by-hop header %s reached the client", name)
		}
	}
	testHints(t, r)
	testTrailers(t, r)
}

func testHints(t *testing.T, r *rig) {
	var hints textproto.MIMEHeader
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		if code == http.StatusEarlyHints {
			hints = h
		}
		return nil
	}})
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, r.url("/hints"), nil)
	res, err := r.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if hints.Get("Link") == "" || res.StatusCode != 200 || res.Header.Get("X-Strangler-Served-By") != "monolith" {
		t.Errorf("early hints: %v, then %v %v", hints, res.Status, res.Header)
	}
}

func testTrailers(t *testing.T, r *rig) {
	answer := r.send("POST /trailers HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: X-Client-Sum\r\nTE: trailers\r\nConnection: close, TE\r\n\r\n3\r\nabc\r\n0\r\nX-Client-Sum: 7\r\n\r\n")
	if !strings.Contains(answer, "Trailer: X-Sum") || !strings.Contains(answer, "0\r\nX-Sum: 42 7\r\n\r\n") {
		t.Errorf("trailers: %q", answer)
	}
}

func TestExpectContinue(t *testing.T) {
	t.Parallel()
	m := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/refuse" {
			w.WriteHeader(http.StatusExpectationFailed)
			return
		}
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n)
	}))
	t.Cleanup(m.Close)
	r := start(t, "monolith: "+m.URL+"\n")
	for range 20 {
		conn, err := net.Dial("tcp", r.proxy.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
		in := bufio.NewReader(conn)
		fmt.Fprint(conn, "POST /take HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
		if head, err := readHead(in); err != nil || !strings.HasPrefix(head, "HTTP/1.1 100 ") {
			t.Fatalf("%q %v", head, err)
		}
		fmt.Fprint(conn, "12345")
		if head, err := readHead(in); err != nil || !strings.HasPrefix(head, "HTTP/1.1 200 ") {
			t.Fatalf("%q %v", head, err)
		}
		// A large body is refused before it is sent; of a small one the upstream gets all.
		for _, refuse := range []string{"Content-Length: 5000000\r\n", "Transfer-Encoding: chunked\r\n"} {
			refused := r.send("POST /refuse HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n" + refuse + "Connection: close\r\n\r\n")
			if !strings.HasPrefix(refused, "HTTP/1.1 417 ") {
				t.Fatalf("%q", refused)
			}
		}
		refused := r.send("POST /refuse HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\nConnection: close\r\n\r\n12345")
		if !strings.Contains(refused, "HTTP/1.1 417 ") {
			t.Fatalf("%q", refused)
		}
	}
}

// Bodies stream both ways at once: the answer's first part arrives while the request
// is still being sent.
func TestBodiesStream(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		w.WriteHeader(http.StatusOK)
		in := bufio.NewReader(r.Body)
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			_, _ = io.WriteString(w, "got "+line)
			_ = http.NewResponseController(w).Flush()
		}
	}))
	t.Cleanup(s.Close)
	r := start(t, oneRoute(newEcho(t, "monolith").URL, s.URL, "live"))
	conn, err := net.Dial("tcp", r.proxy.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	in := bufio.NewReader(conn)
	fmt.Fprint(conn, "POST /s/chat HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
	for i := range 3 {
		fmt.Fprintf(conn, "6\r\nline%d\n\r\n", i)
		if i == 0 {
			if head, err := readHead(in); err != nil || !strings.HasPrefix(head, "HTTP/1.1 200") {
				t.Fatalf("%q %v", head, err)
			}
		}
		want := fmt.Sprintf("got line%d\n", i)
		for line := ""; line != want; {
			if line, err = in.ReadString('\n'); err != nil {
				t.Fatalf("waiting for %q: %v", want, err)
			}
		}
	}
}

// A large body passes through a small memory.
func TestLargeBodiesAreNotKept(t *testing.T) {
	// Not parallel: it looks at the memory of the process.
	const size = 128 << 20
	m := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			n, _ := io.Copy(io.Discard, r.Body)
			_ = json.NewEncoder(w).Encode(n)
			return
		}
		_, _ = io.Copy(w, io.LimitReader(zeros{}, size))
	}))
	t.Cleanup(m.Close)
	r := start(t, "monolith: "+m.URL+"\n")
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	res, err := r.client.Post(r.url("/"), "application/octet-stream", io.LimitReader(zeros{}, size))
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(res.Body)
	res.Body.Close()
	if strings.TrimSpace(string(text)) != fmt.Sprint(size) {
		t.Errorf("the monolith got %s bytes", text)
	}
	res, err = r.client.Get(r.url("/"))
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, res.Body)
	res.Body.Close()
	if n != size || err != nil {
		t.Errorf("the client got %d bytes, %v", n, err)
	}
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapSys) - int64(before.HeapSys); grown > 64<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestAccessLog(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "monolith"), newEcho(t, "s")
	r := start(t, oneRoute(m.URL, s.URL, "live"))
	got := r.do("GET", "/s/x?secret=1", nil)
	r.do("GET", "/s/y?status=503", nil)
	await(t, "two log lines", func() bool { return strings.Count(r.log.String(), `"msg":"request"`) == 2 })
	var lines []map[string]any
	for _, line := range strings.Split(strings.TrimSpace(r.log.String()), "\n") {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatal(err)
		}
		if fields["msg"] == "request" {
			lines = append(lines, fields)
		}
	}
	for key, want := range map[string]any{
		"method": "GET", "path": "/s/x", "status": 200.0, "bytes": float64(len(got.text)), "route": "r", "stage": "live",
		"served_by": "s", "fallback_reason": "", "config_version": 1.0, "request_id": got.Header.Get("X-Request-Id"),
		"host": r.proxy.Addr().String(), "client": "127.0.0.1", "retries": 0.0,
	} {
		if lines[0][key] != want {
			t.Errorf("%s is %v, want %v", key, lines[0][key], want)
		}
	}
	if strings.Contains(r.log.String(), "secret=1") {
		t.Error("a query is in the log")
	}
	if lines[1]["served_by"] != "monolith" || lines[1]["fallback_reason"] != "status_503" {
		t.Errorf("fallback line: %v", lines[1])
	}
}

func TestClientThatLeavesCancelsTheUpstream(t *testing.T) {
	t.Parallel()
	cancelled := make(chan struct{})
	began := make(chan struct{})
	m := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(began)
		<-r.Context().Done()
		close(cancelled)
	}))
	t.Cleanup(m.Close)
	r := start(t, "monolith: "+m.URL+"\n")
	ctx, leave := context.WithCancel(t.Context())
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, r.url("/"), nil)
	go func() {
		<-began
		leave()
	}()
	if _, err := r.client.Do(req); err == nil {
		t.Fatal("no error")
	}
	<-cancelled
	await(t, "status 499 in the log", func() bool { return strings.Contains(r.log.String(), `"status":499`) })
}
