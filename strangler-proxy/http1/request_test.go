package http1_test

import (
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/strangler-proxy/http1"
)

func TestRequests(t *testing.T) {
	t.Parallel()
	for name, s := range requests {
		var whole http1.Request
		done, err := feed(t, &whole, []byte(s.text))
		switch {
		case s.want == 0 && (!done || err != nil), s.want == more && (done || err != nil):
			t.Errorf("%s: done %v, %v", name, done, err)
		case s.want > 0 && err == nil:
			t.Errorf("%s: accepted, want %d", name, s.want)
		case s.want > 0:
			if refused := reasonOf(t, err); refused.Status() != s.want || refused.Response || refused.Reason.String() == "none" {
				t.Errorf("%s: %d (%v: %v), want %d", name, refused.Status(), refused.Reason, err, s.want)
			}
		}
	}
}

// Wherever the input is cut, the result is the same, down to the offset of an error.
func TestRequestsInPieces(t *testing.T) {
	t.Parallel()
	for name, s := range requests {
		data := []byte(s.text)
		var whole http1.Request
		done, err := feed(t, &whole, data)
		want := outcome(&whole, done, err)
		if len(data) > 1<<10 { // the limits: cut around their places only
			for _, cut := range []int{1, 10, 30, 100, 16<<10 + 3, 16<<10 + 4, 16<<10 + 5, 16<<10 + 6, 64<<10 + 15, 64<<10 + 16, 64<<10 + 17, len(data) - 2, len(data) - 1} {
				var r http1.Request
				if done, err := feed(t, &r, data, min(cut, len(data))); outcome(&r, done, err) != want {
					t.Errorf("%s cut at %d: %.200s\nwant %.200s", name, cut, outcome(&r, done, err), want)
				}
			}
			continue
		}
		var r http1.Request
		if done, err := feed(t, &r, data, everyByte(data)...); outcome(&r, done, err) != want {
			t.Errorf("%s byte by byte: %s\nwant %s", name, outcome(&r, done, err), want)
		}
		for cut := range data {
			r.Reset()
			if done, err := feed(t, &r, data, cut); outcome(&r, done, err) != want {
				t.Errorf("%s cut at %d: %s\nwant %s", name, cut, outcome(&r, done, err), want)
			}
		}
	}
}

func TestWhatARequestSays(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"realistic":                `"GET" "/api/v1/orders/48151623?expand=lines,customer" "/api/v1/orders/48151623" "expand=lines,customer" true "" "shop.example.com" minor 1 framing 0 length -1 keep true expect false trailers false websocket false`,
		"with body":                `"POST" "/" "/" "" false "" "h" minor 1 framing 1 length 5 keep true expect false trailers false websocket false`,
		"with chunks":              `"POST" "/" "/" "" false "" "h" minor 1 framing 2 length -1 keep true expect false trailers false websocket false`,
		"HTTP/1.0":                 `"GET" "/" "/" "" false "" "" minor 0 framing 0 length -1 keep false expect false trailers false websocket false`,
		"HTTP/1.0 keep-alive":      `"GET" "/" "/" "" false "" "h" minor 0 framing 0 length -1 keep true expect false trailers false websocket false`,
		"HTTP/1.0 TE":              `"GET" "/" "/" "" false "" "" minor 0 framing 1 length 1 keep false expect false trailers false websocket false`,
		"close":                    `"GET" "/" "/" "" false "" "h" minor 1 framing 0 length -1 keep false expect false trailers false websocket false`,
		"close and keep-alive":     `"GET" "/" "/" "" false "" "h" minor 1 framing 0 length -1 keep false expect false trailers false websocket false`,
		"websocket":                `"GET" "/" "/" "" false "" "h" minor 1 framing 0 length -1 keep true expect false trailers false websocket true`,
		"websocket with body":      `"GET" "/" "/" "" false "" "h" minor 1 framing 1 length 3 keep true expect false trailers false websocket false`,
		"websocket without option": `"GET" "/" "/" "" false "" "h" minor 1 framing 0 length -1 keep true expect false trailers false websocket false`,
		"two upgrades":             `"GET" "/" "/" "" false "" "h" minor 1 framing 0 length -1 keep true expect false trailers false websocket false`,
		"expect":                   `"POST" "/" "/" "" false "" "h" minor 1 framing 1 length 1 keep true expect true trailers false websocket false`,
		"trailers wanted":          `"GET" "/" "/" "" false "" "h" minor 1 framing 0 length -1 keep true expect false trailers true websocket false`,
		"absolute":                 `"GET" "HTTP://h:80/a?b" "/a" "b" true "h:80" "H:80" minor 1 framing 0 length -1 keep true expect false trailers false websocket false`,
		"absolute without path":    `"GET" "https://h" "" "" false "h" "h" minor 1 framing 0 length -1 keep true expect false trailers false websocket false`,
		"absolute without Host":    `"GET" "http://h/" "/" "" false "h" "h" minor 0 framing 0 length -1 keep false expect false trailers false websocket false`,
		"empty query":              `"GET" "/?" "/" "" true "" "h" minor 1 framing 0 length -1 keep true expect false trailers false websocket false`,
		"query":                    `"GET" "/a?b?c=%zz" "/a" "b?c=%zz" true "" "h" minor 1 framing 0 length -1 keep true expect false trailers false websocket false`,
	} {
		var r http1.Request
		done, err := r.Parse([]byte(requests[name].text))
		if got, _, _ := strings.Cut(outcome(&r, done, err), "\n"); got != want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
		if head, _, _ := strings.Cut(requests[name].text, "\r\n\r\n"); r.Len != len(head)+4 {
			t.Errorf("%s: the head has %d bytes, not %d", name, len(head)+4, r.Len)
		}
	}
}

// The head that goes on holds no line that only the proxy, or only this connection, may have.
func TestRewrittenRequests(t *testing.T) {
	t.Parallel()
	const added = "X-Request-Id: 1\r\n"
	for name, want := range map[string]string{
		"realistic":              strings.Replace(realisticHead, "Connection: keep-alive\r\n\r\n", added+"\r\n", 1),
		"HTTP/1.0 keep-alive":    get + added + "\r\n",
		"close":                  get + added + "\r\n",
		"empty option":           get + added + "\r\n",
		"options that must stay": post + "Content-Length: 1\r\n" + added + "\r\n",
		"websocket":              get + added + "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
		"websocket with body":    get + "Content-Length: 3\r\n" + added + "\r\n",
		"h2c":                    get + added + "\r\n",
		"two upgrades":           get + added + "\r\n",
		"expect":                 post + "Expect: 100-Continue\r\nContent-Length: 1\r\n" + added + "\r\n",
		"trailers wanted":        get + added + "TE: trailers\r\n\r\n",
		"empty value":            get + "X:\r\nY: \t \r\nZ:z\r\n" + added + "\r\n",
		"absolute":               "GET /a?b HTTP/1.1\r\nHost: H:80\r\n" + added + "\r\n",
		"absolute without path":  get + added + "\r\n",
		"absolute with query":    "OPTIONS /?/a HTTP/1.1\r\nHost: h\r\n" + added + "\r\n",
		"absolute without Host":  "GET / HTTP/1.1\r\n" + added + "Host: h\r\n\r\n",
		"X-Forwarded":            get + added + "\r\n",
		"our own":                get + added + "\r\n",
		"aliases of framing":     get + added + "\r\n",
		"hop by hop":             get + added + "\r\n",
		"with chunks":            post + "Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n" + added + "\r\n",
	} {
		var r http1.Request
		if done, err := r.Parse([]byte(requests[name].text)); !done || err != nil {
			t.Fatalf("%s: %v %v", name, done, err)
		}
		if got := string(r.AppendHead(nil, http1.FromRequest, []byte(added))); got != want {
			t.Errorf("%s:\n got %q\nwant %q", name, got, want)
		}
	}
	var r http1.Request
	_, _ = r.Parse([]byte(get + "X: y\r\n\r\n"))
	own := http1.AppendField(nil, "Host", "override")
	if got := string(r.AppendHead(nil, http1.FromRequest|http1.HostName, own)); got != "GET / HTTP/1.1\r\nX: y\r\nHost: override\r\n\r\n" {
		t.Errorf("with another Host: %q", got)
	}
}

func TestFieldsByName(t *testing.T) {
	t.Parallel()
	var r http1.Request
	if done, err := r.Parse([]byte(get + "Cookie: a=1\r\nx-user: 7\r\ncookie:  b=2 \r\n\r\n")); !done || err != nil {
		t.Fatal(done, err)
	}
	first := r.Index("cookie", 0)
	second := r.Index("cookie", first+1)
	if first != 1 || second != 3 || string(r.Value(second)) != "b=2" || string(r.Name(second)) != "cookie" || r.Index("cookie", second+1) != -1 {
		t.Errorf("cookies at %d and %d", first, second)
	}
	if r.Kind(0) != http1.Host || r.Kind(1) != http1.Other {
		t.Errorf("kinds %d %d", r.Kind(0), r.Kind(1))
	}
}

func TestLimitsAreSettings(t *testing.T) {
	t.Parallel()
	full := get + "X: 456789012345678901" // 9 + 21 bytes, and no end
	limits := http1.Limits{TargetBytes: 10, HeaderBytes: 30, Fields: 2}
	for text, want := range map[string]http1.Reason{
		full: http1.LargeHeader, full[:len(full)-1]: 0,
		"GET /234567890 HTTP/1.1\r\nHost: h\r\n\r\n":                 0,
		"GET /2345678901 HTTP/1.1\r\nHost: h\r\n\r\n":                http1.LongTarget,
		get + "X: 45678901234567\r\n\r\n":                            0, // 9 + 19 + 2
		get + "X: 456789012345678\r\n\r\n":                           http1.LargeHeader,
		get + "X: 1\r\nY: 1\r\n\r\n":                                 http1.ManyFields,
		get + "X: 456789012345\r\n":                                  0,
		"GET /23456789 HTTP/1.1\r\nHost: " + repeat("h", 200) + "\r": http1.LargeHeader,
	} {
		r := http1.Request{Limits: limits}
		for range 2 { // Reset keeps them
			_, err := r.Parse([]byte(text))
			if want == 0 && err != nil || want != 0 && reasonOf(t, err).Reason != want {
				t.Errorf("%q: %v", text, err)
			}
			r.Reset()
		}
	}
}

// An error names the first byte on which a request fails.
func TestErrorsSayWhere(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"GET / HTTP/1.1\nHost: h\r\n\r\n":          "request: byte 14: a line must end in CR LF, and neither may stand elsewhere",
		"GE(T / HTTP/1.1\r\n":                      "request: byte 2: the method is not a token",
		get + "X: a\x00\r\n":                       "request: byte 29: a field value holds a control byte",
		get + "X: a\r\n b\r\n":                     "request: byte 31: a field line must not begin with white space",
		get + "X : a\r\n":                          "request: byte 26: a field name must be a token with a colon right behind it",
		get + "X: a\nb":                            "request: byte 29: a line must end in CR LF, and neither may stand elsewhere",
		get + "X: a\r\nContent-Length: +1\r\n\r\n": "request: byte 31: Content-Length must be a number of at most 18 digits without sign or leading zeros",
	} {
		var r http1.Request
		if _, err := r.Parse([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%q:\n got %v\nwant %s", text, err, want)
		}
	}
}

func TestParsingDoesNotAllocate(t *testing.T) {
	head := []byte(realisticHead)
	answer := []byte(ok + "Content-Type: application/json\r\nContent-Length: 1024\r\nConnection: keep-alive\r\n\r\n")
	var request http1.Request
	var response http1.Response
	out := make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(100, func() {
		request.Reset()
		response.Reset(false)
		_, _ = request.Parse(head[:100])
		done, err := request.Parse(head)
		answered, failed := response.Parse(answer)
		if !done || err != nil || !answered || failed != nil {
			t.Fatal(done, err, answered, failed)
		}
		out = request.AppendHead(out[:0], http1.FromRequest, nil)
		out = response.AppendHead(out[:0], 1, http1.FromResponse, nil)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
