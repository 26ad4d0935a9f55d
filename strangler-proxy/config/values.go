package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/stranglerfig/toolkit/internal/yamldoc"
)

var variable = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)(?::([-?])([^}]*))?\}|\$\{[^}]*\}?`)

// text is the text of n with ${NAME}, ${NAME:-default} and ${NAME:?message}
// replaced. It is empty after a problem was reported.
func (c *checker) text(n *yamldoc.Node, what string) string {
	if n.Kind != yamldoc.String {
		c.add(n.Pos, "", "%s must be a text, this is %s", what, n.Kind)
		return ""
	}
	good := true
	text := variable.ReplaceAllStringFunc(n.Text, func(match string) string {
		value, unset, reason := c.expand(variable.FindStringSubmatch(match))
		if reason != "" {
			good = false
			if !unset || !c.allowUnset {
				c.add(n.Pos, "", "%s: %s", what, reason)
			}
		}
		return value
	})
	if !good {
		return ""
	}
	if strings.TrimSpace(text) == "" {
		c.add(n.Pos, "", "%s is empty", what)
	}
	return text
}

// expand gives a variable's value, or the reason why it has none; unset tells an
// unset variable from a misspelled expression.
func (c *checker) expand(parts []string) (value string, unset bool, reason string) {
	name, operator, operand := parts[1], parts[2], parts[3]
	if name == "" {
		return "", false, parts[0] + " is no variable: write ${NAME}, ${NAME:-default} or ${NAME:?message}"
	}
	value, set := c.lookup(name)
	switch {
	case set && (value != "" || operator == ""):
		return value, false, ""
	case operator == "-":
		return operand, false, ""
	case operator == "?" && operand != "":
		return "", true, "environment variable " + name + ": " + operand
	}
	return "", true, "environment variable " + name + " is not set: set it, or write ${" + name + ":-default}"
}

func (c *checker) address(n *yamldoc.Node, what string) string {
	text := c.text(n, what)
	if text == "" {
		return ""
	}
	if err := CheckAddress(text); err != nil {
		c.add(n.Pos, "e.g. 127.0.0.1:8080", "%s: %v", what, err)
		return ""
	}
	return text
}

// CheckAddress reports what is wrong with a listen address.
func CheckAddress(address string) error {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%q is not host:port", address)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return fmt.Errorf("%q is no port", port)
	}
	return nil
}

// IsLoopback reports whether only programs of this machine can reach address.
func IsLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

func (c *checker) duration(n *yamldoc.Node, what string) time.Duration {
	return c.durationUpTo(n, what, 24*time.Hour)
}

func (c *checker) durationUpTo(n *yamldoc.Node, what string, limit time.Duration) time.Duration {
	if n.Kind == yamldoc.Number {
		c.add(n.Pos, fmt.Sprintf("write %ss for seconds", n.Text), "%s needs a unit", what)
		return 0
	}
	text := c.text(n, what)
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		c.add(n.Pos, "e.g. 500ms, 10s, 2m", "%s: %q is no duration", what, text)
	case d < 0 || d > limit:
		c.add(n.Pos, "", "%s: %s is not between 0s and %.0fh", what, text, limit.Hours())
	}
	return d
}

func (c *checker) urls(n *yamldoc.Node, what string) []*url.URL {
	items := []*yamldoc.Node{n}
	if n.Kind == yamldoc.List {
		items = n.Items
		if len(items) == 0 {
			c.add(n.Pos, "", "%s is an empty list", what)
		}
	}
	var urls []*url.URL
	seen := map[string]bool{}
	for _, item := range items {
		text := c.text(item, what)
		if text == "" {
			continue
		}
		u, reason := parseURL(text)
		switch {
		case reason != "":
			c.add(item.Pos, "e.g. http://127.0.0.1:9000", "%s: %s", what, reason)
		case seen[u.String()]:
			c.add(item.Pos, "", "%s: %s stands there twice", what, text)
		default:
			seen[u.String()] = true
			urls = append(urls, u)
		}
	}
	return urls
}

// parseURL accepts http and https with a host and nothing else; the reason says why not.
func parseURL(text string) (u *url.URL, reason string) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Sprintf("%q is no url", text)
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Sprintf("%q does not begin with http:// or https://", text)
	case u.User != nil:
		return nil, "a url must not hold a user or password"
	case u.Hostname() == "":
		return nil, fmt.Sprintf("%q has no host", text)
	case u.Path != "" && u.Path != "/", u.RawQuery != "", u.Fragment != "", u.ForceQuery:
		return nil, fmt.Sprintf("%q goes on after the host: requests keep their own path", text)
	case isLinkLocal(u.Hostname()):
		return nil, fmt.Sprintf("%q is a link-local address, where clouds keep their secrets", text)
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return nil, fmt.Sprintf("%q is no port", port)
		}
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, ""
}

func isLinkLocal(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLinkLocalUnicast()
}

// loops reports an upstream that is the proxy itself.
func (c *checker) loops(top map[string]*yamldoc.Node, cfg *Config) {
	if n := top["monolith"]; n != nil {
		c.loop(n, cfg.Monolith, cfg)
	}
	for _, s := range cfg.Services {
		c.loop(top["services"].Get(s.Name), s, cfg)
	}
}

func (c *checker) loop(n *yamldoc.Node, u Upstream, cfg *Config) {
	if err := u.loop(cfg.Listen, cfg.Admin); err != nil {
		c.add(n.Pos, "", "%v", err)
	}
}

// CheckLoops reports an upstream that is one of the addresses where the proxy itself
// listens: it would ask itself until nothing is left.
func (c *Config) CheckLoops(addresses ...string) error {
	for _, u := range append([]Upstream{c.Monolith}, c.Services...) {
		if err := u.loop(addresses...); err != nil {
			return err
		}
	}
	return nil
}

func (u Upstream) loop(addresses ...string) error {
	for _, target := range u.URLs {
		for _, own := range addresses {
			if sameAddress(own, target) {
				return fmt.Errorf("%s: %s is the proxy's own address", u.Name, target)
			}
		}
	}
	return nil
}

func portOf(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	}
	return "80"
}

func sameAddress(listen string, u *url.URL) bool {
	host, port, err := net.SplitHostPort(listen)
	if err != nil || port == "0" || port != portOf(u) {
		return false
	}
	own := u.Hostname()
	return host == own || (IsLoopback(listen) || isEveryAddress(host)) && IsLoopback(net.JoinHostPort(own, port))
}

// isEveryAddress reports whether listening on host means every address of the machine.
func isEveryAddress(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "" || err == nil && ip.IsUnspecified()
}
