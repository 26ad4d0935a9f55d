package forwarded_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/stranglerfig/toolkit/strangler-proxy/forwarded"
)

var trust = forwarded.NewTrust(netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:f::/48"), netip.MustParsePrefix("fe80::/10"))

func peer(addr string) forwarded.Peer { return forwarded.PeerOf(addr, false) }

func TestOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, peer              string
		tls                     bool
		xff, host, proto, other []string
		client, sent, sentHost  string
		sentProto               string
	}{
		{name: "nobody in front", peer: "192.0.2.9:1", client: "192.0.2.9", sent: "192.0.2.9"},
		{name: "TLS", peer: "192.0.2.9:1", tls: true, client: "192.0.2.9", sent: "192.0.2.9", sentProto: "https"},
		{
			name: "a client lies", peer: "192.0.2.9:1", xff: []string{"10.0.0.1", "6.6.6.6"}, host: []string{"evil"}, proto: []string{"https"}, other: []string{"for=6.6.6.6"},
			client: "192.0.2.9", sent: "192.0.2.9",
		},
		{
			name: "a trusted proxy", peer: "10.0.0.1:1", xff: []string{"192.0.2.9"}, host: []string{"shop.example:8443"}, proto: []string{"HTTPS"},
			client: "192.0.2.9", sent: "192.0.2.9, 10.0.0.1", sentHost: "shop.example:8443", sentProto: "https",
		},
		{name: "a trusted proxy in front of TLS says http", peer: "10.0.0.1:1", tls: true, xff: []string{"192.0.2.9"}, proto: []string{"http"}, client: "192.0.2.9", sent: "192.0.2.9, 10.0.0.1", sentProto: "http"},
		{name: "a trusted proxy is silent", peer: "10.0.0.1:1", client: "10.0.0.1", sent: "10.0.0.1"},
		{name: "a lie before a trusted proxy", peer: "10.0.0.1:1", xff: []string{"10.9.9.9, 6.6.6.6, 192.0.2.9"}, client: "192.0.2.9", sent: "10.9.9.9, 6.6.6.6, 192.0.2.9, 10.0.0.1"},
		{name: "two proxies, two fields", peer: "10.0.0.2:1", xff: []string{"6.6.6.6, 192.0.2.9", "10.0.0.1"}, client: "192.0.2.9", sent: "6.6.6.6, 192.0.2.9, 10.0.0.1, 10.0.0.2"},
		{name: "everybody is trusted", peer: "10.0.0.2:1", xff: []string{"10.0.0.7, 10.0.0.1"}, client: "10.0.0.7", sent: "10.0.0.7, 10.0.0.1, 10.0.0.2"},
		{name: "ports", peer: "10.0.0.2:1", xff: []string{"192.0.2.9:4711,10.0.0.1:80"}, client: "192.0.2.9", sent: "192.0.2.9:4711,10.0.0.1:80, 10.0.0.2"},
		{name: "IPv6", peer: "[2001:db8:f::1]:1", xff: []string{"2001:db8::9"}, client: "2001:db8::9", sent: "2001:db8::9, 2001:db8:f::1"},
		{name: "IPv6 with a port", peer: "[2001:db8:f::1]:1", xff: []string{"[2001:db8::9]:443"}, client: "2001:db8::9", sent: "[2001:db8::9]:443, 2001:db8:f::1"},
		{name: "IPv4 in IPv6", peer: "[::ffff:10.0.0.1]:1", xff: []string{"::ffff:192.0.2.9"}, client: "192.0.2.9", sent: "::ffff:192.0.2.9, 10.0.0.1"},
		{name: "a zone", peer: "[fe80::1%eth0]:1", xff: []string{"192.0.2.9"}, client: "192.0.2.9", sent: "192.0.2.9, fe80::1"},
		{name: "garbage", peer: "10.0.0.2:1", xff: []string{"192.0.2.9, unknown"}, client: "10.0.0.2", sent: "192.0.2.9, unknown, 10.0.0.2"},
		{name: "garbage behind a proxy", peer: "10.0.0.2:1", xff: []string{"192.0.2.9, _x, 10.0.0.1"}, client: "10.0.0.1", sent: "192.0.2.9, _x, 10.0.0.1, 10.0.0.2"},
		{name: "empty entries", peer: "10.0.0.2:1", xff: []string{" , 192.0.2.9 ,, ", ""}, client: "192.0.2.9", sent: "192.0.2.9, 10.0.0.2"},
		{
			name: "lists from every proxy", peer: "10.0.0.2:1", xff: []string{"6.6.6.6, 192.0.2.9, 10.0.0.1"}, proto: []string{"gopher, https, http"}, host: []string{"evil, shop.example, inside"},
			client: "192.0.2.9", sent: "6.6.6.6, 192.0.2.9, 10.0.0.1, 10.0.0.2", sentHost: "shop.example", sentProto: "https",
		},
		{
			name: "a list that only the nearest proxy wrote", peer: "10.0.0.2:1", xff: []string{"192.0.2.9, 10.0.0.1"}, proto: []string{"https"},
			client: "192.0.2.9", sent: "192.0.2.9, 10.0.0.1, 10.0.0.2", sentProto: "https",
		},
		{
			name: "bad values of a trusted proxy", peer: "10.0.0.1:1", xff: []string{"192.0.2.9"}, host: []string{"a b"}, proto: []string{"javascript"},
			client: "192.0.2.9", sent: "192.0.2.9, 10.0.0.1",
		},
		{
			name: "Forwarded", peer: "10.0.0.2:1", other: []string{`for=6.6.6.6;proto=http, For="[2001:db8::9]:47";Proto=https;host="shop.example"`, "for=10.0.0.1;proto=http;by=10.0.0.2"},
			client: "2001:db8::9", sent: "2001:db8::9, 10.0.0.2", sentHost: "shop.example", sentProto: "https",
		},
		{name: "Forwarded without an address", peer: "10.0.0.2:1", other: []string{"for=1.1.1.1, for=unknown;proto=https"}, client: "10.0.0.2", sent: "10.0.0.2", sentProto: "https"},
		{name: "Forwarded says it twice", peer: "10.0.0.2:1", other: []string{"for=192.0.2.9;for=192.0.2.8"}, client: "10.0.0.2", sent: "10.0.0.2"},
		{name: "Forwarded with a quoted comma", peer: "10.0.0.2:1", other: []string{`for="192.0.2.9, for=6.6.6.6"`}, client: "10.0.0.2", sent: "10.0.0.2"},
		{name: "X-Forwarded-For before Forwarded", peer: "10.0.0.2:1", xff: []string{"192.0.2.9"}, other: []string{"for=6.6.6.6;proto=https"}, client: "192.0.2.9", sent: "192.0.2.9, 10.0.0.2"},
	} {
		o := forwarded.Of(trust, forwarded.PeerOf(c.peer, c.tls), forwarded.Said{Host: "own.example", For: c.xff, FromHost: c.host, FromProto: c.proto, Forwarded: c.other})
		wantHost, wantProto := c.sentHost, c.sentProto
		if wantHost == "" {
			wantHost = "own.example"
		}
		if wantProto == "" {
			wantProto = "http"
		}
		if o.Client.String() != c.client || o.For() != c.sent || o.Host != wantHost || o.Proto != wantProto {
			t.Errorf("%s: client %s, for %q, host %q, proto %q; want %s, %q, %q, %q", c.name, o.Client, o.For(), o.Host, o.Proto, c.client, c.sent, wantHost, wantProto)
		}
	}
}

func TestPeerWithoutAnAddress(t *testing.T) {
	t.Parallel()
	for _, remote := range []string{"", "@", "/run/x.sock", "localhost:1"} {
		o := forwarded.Of(trust, peer(remote), forwarded.Said{Host: "h", For: []string{"10.0.0.1"}})
		if o.Trusted || o.Client.IsValid() || o.For() != "unknown" {
			t.Errorf("%q: %+v, %q", remote, o, o.For())
		}
	}
}

// lie draws what somebody may write who wants to be taken for somebody else.
var lie = rapid.SampledFrom([]string{"10.0.0.1", "6.6.6.6", "", "unknown", `"`, "[", "[::1", "::1:", "10.0.0.1:x", "fe80::1%lo", "a;b=c", " ", "1.2.3.4:99999999", "for=10.0.0.1", "\x80"})

func draw[T any](t *rapid.T, g *rapid.Generator[T], name string) T { return g.Draw(t, name) }

// Whoever is not trusted cannot say anything that makes a difference.
func TestAnUntrustedPeerIsNotHeard(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		lies := rapid.SliceOfN(rapid.Map(rapid.SliceOf(lie), func(l []string) string { return strings.Join(l, ",") }), 0, 4)
		p := forwarded.PeerOf(draw(t, rapid.SampledFrom([]string{"192.0.2.9:1", "[2001:db8::1]:2", "", "[::ffff:192.0.2.1]:3"}), "peer"), draw(t, rapid.Bool(), "tls"))
		said := forwarded.Said{Host: "h", For: draw(t, lies, "for"), FromHost: draw(t, lies, "host"), FromProto: draw(t, lies, "proto"), Forwarded: draw(t, lies, "forwarded")}
		if got, want := forwarded.Of(trust, p, said), forwarded.Of(forwarded.Trust{}, p, forwarded.Said{Host: "h"}); got != want {
			t.Fatalf("%+v became %+v", want, got)
		}
	})
}

// Behind any number of trusted proxies, each writing in its own manner, the client is
// found, whatever it claimed itself.
func TestTheClientIsFound(t *testing.T) {
	t.Parallel()
	spell := func(t *rapid.T, addr netip.Addr) string {
		switch draw(t, rapid.IntRange(0, 3), "spelling") {
		case 0:
			return netip.AddrPortFrom(addr, 4711).String()
		case 1:
			if addr.Is4() {
				return "::ffff:" + addr.String()
			}
			return "[" + addr.String() + "]"
		}
		return addr.String()
	}
	rapid.Check(t, func(t *rapid.T) {
		client := draw(t, rapid.Map(rapid.SampledFrom([]string{"192.0.2.9", "2001:db8::9", "11.0.0.1"}), netip.MustParseAddr), "client")
		entries := draw(t, rapid.SliceOf(lie), "lies")
		wrote := len(entries)
		entries = append(entries, spell(t, client))
		hops := draw(t, rapid.IntRange(1, 20), "hops")
		for hop := range hops - 1 {
			entries = append(entries, spell(t, netip.AddrFrom4([4]byte{10, 0, 1, byte(hop)})))
		}
		var fields []string
		for start := 0; start < len(entries); {
			end := draw(t, rapid.IntRange(start+1, len(entries)), "cut")
			fields, start = append(fields, strings.Join(entries[start:end], draw(t, rapid.SampledFrom([]string{",", ", ", " ,\t"}), "comma"))), end
		}
		o := forwarded.Of(trust, peer("10.0.2.1:1"), forwarded.Said{Host: "h", For: fields})
		if o.Client != client || !o.Trusted {
			t.Fatalf("%q: found %v, want %v (%d lies)", fields, o.Client, client, wrote)
		}
		if sent := o.For(); !strings.HasSuffix(sent, ", 10.0.2.1") {
			t.Fatalf("%q went upstream as %q", fields, sent)
		}
		// What goes upstream, the next proxy reads in the same way.
		next := forwarded.Of(forwarded.NewTrust(append(trust.Prefixes(), netip.MustParsePrefix("127.0.0.1/32"))...), peer("127.0.0.1:1"), forwarded.Said{For: []string{o.For()}})
		if next.Client != client {
			t.Fatalf("%q became %q, where the next proxy finds %v, not %v", fields, o.For(), next.Client, client)
		}
	})
}

// However many fields the proxies in front have written, the next one finds the client.
func TestManyFields(t *testing.T) {
	t.Parallel()
	for hops := range 40 {
		fields := []string{"192.0.2.9"}
		for hop := range hops {
			fields = append(fields, fmt.Sprintf("10.0.1.%d", hop))
		}
		o := forwarded.Of(trust, peer("10.0.2.1:1"), forwarded.Said{Host: "h", For: fields})
		if want := strings.Join(append(fields, "10.0.2.1"), ", "); o.For() != want {
			t.Errorf("%d fields went upstream as %q", len(fields), o.For())
		}
	}
}

func TestLongListsAreBounded(t *testing.T) {
	t.Parallel()
	long := strings.TrimSuffix(strings.Repeat("10.0.0.1,", 10_000), ",")
	many := make([]string, 10_000)
	for i := range many {
		many[i] = fmt.Sprintf("10.0.%d.%d", i/250, i%250)
	}
	for name, said := range map[string]forwarded.Said{
		"one field": {For: []string{long}, FromProto: []string{long}}, "fields": {For: many}, "commas": {For: []string{strings.Repeat(",", 90_000)}},
		"one entry": {For: []string{strings.Repeat("1", 90_000)}}, "forwarded": {Forwarded: []string{strings.Repeat("for=10.0.0.1;a=b,", 10_000)}},
	} {
		o := forwarded.Of(trust, peer("10.0.0.9:1"), said)
		sent := o.For()
		if len(sent) > 70<<10 || strings.Contains(sent, ",,") || !strings.HasSuffix(sent, "10.0.0.9") {
			t.Errorf("%s: %d bytes go upstream, ending in %q", name, len(sent), sent[max(0, len(sent)-40):])
		}
		if name == "one field" && !strings.HasPrefix(sent, "10.0.0.1,10.0.0.1,") {
			t.Errorf("%s: begins with %q", name, sent[:30])
		}
	}
}

func TestNothingIsAllocated(t *testing.T) {
	direct := forwarded.Said{Host: "shop.example", For: []string{"6.6.6.6"}}
	behind := forwarded.Said{Host: "shop.example", For: []string{"6.6.6.6, 192.0.2.9"}, FromProto: []string{"https"}, FromHost: []string{"shop.example"}}
	var room [256]byte
	for name, c := range map[string]struct {
		peer forwarded.Peer
		said forwarded.Said
	}{"direct": {peer("192.0.2.9:1"), direct}, "behind a proxy": {peer("10.0.0.1:1"), behind}} {
		if n := testing.AllocsPerRun(100, func() {
			o := forwarded.Of(trust, c.peer, c.said)
			if len(o.AppendFor(room[:0])) == 0 {
				t.Error("nothing")
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkOf(b *testing.B) {
	said := forwarded.Said{Host: "shop.example", For: []string{"6.6.6.6, 192.0.2.9"}, FromProto: []string{"https"}}
	for name, addr := range map[string]string{"direct": "192.0.2.9:1", "trusted": "10.0.0.1:1"} {
		b.Run(name, func(b *testing.B) {
			p := peer(addr)
			var room [256]byte
			for b.Loop() {
				o := forwarded.Of(trust, p, said)
				o.AppendFor(room[:0])
			}
		})
	}
}
