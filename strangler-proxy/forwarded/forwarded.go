// Package forwarded decides whom to believe about where a request comes from. A client
// may claim anything in X-Forwarded-For, -Host, -Proto and Forwarded; only what a
// trusted proxy says is taken, and only as far back as trusted proxies vouch for it. It
// works on values, reads no clock and no network, and its work is bounded whatever the
// fields hold.
package forwarded

import (
	"net/netip"
	"slices"
	"strings"
)

// A Trust is the list of proxies whose word is taken. The zero value trusts nobody. It
// is not changed after it was made.
type Trust struct {
	prefixes []netip.Prefix
}

// NewTrust returns a Trust in the addresses of the prefixes.
func NewTrust(prefixes ...netip.Prefix) Trust {
	return Trust{prefixes: slices.Clone(prefixes)}
}

// Has reports whether addr is one of a trusted proxy.
func (t Trust) Has(addr netip.Addr) bool {
	if len(t.prefixes) == 0 {
		return false
	}
	addr = plain(addr)
	for _, p := range t.prefixes {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// Prefixes returns the trusted addresses.
func (t Trust) Prefixes() []netip.Prefix { return slices.Clone(t.prefixes) }

// plain is addr as prefixes name it: IPv4 as such, and without a zone, which only
// means something on the machine that said it.
func plain(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }

// A Peer is the other end of a connection.
type Peer struct {
	Addr netip.Addr
	TLS  bool
}

// PeerOf reads the address that a connection or net/http gives, host:port. Without one
// the zero Peer results, which nobody trusts.
func PeerOf(remote string, tls bool) Peer {
	p := Peer{TLS: tls}
	if ap, err := netip.ParseAddrPort(remote); err == nil {
		p.Addr = plain(ap.Addr())
	}
	return p
}

// Said is what the head of a request says about its way. The texts may be views into
// a buffer: an Origin holds views of the same buffer and nothing else keeps them.
type Said struct {
	Host      string   // the request's own host
	For       []string // X-Forwarded-For, field by field
	FromHost  []string // X-Forwarded-Host
	FromProto []string // X-Forwarded-Proto
	Forwarded []string // Forwarded; believed only where there is no X-Forwarded-For
}

// SaidIn collects what a head in the form of net/http says.
func SaidIn(header map[string][]string, host string) Said {
	return Said{
		Host: host, For: header["X-Forwarded-For"], FromHost: header["X-Forwarded-Host"],
		FromProto: header["X-Forwarded-Proto"], Forwarded: header["Forwarded"],
	}
}

// An Origin is what the proxy says upstream about a request's way.
type Origin struct {
	Client  netip.Addr // who asks: the nearest address that no trusted proxy has
	Host    string     // for X-Forwarded-Host
	Proto   string     // for X-Forwarded-Proto: http or https
	Trusted bool       // the peer is a trusted proxy

	peer netip.Addr
	kept [limitKept]string // what the peer said, which goes before its own address
	n    int
}

// How much of what proxies said is looked at and passed on.
const (
	limitHops = 64      // addresses from the right
	limitKept = 8       // fields
	limitText = 8 << 10 // bytes of a field, from the right
)

// Of works out where a request comes from.
func Of(trust Trust, peer Peer, said Said) (o Origin) {
	o.Find(trust, peer, &said)
	return o
}

// Find is Of in place: an Origin is large.
func (o *Origin) Find(trust Trust, peer Peer, said *Said) {
	addr := plain(peer.Addr)
	*o = Origin{}
	o.Client, o.Host, o.Proto, o.peer = addr, said.Host, "http", addr
	if peer.TLS {
		o.Proto = "https"
	}
	if !trust.Has(addr) {
		return
	}
	o.Trusted = true
	if len(said.For) == 0 && len(said.Forwarded) > 0 {
		o.believeForwarded(trust, said)
		return
	}
	depth := o.walk(trust, said.For)
	o.keep(said.For)
	o.believe(at(said.FromHost, depth), at(said.FromProto, depth))
}

// walk goes over the addresses from the right, as long as trusted proxies vouch for
// them, and returns how many entries it took.
func (o *Origin) walk(trust Trust, fields []string) (depth int) {
	for entry := range backwards(fields) {
		depth++
		addr, ok := parseNode(entry)
		if !ok {
			return depth // garbage: who passed it on is the last one known
		}
		o.Client = addr
		if !trust.Has(addr) {
			return depth
		}
	}
	return depth
}

// keep remembers what the peer said, the nearest of it.
func (o *Origin) keep(fields []string) {
	if first := len(fields) - limitKept; first > 0 {
		// The client may stand in the first of many: those become one, within its limit.
		fields = append([]string{strings.Join(fields[:first+1], ", ")}, fields[first+1:]...)
	}
	for _, field := range fields {
		if len(field) > limitText {
			field = field[len(field)-limitText:]
			_, field, _ = strings.Cut(field, ",") // the first entry may be half of one
		}
		if field = strings.Trim(field, " \t,"); field != "" {
			o.kept[o.n] = field
			o.n++
		}
	}
}

// believe takes over what a trusted proxy says about the client's request, if it is
// something that can be said.
func (o *Origin) believe(host, proto string) {
	if validHost(host) {
		o.Host = host
	}
	switch {
	case strings.EqualFold(proto, "https"):
		o.Proto = "https"
	case strings.EqualFold(proto, "http"):
		o.Proto = "http"
	}
}

// AppendFor appends the value of X-Forwarded-For: what the peer said, if it is trusted,
// and the peer.
func (o *Origin) AppendFor(dst []byte) []byte {
	for _, field := range o.kept[:o.n] {
		dst = append(append(dst, field...), ", "...)
	}
	if !o.peer.IsValid() {
		return append(dst, "unknown"...)
	}
	return o.peer.AppendTo(dst)
}

// For is AppendFor as a text.
func (o *Origin) For() string {
	var room [64]byte
	return string(o.AppendFor(room[:0]))
}
