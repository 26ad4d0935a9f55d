package http1_test

import (
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/strangler-proxy/http1"
)

func TestResponses(t *testing.T) {
	t.Parallel()
	for name, s := range responses {
		data := []byte(s.text)
		var whole http1.Response
		done, err := feed(t, &whole, data)
		switch {
		case s.want == 0 && (!done || err != nil), s.want == more && (done || err != nil):
			t.Errorf("%s: done %v, %v", name, done, err)
		case s.want > 0 && err == nil:
			t.Errorf("%s: accepted, want %d", name, s.want)
		case s.want > 0 && reasonOf(t, err).Status() != s.want:
			t.Errorf("%s: %d (%v), want %d", name, reasonOf(t, err).Status(), err, s.want)
		}
		want := responseOutcome(&whole, done, err)
		if len(data) > 2<<10 {
			continue
		}
		var r http1.Response
		if done, err := feed(t, &r, data, everyByte(data)...); responseOutcome(&r, done, err) != want {
			t.Errorf("%s byte by byte: %s\nwant %s", name, responseOutcome(&r, done, err), want)
		}
		for cut := range data {
			r.Reset(false)
			if done, err := feed(t, &r, data, cut); responseOutcome(&r, done, err) != want {
				t.Errorf("%s cut at %d: %s\nwant %s", name, cut, responseOutcome(&r, done, err), want)
			}
		}
	}
}

func TestWhatAResponseSays(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"plain":                `200 "OK" minor 1 framing 1 length 2 keep true interim false`,
		"chunks":               `200 "OK" minor 1 framing 2 length -1 keep true interim false`,
		"until close":          `200 "OK" minor 1 framing 3 length -1 keep false interim false`,
		"HTTP/1.0":             `200 "OK" minor 0 framing 3 length -1 keep false interim false`,
		"HTTP/1.0 kept":        `200 "OK" minor 0 framing 1 length 1 keep true interim false`,
		"no reason":            `200 "" minor 1 framing 1 length 0 keep true interim false`,
		"close":                `200 "OK" minor 1 framing 1 length 0 keep false interim false`,
		"odd options":          `200 "OK" minor 1 framing 1 length 0 keep false interim false`,
		"continue":             `100 "Continue" minor 1 framing 0 length -1 keep true interim true`,
		"websocket":            `101 "Switching Protocols" minor 1 framing 4 length -1 keep false interim false`,
		"no content":           `204 "No Content" minor 1 framing 0 length -1 keep true interim false`,
		"no content, but some": `204 "No Content" minor 1 framing 0 length 4 keep false interim false`,
		"not modified":         `304 "Not Modified" minor 1 framing 0 length 400 keep true interim false`,
		"status 999":           `999 "X" minor 1 framing 1 length 0 keep true interim false`,
	} {
		var r http1.Response
		done, err := r.Parse([]byte(responses[name].text))
		if got, _, _ := strings.Cut(responseOutcome(&r, done, err), "\n"); got != want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
		if head, _, _ := strings.Cut(responses[name].text, "\r\n\r\n"); r.Len != len(head)+4 {
			t.Errorf("%s: the head has %d bytes, not %d", name, len(head)+4, r.Len)
		}
	}
	for _, text := range []string{ok + "Content-Length: 5\r\n\r\n", ok + "Transfer-Encoding: chunked\r\n\r\n", ok + "\r\n"} {
		var r http1.Response
		r.Reset(true)
		if done, err := r.Parse([]byte(text)); !done || err != nil || r.Framing != http1.NoBody || !r.KeepAlive {
			t.Errorf("%q to HEAD: %v %v framing %d", text, done, err, r.Framing)
		}
	}
}

func TestRewrittenResponses(t *testing.T) {
	t.Parallel()
	const added = "X-Strangler-Route: r\r\n"
	for name, want := range map[string]string{
		"plain":                ok + "Content-Length: 2\r\n" + added + "\r\n",
		"HTTP/1.0 kept":        ok + "Content-Length: 1\r\n" + added + "\r\n",
		"no reason":            "HTTP/1.1 200\r\nContent-Length: 0\r\n" + added + "\r\n",
		"named":                ok + "X-Forwarded-For: 1\r\nContent-Length: 0\r\n" + added + "\r\n",
		"request's fields":     ok + "Host: a b\r\nExpect: x\r\nContent-Length: 0\r\n" + added + "\r\n",
		"websocket":            "HTTP/1.1 101 Switching Protocols\r\n" + added + "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
		"continue with length": "HTTP/1.1 100 Continue\r\n" + added + "\r\n",
		"no content, but some": "HTTP/1.1 204 No Content\r\n" + added + "\r\n",
		"not modified":         "HTTP/1.1 304 Not Modified\r\nContent-Length: 400\r\n" + added + "\r\n",
		"trailers":             ok + "Transfer-Encoding: chunked\r\n" + added + "\r\n",
	} {
		var r http1.Response
		if done, err := r.Parse([]byte(responses[name].text)); !done || err != nil {
			t.Fatalf("%s: %v %v", name, done, err)
		}
		if got := string(r.AppendHead(nil, 1, http1.FromResponse, []byte(added))); got != want {
			t.Errorf("%s:\n got %q\nwant %q", name, got, want)
		}
	}
	var r http1.Response
	_, _ = r.Parse([]byte(responses["chunks"].text))
	if got := string(r.AppendHead(nil, 0, http1.FromResponse|http1.Framed, nil)); got != "HTTP/1.0 200 OK\r\n\r\n" {
		t.Errorf("for HTTP/1.0: %q", got)
	}
}
