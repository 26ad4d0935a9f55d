package strangler

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/exchange"
	"github.com/stranglerfig/toolkit/strangler-proxy/forwarded"
	"github.com/stranglerfig/toolkit/strangler-proxy/http1"
)

// findOrigin says where a request comes from.
func findOrigin(from *forwarded.Origin, s *snapshot, peer *forwarded.Peer, x *exchange.Exchange, head *http1.Request) {
	said := forwarded.Said{Host: x.Host}
	if s.config.Trusted.Has(peer.Addr) {
		said.For = valuesOf(head, "x-forwarded-for")
		said.FromHost = valuesOf(head, "x-forwarded-host")
		said.FromProto = valuesOf(head, "x-forwarded-proto")
		said.Forwarded = valuesOf(head, "forwarded")
	}
	from.Find(s.config.Trusted, *peer, &said)
}

// valuesOf returns the values of a field, whose name is in lower case.
func valuesOf(head *http1.Request, name string) (values []string) {
	for i := head.Index(name, 0); i >= 0; i = head.Index(name, i+1) {
		values = append(values, view(head.Value(i)))
	}
	return values
}

// appendForwarded appends the lines that tell an upstream who asked and for what.
func appendForwarded(dst []byte, o *forwarded.Origin, x *exchange.Exchange) []byte {
	dst = http1.AppendField(dst, "X-Request-Id", x.ID)
	dst = append(dst, "X-Forwarded-For: "...)
	dst = append(o.AppendFor(dst), "\r\n"...)
	if o.Host != "" {
		dst = http1.AppendField(dst, "X-Forwarded-Host", o.Host)
	}
	dst = http1.AppendField(dst, "X-Forwarded-Proto", o.Proto)
	if x.Trace != nil {
		dst = x.Trace.AppendHeader(dst)
	}
	return dst
}

// appendMarks appends the lines that the proxy adds to a response: its id for everybody,
// and for those who may know it, who made it.
func appendMarks(dst []byte, secure bool, x *exchange.Exchange) []byte {
	if x.Marked {
		dst = http1.AppendField(dst, "X-Strangler-Served-By", x.ServedBy)
		dst = http1.AppendField(dst, "X-Strangler-Route", x.Decision.Name())
	}
	dst = http1.AppendField(dst, "X-Request-Id", x.ID)
	if key := x.Decision.NewKey; key != "" {
		dst = appendKeyCookie(dst, key, secure)
	}
	if x.Marked && x.Fallback != "" {
		dst = http1.AppendField(dst, "X-Strangler-Fallback", x.Fallback)
	}
	return dst
}

const limitRequestID = 64

// requestID keeps a client's X-Request-Id that any program behind the proxy keeps,
// too (see internal/web), or makes one in room: one request has one id everywhere.
func requestID(head *http1.Request, room *[36]byte, now time.Time) string {
	if i := head.Index("x-request-id", 0); i >= 0 && head.Index("x-request-id", i+1) < 0 {
		if id := view(head.Value(i)); saneID(id) {
			return id
		}
	}
	writeID(room, now)
	return view(room[:])
}

// writeID makes a UUID of version 7: the time, and bits that make it unique. They need
// not be unguessable, so they come from the fast generator.
func writeID(room *[36]byte, now time.Time) {
	var id [16]byte
	binary.BigEndian.PutUint64(id[:], uint64(now.UnixMilli())<<16|rand.Uint64()&0x0fff|0x7000)
	binary.BigEndian.PutUint64(id[8:], rand.Uint64()&^(3<<62)|1<<63)
	hex.Encode(room[:], id[:4])
	room[8], room[13], room[18], room[23] = '-', '-', '-', '-'
	hex.Encode(room[9:], id[4:6])
	hex.Encode(room[14:], id[6:8])
	hex.Encode(room[19:], id[8:10])
	hex.Encode(room[24:], id[10:])
}

func saneID(id string) bool {
	if id == "" || len(id) > limitRequestID {
		return false
	}
	for i := range len(id) {
		c := id[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}
