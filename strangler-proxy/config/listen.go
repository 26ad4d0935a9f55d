package config

import (
	"crypto/tls"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"github.com/stranglerfig/toolkit/internal/yamldoc"
	"github.com/stranglerfig/toolkit/strangler-proxy/forwarded"
	"github.com/stranglerfig/toolkit/strangler-proxy/listen"
)

var tlsSection = Section{"tls", "With it, clients connect with TLS, and with HTTP/2 if they can. A list of such mappings is one for each certificate; a client gets the one with the name that it asks for, or else the first. The files are read again when they change; a pair that does not fit together is reported, and the last good one stays in use.", []Key{
	{Name: "cert", Type: "text", Required: true, Doc: "File with the certificate and what it was issued by, PEM. Relative paths begin in the folder of this file."},
	{Name: "key", Type: "text", Required: true, Doc: "File with the private key, PEM."},
	{Name: "min", Type: "text or number", Default: "1.2", Doc: "The oldest version of TLS that is spoken for the names of this certificate: `1.2` or `1.3`."},
}}

var limitsSection = Section{"limits", "What a client may cost. Sizes have a unit: `512B`, `64KiB`, `1MiB`, `2GiB`.", []Key{
	{Name: "header", Type: "size", Default: "64KiB", Doc: "All headers of a request. More is answered 431."},
	{Name: "url", Type: "size", Default: "16KiB", Doc: "Path and query. More is answered 414."},
	{Name: "body", Type: "size or number", Default: "0", Doc: "The body of a request. More is answered 413. `0` means no limit."},
	{Name: "connections", Type: "number", Default: "20000", Doc: "Open at a time. What is beyond waits to be accepted."},
	{Name: "streams", Type: "number", Default: "100", Doc: "Requests at a time on one connection of HTTP/2."},
	{Name: "header_timeout", Type: "duration", Default: "10s", Doc: "For the TLS handshake, and for the head of a request."},
	{Name: "idle_timeout", Type: "duration", Default: "2m", Doc: "For a connection without a request."},
	{Name: "stall_timeout", Type: "duration", Default: "1m", Doc: "For a client that keeps a request waiting: it has to send 4 KiB of a body, or the rest, in that time, and to take what it is sent. One that does not send is answered 408, and its connection ends once its other requests have. Behind a WebSocket both sides have to take what they are sent."},
}}

// listen reads the keys that say how clients connect.
func (c *checker) listen(top map[string]*yamldoc.Node, cfg *Config) {
	if n := top["tls"]; n != nil {
		cfg.Front.TLS = c.tls(n)
	}
	if n := top["h2c"]; n != nil {
		cfg.Front.H2C = c.boolean(n, "h2c")
	}
	if n := top["limits"]; n != nil {
		c.limits(n, &cfg.Front.Limits)
	}
	if n := top["trusted_proxies"]; n != nil {
		cfg.Trusted = c.trusted(n)
	}
}

func (c *checker) tls(n *yamldoc.Node) []listen.Pair {
	items := []*yamldoc.Node{n}
	if n.Kind == yamldoc.List {
		if items = n.Items; len(items) == 0 {
			c.add(n.Pos, "leave the key out for plain HTTP", "tls is an empty list")
		}
	}
	var pairs []listen.Pair
	lines := map[string]int{}
	for _, item := range items {
		keys, ok := c.section(item, tlsSection, "tls")
		if !ok || keys["cert"] == nil || keys["key"] == nil {
			continue
		}
		pair := listen.Pair{Cert: c.file(keys["cert"], "tls.cert"), Key: c.file(keys["key"], "tls.key")}
		if m := keys["min"]; m != nil {
			pair.Min = c.tlsVersion(m)
		}
		if line := lines[pair.Cert]; line != 0 && pair.Cert != "" {
			c.add(keys["cert"].Pos, fmt.Sprintf("first on line %d", line), "tls.cert: %s stands there twice", pair.Cert)
		}
		lines[pair.Cert] = item.Pos.Line
		pairs = append(pairs, pair)
	}
	return pairs
}

// file is a path; a relative one is taken from the folder of the configuration.
func (c *checker) file(n *yamldoc.Node, what string) string {
	text := c.text(n, what)
	if text == "" || filepath.IsAbs(text) {
		return text
	}
	return filepath.Join(c.folder, text)
}

func (c *checker) tlsVersion(n *yamldoc.Node) uint16 {
	text := n.Text
	if n.Kind != yamldoc.Number {
		if text = c.text(n, "tls.min"); text == "" {
			return 0
		}
	}
	switch text {
	case "1.2":
		return tls.VersionTLS12
	case "1.3":
		return tls.VersionTLS13
	}
	c.add(n.Pos, "1.2 or 1.3", "tls.min: %s is no version of TLS to begin with", text)
	return 0
}

func (c *checker) limits(n *yamldoc.Node, l *listen.Limits) {
	keys, _ := c.section(n, limitsSection, "limits")
	for name, value := range map[string]*int{"header": &l.Header, "url": &l.URL} {
		if k := keys[name]; k != nil {
			*value = int(c.size(k, "limits."+name, 1<<10, 1<<20))
		}
	}
	if k := keys["body"]; k != nil {
		l.Body = c.size(k, "limits.body", 0, 1<<50)
	}
	if k := keys["connections"]; k != nil {
		l.Connections = c.count(k, "limits.connections", 1_000_000)
	}
	if k := keys["streams"]; k != nil {
		l.Streams = c.count(k, "limits.streams", 10_000)
	}
	for name, value := range map[string]*time.Duration{"header_timeout": &l.HeaderTimeout, "idle_timeout": &l.IdleTimeout, "stall_timeout": &l.StallTimeout} {
		if k := keys[name]; k != nil {
			if *value = c.duration(k, "limits."+name); *value <= 0 {
				c.add(k.Pos, "", "limits.%s must be more than 0s", name)
			}
		}
	}
}

// trusted reads addresses and prefixes.
func (c *checker) trusted(n *yamldoc.Node) forwarded.Trust {
	const what, remedy = "trusted_proxies", "e.g. [10.0.0.0/8, 192.0.2.1]"
	if n.Kind != yamldoc.List || len(n.Items) == 0 {
		c.add(n.Pos, remedy, "%s must be a list of addresses or prefixes, and not an empty one", what)
		return forwarded.Trust{}
	}
	var prefixes []netip.Prefix
	for _, item := range n.Items {
		text := c.text(item, what)
		if text == "" {
			continue
		}
		p, err := parsePrefix(text)
		switch {
		case err != nil:
			c.add(item.Pos, remedy, "%s: %q is neither an address nor a prefix", what, text)
		case p != p.Masked():
			c.add(item.Pos, "write "+p.Masked().String(), "%s: %s has bits behind its prefix", what, text)
		case p.Bits() == 0:
			c.add(item.Pos, "list the addresses of your load balancers", "%s: %s would take every client's word", what, text)
		case p.Addr().Is4In6():
			c.add(item.Pos, "write it as IPv4", "%s: %s is an IPv4 address in disguise", what, text)
		default:
			prefixes = append(prefixes, p)
		}
	}
	return forwarded.NewTrust(prefixes...)
}

func parsePrefix(text string) (netip.Prefix, error) {
	if strings.Contains(text, "/") {
		return netip.ParsePrefix(text)
	}
	addr, err := netip.ParseAddr(text)
	if err != nil || addr.Zone() != "" {
		return netip.Prefix{}, fmt.Errorf("%q is no address", text)
	}
	return netip.PrefixFrom(addr, addr.BitLen()), nil
}
