package strangler_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// manyHeaders are headers of every kind that is none of the proxy's business.
func manyHeaders(random string) http.Header {
	h := http.Header{
		"Accept": {"text/html, */*;q=0.1"}, "Accept-Encoding": {"br, zstd"}, "Authorization": {"Basic YTpi"}, "Cache-Control": {"no-cache"}, "Content-Language": {"de", "en"},
		"Content-Type": {"application/x-" + random}, "Etag": {`W/"1"`}, "Link": {"</a>; rel=next", "</b>; rel=prev"}, "Vary": {"*"}, "Via": {"1.1 other"}, "Warning": {`199 - "x"`},
		"X-Empty": {""}, "X-Long": {strings.Repeat("long", 1000)}, "X-Comma": {"a, b", "c"}, "X-Quoted": {`"\"`}, "X-High": {"\xc3\xa9\xff"}, "X-Tab": {"a\tb"}, "X-1!#$%&'*+-.^`|~": {"odd"},
		"If-None-Match": {`"x"`}, "Range": {"bytes=0-1"}, "Origin": {"https://shop.example"}, "Sec-Fetch-Site": {"cross-site"}, "Traceparent": {"00-" + strings.Repeat("a", 32) + "-" + strings.Repeat("b", 16) + "-01"},
	}
	for i := range 40 {
		h.Add(fmt.Sprintf("X-%s-%d", random, i%20), fmt.Sprint(i))
	}
	return h
}

// without is a header without the lines of proxies and connections.
func without(h http.Header, names ...string) http.Header {
	h = maps.Clone(h)
	for _, name := range append(names, "X-Request-Id", "Content-Length", "Date", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Strangler-Served-By", "X-Strangler-Route") {
		h.Del(name)
	}
	return h
}

// At each door, whatever the status: the monolith gets the client's method, target, header,
// body and trailer, the client gets the monolith's, and nobody gets more.
func TestNothingIsLostOrAdded(t *testing.T) {
	t.Parallel()
	type seen struct {
		method, target, host, body string
		header, trailer            http.Header
	}
	saw := make(chan seen, 1)
	m := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		saw <- seen{r.Method, r.RequestURI, r.Host, string(body), r.Header, r.Trailer}
		maps.Copy(w.Header(), manyHeaders("Answer"))
		w.Header()["Set-Cookie"] = []string{"a=1; Path=/; HttpOnly", "b=2; Expires=Thu, 01 Jan 2099 00:00:00 GMT"}
		w.Header().Set("Trailer", "X-Sum")
		status := 0
		_, _ = fmt.Sscanf(r.URL.Query().Get("status"), "%d", &status)
		w.WriteHeader(status)
		if status != http.StatusNoContent && status != http.StatusNotModified {
			_, _ = io.WriteString(w, "answer to "+string(body))
		}
		w.Header().Set("X-Sum", "7")
	}))
	t.Cleanup(m.Close)
	p := newPair(t)
	plain, secure := start(t, "monolith: "+m.URL+"\n"), start(t, p.yaml()+"monolith: "+m.URL+"\n")
	follow := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	one, two := secure.secure(t, p, false), secure.secure(t, p, true)
	one.CheckRedirect, two.CheckRedirect = follow, follow
	statuses := []int{200, 201, 202, 203, 204, 206, 207, 226, 300, 301, 302, 303, 304, 307, 308, 400, 401, 402, 403, 404, 405, 409, 410, 418, 421, 422, 425, 429, 451, 499, 500, 501, 502, 503, 504, 507, 599, 999}
	for n, status := range statuses {
		for door, base := range []string{plain.url(""), secure.https(""), secure.https("")} {
			method, body := []string{"GET", "POST", "DELETE", "PATCH", "REPORT"}[(n+door)%5], "body of "+fmt.Sprint(status)
			target := fmt.Sprintf("/a%%20b/%%C3%%A9;v=1/x?q=a%%3Bb&&=&x&status=%d", status)
			u, err := url.Parse(base + target)
			if err != nil {
				t.Fatal(err)
			}
			req := &http.Request{Method: method, URL: u, Host: "shop.example:8443", Header: manyHeaders("Request"), Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1, Trailer: http.Header{"X-End": {"8"}}}
			req.Header["User-Agent"] = []string{"test"}
			sent := req.Header.Clone()
			res, err := []*http.Client{plain.client, one, two}[door].Do(req.WithContext(t.Context()))
			if err != nil {
				t.Fatalf("%d at door %d: %v", status, door, err)
			}
			text, err := io.ReadAll(res.Body)
			res.Body.Close()
			got, what := <-saw, fmt.Sprintf("%s, %d at door %d", method, status, door)
			if got.method != method || got.target != target || got.host != "shop.example:8443" || got.body != body || !maps.EqualFunc(got.trailer, req.Trailer, slices.Equal) {
				t.Errorf("%s: the monolith saw %+v", what, got)
			}
			compareHeaders(t, what+", of the client", without(sent), without(got.header))
			want := manyHeaders("Answer")
			want["Set-Cookie"] = []string{"a=1; Path=/; HttpOnly", "b=2; Expires=Thu, 01 Jan 2099 00:00:00 GMT"}
			wantText := "answer to " + body
			if status == http.StatusNoContent || status == http.StatusNotModified {
				wantText = ""
				if status == http.StatusNotModified {
					delete(want, "Content-Type") // which net/http does not send
				}
			} else if res.Trailer.Get("X-Sum") != "7" || len(res.Trailer) != 1 {
				t.Errorf("%s: the trailer is %v", what, res.Trailer)
			}
			if res.StatusCode != status || string(text) != wantText || err != nil {
				t.Errorf("%s: %s %q %v", what, res.Status, text, err)
			}
			compareHeaders(t, what+", of the monolith", without(want), without(res.Header, "Trailer"))
		}
	}
}

func compareHeaders(t *testing.T, what string, want, got http.Header) {
	t.Helper()
	for name := range want {
		if !slices.Equal(want[name], got[name]) {
			t.Errorf("%s: %s is %q, was %q", what, name, got[name], want[name])
		}
	}
	for name := range got {
		if want[name] == nil {
			t.Errorf("%s: %s: %q was added", what, name, got[name])
		}
	}
}
