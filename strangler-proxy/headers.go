package strangler

import (
	"net"
	"net/http"
	"strings"

	"github.com/google/uuid"
)

// cleanRequest removes from a client's request what only the proxy may say, in every
// spelling that some server takes for it, and every upgrade but WebSocket.
func cleanRequest(r *http.Request, id string) {
	dropForwarding(r.Header)
	dropForceCookie(r.Header)
	r.Header["X-Request-Id"] = []string{id}
	if up := r.Header["Upgrade"]; up != nil && (len(up) != 1 || !strings.EqualFold(up[0], "websocket")) {
		delete(r.Header, "Upgrade")
	}
}

func dropForwarding(h http.Header) {
	for name := range h {
		if isForwardingHeader(name) {
			delete(h, name)
		}
	}
}

// isForwardingHeader knows X-Forwarded-*, X-Strangler-*, X-Request-Id, Forwarded and
// X-Real-Ip, also with _ or . in place of -, which CGI-like servers do not tell apart.
func isForwardingHeader(name string) bool {
	switch name[0] {
	case 'X', 'x', 'F', 'f':
	default:
		return false
	}
	name = strings.Map(func(r rune) rune {
		if r == '_' || r == '.' {
			return '-'
		}
		return r
	}, strings.ToLower(name))
	switch name {
	case "forwarded", "x-real-ip", "x-request-id":
		return true
	}
	return strings.HasPrefix(name, "x-forwarded-") || strings.HasPrefix(name, "x-strangler-")
}

// dropOwnHeaders removes X-Strangler-* from an upstream's response.
func dropOwnHeaders(h http.Header) {
	for name := range h {
		if len(name) > 12 && (name[0] == 'X' || name[0] == 'x') && strings.EqualFold(name[:12], "X-Strangler-") {
			delete(h, name)
		}
	}
}

// setForwarded tells the upstream who asked and for what.
func setForwarded(h http.Header, in *http.Request) {
	if ip, _, err := net.SplitHostPort(in.RemoteAddr); err == nil {
		h["X-Forwarded-For"] = []string{ip}
	}
	h["X-Forwarded-Host"] = []string{in.Host}
	proto := "http"
	if in.TLS != nil {
		proto = "https"
	}
	h["X-Forwarded-Proto"] = []string{proto}
}

const limitRequestID = 64

// requestID keeps a client's X-Request-Id that any program behind the proxy keeps,
// too (see internal/web), or makes one: one request has one id everywhere.
func requestID(h http.Header) string {
	if ids := h["X-Request-Id"]; len(ids) == 1 && saneID(ids[0]) {
		return ids[0]
	}
	id, err := uuid.NewV7()
	if err != nil {
		return uuid.NewString()
	}
	return id.String()
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
