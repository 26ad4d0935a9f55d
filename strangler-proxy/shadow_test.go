package strangler_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stranglerfig/toolkit/strangler-proxy/admin"
	"github.com/stranglerfig/toolkit/strangler-proxy/shadow"
)

// A copied is an upstream that answers with a fixed function of the request and keeps
// what it was asked.
type copied struct {
	*httptest.Server
	mu   sync.Mutex
	saw  []*http.Request
	read []string
}

func newCopied(t testing.TB, serve func(w http.ResponseWriter, r *http.Request, body string)) *copied {
	c := &copied{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		c.mu.Lock()
		c.saw, c.read = append(c.saw, r), append(c.read, string(body))
		c.mu.Unlock()
		serve(w, r, string(body))
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *copied) requests() ([]*http.Request, []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]*http.Request(nil), c.saw...), append([]string(nil), c.read...)
}

func says(body string) func(http.ResponseWriter, *http.Request, string) {
	return func(w http.ResponseWriter, _ *http.Request, _ string) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, body)
	}
}

// copies returns the numbers of route r once all its copies are accounted for.
func (r *rig) copies() shadow.Stats {
	r.t.Helper()
	var st shadow.Stats
	await(r.t, "copies that are accounted for", func() bool {
		st = *r.status().Routes[0].Copies
		return st.Eligible == st.Sent+total(st.Dropped) && st.Sent == st.Compared+st.Timeouts+total(st.Errors)
	})
	return st
}

// copiedRoute is oneRoute with copies.
func copiedRoute(monolith, service, stage string) string {
	return strings.Replace(oneRoute(monolith, service, stage), ", shadow: off", "", 1)
}

func total(counts map[string]uint64) (n uint64) {
	for _, c := range counts {
		n += c
	}
	return n
}

// AC20: the copy is the request as the monolith got it, and the marker, at whichever door
// it came in.
func TestCopyIsFaithful(t *testing.T) {
	t.Parallel()
	m, s := newCopied(t, says(`{"a":1}`)), newCopied(t, func(w http.ResponseWriter, r *http.Request, body string) {
		w.Header().Set("Set-Cookie", "stolen=1")
		w.Header().Set("X-Of-Service", "1")
		says(`{"a":1}`)(w, r, body)
	})
	p, config := newPair(t), copiedRoute(m.URL, s.URL, "shadow")
	plain, secure := start(t, config), start(t, p.yaml()+config)
	for n, c := range []struct {
		rig    *rig
		client *http.Client
		base   string
	}{{plain, plain.client, plain.url("")}, {secure, secure.secure(t, p, false), secure.https("")}, {secure, secure.secure(t, p, true), secure.https("")}} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.base+"/s/a%20b/%7e?q=1&q=%2F", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "shop.example"
		req.Header = http.Header{"X-Strangler-Shadow": {"1"}, "X-Twice": {"a", "b"}, "Cookie": {"sid=secret"}, "Accept-Encoding": {"br"}}
		res, err := c.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if st := c.rig.copies(); st.Sent != uint64(max(1, n)) {
			t.Fatalf("%+v", st)
		}
		if res.Header.Get("Set-Cookie") != "" || res.Header.Get("X-Of-Service") != "" {
			t.Errorf("the client got of the service: %v", res.Header)
		}
		live, _ := m.requests()
		copies, _ := s.requests()
		if len(live) != n+1 || len(copies) != n+1 {
			t.Fatalf("the monolith got %d, the service %d", len(live), len(copies))
		}
		sameButForMarker(t, live[n], copies[n])
	}
}

func sameButForMarker(t *testing.T, live, other *http.Request) {
	t.Helper()
	if live.Header.Get("X-Strangler-Shadow") != "" || other.Header.Get("X-Strangler-Shadow") != "1" {
		t.Errorf("marker: %q, of the copy %q", live.Header.Get("X-Strangler-Shadow"), other.Header.Get("X-Strangler-Shadow"))
	}
	other.Header.Del("X-Strangler-Shadow")
	if live.RequestURI != other.RequestURI || live.Host != other.Host || fmt.Sprint(live.Header) != fmt.Sprint(other.Header) || live.Header.Get("X-Request-Id") == "" || len(live.Header["X-Twice"]) != 2 {
		t.Errorf("live %s %s %v\ncopy %s %s %v", live.Host, live.RequestURI, live.Header, other.Host, other.RequestURI, other.Header)
	}
}

// AC20: an upgrade is never copied.
func TestUpgradesAreNotCopied(t *testing.T) {
	t.Parallel()
	m, s := newSocketServer(t, "monolith"), newCopied(t, says(`{}`))
	r := start(t, copiedRoute(m.URL, s.URL, "shadow"))
	r.socket("/s/chat").expect(t, "monolith:")
	if st := r.copies(); st.Eligible != 1 || st.Dropped["upgrade"] != 1 {
		t.Errorf("%+v", st)
	}
	if got, _ := s.requests(); len(got) != 0 {
		t.Errorf("the service got %d requests", len(got))
	}
}

// AC19, AC20: bodies are copied byte by byte where that is allowed, by chunks or not, and not at all where not.
func TestCopiesOfWrites(t *testing.T) {
	t.Parallel()
	m, s := newCopied(t, says(`{}`)), newCopied(t, says(`{}`))
	config := copiedRoute(m.URL, s.URL, "shadow")
	r := start(t, config)
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
		r.do(method, "/s/x", strings.NewReader("body"))
	}
	if st := r.copies(); st.Dropped["unsafe_method"] != 4 || st.Sent != 0 {
		t.Errorf("%+v", st)
	}
	before := r.status().Config.Version
	r.write(strings.Replace(config, "breaker: off", "breaker: off, sandbox: true", 1) + "defaults: { shadow: { writes: sandbox } }\n")
	r.awaitVersion(before)
	large := strings.Repeat("0123456789", 12_000)
	for _, body := range []io.Reader{strings.NewReader("short"), strings.NewReader(large), io.MultiReader(strings.NewReader(large))} {
		r.do("POST", "/s/x", body)
	}
	if st := r.copies(); st.Matches != 3 {
		t.Errorf("%+v", st)
	}
	if _, bodies := s.requests(); len(bodies) != 3 || bodies[0]+bodies[1]+bodies[2] != "short"+large+large {
		t.Errorf("the service got %d bodies", len(bodies))
	}
	r.do("POST", "/s/x", strings.NewReader(strings.Repeat("x", 300<<10)))
	if st := r.copies(); st.Dropped["body_too_large"] != 1 {
		t.Errorf("%+v", st)
	}
}

// §5, 2: at live the monolith is compared with the service that answers.
func TestReverseShadow(t *testing.T) {
	t.Parallel()
	var price atomic.Int64
	price.Store(10)
	m, s := newCopied(t, says(`{"price":10}`)), newCopied(t, func(w http.ResponseWriter, r *http.Request, b string) {
		says(fmt.Sprintf(`{"price":%d}`, price.Load()))(w, r, b)
	})
	r := start(t, copiedRoute(m.URL, s.URL, "live"))
	r.do("GET", "/s/x", nil)
	r.do("POST", "/s/x", strings.NewReader("{}"))
	if st := r.copies(); st.Matches != 1 || st.Dropped["unsafe_method"] != 0 || st.Eligible != 1 {
		t.Errorf("%+v", st)
	}
	price.Store(11)
	if res := r.do("GET", "/s/x?token=hush-hush", nil); res.text != `{"price":11}` {
		t.Errorf("the client got %q", res.text)
	}
	if st := r.copies(); st.Mismatched != 1 {
		t.Errorf("%+v", st)
	}
	var page admin.MismatchPage
	res := r.admin("GET", "/routes/r/mismatches")
	if err := json.Unmarshal([]byte(res.text), &page); err != nil || len(page.Mismatches.Mismatches) != 1 {
		t.Fatalf("%v: %s", err, res.text)
	}
	got := page.Mismatches.Mismatches[0]
	if got.Answered != "s" || !strings.Contains(got.Diff, "- 10\n+ 11\n") || strings.Contains(res.text, "hush") ||
		!strings.Contains(got.Monolith.Curl, m.URL+"/s/x?token=") || !strings.Contains(got.Service.Curl, s.URL+"/s/x?token=") {
		t.Errorf("%+v", got)
	}
	for path, want := range map[string]int{"/routes/x/mismatches": 404, "/routes/r/mismatches?limit=0": 400, "/routes/r/mismatches?limit=1": 200} {
		if res := r.admin("GET", path); res.StatusCode != want {
			t.Errorf("%s: %d %s", path, res.StatusCode, res.text)
		}
	}
}

// Answers in chunks, packed ones and those to HEAD are compared by what they say.
func TestCopiesAreComparedByContent(t *testing.T) {
	t.Parallel()
	text := `{"list":[` + strings.Repeat("1,", 20_000) + `1]}`
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = io.WriteString(w, text)
	w.Close()
	m := newCopied(t, func(w http.ResponseWriter, r *http.Request, _ string) {
		w.Header().Set("Content-Type", "application/json")
		half := len(text) / 2
		fmt.Fprint(w, text[:half])
		w.(http.Flusher).Flush()
		fmt.Fprint(w, text[half:])
	})
	s := newCopied(t, func(w http.ResponseWriter, r *http.Request, _ string) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(packed.Bytes())
	})
	r := start(t, copiedRoute(m.URL, s.URL, "shadow"))
	r.do("GET", "/s/x", nil)
	r.do("HEAD", "/s/x", nil)
	if st := r.copies(); st.Matches != 2 {
		t.Errorf("%+v %s", st, r.admin("GET", "/routes/r/mismatches").text)
	}
}

// AC10: a reload keeps the numbers of a route that stays what it is.
func TestCopiesSurviveReloads(t *testing.T) {
	t.Parallel()
	m, s := newCopied(t, says(`1`)), newCopied(t, says(`2`))
	config := copiedRoute(m.URL, s.URL, "shadow")
	r := start(t, config)
	for range 5 {
		r.do("GET", "/s/x", nil)
	}
	before, version := r.copies(), r.status().Config.Version
	r.write(config + "  other: { match: /other, to: s, stage: monolith }\n")
	r.awaitVersion(version)
	if after := r.copies(); fmt.Sprint(after) != fmt.Sprint(before) || before.Mismatched != 5 {
		t.Errorf("before %+v\nafter  %+v", before, after)
	}
	version = r.status().Config.Version
	r.write(strings.Replace(config, "stage: shadow", "stage: shadow, compare: { ignore: [$] }", 1))
	r.awaitVersion(version)
	if after := r.copies(); after.Eligible != 0 {
		t.Errorf("after a change of the comparison: %+v", after)
	}
}

// A client that leaves in the middle of its answer is not copied.
func TestNoCopyForWhoLeft(t *testing.T) {
	t.Parallel()
	leave, left := make(chan struct{}), make(chan struct{})
	m := newCopied(t, func(w http.ResponseWriter, r *http.Request, _ string) {
		fmt.Fprint(w, "begin")
		w.(http.Flusher).Flush()
		close(leave)
		<-left
	})
	s := newCopied(t, says(`1`))
	r := start(t, copiedRoute(m.URL, s.URL, "shadow"))
	conn, err := net.Dial("tcp", r.proxy.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conn, "GET /s/x HTTP/1.1\r\nHost: h\r\n\r\n")
	<-leave
	conn.Close()
	await(t, "the drop", func() bool { return r.status().Routes[0].Copies.Dropped["client_gone"] == 1 })
	close(left)
	if st := r.copies(); st.Sent != 0 {
		t.Errorf("%+v", st)
	}
}
