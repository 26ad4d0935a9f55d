package record_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/compare/differ"
	"github.com/stranglerfig/toolkit/compare/record"
)

// recorder puts a recorder in front of a handler; done closes it and returns what it wrote.
func recorder(t *testing.T, h http.HandlerFunc, opts record.Options) (url string, done func() []record.Exchange) {
	t.Helper()
	target := httptest.NewServer(h)
	t.Cleanup(target.Close)
	return inFront(t, target.URL, opts)
}

func inFront(t *testing.T, target string, opts record.Options) (url string, done func() []record.Exchange) {
	t.Helper()
	dir := t.TempDir()
	r, err := record.NewRecorder(t.Context(), target, dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	return r.URL, func() []record.Exchange {
		t.Helper()
		written, lost, err := r.Close(context.Background())
		if err != nil || lost > 0 {
			t.Fatalf("close: %d written, %d lost: %v", written, lost, err)
		}
		writeFile(t, dir, "run.json", `{"schema":1,"name":"x","status":"complete"}`)
		rec, err := record.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		return rec.Exchanges
	}
}

func send(t *testing.T, req *http.Request) (*http.Response, string) {
	t.Helper()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

func request(t *testing.T, method, url string, body io.Reader, headers ...string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return req
}

func TestRecorderPassesOnAndKeeps(t *testing.T) {
	t.Parallel()
	var seen http.Header
	var host string
	url, done := recorder(t, func(w http.ResponseWriter, r *http.Request) {
		seen, host = r.Header.Clone(), r.Host
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Strangler-Served-By", "orders")
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, "got %s", body)
	}, record.Options{Header: http.Header{"X-Sent-Along": {"a-secret"}}})
	req := request(t, "PUT", url+"/a%2Fb?q=1%zz;x", strings.NewReader("hello"), record.TestHeader, "TestX", "Accept-Encoding", "br", "X-Forwarded-For", "1.2.3.4")
	req.Host = "shop.example"
	res, body := send(t, req)
	got := done()
	if res.StatusCode != 201 || body != "got hello" || len(got) != 1 {
		t.Fatalf("status %d, body %q, %d exchanges", res.StatusCode, body, len(got))
	}
	e := got[0]
	if e.Test != "TestX" || e.Method != "PUT" || e.Path != "/a%2Fb?q=1%zz;x" || e.Status != 201 || string(e.Request.Body) != "hello" || string(e.Response.Body) != "got hello" || e.ServedBy != "orders" {
		t.Errorf("recorded %+v", e)
	}
	if seen.Get("X-Sent-Along") != "a-secret" || e.Request.Header.Get("X-Sent-Along") != "" {
		t.Errorf("the header that is sent along: the target saw %v, recorded is %v", seen, e.Request.Header)
	}
	if seen.Get(record.TestHeader) != "" || seen.Get("Accept-Encoding") != "" || host != "shop.example" || seen.Get("X-Forwarded-For") != "1.2.3.4" {
		t.Errorf("the target saw %v of host %s", seen, host)
	}
}

func TestRecorderHidesSecrets(t *testing.T) {
	t.Parallel()
	const card, pass = "4242 4242 4242 4242", "hunter2hunter2"
	url, done := recorder(t, func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "sid", Value: "cookie-value-1"})
		if r.URL.Path == "/page" {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, `<form><input type=hidden name="csrf_token" value="page-secret"></form>`)
			return
		}
		fmt.Fprintf(w, `{"password":%q,"note":"card %s"}`, pass, card)
	}, record.Options{Redactor: differ.NewRedactor([]byte("salt"))})
	send(t, request(t, "GET", url+"/page?token=query-secret&q=1", nil, "Authorization", "Bearer header-secret", "Cookie", "sid=cookie-value-0"))
	send(t, request(t, "POST", url+"/json", strings.NewReader(`{"password":"`+pass+`"}`), "Content-Type", "application/json"))
	send(t, request(t, "POST", url+"/form", strings.NewReader("password="+pass+"&name=x"), "Content-Type", "application/x-www-form-urlencoded"))
	send(t, request(t, "POST", url+"/multi", strings.NewReader("--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n"+pass+"\r\n--b--\r\n"), "Content-Type", "multipart/form-data; boundary=b"))
	text := string(jsonOf(t, done()))
	for _, secret := range []string{card, pass, "page-secret", "query-secret", "header-secret", "cookie-value"} {
		if strings.Contains(text, secret) {
			t.Errorf("the recording holds %q", secret)
		}
	}
	if hash := differ.NewRedactor([]byte("salt")).Hash(pass); strings.Count(text, hash) < 5 {
		t.Errorf("equal secrets are not told: %q stands there %d times", hash, strings.Count(text, hash))
	}
}

func TestRecorderKeepsLongAndForeignBodies(t *testing.T) {
	t.Parallel()
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	fmt.Fprint(z, `{"a":1}`)
	z.Close()
	long := strings.Repeat("0123456789", 10_000_000) // 100 MB
	url, done := recorder(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/zip":
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(zipped.Bytes())
		case "/bad-zip":
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(zipped.Bytes()[:12])
		case "/binary":
			w.Write([]byte{0xff, 0, 0xfe})
		case "/long":
			io.WriteString(w, long)
		case "/up":
			n, _ := io.Copy(io.Discard, r.Body)
			fmt.Fprint(w, n)
		}
	}, record.Options{})
	for _, path := range []string{"/zip", "/bad-zip", "/binary", "/long"} {
		if _, body := send(t, request(t, "GET", url+path, nil, "Accept-Encoding", "identity")); path == "/long" && len(body) != len(long) {
			t.Errorf("%d bytes came through of %d", len(body), len(long))
		}
	}
	if _, body := send(t, request(t, "POST", url+"/up", strings.NewReader(long))); body != fmt.Sprint(len(long)) {
		t.Errorf("an upload of %d bytes: %s arrived", len(long), body)
	}
	got := done()
	if string(got[0].Response.Body) != `{"a":1}` || len(got[1].Response.Body) > 0 || got[1].Response.Hash == "" || string(got[2].Response.Body) != "\xff\x00\xfe" {
		t.Errorf("bodies %q, %q, %q", got[0].Response.Body, got[1].Response.Body, got[2].Response.Body)
	}
	if m := got[3].Response; len(m.Body) > 0 || m.Length != int64(len(long)) || len(m.Hash) != 64 {
		t.Errorf("the long body was kept as %d bytes, length %d, hash %q", len(m.Body), m.Length, m.Hash)
	}
	if _, whole := got[4].Request.Comparable(); whole {
		t.Error("a long upload counts as kept")
	}
}

// A server may answer an upload before it is through; client, recorder and target must not
// lose the answer, and not take the rest of the upload for a request.
func TestRecorderAndEarlyAnswers(t *testing.T) {
	t.Parallel()
	url, done := recorder(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "GET" {
			return
		}
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
	}, record.Options{MaxBody: 1 << 10})
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for i := range 60 {
		body := io.Reader(strings.NewReader(strings.Repeat("x", []int{10, 1000, 1025, 100_000, 3_000_000}[i%5])))
		if i%2 == 0 {
			body = struct{ io.Reader }{body} // of unknown length
		}
		for _, req := range []*http.Request{request(t, "POST", url+"/up", body), request(t, "GET", url+"/", nil)} {
			res, err := client.Do(req)
			if err != nil {
				t.Fatalf("round %d: %v", i, err)
			}
			if _, err := io.Copy(io.Discard, res.Body); err != nil {
				t.Fatalf("round %d: %v", i, err)
			}
			res.Body.Close()
			if want := map[string]int{"POST": 413, "GET": 200}[req.Method]; res.StatusCode != want {
				t.Fatalf("round %d: %s answered %d", i, req.Method, res.StatusCode)
			}
		}
	}
	if got := done(); len(got) != 120 {
		t.Errorf("%d exchanges, want 120", len(got))
	}
}

func TestRecorderStreams(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	url, done := recorder(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: 1\n\n")
		http.NewResponseController(w).Flush()
		<-release
	}, record.Options{})
	res, err := http.DefaultClient.Do(request(t, "GET", url, nil))
	if err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 9)
	if _, err := io.ReadFull(res.Body, first); err != nil || string(first) != "data: 1\n\n" {
		t.Errorf("the first event: %q, %v", first, err)
	}
	close(release)
	res.Body.Close()
	if got := done(); len(got) != 1 || !got[0].Opaque || len(got[0].Response.Body) > 0 {
		t.Errorf("recorded %+v", got)
	}
}

func TestRecorderTellsWhatNobodyAnswered(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 1000))
			fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")
			c.Close()
		}
	}()
	url, done := inFront(t, "http://"+l.Addr().String(), record.Options{Patience: time.Second})
	res, err := http.DefaultClient.Do(request(t, "GET", url, nil))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(res.Body); err == nil {
		t.Error("an answer that was cut off arrived whole")
	}
	res.Body.Close()
	if got := done(); len(got) != 1 || got[0].Error == "" || string(got[0].Response.Body) != "short" {
		t.Errorf("recorded %+v", got)
	}
}
