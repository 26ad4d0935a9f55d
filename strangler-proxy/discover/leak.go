package discover

import (
	"net"
	"net/url"
	"strings"
)

// Hosts are the names and addresses of the upstreams, which no client should learn. It
// is immutable.
type Hosts struct {
	authorities map[string]bool // host:port
	names       map[string]bool // host
}

// NewHosts collects the hosts of urls.
func NewHosts(urls ...*url.URL) *Hosts {
	h := &Hosts{authorities: map[string]bool{}, names: map[string]bool{}}
	for _, u := range urls {
		h.authorities[authority(u)] = true
		h.names[strings.ToLower(u.Hostname())] = true
	}
	return h
}

// authority is host:port, with the scheme's port when there is none.
func authority(u *url.URL) string {
	port := u.Port()
	switch {
	case port != "":
	case strings.EqualFold(u.Scheme, "https"):
		port = "443"
	default:
		port = "80"
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

// Leaks returns the name of the first header of a response that names one of hosts, or
// "": such a link leads clients past the proxy, and such a cookie does not come back.
// values returns the values of a header, whose name is canonical. client is the Host
// that the client asked for: what names that host is no secret.
func Leaks(values func(name string) []string, hosts *Hosts, client string) string {
	for _, name := range [...]string{"Location", "Content-Location", "Access-Control-Allow-Origin"} {
		for _, value := range values(name) {
			if hosts.inURL(value, client) {
				return name
			}
		}
	}
	for _, cookie := range values("Set-Cookie") {
		if hosts.inCookie(cookie, client) {
			return "Set-Cookie"
		}
	}
	return ""
}

// inURL reports whether a URL leads to one of the hosts.
func (h *Hosts) inURL(value, client string) bool {
	if !strings.Contains(value, "//") {
		return false // stays at the host that the client knows
	}
	u, err := url.Parse(strings.TrimSpace(value))
	if err != nil || u.Host == "" || strings.EqualFold(u.Host, client) {
		return false
	}
	return h.authorities[authority(u)]
}

// inCookie reports whether a cookie is meant for one of the hosts only. Cookies know no
// ports, so where clients use the same host it does no harm.
func (h *Hosts) inCookie(line, client string) bool {
	_, attributes, _ := strings.Cut(line, ";")
	for attribute := range strings.SplitSeq(attributes, ";") {
		name, value, _ := strings.Cut(attribute, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "Domain") {
			continue
		}
		domain := strings.ToLower(strings.TrimPrefix(strings.TrimSpace(value), "."))
		host := client
		if h, _, err := net.SplitHostPort(client); err == nil {
			host = h
		}
		if h.names[domain] && !strings.EqualFold(domain, strings.Trim(host, "[]")) {
			return true
		}
	}
	return false
}
