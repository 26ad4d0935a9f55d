package http1_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/strangler-proxy/http1"
)

// Longer inputs are mutated too slowly; the tables try them.
const limitSeed = 2 << 10

// Whatever is accepted, net/http accepts with the same meaning and length, both as it
// came and as it goes on; and it does not matter how it was cut.
func FuzzRequestHead(f *testing.F) {
	for _, s := range requests {
		if len(s.text) < limitSeed {
			f.Add([]byte(s.text), uint16(len(s.text)/2))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, cut uint16) {
		var whole, pieces http1.Request
		done, err := whole.Parse(data)
		at := int(cut) % (len(data) + 1)
		cuts := []int{at, min(at+1, len(data))}
		if len(data) < 200 {
			cuts = everyByte(data)
		}
		done2, err2 := feed(t, &pieces, data, cuts...)
		if got, want := outcome(&pieces, done2, err2), outcome(&whole, done, err); got != want {
			t.Fatalf("in pieces %v: %s\nwant %s", cuts, got, want)
		}
		switch {
		case err != nil:
			if status := reasonOf(t, err).Status(); status < 400 || status > 505 {
				t.Fatalf("refused with %d", status)
			}
		case !done:
			mustNotBeARequest(t, data)
		default:
			agreeOnRequest(t, data, &whole)
			checkForwarded(t, data, &whole)
		}
	})
}

// checkForwarded looks at the message as it would reach an upstream.
func checkForwarded(t *testing.T, data []byte, r *http1.Request) {
	t.Helper()
	const own = "X-Forwarded-For: 192.0.2.1\r\nX-Request-Id: ours\r\n"
	added := []byte(own)
	if r.Host == nil {
		added = http1.AppendField(added, "Host", "h")
	}
	out := r.AppendHead(nil, http1.FromRequest, added)
	headBytes := len(out)
	var b http1.Body
	r.BeginBody(&b, false)
	passed, _, err := drain(&b, data[r.Len:], 1+len(data)/3)
	if err != nil {
		return
	}
	out = append(out, passed...)

	again := http1.Request{Limits: http1.Limits{HeaderBytes: 100 << 10, Fields: 200}}
	if done, err := again.Parse(out); !done || err != nil || again.Len != headBytes {
		t.Fatalf("forwarded as %q: %v %v, %d bytes", out, done, err, again.Len)
	}
	if string(again.Method) != string(r.Method) || string(again.Query) != string(r.Query) || again.HasQuery != r.HasQuery || again.WebSocket != r.WebSocket ||
		string(again.Path) != string(r.Path) && string(r.Path) != "" || again.Framing != r.Framing || again.ContentLength != r.ContentLength ||
		r.Host != nil && string(again.Host) != string(r.Host) {
		t.Fatalf("forwarded as %q", out)
	}
	for i := range again.Count() {
		name, value := strings.ToLower(string(again.Name(i))), string(again.Value(i))
		switch {
		case again.Marks(i)&http1.Alias != 0, again.Marks(i)&http1.Strangler != 0,
			again.Marks(i)&http1.Forwarding != 0 && value != "192.0.2.1",
			again.Marks(i)&http1.RequestID != 0 && value != "ours",
			name == "connection" && value != "Upgrade", name == "te" && value != "trailers", name == "upgrade" && value != "websocket":
			t.Fatalf("%s: %s is forwarded in %q", name, value, out)
		}
	}
	agreeOnRequest(t, out, &again)
}

// The same for responses, to GET and to HEAD.
func FuzzResponseHead(f *testing.F) {
	for _, s := range responses {
		if len(s.text) < limitSeed {
			f.Add([]byte(s.text), uint16(len(s.text)/2), false)
			f.Add([]byte(s.text), uint16(len(s.text)/3), true)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, cut uint16, toHead bool) {
		var whole, pieces http1.Response
		whole.Reset(toHead)
		pieces.Reset(toHead)
		done, err := whole.Parse(data)
		cuts := []int{int(cut) % (len(data) + 1)}
		if len(data) < 200 {
			cuts = everyByte(data)
		}
		done2, err2 := feed(t, &pieces, data, cuts...)
		if got, want := responseOutcome(&pieces, done2, err2), responseOutcome(&whole, done, err); got != want {
			t.Fatalf("in pieces %v: %s\nwant %s", cuts, got, want)
		}
		switch {
		case err != nil && reasonOf(t, err).Status() != 502:
			t.Fatalf("refused with %d", reasonOf(t, err).Status())
		case err == nil && done:
			agreeOnResponse(t, data, &whole, toHead)
			out := whole.AppendHead(nil, 1, http1.FromResponse, nil)
			headBytes := len(out)
			again := http1.Response{Limits: http1.Limits{HeaderBytes: 100 << 10, Fields: 200}}
			again.Reset(toHead)
			if done, err := again.Parse(out); !done || err != nil || again.Len != headBytes || again.Status != whole.Status || again.Framing != whole.Framing {
				t.Fatalf("relayed as %q: %v %v", out, done, err)
			}
			agreeOnResponse(t, out, &again, toHead)
		}
	})
}

// Chunks are decoded as net/http decodes them; what is relayed means the same and is
// relayed unchanged the next time.
func FuzzChunked(f *testing.F) {
	for _, s := range chunked {
		if len(s.text) < limitSeed {
			f.Add([]byte(s.text), uint16(3))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, piece uint16) {
		decoded, relayed := chunkedBody(t, true), chunkedBody(t, false)
		plain, n, err := drain(decoded, data, len(data))
		raw, rawN, rawErr := drain(relayed, data, 1+int(piece))
		if n != rawN || decoded.Done() != relayed.Done() || (err == nil) != (rawErr == nil) || err != nil && *reasonOf(t, err) != *reasonOf(t, rawErr) {
			t.Fatalf("decoded: %d %v %v, relayed: %d %v %v", n, decoded.Done(), err, rawN, relayed.Done(), rawErr)
		}
		if err != nil {
			return
		}
		agreeOnChunks(t, data, plain, n, decoded.Done())
		if !decoded.Done() {
			return
		}
		agreeOnChunks(t, raw, plain, len(raw), true)
		if twice, _, err := drain(chunkedBody(t, false), raw, 5); err != nil || !bytes.Equal(twice, raw) {
			t.Fatalf("relayed %q, and then %q, %v", raw, twice, err)
		}
	})
}
