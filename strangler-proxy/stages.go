package strangler

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"net/netip"

	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// decide chooses the side of a request, and draws a key for a client that needs one and
// has none.
func decide(t *route.Table, head route.Head) (route.Decision, error) {
	d, err := route.Decide(t, head)
	if err != nil || !d.NeedsKey {
		return d, err
	}
	head.Drawn = drawKey()
	return route.Decide(t, head)
}

// drawKey is a key that nobody else has.
func drawKey() string {
	var bits [route.KeyLength / 2]byte
	_, _ = rand.Read(bits[:]) // never fails
	return hex.EncodeToString(bits[:])
}

// keyCookie is the value of Set-Cookie by which a client keeps its new key. The cookie
// ends with the client's session: it says nothing but which half of the clients one is
// in.
func keyCookie(key string, secure bool) string {
	line := route.KeyCookie + "=" + key + "; Path=/; HttpOnly; SameSite=Lax"
	if secure {
		line += "; Secure"
	}
	return line
}

// peerOf is the address in a RemoteAddr; the zero value when it holds none.
func peerOf(remote string) netip.Addr {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap()
}

// dropForceCookie keeps the cookie that asks for a side, and its secret, from the
// applications.
func dropForceCookie(h http.Header) {
	lines := h["Cookie"]
	if len(lines) == 0 {
		return
	}
	kept := lines[:0:0]
	for _, cookies := range lines {
		if cookies = route.StripForce(cookies); cookies != "" {
			kept = append(kept, cookies)
		}
	}
	h["Cookie"] = kept
	if len(kept) == 0 {
		delete(h, "Cookie")
	}
}
