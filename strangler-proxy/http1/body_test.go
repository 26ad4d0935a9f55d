package http1_test

import (
	"errors"
	"testing"

	"github.com/stranglerfig/toolkit/strangler-proxy/http1"
)

// chunkedBody is ready for a body in chunked coding.
func chunkedBody(t *testing.T, decode bool) *http1.Body {
	t.Helper()
	var r http1.Request
	if done, err := r.Parse([]byte(post + "Transfer-Encoding: chunked\r\n\r\n")); !done || err != nil {
		t.Fatal(done, err)
	}
	var b http1.Body
	r.BeginBody(&b, decode)
	return &b
}

func TestChunks(t *testing.T) {
	t.Parallel()
	for name, s := range chunked {
		for _, decode := range []bool{false, true} {
			whole := chunkedBody(t, decode)
			want, consumed, err := drain(whole, []byte(s.text), len(s.text))
			switch {
			case s.want == 0 && (!whole.Done() || err != nil), s.want == more && (whole.Done() || err != nil):
				t.Errorf("%s: done %v, %v", name, whole.Done(), err)
			case s.want > 0 && err == nil:
				t.Errorf("%s: accepted, want %d", name, s.want)
			case s.want > 0 && reasonOf(t, err).Status() != s.want:
				t.Errorf("%s: %d (%v), want %d", name, reasonOf(t, err).Status(), err, s.want)
			}
			if end := whole.End(); (end == nil) != whole.Done() {
				t.Errorf("%s: the end is told: %v, done %v", name, end, whole.Done())
			}
			for _, pieceBytes := range []int{1, 2, 3, 7, 100} {
				b := chunkedBody(t, decode)
				got, n, err2 := drain(b, []byte(s.text), pieceBytes)
				if string(got) != string(want) || n != consumed || b.Done() != whole.Done() || (err == nil) != (err2 == nil) {
					t.Errorf("%s in pieces of %d: %q %d %v %v\nwant %q %d %v", name, pieceBytes, got, n, b.Done(), err2, want, consumed, err)
				} else if err != nil && *reasonOf(t, err) != *reasonOf(t, err2) {
					t.Errorf("%s in pieces of %d: %v, want %v", name, pieceBytes, err2, err)
				}
			}
		}
	}
}

func TestWhatPassesOfChunks(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct{ relayed, data string }{
		"two":                    {"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world"},
		"hex":                    {"a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n", "01234567890123456789a"},
		"extensions":             {"5\r\nhello\r\n0\r\n\r\n", "hello"},
		"trailer":                {"0\r\nX-A: 1\r\nx-b:2\r\n\r\n", ""},
		"forbidden first":        {"0\r\nX-A: 1\r\n\r\n", ""},
		"forbidden last":         {"0\r\nX-A: 1\r\n\r\n", ""},
		"forbidden only":         {"0\r\n\r\n", ""},
		"data too long":          {"5\r\nhello", "hello"},
		"LF after extension":     {"5", ""},
		"LF in trailer":          {"0\r\n", ""},
		"too large":              {"ffffffffffffff", ""},
		"incomplete":             {"5\r\nhel", "hel"},
		"incomplete trailer":     {"0\r\n", ""},
		"space before extension": {"5", ""},
	} {
		relayed, _, _ := drain(chunkedBody(t, false), []byte(chunked[name].text), 1<<20)
		data, _, _ := drain(chunkedBody(t, true), []byte(chunked[name].text), 1<<20)
		if string(relayed) != want.relayed || string(data) != want.data {
			t.Errorf("%s: %q %q, want %q %q", name, relayed, data, want.relayed, want.data)
		}
	}
	// A chunk in several reads is handed on as it comes, without waiting.
	b := chunkedBody(t, false)
	for _, piece := range []string{"1", "0\r", "\n0123", "456789abcdef\r\n0\r\n", "\r\n"} {
		if pass, n, err := b.Step([]byte(piece)); string(pass) != piece || n != len(piece) || err != nil {
			t.Errorf("%q: passed %q of %d, %v", piece, pass, n, err)
		}
	}
	if !b.Done() {
		t.Error("not done")
	}
}

func TestBodiesByLength(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct {
		passed string
		done   bool
	}{
		"plain": {"", true}, "with body": {"hello", true}, "with empty body": {"", true}, "incomplete body": {"hell", false},
	} {
		var r http1.Request
		if done, err := r.Parse([]byte(requests[name].text)); !done || err != nil {
			t.Fatal(done, err)
		}
		for _, pieceBytes := range []int{1, 100} {
			var b http1.Body
			r.BeginBody(&b, false)
			passed, n, err := drain(&b, []byte(requests[name].text[r.Len:]), pieceBytes)
			if string(passed) != want.passed || n != len(passed) || b.Done() != want.done || err != nil {
				t.Errorf("%s: %q %d %v %v", name, passed, n, b.Done(), err)
			}
			if end := b.End(); (end == nil) != want.done {
				t.Errorf("%s: the end is told: %v", name, end)
			}
		}
	}
}

func TestBodiesUntilTheEnd(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"until close", "HTTP/1.0", "websocket"} {
		var r http1.Response
		if done, err := r.Parse([]byte(responses[name].text)); !done || err != nil {
			t.Fatal(done, err)
		}
		var b http1.Body
		r.BeginBody(&b, false)
		rest := responses[name].text[r.Len:]
		passed, n, err := drain(&b, []byte(rest), 2)
		if string(passed) != rest || n != len(rest) || b.Done() || err != nil || b.End() != nil || b.Ahead() != -1 {
			t.Errorf("%s: %q %d %v %v", name, passed, n, b.Done(), err)
		}
	}
	var r http1.Response
	if done, err := r.Parse([]byte(responses["incomplete body"].text)); !done || err != nil {
		t.Fatal(done, err)
	}
	var b http1.Body
	r.BeginBody(&b, false)
	_, _, _ = b.Step([]byte("ok"))
	if refused := reasonOf(t, b.End()); refused.Reason != http1.Truncated || refused.Status() != 502 || refused.Offset != 2 {
		t.Errorf("cut short: %v", refused)
	}
}

// What is known to be data may take another way, such as splice.
func TestSkippingAhead(t *testing.T) {
	t.Parallel()
	b := chunkedBody(t, false)
	for _, part := range []struct {
		text  string
		ahead int64
	}{{"5\r\nhe", 3}, {"", 0}, {"\r\n2\r\n", 2}, {"", 0}, {"\r\n0\r\n", 0}, {"\r\n", 0}} {
		if part.text == "" {
			b.Skip(b.Ahead())
		} else if _, n, err := b.Step([]byte(part.text)); n != len(part.text) || err != nil {
			t.Fatalf("%q: %d %v", part.text, n, err)
		}
		if b.Ahead() != part.ahead {
			t.Errorf("after %q: %d bytes ahead, want %d", part.text, b.Ahead(), part.ahead)
		}
	}
	if !b.Done() {
		t.Error("not done")
	}
	_, _, err := b.Step(nil)
	if err != nil || b.End() != nil {
		t.Error(err)
	}

	var r http1.Request
	_, _ = r.Parse([]byte(post + "Content-Length: 10\r\n\r\n"))
	r.BeginBody(b, false)
	_, _, _ = b.Step([]byte("abc"))
	if b.Ahead() != 7 {
		t.Errorf("%d ahead", b.Ahead())
	}
	b.Skip(7)
	if !b.Done() || b.Ahead() != 0 {
		t.Error("not done after all bytes")
	}
	var none http1.Body
	if !none.Done() || none.Ahead() != 0 || none.End() != nil {
		t.Error("no body is not done")
	}
	if _, n, err := none.Step([]byte("x")); n != 0 || err != nil {
		t.Error(n, err)
	}
}

// A body that has failed stays failed.
func TestErrorsStay(t *testing.T) {
	t.Parallel()
	b := chunkedBody(t, false)
	_, _, first := b.Step([]byte("x"))
	_, n, again := b.Step([]byte("0\r\n\r\n"))
	if first == nil || !errors.Is(again, first) || n != 0 || !errors.Is(b.End(), first) {
		t.Errorf("%v, then %v", first, again)
	}
}
