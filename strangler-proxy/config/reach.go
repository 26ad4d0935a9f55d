package config

import (
	"crypto/x509"
	"fmt"
	"os"
	"strings"

	"github.com/stranglerfig/toolkit/strangler-proxy/yamldoc"
)

// reachKeys say how an upstream is spoken to, for the monolith and services alike.
var reachKeys = []Key{
	{Name: "host", Type: "text", Default: "the client's", Doc: "What requests name as their `Host`, `name` or `name:port`. Without it the upstream sees what the client sent, so that it need not notice the proxy."},
	{Name: "ca", Type: "path", Default: "the system's", Doc: "A file of certificates (PEM) that alone vouch for the upstream's own, for `https` urls inside a house. It is read again with the configuration."},
}

// reach reads the keys that say how an upstream is spoken to.
func (c *checker) reach(keys map[string]*yamldoc.Node, what string, u *Upstream) {
	if n := keys["host"]; n != nil {
		u.Host = c.text(n, what+".host")
		if strings.ContainsFunc(u.Host, func(r rune) bool {
			return !strings.ContainsRune("-._:[]", r) && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
		}) {
			c.add(n.Pos, "e.g. orders.internal", "%s.host: %q is no host", what, u.Host)
		}
	}
	if n := keys["ca"]; n != nil {
		u.CA = c.text(n, what+".ca")
		https := false
		for _, one := range u.URLs {
			https = https || one.Scheme == "https"
		}
		if u.CA != "" && len(u.URLs) > 0 && !https {
			c.add(n.Pos, "", "%s.ca: none of its urls begins with https", what)
		}
	}
}

// LoadCAs reads the certificates of all upstreams that name some, by file.
func (c *Config) LoadCAs() (map[string]*x509.CertPool, error) {
	pools := map[string]*x509.CertPool{}
	for _, u := range append([]Upstream{c.Monolith}, c.Services...) {
		if u.CA == "" || pools[u.CA] != nil {
			continue
		}
		text, err := os.ReadFile(u.CA)
		if err != nil {
			return nil, fmt.Errorf("ca of %s: %w", u.Name, err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("ca of %s: %s holds no certificate in PEM form", u.Name, u.CA)
		}
		pools[u.CA] = pool
	}
	return pools, nil
}
