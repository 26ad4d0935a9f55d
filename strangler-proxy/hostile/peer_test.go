package hostile_test

import (
	"cmp"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A peer is a client of HTTP/2 that says what it likes and notes what it hears.
type peer struct {
	t    *testing.T
	conn net.Conn
	*http2.Framer

	status   string            // of the last response
	ended    bool              // a response has
	reset    *http2.ErrCode    // of any stream
	goAway   *http2.ErrCode    // of the connection
	over     bool              // the connection is
	pong     bool              // the last ping was answered
	acked    int               // settings
	settings map[uint16]uint32 // of the server
	sizes    []int             // of DATA frames
}

func newPeer(t *testing.T, address, preface string) *peer {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	p := &peer{t: t, conn: conn, Framer: http2.NewFramer(conn, conn), settings: map[uint16]uint32{}}
	p.AllowIllegalWrites = true
	p.SetMaxReadFrameSize(1 << 24)
	p.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	_, _ = io.WriteString(conn, preface)
	return p
}

// raw writes a frame, of whatever kind, without a look at it. That the server may have
// ended the connection is no error.
func (p *peer) raw(kind http2.FrameType, flags http2.Flags, stream uint32, payload string) {
	_ = p.WriteRawFrame(kind, flags, stream, []byte(payload))
}

// get is the block of a request's fields, with more of them.
func get(more ...string) string {
	return string(fields(append([]string{":method", "GET", ":scheme", "http", ":path", "/", ":authority", "h"}, more...)...))
}

// post is get for a request with a body.
func post(more ...string) string {
	return string(fields(append([]string{":method", "POST", ":scheme", "http", ":path", "/", ":authority", "h"}, more...)...))
}

const marker = "\x01\x02\x03\x04\x05\x06\x07\x08"

// listen notes what the server says until it has taken everything: until it answers a
// ping, and a request has its end if one is waited for, or the connection is over.
func (p *peer) listen(answer bool) {
	p.raw(http2.FramePing, 0, 0, marker)
	p.until(func() bool { return p.pong && (!answer || p.ended || p.reset != nil) })
}

// until notes what the server says until enough is noted or the connection is over.
func (p *peer) until(enough func() bool) {
	for !p.over && !enough() {
		if frame, err := p.ReadFrame(); err == nil {
			p.note(frame)
		} else {
			p.over = true
		}
	}
}

func (p *peer) note(frame http2.Frame) {
	switch f := frame.(type) {
	case *http2.MetaHeadersFrame:
		p.status, p.ended = f.PseudoValue("status"), p.ended || f.StreamEnded()
	case *http2.DataFrame:
		p.ended = p.ended || f.StreamEnded()
		if n := len(f.Data()); n > 0 {
			p.sizes = append(p.sizes, n)
		}
	case *http2.RSTStreamFrame:
		p.reset = cmp.Or(p.reset, &f.ErrCode)
	case *http2.GoAwayFrame:
		p.goAway = &f.ErrCode
		p.over = f.ErrCode != http2.ErrCodeNo
	case *http2.PingFrame:
		p.pong = p.pong || f.IsAck() && string(f.Data[:]) == marker
	case *http2.SettingsFrame:
		if f.IsAck() {
			p.acked++
			return
		}
		_ = f.ForeachSetting(func(s http2.Setting) error {
			p.settings[uint16(s.ID)] = s.Val
			return nil
		})
	}
}

func (p *peer) String() string {
	var heard []string
	if p.status != "" {
		heard = append(heard, p.status)
	}
	if p.reset != nil {
		heard = append(heard, "RST_STREAM "+p.reset.String())
	}
	if p.goAway != nil {
		heard = append(heard, "GOAWAY "+p.goAway.String())
	}
	if p.over {
		heard = append(heard, "the end")
	}
	return fmt.Sprintf("%s (pong %t, %d settings acknowledged, data %v)", strings.Join(heard, ", "), p.pong, p.acked, p.sizes)
}

// An outcome is what a server may do. It reports whether it did.
type outcome func(p *peer) bool

// alive: the connection goes on.
func alive(p *peer) bool { return p.pong && !p.over && p.goAway == nil && p.reset == nil }

// answered: the request got its answer, and the connection goes on.
func answered(p *peer) bool { return alive(p) && p.ended && p.status == "200" }

// connection: the connection ends with one of the codes, or without a word.
func connection(codes ...http2.ErrCode) outcome {
	return func(p *peer) bool { return p.over && (p.goAway == nil || among(*p.goAway, codes)) }
}

// stream: the stream ends with one of the codes, or the connection does.
func stream(codes ...http2.ErrCode) outcome {
	whole := connection(codes...)
	return func(p *peer) bool { return p.reset != nil && among(*p.reset, codes) || whole(p) }
}

func among(code http2.ErrCode, codes []http2.ErrCode) bool {
	for _, c := range codes {
		if c == code {
			return true
		}
	}
	return false
}
