package admin

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// Access says who may use the admin address.
type Access struct {
	// Tokens are asked for each request, so that they can be changed. nil means none.
	Tokens func() Tokens
	// Beyond says that other machines reach the address. Then a request with a token may
	// name any Host: browsers, which could be tricked into one, have no token.
	Beyond bool
}

// open lists what probes may ask without a token. It says nothing and changes nothing.
func open(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && (r.URL.Path == "/healthz" || r.URL.Path == "/readyz")
}

// guard refuses requests that a web page could have caused: a foreign Host is DNS
// rebinding, a foreign origin is cross-site request forgery. Where tokens are asked
// for, everything but the probes needs one.
func (a Access) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		if foreignPage(r) {
			fail(w, &problem{Status: http.StatusForbidden, Code: "forbidden", Message: "requests from other sites are refused"})
			return
		}
		who, known := a.caller(r)
		if !local(r.Host) && (!a.Beyond || who == "" && !open(r)) {
			fail(w, &problem{Status: http.StatusForbidden, Code: "forbidden", Message: "the admin address answers only under localhost or a loopback address"})
			return
		}
		if !known && !open(r) {
			h.Set("WWW-Authenticate", `Bearer realm="strangler"`)
			fail(w, &problem{Status: http.StatusUnauthorized, Code: "unauthorized", Message: "a token is needed", Remedy: "send Authorization: Bearer TOKEN; commands take it from STRANGLER_TOKEN or --token-file"})
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, who)))
	})
}

// caller returns the name of the token that the request carries, and whether it may
// pass: it may without one where there are none.
func (a Access) caller(r *http.Request) (name string, may bool) {
	var tokens Tokens
	if a.Tokens != nil {
		tokens = a.Tokens()
	}
	if len(tokens) == 0 {
		return "", true
	}
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return "", false
	}
	scheme, secret, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	return tokens.owner(strings.TrimSpace(secret))
}

type callerKey struct{}

// actorOf names in the audit log who sent the request.
func actorOf(r *http.Request) string {
	if name, _ := r.Context().Value(callerKey{}).(string); name != "" {
		return "token:" + name
	}
	return "api"
}

func foreignPage(r *http.Request) bool {
	for _, origin := range r.Header.Values("Origin") {
		if !ownOrigin(origin, r.Host) {
			return true
		}
	}
	for _, site := range r.Header.Values("Sec-Fetch-Site") {
		if site != "none" && site != "same-origin" {
			return true
		}
	}
	return false
}

func local(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	} else if len(host) > 2 && host[0] == '[' {
		host = host[1 : len(host)-1]
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

func ownOrigin(origin, host string) bool {
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && u.Host == host
}
