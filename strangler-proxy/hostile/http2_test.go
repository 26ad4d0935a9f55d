package hostile_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/http2"
)

const (
	ends  = http2.FlagHeadersEndHeaders
	whole = http2.FlagHeadersEndHeaders | http2.FlagHeadersEndStream
	last  = http2.FlagDataEndStream

	protocol   = http2.ErrCodeProtocol
	frameSize  = http2.ErrCodeFrameSize
	flow       = http2.ErrCodeFlowControl
	closed     = http2.ErrCodeStreamClosed
	refused    = http2.ErrCodeRefusedStream
	compressed = http2.ErrCodeCompression
)

// An h2case is a rule of RFC 9113 and what a client says to try it.
type h2case struct {
	name string
	says func(p *peer)
	want outcome
}

// answers are the cases whose outcome comes with an answer.
var answers = []h2case{
	{"8.1: a request", func(p *peer) { p.raw(http2.FrameHeaders, whole, 1, get()) }, answered},
	{"4.2: DATA of 2^14 bytes", func(p *peer) {
		p.raw(http2.FrameHeaders, ends, 1, post())
		p.raw(http2.FrameData, last, 1, strings.Repeat("x", 1<<14))
	}, answered},
	{"6.2: padding and a priority", func(p *peer) {
		block := get()
		p.raw(http2.FrameHeaders, whole|http2.FlagHeadersPadded|http2.FlagHeadersPriority, 1, "\x03\x00\x00\x00\x00\x0f"+block+"\x00\x00\x00")
	}, answered},
	{"6.9.2: a window of one byte", func(p *peer) {
		p.raw(http2.FrameSettings, 0, 0, "\x00\x04\x00\x00\x00\x01")
		p.raw(http2.FrameHeaders, whole, 1, get())
		p.until(func() bool { return len(p.sizes) > 0 })
		for range 8 {
			p.raw(http2.FrameWindowUpdate, 0, 1, "\x00\x00\x00\x01")
		}
	}, func(p *peer) bool { return answered(p) && len(p.sizes) > 1 && p.sizes[0] == 1 }},
	{"6.10: a head in three frames", func(p *peer) {
		block := get()
		p.raw(http2.FrameHeaders, http2.FlagHeadersEndStream, 1, block[:2])
		p.raw(http2.FrameContinuation, 0, 1, block[2:5])
		p.raw(http2.FrameContinuation, http2.FlagContinuationEndHeaders, 1, block[5:])
	}, answered},
	{"8.1: a trailer", func(p *peer) {
		p.raw(http2.FrameHeaders, ends, 1, post("trailer", "x-sum"))
		p.raw(http2.FrameData, 0, 1, "body")
		p.raw(http2.FrameHeaders, whole, 1, string(fields("x-sum", "1")))
	}, answered},
	{"8.1.1: a length that the data do not have", func(p *peer) {
		p.raw(http2.FrameHeaders, ends, 1, post("content-length", "1"))
		p.raw(http2.FrameData, last, 1, "more")
	}, stream(protocol)},
	{"8.1.1: a length that two frames do not have", func(p *peer) {
		p.raw(http2.FrameHeaders, ends, 1, post("content-length", "1"))
		p.raw(http2.FrameData, 0, 1, "mo")
		p.raw(http2.FrameData, last, 1, "re")
	}, stream(protocol)},
	{"8.1: a trailer that does not end the stream", func(p *peer) {
		p.raw(http2.FrameHeaders, ends, 1, post())
		p.raw(http2.FrameHeaders, ends, 1, string(fields("x-sum", "1")))
	}, stream(protocol)},
	{"8.3: pseudo-fields in a trailer", func(p *peer) {
		p.raw(http2.FrameHeaders, ends, 1, post())
		p.raw(http2.FrameHeaders, whole, 1, string(fields(":path", "/x")))
	}, stream(protocol)},
	headed("8.2: upper case", get("X-Test", "1")),
	headed("8.2.2: a field of the connection", get("connection", "keep-alive")),
	headed("8.2.2: te", get("te", "gzip, trailers")),
	headed("8.3: an unknown pseudo-field", string(fields(":method", "GET", ":scheme", "http", ":path", "/", ":authority", "h", ":test", "x"))),
	headed("8.3: a pseudo-field of responses", string(fields(":method", "GET", ":scheme", "http", ":path", "/", ":authority", "h", ":status", "200"))),
	headed("8.3: a pseudo-field behind others", string(fields(":method", "GET", ":scheme", "http", "x-test", "1", ":path", "/", ":authority", "h"))),
	headed("8.3.1: no method", string(fields(":scheme", "http", ":path", "/", ":authority", "h"))),
	headed("8.3.1: no scheme", string(fields(":method", "GET", ":path", "/", ":authority", "h"))),
	headed("8.3.1: no path", string(fields(":method", "GET", ":scheme", "http", ":authority", "h"))),
	headed("8.3.1: an empty path", string(fields(":method", "GET", ":scheme", "http", ":path", "", ":authority", "h"))),
	headed("8.3.1: two methods", get(":method", "GET")),
	headed("8.3.1: two schemes", get(":scheme", "http")),
	headed("8.3.1: two paths", get(":path", "/")),
}

// headed is a request with a head that is not allowed.
func headed(name, block string) h2case {
	return h2case{name, func(p *peer) { p.raw(http2.FrameHeaders, whole, 1, block) }, stream(protocol)}
}

// framed is one frame and what has to come of it.
func framed(name string, want outcome, kind http2.FrameType, flags http2.Flags, stream uint32, payload string) h2case {
	return h2case{name, func(p *peer) { p.raw(kind, flags, stream, payload) }, want}
}

// opened is a frame behind the head of a request whose body is to follow.
func opened(name string, want outcome, kind http2.FrameType, flags http2.Flags, payload string) h2case {
	return h2case{name, func(p *peer) {
		p.raw(http2.FrameHeaders, ends, 1, post())
		p.raw(kind, flags, 1, payload)
	}, want}
}

// begun is a frame within the head of a request.
func begun(name string, kind http2.FrameType, stream uint32, payload string) h2case {
	return h2case{name, func(p *peer) {
		p.raw(http2.FrameHeaders, http2.FlagHeadersEndStream, 1, get()[:3])
		p.raw(kind, ends, stream, payload)
	}, connection(protocol)}
}

// done is a frame behind the whole of a request.
func done(name string, want outcome, kind http2.FrameType, flags http2.Flags, payload string) h2case {
	return h2case{name, func(p *peer) {
		p.raw(http2.FrameHeaders, whole, 1, get())
		p.raw(kind, flags, 1, payload)
	}, want}
}

// gone is a frame on a stream that the client has reset.
func gone(name string, kind http2.FrameType, flags http2.Flags, payload string) h2case {
	return h2case{name, func(p *peer) {
		p.raw(http2.FrameHeaders, ends, 1, post())
		p.raw(http2.FrameRSTStream, 0, 1, "\x00\x00\x00\x08")
		p.raw(kind, flags, 1, payload)
	}, stream(closed)}
}

// set is a setting that has to be acknowledged.
func set(name, payload string) h2case {
	return h2case{name, func(p *peer) {
		p.until(func() bool { return p.acked == 1 }) // those that every case begins with
		p.raw(http2.FrameSettings, 0, 0, payload)
		p.until(func() bool { return p.acked == 2 })
	}, alive}
}

// tooLarge is longer than any frame that the server takes.
var tooLarge = strings.Repeat("x", 1<<20+1)

// signs are the cases whose outcome does not wait for an answer.
var signs = []h2case{
	framed("4.1: an unknown frame", alive, 0xbe, 0xff, 0, "whatever"),
	framed("4.1: undefined flags", alive, http2.FramePing, 0xfe, 0, "12345678"),
	framed("4.1: the reserved bit", alive, http2.FramePing, 0, 1<<31, "12345678"),
	opened("4.2: DATA that is too large", stream(frameSize), http2.FrameData, last, tooLarge),
	framed("4.2: HEADERS that are too large", connection(frameSize), http2.FrameHeaders, whole, 1, tooLarge),
	framed("4.3: a block that is none", connection(compressed), http2.FrameHeaders, whole, 1, "\x80\xff\xff\xff"),
	begun("4.3: PRIORITY within a head", http2.FramePriority, 1, "\x00\x00\x00\x00\xff"),
	begun("4.3: another stream's HEADERS within a head", http2.FrameHeaders, 3, get()),
	begun("5.5: an unknown frame within a head", 0xbe, 1, "whatever"),
	framed("5.1: DATA on an idle stream", connection(protocol), http2.FrameData, last, 1, "x"),
	framed("5.1: RST_STREAM on an idle stream", connection(protocol), http2.FrameRSTStream, 0, 1, "\x00\x00\x00\x08"),
	framed("5.1: WINDOW_UPDATE on an idle stream", connection(protocol), http2.FrameWindowUpdate, 0, 1, "\x00\x00\x00\x64"),
	framed("5.1: CONTINUATION on an idle stream", connection(protocol), http2.FrameContinuation, ends, 1, get()),
	done("5.1: DATA on a half-closed stream", stream(closed), http2.FrameData, last, "x"),
	done("5.1: HEADERS on a half-closed stream", stream(closed), http2.FrameHeaders, whole, get()),
	done("5.1: CONTINUATION on a half-closed stream", connection(closed, protocol), http2.FrameContinuation, ends, get()),
	gone("5.1: DATA on a closed stream", http2.FrameData, last, "x"),
	gone("5.1: HEADERS on a closed stream", http2.FrameHeaders, whole, get()),
	framed("5.1.1: an even stream", connection(protocol), http2.FrameHeaders, whole, 2, get()),
	{"5.1.1: a smaller stream", func(p *peer) {
		p.raw(http2.FrameHeaders, whole, 5, get())
		p.raw(http2.FrameHeaders, whole, 3, get())
	}, connection(protocol)},
	{"5.1.2: more streams than allowed", func(p *peer) {
		p.until(func() bool { return p.settings[3] > 0 }) // SETTINGS_MAX_CONCURRENT_STREAMS
		p.raw(http2.FrameSettings, http2.FlagSettingsAck, 0, "")
		for n := range p.settings[3] + 1 {
			p.raw(http2.FrameHeaders, ends, 2*n+1, post())
		}
	}, stream(protocol, refused)},
	framed("5.3.1: HEADERS that depend on themselves", stream(protocol), http2.FrameHeaders, whole|http2.FlagHeadersPriority, 1, "\x00\x00\x00\x01\xff"+get()),
	framed("5.3.1: PRIORITY that depends on itself", stream(protocol), http2.FramePriority, 0, 2, "\x00\x00\x00\x02\xff"),
	framed("6.1: DATA on stream 0", connection(protocol), http2.FrameData, last, 0, "x"),
	opened("6.1: more padding than DATA", connection(protocol), http2.FrameData, last|http2.FlagDataPadded, "\x06test"),
	framed("6.2: HEADERS on stream 0", connection(protocol), http2.FrameHeaders, whole, 0, get()),
	framed("6.2: more padding than HEADERS", connection(protocol), http2.FrameHeaders, whole|http2.FlagHeadersPadded, 1, "\xff"+get()),
	framed("6.3: PRIORITY on stream 0", connection(protocol), http2.FramePriority, 0, 0, "\x00\x00\x00\x01\xff"),
	opened("6.3: PRIORITY of four bytes", stream(frameSize), http2.FramePriority, 0, "\x00\x00\x00\x01"),
	framed("6.4: RST_STREAM on stream 0", connection(protocol), http2.FrameRSTStream, 0, 0, "\x00\x00\x00\x08"),
	opened("6.4: RST_STREAM of three bytes", connection(frameSize), http2.FrameRSTStream, 0, "\x00\x00\x00"),
	framed("6.5: an acknowledgement with settings", connection(frameSize), http2.FrameSettings, http2.FlagSettingsAck, 0, "\x00\x03\x00\x00\x00\x64"),
	framed("6.5: SETTINGS on a stream", connection(protocol), http2.FrameSettings, 0, 1, "\x00\x03\x00\x00\x00\x64"),
	framed("6.5: SETTINGS of three bytes", connection(frameSize), http2.FrameSettings, 0, 0, "\x00\x03\x00"),
	framed("6.5.2: ENABLE_PUSH 2", connection(protocol), http2.FrameSettings, 0, 0, "\x00\x02\x00\x00\x00\x02"),
	framed("6.5.2: a window that is too large", connection(flow), http2.FrameSettings, 0, 0, "\x00\x04\x80\x00\x00\x00"),
	framed("6.5.2: frames that are too small", connection(protocol), http2.FrameSettings, 0, 0, "\x00\x05\x00\x00\x3f\xff"),
	framed("6.5.2: frames that are too large", connection(protocol), http2.FrameSettings, 0, 0, "\x00\x05\x01\x00\x00\x00"),
	set("6.5.2: an unknown setting", "\x00\xff\x00\x00\x00\x01"),
	set("6.5.3: a window", "\x00\x04\x00\x00\x00\x64"),
	framed("6.6: PUSH_PROMISE", connection(protocol), http2.FramePushPromise, ends, 1, "\x00\x00\x00\x02"+get()),
	framed("6.7: an answer that nobody asked for", alive, http2.FramePing, http2.FlagPingAck, 0, "12345678"),
	framed("6.7: PING on a stream", connection(protocol), http2.FramePing, 0, 1, "12345678"),
	framed("6.7: PING of six bytes", connection(frameSize), http2.FramePing, 0, 0, "123456"),
	framed("6.8: GOAWAY on a stream", connection(protocol), http2.FrameGoAway, 0, 1, "\x00\x00\x00\x00\x00\x00\x00\x00"),
	framed("6.9: WINDOW_UPDATE of nothing", connection(protocol), http2.FrameWindowUpdate, 0, 0, "\x00\x00\x00\x00"),
	opened("6.9: WINDOW_UPDATE of nothing on a stream", stream(protocol), http2.FrameWindowUpdate, 0, "\x00\x00\x00\x00"),
	framed("6.9: WINDOW_UPDATE of three bytes", connection(frameSize), http2.FrameWindowUpdate, 0, 0, "\x00\x00\x01"),
	{"6.9.1: more than a window can be", func(p *peer) {
		p.raw(http2.FrameWindowUpdate, 0, 0, "\x7f\xff\xff\xff")
		p.raw(http2.FrameWindowUpdate, 0, 0, "\x7f\xff\xff\xff")
	}, connection(flow)},
	opened("6.9.1: more than a stream's window can be", stream(flow), http2.FrameWindowUpdate, 0, "\x7f\xff\xff\xff"),
	done("6.10: CONTINUATION behind the end of a head", connection(protocol, closed), http2.FrameContinuation, ends, get()),
	framed("6.10: CONTINUATION on stream 0", connection(protocol), http2.FrameContinuation, ends, 0, get()),
	opened("6.10: CONTINUATION behind DATA", connection(protocol, closed), http2.FrameContinuation, ends, get()),
}

// What a bare server of net/http does right, our door does, too.
func TestHTTP2IsAsGoodAsNetHTTP(t *testing.T) {
	t.Parallel()
	m := httptest.NewServer(http.HandlerFunc(echoLength))
	t.Cleanup(m.Close)
	ours := start(t, "monolith: "+m.URL+"\nh2c: true\n").address
	bare := bareHTTP2(t, http.HandlerFunc(echoLength))
	var failures int
	try := func(c h2case, answer bool) {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			var heard [2]*peer
			for i, address := range []string{ours, bare} {
				heard[i] = newPeer(t, address, http2.ClientPreface)
				heard[i].raw(http2.FrameSettings, 0, 0, "")
				c.says(heard[i])
				heard[i].listen(answer)
			}
			switch we, they := c.want(heard[0]), c.want(heard[1]); {
			case !we && they:
				t.Errorf("the proxy: %v; net/http: %v", heard[0], heard[1])
			case !they:
				failures++
				t.Logf("net/http fails, too (the proxy: %t): %v; %v", we, heard[0], heard[1])
			}
		})
	}
	for _, c := range answers {
		try(c, true)
	}
	for _, c := range signs {
		try(c, false)
	}
	t.Logf("%d cases; net/http itself fails %d", len(answers)+len(signs), failures)
	if failures > 6 {
		t.Error("either net/http has become worse, or the cases say what they do not mean to")
	}
	p := newPeer(t, ours, "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n")
	if text, err := io.ReadAll(p.conn); err != nil || strings.Contains(string(text), " 200 ") {
		t.Errorf("a bad preface: %q %v", text, err)
	}
}

// echoLength answers how long the body was.
func echoLength(w http.ResponseWriter, r *http.Request) {
	n, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	_, _ = io.WriteString(w, strconv.FormatInt(n+1000, 10))
}

// bareHTTP2 is a server of the standard library alone.
func bareHTTP2(t *testing.T, h http.Handler) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	s := &http.Server{Handler: h, Protocols: &p}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return l.Addr().String()
}
